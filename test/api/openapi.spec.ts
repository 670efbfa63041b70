// The API document: valid in itself, the same routes as the server has, and true of what the server really answers.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startOwnServer, type OwnServer } from '../../scripts/own-server.js';
import type { Version } from '../../scripts/client.js';
import { DocumentSchemas, operationsOf, type ApiDocument, type Json } from '../support/api-document.js';
import { EventClient } from '../support/event-client.js';
import type { Route } from '../support/print-routes.js';
import { good, Http } from '../support/http.js';
import { temporaryFolder } from '../support/server-process.js';

const PRINT_ROUTES = fileURLToPath(new URL('../support/print-routes.js', import.meta.url));
const EVENT_STREAM = 'text/event-stream';
/** A key alone does not get there: the story of sessions holds them to the document. */
const OF_PEOPLE = /^\/api\/v1\/(session|sessions(\/\{session\})?|people\/\{person\})$/;
const UNDOCUMENTED = /^\/(health|docs|metrics|openapi\.json)(\/|$)|^\/docs/;

let server: OwnServer;
let http: Http;
let document: ApiDocument;
let schemas: DocumentSchemas;

beforeAll(async () => {
  server = await startOwnServer();
  http = new Http(server.url, server.key);
  document = await good(http.send<ApiDocument>('GET', '/openapi.json'));
  schemas = new DocumentSchemas(document);
});
afterAll(() => server.stop());

const operations = () => operationsOf(document);

/** Every object below a node, with the way to it. */
function* objectsIn(node: unknown, way = '#'): Generator<{ readonly way: string; readonly object: Json }> {
  if (typeof node !== 'object' || node === null) return;
  if (!Array.isArray(node)) yield { way, object: node as Json };
  for (const [key, child] of Object.entries(node)) yield* objectsIn(child, `${way}/${key}`);
}

function at(reference: string): unknown {
  return reference
    .replace(/^#\//, '')
    .split('/')
    .reduce<unknown>((node, key) => (node as Json | undefined)?.[key], document);
}

describe('The API document', () => {
  it('is of OpenAPI 3.1, and every reference in it leads somewhere', () => {
    expect(document.openapi).toMatch(/^3\.1\.\d$/);
    const references = [...objectsIn(document)].flatMap(({ object }) => object['$ref'] ?? []) as string[];
    expect(references.length).toBeGreaterThan(50);
    expect(references.filter((reference) => at(reference) === undefined)).toEqual([]);
  });

  it('uses nothing that 3.1 no longer has, and only types that there are', () => {
    const types = ['string', 'integer', 'number', 'boolean', 'array', 'object', 'null'];
    const odd = [...objectsIn(document)].filter(({ way, object }) => {
      const { type, nullable, example } = object;
      const isSchema = /schema|schemas\/\w+$|properties\/\w+$|items$/.test(way) && !/properties$/.test(way);
      if (!isSchema) return false;
      const named = [type ?? []].flat() as string[];
      return nullable !== undefined || example !== undefined || named.some((name) => !types.includes(name));
    });
    expect(odd.map(({ way }) => way)).toEqual([]);
  });

  it('names every operation once, and every parameter of its path', () => {
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => !/^[A-Za-z][A-Za-z.]*$/.test(id))).toEqual([]);
    for (const { path, operation } of operations()) {
      const inPath = operation.parameters.filter((parameter) => parameter.in === 'path');
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect({ path, names: inPath.map(({ name }) => name).sort() }).toEqual({ path, names: named.sort() });
      expect(inPath.every(({ required }) => required === true)).toBe(true);
    }
  });

  it('says of every operation what it answers, good or bad', () => {
    const lacking: string[] = [];
    for (const { method, path, operation } of operations()) {
      const successes = Object.entries(operation.responses).filter(([status]) => /^20[012]$/.test(status));
      const [status, success] = successes[0] ?? [];
      const schema = Object.values(success?.content ?? {})[0]?.schema;
      if (successes.length !== 1 || schema === undefined)
        lacking.push(`${method} ${path}: ${status} has no schema`);
      for (const wanted of ['401', '404', '422', '500', '503']) {
        if (!(wanted in operation.responses)) lacking.push(`${method} ${path}: ${wanted} is missing`);
      }
      for (const [code, { content = {} }] of Object.entries(operation.responses)) {
        const types = Object.keys(content).join();
        if (Number(code) >= 400 && types !== 'application/problem+json')
          lacking.push(`${method} ${path}: ${code}`);
      }
    }
    expect(lacking).toEqual([]);
  });

  it('has exactly the routes that the server has', async () => {
    const folder = temporaryFolder();
    const env = { ...process.env, PORT: '0', HOST: '127.0.0.1', SWITCHYARD_DATA: folder.path };
    const { stdout } = await promisify(execFile)(process.execPath, [PRINT_ROUTES], { env });
    folder.remove();
    const routes = (JSON.parse(stdout) as Route[])
      .filter(({ method, path }) => method !== 'HEAD' && !UNDOCUMENTED.test(path))
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
    expect(routes.length).toBeGreaterThan(50);
    const documented = operations().map(({ method, path }) => `${method} ${path}`);
    expect(documented.sort()).toEqual([...new Set(routes)].sort());
  });
});

