// Every operation of the API document, sent a list of nasty bodies, path parameters, queries and headers: whatever
// comes back is no fault of the server, and whatever is refused is a problem with a code that the document lists.
import { startOwnServer, type OwnServer } from '../../scripts/own-server.js';
import { good, Http, problemOf, type Answer } from '../support/http.js';

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: {
    readonly content: Record<string, { readonly schema: { readonly $ref?: string } }>;
  };
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema: CodeSchema }> }>;
}

interface CodeSchema {
  readonly allOf?: readonly {
    readonly properties?: { readonly code?: { readonly enum: readonly string[] } };
  }[];
}

interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: {
    readonly schemas: Record<string, { readonly properties?: Record<string, unknown> }>;
  };
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

const ID = '01890000-0000-7000-8000-000000000000';
const REFERENCES = [
  'known',
  '1',
  ID,
  'nobody',
  '%00',
  '..%2f',
  '__proto__',
  'constructor',
  'x'.repeat(200),
  '%zz',
  '%20',
];
const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  9_007_199_254_740_991,
  '',
  'known',
  ID,
  '../../etc/passwd',
  "' OR 1=1 --",
  'x'.repeat(6_000),
  '\u202e\u0001',
  [],
  [null],
  ['known', 'known', {}],
  {},
  { a: { b: [] } },
];
const BODIES: readonly unknown[] = ['{', '[]', 'null', '"text"', '1', '{"__proto__":{}}', {}, { unknown: 1 }];
const QUERIES = [
  '?x=1',
  '?limit=1e9',
  '?cursor=%ff',
  '?minPosition=-1',
  '?limit=1&limit=2',
  '?[]=1',
  '?__proto__=1',
  '?%',
];
const HEADERS: readonly Record<string, string>[] = [
  { 'if-match': '"-1"' },
  { 'if-match': 'W/"1", "2"' },
  { 'if-none-match': '"'.repeat(1_000) },
  { 'content-type': 'text/plain' },
  { 'x-request-id': "'".repeat(300) },
  { accept: 'text/html' },
  { authorization: `Bearer ${'x'.repeat(600)}` },
];

let server: OwnServer;
let http: Http;
let document: Document;
let names = 0;

beforeAll(async () => {
  server = await startOwnServer();
  http = new Http(server.url, server.key);
  document = await good(http.send<Document>('GET', '/openapi.json'));
  await good(http.post('/environments', { name: 'known' }));
  await good(http.post('/flows', { name: 'known', content: { a: 1 } }));
  await good(http.post('/flows/known/versions/1/environments', { environment: 'known' }));
});
afterAll(() => server.stop());

/** Each nasty thing on its own, the rest as it should be, so that it gets as far as it can. */
function callsOf(template: string, method: string, operation: Operation): Call[] {
  const names = (operation.parameters ?? [])
    .filter((parameter) => parameter.in === 'path')
    .map(({ name }) => name);
  const filled = (name?: string, reference = '') =>
    names.reduce((path, each) => {
      const usual =
        each === 'project' ? 'default' : ['number', 'version', 'a', 'b'].includes(each) ? '1' : 'known';
      return path.replace(`{${each}}`, each === name ? reference : usual);
    }, template);
  const takesBody = operation.requestBody !== undefined;
  const body = takesBody ? {} : undefined;
  const calls: Call[] = names.flatMap((name) =>
    REFERENCES.map((reference) => ({ method, path: filled(name, reference), body })),
  );
  calls.push(...QUERIES.map((query) => ({ method, path: filled() + query, body })));
  calls.push(...HEADERS.map((headers) => ({ method, path: filled(), body, headers })));
  if (!takesBody) return calls;
  calls.push(...BODIES.map((bad) => ({ method, path: filled(), body: bad })));
  const schema = operation.requestBody.content['application/json']?.schema.$ref?.split('/').at(-1) ?? '';
  const fields = Object.keys(document.components.schemas[schema]?.properties ?? {});
  for (const field of fields) {
    for (const value of VALUES) {
      const usual = Object.fromEntries(fields.map((name) => [name, usualValue(name)]));
      calls.push({ method, path: filled(), body: { ...usual, [field]: value } });
    }
  }
  return calls;
}

function usualValue(field: string): unknown {
  const name = `sweep-${(names += 1)}`;
  const usual: Record<string, unknown> = {
    name,
    content: { a: 1 },
    flowIds: ['known'],
    toRelease: 1,
    dryRun: true,
  };
  if (field in usual) return usual[field];
  return /environment$/i.test(field) ? 'known' : undefined;
}

function codesOf(operation: Operation, status: number): readonly string[] {
  const schema = operation.responses[status]?.content?.['application/problem+json']?.schema;
  return schema?.allOf?.flatMap(({ properties }) => properties?.code?.enum ?? []) ?? [];
}

/** What is wrong with an answer, in words; undefined when nothing is. */
function faultIn(
  { method, path, body, headers }: Call,
  answer: Answer,
  operation: Operation,
): string | undefined {
  const sent = JSON.stringify({ method, path: path.slice(0, 120), body, headers })?.slice(0, 300);
  if (answer.status >= 500) return `${answer.status} for ${sent}: ${answer.text}`;
  if (answer.status < 400) return undefined;
  const { code } = problemOf(answer);
  return codesOf(operation, answer.status).includes(code) || code === 'not-found'
    ? undefined
    : `${answer.status} ${code} is not in the document, but was answered to ${sent}`;
}

it('Nothing that any operation is sent makes a fault, or a problem that is not documented', async () => {
  const faults: string[] = [];
  let sent = 0;
  for (const [path, item] of Object.entries(document.paths)) {
    if (path.includes('/projects/{project}/')) continue;
    for (const [method, operation] of Object.entries(item)) {
      const calls = callsOf(path, method.toUpperCase(), operation);
      sent += calls.length;
      for (const call of calls) {
        const fault = faultIn(call, await http.send(call.method, call.path, call), operation);
        if (fault !== undefined) faults.push(fault);
      }
    }
  }
  expect(sent).toBeGreaterThan(1_200);
  expect(faults).toEqual([]);
});

it('Afterwards the server is in order and a good command works', async () => {
  expect(await good(http.send('GET', '/health/ready'))).toMatchObject({ status: 'ready', failures: [] });
  await good(http.post('/environments', { name: 'afterwards' }));
  await good(http.post('/flows', { name: 'afterwards', content: { a: 1 } }));
  const made = await good(
    http.post('/flows/afterwards/versions/1/environments', { environment: 'afterwards' }),
  );
  expect(made).toMatchObject({ changed: true, release: { number: 1 } });
  expect(await good(http.get('/flows/afterwards/resolve?environment=afterwards'))).toMatchObject({
    number: 1,
  });
});