/** Stands for the id of the key that a call before has issued. */
const NEW_KEY = '$key';

/** One good call for every operation, in an order in which each of them works. */
const CALLS: readonly (readonly [operation: string, path: string, body?: object])[] = [
  [
    'POST /environments',
    '',
    { name: 'One', slug: 'one', description: 'd', color: '#00ff00', default: false },
  ],
  ['POST /environments', '', { name: 'Two' }],
  ['POST /flows', '', { name: 'Flow', slug: 'flow', kind: 'prompt', content: { a: 1 }, comment: 'c' }],
  ['POST /flows', '', { name: 'Spare' }],
  ['POST /flows/{flow}/versions', 'flow', { content: { a: 2 }, label: 'l', comment: 'c' }],
  ['PATCH /flows/{flow}/versions/{version}', 'flow/2', { content: { a: 3 }, label: null }],
  ['POST /flows/{flow}/versions/{version}/fork', 'flow/1', { comment: 'c' }],
  ['POST /flows/{flow}/versions/{version}/environments', 'flow/1', { environment: 'one', comment: 'c' }],
  ['POST /flows/{flow}/versions/{version}/environments', 'flow/1', { environment: 'one' }],
  ['POST /flows/{flow}/versions/{version}/environments', 'flow/2', { environment: 'one' }],
  ['POST /environments/promote', '', { sourceEnvironment: 'one', targetEnvironment: 'two', dryRun: true }],
  [
    'POST /environments/promote',
    '',
    { sourceEnvironment: 'one', targetEnvironment: 'two', flowIds: ['flow'] },
  ],
  ['POST /environments/{environment}/rollback', 'one', { comment: 'c', toRelease: 1 }],
  ['POST /environments/{environment}/rollback', 'one', { toRelease: 2, dryRun: true }],
  ['GET /environments/diff?sourceEnvironment=one&targetEnvironment=two&includeUnchanged=true', ''],
  ['GET /environments', ''],
  ['GET /environments/{environment}', 'one'],
  ['PATCH /environments/{environment}', 'one', { description: null, color: null }],
  ['GET /environments/{environment}/active', 'one'],
  ['GET /environments/{environment}/active?at=20', 'one'],
  ['GET /environments/{environment}?at=20', 'one'],
  ['GET /environments/{environment}/history', 'one'],
  ['GET /environments/diff?sourceEnvironment=one&targetEnvironment=two&at=20', ''],
  ['GET /environments/default', ''],
  ['GET /environments/default?at=20', ''],
  ['GET /diff?from=one@r0&to=two&includeUnchanged=true', ''],
  ['GET /environments/{environment}/releases', 'one'],
  ['GET /environments/{environment}/releases', 'two'],
  ['GET /environments/{environment}/releases/{number}', 'two/1'],
  ['GET /flows', ''],
  ['GET /flows/{flow}', 'flow'],
  ['GET /flows/{flow}?at=20', 'flow'],
  ['GET /flows/{flow}/history', 'flow'],
  ['PATCH /flows/{flow}', 'flow', { name: 'Renamed' }],
  ['GET /flows/{flow}/versions', 'flow'],
  ['GET /flows/{flow}/versions/{version}', 'flow/3'],
  ['GET /flows/{flow}/versions/{a}/diff/{b}', 'flow/1/2'],
  ['GET /flows/{flow}/resolve', 'flow'],
  ['GET /flows/{flow}/resolve?at=20', 'flow'],
  ['GET /flows/{flow}/resolve?environment=one', 'flow'],
  ['GET /flows/{flow}/resolve?version=3', 'flow'],
  ['DELETE /flows/{flow}/environments/{environment}', 'flow/two', { comment: 'c' }],
  ['POST /flows/{flow}/archive', 'spare'],
  ['PUT /environments/default', '', { environment: 'one' }],
  ['PUT /environments/default', '', { environment: null }],
  ['POST /environments/{environment}/archive', 'two'],
  ['POST /environments/{environment}/restore', 'two'],
  ['GET /audit/checkpoint', ''],
  ['GET /audit/proof/inclusion?position=1', ''],
  ['GET /audit/proof/consistency?from=1', ''],
  ['GET /audit/keys', ''],
  ['GET /audit/checkpoints', ''],
  ['GET /audit/evidence?from=1&size=3', ''],
  ['GET /audit/export?format=ndjson', ''],
  ['GET /audit', ''],
  ['GET /audit/{position}', '1'],
  ['GET /views', ''],
  ['POST /views/rebuild', ''],
  ['GET /projects', ''],
  ['GET /projects/{project}', 'default'],
  ['GET /projects/{project}?at=20', 'default'],
  ['PATCH /projects/{project}', 'default', { name: 'Main', withoutEnvironment: 'latest' }],
  ['POST /projects', '', { name: 'Spare', slug: 'spare' }],
  ['POST /projects/{project}/archive', 'spare'],
  ['GET /projects/{project}', 'spare'],
  ['POST /projects/{project}/restore', 'spare'],
  ['POST /workspaces', '', { name: 'Other', slug: 'other' }],
  ['GET /workspaces', ''],
  ['GET /workspaces/{workspace}', 'other'],
  ['PATCH /workspaces/{workspace}', 'other', { name: 'Another' }],
  ['POST /workspaces/{workspace}/archive', 'other'],
  ['POST /workspaces/{workspace}/restore', 'other'],
  ['GET /me', ''],
  [
    'POST /keys',
    '',
    {
      name: 'CI',
      grants: [{ role: 'promoter', projects: ['default'], environments: ['one'] }],
      expiresAt: '2999-01-01T00:00:00Z',
    },
  ],
  ['GET /keys', ''],
  ['GET /keys/{key}', NEW_KEY],
  ['POST /keys/{key}/rotate', NEW_KEY, { overlapSeconds: 60 }],
  ['DELETE /keys/{key}', NEW_KEY],
];

describe('What the server answers', () => {
  const faultsIn = (schema: Json | undefined, value: unknown) => schemas.faultsIn(schema, value);

  let newKeyId = '';

  /** What is wrong with one call of the list, from what is sent to what comes back. */
  async function faultsOfCall([name, references, body]: (typeof CALLS)[number]): Promise<unknown> {
    const [method = '', template = ''] = name.split(' ');
    const [path = '', query] = template.split('?');
    const values = references.replace(NEW_KEY, newKeyId).split('/');
    const filled = path.replace(/\{\w+\}/g, () => values.shift() ?? '');
    const target = `/api/v1${filled}${query === undefined ? '' : `?${query}`}`;
    const operation = document.paths[`/api/v1${path}`]?.[method.toLowerCase()];
    const sent = operation?.requestBody?.content['application/json']?.schema;
    const ofBody = body === undefined ? [] : faultsIn(sent, body);
    const answer = await http.send(method, target, { body });
    if (answer.status >= 300) return answer.text;
    if (name === 'POST /keys') newKeyId = (answer.body as { id: string }).id;
    const content = operation?.responses[answer.status]?.content ?? {};
    const [type = ''] = (answer.headers.get('content-type') ?? '').split(';');
    const isJson = type === 'application/json';
    return [ofBody, faultsIn(content[type]?.schema, isJson ? answer.body : answer.text)].flat();
  }

  it('is as the document says, for every operation', async () => {
    const faults: unknown[] = [];
    for (const call of CALLS) faults.push({ call: call[0], faults: await faultsOfCall(call) });
    expect(faults).toEqual(CALLS.map(([call]) => ({ call, faults: [] })));
    const seen = new Set(CALLS.map(([call]) => call.replace(/\?.*/, '').replace(' ', ' /api/v1')));
    const others = operations().filter(
      ({ path, operation }) =>
        !path.includes('/projects/{project}/') &&
        !OF_PEOPLE.test(path) &&
        operation.responses['200']?.content?.[EVENT_STREAM] === undefined,
    );
    expect(others.map(({ method, path }) => `${method} ${path}`).filter((name) => !seen.has(name))).toEqual(
      [],
    );
  });

  it('is as the document says in each message of a stream of changes', async () => {
    const client = await EventClient.openAfter(http, '0');
    const { position } = await good(http.send<{ position: string }>('GET', '/health/ready'));
    await client.untilId(position);
    client.close();
    const schema = { $ref: '#/components/schemas/ChangeEventAnswer' };
    expect(client.events.length).toBeGreaterThan(20);
    const faulty = client.events.map((event) => ({ event, faults: faultsIn(schema, event) }));
    expect(faulty.filter(({ faults }) => JSON.stringify(faults) !== '[]')).toEqual([]);
    const [event] = client.events;
    expect(faultsIn(schema, { ...event, data: { ...event?.data, extra: 1 } })).not.toEqual([]);
  });

  it('is as the document says where it is a problem', async () => {
    const cases = [
      ['/environments/{environment}', 'GET', '/environments/nowhere', undefined],
      ['/environments', 'POST', '/environments', { name: '' }],
      ['/environments', 'GET', '/environments?limit=0', undefined],
      ['/flows/{flow}/versions/{version}', 'PATCH', '/flows/flow/versions/1', { content: {} }],
    ] as const;
    for (const [template, method, path, body] of cases) {
      const answer = await http.send(method, `/api/v1${path}`, { body });
      const responses = document.paths[`/api/v1${template}`]?.[method.toLowerCase()]?.responses;
      const schema = responses?.[answer.status]?.content?.['application/problem+json']?.schema;
      expect({ path, faults: faultsIn(schema, answer.body) }).toEqual({ path, faults: [] });
    }
  });

  it('would be seen if it were otherwise', async () => {
    const version = await good(http.get<Version>('/flows/flow/versions/1'));
    const schema = { $ref: '#/components/schemas/VersionAnswer' };
    expect(faultsIn(schema, version)).toEqual([]);
    expect(faultsIn(schema, { ...version, extra: 1 })).toHaveLength(1);
    expect(faultsIn(schema, { ...version, number: '1' })).toHaveLength(1);
    expect(faultsIn(schema, { ...version, actor: { ...version.actor, extra: 1 } })).toHaveLength(1);
    const { digest: _, ...lacking } = version;
    expect(faultsIn(schema, lacking)).toHaveLength(1);
  });
});
