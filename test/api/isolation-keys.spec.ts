// Keys against those who would make more of one than they were given: by handing out wider ones, by outliving what
// ended them, by asking with half a key, and by looking for a secret wherever anything is kept or said.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { MAY, ROLES, type Grant } from '../isolation/grants.js';
import { issue, NO_LIMITS } from '../isolation/world.js';
import { operationsOf, type ApiDocument } from '../support/api-document.js';
import { EventClient } from '../support/event-client.js';
import { good, Http, refused, type Answer } from '../support/http.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';
import { until } from '../support/spec.js';

const ADMIN: Grant = { role: 'admin' };

interface Key {
  readonly id: string;
  readonly key: string | null;
}
interface Entry {
  readonly type: string;
  readonly position: string;
  readonly actor: { readonly id: string };
  readonly summary: string;
}

const suite = serversOfSuite();
let folder: string;
let server: ServerProcess;
let admin: Http;

beforeAll(async () => {
  folder = suite.newFolder();
  server = suite.kept(await ServerProcess.start(folder, NO_LIMITS));
  admin = new Http(server.url, ADMIN_KEY);
  await good(admin.post('/projects', { name: 'Blog', slug: 'blog' }));
  await good(admin.post('/projects', { name: 'Shop', slug: 'shop' }));
  for (const name of ['dev', 'prod']) await good(admin.post('/projects/shop/environments', { name }));
  await good(admin.post('/projects/blog/environments', { name: 'post' }));
}, 60_000);

const as = (key: string | null): Http => new Http(server.url, key ?? '');

async function entriesFrom(position: string): Promise<Entry[]> {
  const { items } = await good(admin.get<{ items: Entry[] }>(`/audit?limit=500&from=${position}`));
  return items;
}

/** The position after everything that is there. */
async function next(): Promise<string> {
  const { position } = await good(admin.send<{ position: string }>('GET', '/health/ready'));
  return String(BigInt(position) + 1n);
}

describe('A key hands out no wider one', () => {
  const ENVIRONMENTS: Readonly<Record<string, readonly string[]>> = {
    default: ['to come'],
    blog: ['post', 'to come'],
    shop: ['dev', 'prod', 'to come'],
    'to come': ['to come'],
  };
  const SHAPES: Readonly<Record<string, Omit<Grant, 'role'>>> = {
    everything: {},
    shop: { projects: ['shop'] },
    blog: { projects: ['blog'] },
    'shop and blog': { projects: ['shop', 'blog'] },
    'dev of the shop': { projects: ['shop'], environments: ['dev'] },
    'all of the shop by name': { projects: ['shop'], environments: ['dev', 'prod'] },
    'dev anywhere': { environments: ['dev'] },
    'post of the shop and the blog': { projects: ['shop', 'blog'], environments: ['post'] },
  };

  /** Everything that a grant allows, one by one: an ability, in a project, on an environment or on none of them. */
  function allowedBy({ role, projects, environments }: Grant): string[] {
    return Object.keys(ENVIRONMENTS)
      .filter((project) => projects?.includes(project) ?? true)
      .flatMap((project) =>
        [
          ...(ENVIRONMENTS[project] ?? []).filter((one) => environments?.includes(one) ?? true),
          'itself',
          ...(environments === undefined ? ['whole'] : []),
        ].map((place) => `${project}/${place}`),
      )
      .flatMap((place) => MAY[role].map((ability) => `${ability} in ${place}`));
  }

  /** Whether the one who asks may know that all of it is there. */
  function isKnown({ projects, environments }: Grant, own: readonly string[]): boolean {
    const named = projects ?? Object.keys(ENVIRONMENTS);
    return (
      (projects ?? []).every((project) => own.includes(`rule in ${project}/itself`)) &&
      (environments ?? []).every((one) => named.some((project) => own.includes(`rule in ${project}/${one}`)))
    );
  }

  it('for every role and every limit, as those who ask may themselves', async () => {
    const askers: [string, Grant[]][] = [
      ...Object.entries(SHAPES).map(([name, limits]): [string, Grant[]] => [
        name,
        [{ role: 'admin', ...limits }],
      ]),
      [
        'dev of the shop, and a look at all',
        [{ role: 'admin', ...SHAPES['dev of the shop'] }, { role: 'viewer' }],
      ],
      [
        'the shop, the blog in two',
        [
          { role: 'admin', projects: ['shop'] },
          { role: 'admin', projects: ['blog'] },
        ],
      ],
      ...ROLES.slice(0, -1).map((role): [string, Grant[]] => [role, [{ role }]]),
    ];
    const faults: string[] = [];
    const seen: Record<number, number> = {};
    const before = await next();
    for (const [name, grants] of askers) {
      const http = as((await issue(admin, name, grants)).key);
      const own = grants.flatMap(allowedBy);
      for (const role of ROLES) {
        for (const [shape, limits] of Object.entries(SHAPES)) {
          const grant = { role, ...limits };
          const status = statusFor(grant, own);
          const answer = await http.post<Key>('/keys', { name: 'handed out', grants: [grant] });
          seen[status] = (seen[status] ?? 0) + 1;
          if (answer.status !== status)
            faults.push(`${name}: ${role} of ${shape} is ${status}: ${answer.text}`);
        }
      }
    }
    expect(faults).toEqual([]);
    expect(Math.min(...[201, 403, 422].map((status) => seen[status] ?? 0))).toBeGreaterThan(40);
    const lines = (await admin.get(`/audit/export?type=ApiKeyIssued&from=${before}`)).text
      .trimEnd()
      .split('\n');
    expect(lines).toHaveLength(askers.length + (seen[201] ?? 0));
  }, 120_000);

  function statusFor(grant: Grant, own: readonly string[]): number {
    if (!own.some((one) => one.startsWith('rule '))) return 403;
    if (!isKnown(grant, own)) return 422;
    return allowedBy(grant).every((one) => own.includes(one)) ? 201 : 403;
  }

  it('and takes none over that reaches where it does not administer', async () => {
    const victim = await issue(admin, 'viewer of production', [
      { role: 'viewer', projects: ['shop'], environments: ['prod'] },
    ]);
    const { key } = await issue(admin, 'of dev', [
      { role: 'admin', projects: ['shop'], environments: ['dev'] },
      { role: 'viewer' },
    ]);
    const http = as(key);
    await refused(http.get(`/keys/${victim.id}`), 404, 'key-not-found');
    await refused(http.post(`/keys/${victim.id}/rotate`, {}), 404, 'key-not-found');
    await refused(http.delete(`/keys/${victim.id}`), 404, 'key-not-found');
    await good(as(victim.key).get('/me'));
    const { items } = await good(http.get<{ items: Key[] }>('/keys'));
    expect(items.map(({ id }) => id)).not.toContain(victim.id);
  });
});

describe('The last administrator', () => {
  it('stays, when two of them end each other at the same moment, again and again', async () => {
    const { key } = await good(admin.post<{ key: string }>('/workspaces', { name: 'Two' }));
    let last = as(key);
    for (let round = 0; round < 12; round += 1) {
      const [a, b] = await Promise.all([issue(last, 'a', [ADMIN]), issue(last, 'b', [ADMIN])]);
      const { items } = await good(last.get<{ items: Key[] }>('/keys'));
      for (const { id } of items) if (id !== a.id && id !== b.id) await good(as(a.key).delete(`/keys/${id}`));
      const answers = await Promise.all([
        as(a.key).delete(`/keys/${b.id}`),
        as(b.key).delete(`/keys/${a.id}`),
      ]);
      const statuses = answers.map(({ status }) => status).sort((one, other) => one - other);
      expect(statuses[0]).toBe(200);
      expect([401, 409]).toContain(statuses[1]);
      const works = await Promise.all([a, b].map(async (one) => (await as(one.key).get('/me')).status));
      expect(works.sort((one, other) => one - other)).toEqual([200, 401]);
      last = as((await as(a.key).get('/me')).status === 200 ? a.key : b.key);
    }
  }, 60_000);
});

/** A request that was let in, and whose body comes when the test says so. */
async function begun(key: string, path: string, body: unknown): Promise<{ end(): Promise<number> }> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  const json = JSON.stringify(body);
  const lines = ['host: a', `authorization: Bearer ${key}`, 'connection: close', 'expect: 100-continue'];
  lines.push('content-type: application/json', `content-length: ${json.length}`);
  socket.write(`POST ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  await until(() => text.startsWith('HTTP/1.1 100'));
  return {
    async end(): Promise<number> {
      socket.write(json);
      await closed;
      return Number(/\r\n\r\nHTTP\/1.1 (\d+)/.exec(text)?.[1]);
    },
  };
}

describe('A key that was revoked', () => {
  it('does not finish what it had begun: neither a command nor a key for afterwards', async () => {
    const { id, key } = await issue(admin, 'stolen', [ADMIN]);
    const wanted: [string, unknown][] = [
      ['/api/v1/keys', { name: 'for afterwards', grants: [ADMIN] }],
      ['/api/v1/flows', { name: 'Left behind' }],
      ['/api/v1/workspaces', { name: 'Left behind' }],
    ];
    const requests = await Promise.all(wanted.map(([path, body]) => begun(key, path, body)));
    const before = await next();
    await good(admin.delete(`/keys/${id}`));
    expect(await Promise.all(requests.map((one) => one.end()))).toEqual([401, 401, 401]);
    const types = (await entriesFrom(before)).map(({ type }) => type);
    expect(types).toContain('ApiKeyRevoked');
    for (const type of ['ApiKeyIssued', 'FlowCreated', 'WorkspaceCreated']) expect(types).not.toContain(type);
  });

  it('hands out no key once it is, however many it is asking for at that moment', async () => {
    const { id, key } = await issue(admin, 'busy', [ADMIN]);
    const before = await next();
    const asked = { name: 'too late', grants: [ADMIN] };
    const askUntilRefused = async (): Promise<number> => {
      const { status } = await as(key).post('/keys', asked);
      return status === 201 ? askUntilRefused() : status;
    };
    const asking = Array.from({ length: 8 }, askUntilRefused);
    await until(async () => (await entriesFrom(before)).length > 0);
    await good(admin.delete(`/keys/${id}`));
    expect(new Set(await Promise.all(asking))).toEqual(new Set([401]));
    // The newest come first.
    const [newest] = (await entriesFrom(before)).filter(({ type }) => type.startsWith('ApiKey'));
    expect(newest?.type).toBe('ApiKeyRevoked');
  });

  it('is out with the very next request, and its streams end with it', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { id, key } = await issue(admin, 'short-lived', [ADMIN]);
      const stream = await EventClient.open(as(key));
      await good(admin.delete(`/keys/${id}`));
      await refused(as(key).get('/me'), 401, 'unauthorized');
      await stream.until(({ hasEnded }) => hasEnded);
    }
  });

  it('keeps no stream that was opened at the same moment', async () => {
    for (let round = 0; round < 20; round += 1) {
      const { id, key } = await issue(admin, 'racer', [ADMIN]);
      const opening = EventClient.openAfter(as(key), '0');
      const [stream] = await Promise.all([opening, good(admin.delete(`/keys/${id}`))]);
      await stream.until(({ hasEnded }) => hasEnded);
    }
  }, 60_000);
});

describe('A key that was rotated', () => {
  it('works with either secret for as long as was said, then with the new one, and the old one is known', async () => {
    // Of its own, since only so many denied attempts of one workspace are recorded in a minute.
    const { key: adminKey } = await good(admin.post<{ key: string }>('/workspaces', { name: 'Rotating' }));
    const own = as(adminKey);
    const entries = async () => (await good(own.get<{ items: Entry[] }>('/audit?type=AttemptDenied'))).items;
    const first = await issue(own, 'rotating', [{ role: 'editor' }]);
    const rotated = await good(own.post<Key>(`/keys/${first.id}/rotate`, { overlapSeconds: 2 }));
    for (const key of [first.key, rotated.key]) await good(as(key).get('/me'));
    await until(async () => (await as(first.key).get('/me')).status === 401);
    await good(as(rotated.key).get('/me'));
    await refused(as(first.key).post('/flows', { name: 'Denied' }), 401, 'unauthorized');
    await until(async () => (await entries()).some(({ summary }) => summary.includes('POST')));
    expect(await entries()).toContainEqual(
      expect.objectContaining({
        actor: expect.objectContaining({ id: first.id, name: 'rotating' }) as unknown,
      }),
    );
    const again = await good(own.post<Key>(`/keys/${first.id}/rotate`, { overlapSeconds: 0 }));
    await refused(as(rotated.key).get('/me'), 401, 'unauthorized');
    await good(as(again.key).get('/me'));
    await server.kill('SIGTERM');
    server = suite.kept(await ServerProcess.start(folder, NO_LIMITS));
    admin = new Http(server.url, ADMIN_KEY);
    for (const { key } of [first, rotated]) await refused(as(key).get('/me'), 401, 'unauthorized');
    await good(as(again.key).get('/me'));
  }, 60_000);
});

describe('What is not quite a key', () => {
  it('is none, wherever it stands', async () => {
    const { key, id } = await issue(admin, 'exact', [ADMIN]);
    const [prefix = ''] = key.split(/_(?=[^_]+$)/);
    const last = key.endsWith('A') ? 'B' : 'A';
    const hash = createHash('sha256').update(key).digest('hex');
    const almost = [
      key.slice(0, -1),
      `${key}A`,
      key.slice(0, -1) + last,
      key.toLowerCase(),
      prefix,
      id,
      hash,
      '',
    ];
    for (const one of almost) await refused(as(one).get('/me'), 401, 'unauthorized');
    const elsewhere: Record<string, string>[] = [
      ...['Basic', 'Token', 'Key'].map((scheme) => ({ authorization: `${scheme} ${key}` })),
      { authorization: key },
      { authorization: `Bearer ${key}, Bearer ${key}` },
      { 'x-api-key': key },
      { 'proxy-authorization': `Bearer ${key}` },
      { cookie: `key=${key}; session=${key}; __Host-switchyard=${key}` },
    ];
    const nobody = new Http(server.url, undefined);
    for (const headers of elsewhere) await refused(nobody.get('/me', headers), 401, 'unauthorized');
    for (const name of ['key', 'access_token', 'api_key', 'token', 'authorization']) {
      await refused(nobody.get(`/me?${name}=${key}`), 401, 'unauthorized');
      await refused(nobody.get(`/flows?${name}=Bearer%20${key}`), 401, 'unauthorized');
    }
    await refused(nobody.post('/flows', { name: 'x', key }), 401, 'unauthorized');
    await good(as(key).get('/me'));
  });
});

describe('The secret of a key', () => {
  it('is shown once, and kept and said nowhere: of it there is a hash, in the event alone', async () => {
    const body = { name: 'secret', grants: [{ role: 'viewer' }] };
    const [again, again2] = ['one', 'two'].map((key) => ({ 'idempotency-key': key }));
    const first = await good(admin.post<Key>('/keys', body, again));
    const second = await good(admin.post<Key>('/keys', body, again));
    expect(second).toMatchObject({ id: first.id, key: null });
    const rotated = await good(admin.post<Key>(`/keys/${first.id}/rotate`, {}, again2));
    expect(await good(admin.post<Key>(`/keys/${first.id}/rotate`, {}, again2))).toMatchObject({ key: null });
    const secrets = [first.key, rotated.key, ADMIN_KEY].map((key) => key ?? '');
    for (const key of secrets.slice(0, 2)) await good(as(key).get('/me'));
    await refused(as(`${secrets[0]}x`).get('/me'), 401, 'unauthorized');
    const hashes = secrets.map((key) => createHash('sha256').update(key).digest('hex'));
    for (const text of await everyAnswer(first.id)) {
      expect([...secrets, ...hashes].filter((one) => text.includes(one))).toEqual([]);
    }
    const kept = [server.stdout, server.stderr, ...filesIn(folder)];
    expect(secrets.filter((one) => kept.some((text) => text.includes(one)))).toEqual([]);
    expect(hashes.every((one) => kept.some((text) => text.includes(one)))).toBe(true);
    await hashesAreInTheirEvents(hashes);
  }, 60_000);

  /** Of every route that reads, to somebody who may read all of it. The evidence is looked at by itself. */
  async function everyAnswer(keyId: string): Promise<string[]> {
    const document = await good(admin.send<ApiDocument>('GET', '/openapi.json'));
    const paths = operationsOf(document).filter(({ method, path }) => {
      return method === 'GET' && !path.includes('/evidence') && !path.includes('{project}/');
    });
    const asked = paths.map(({ path }) => {
      return path
        .replace('{key}', keyId)
        .replace('{project}', 'default')
        .replace(/\{\w+\}/g, '1');
    });
    const answers: Answer[] = await Promise.all([
      ...asked.map((path) => admin.send('GET', path)),
      ...['ndjson', 'csv', 'ocsf'].map((format) => admin.get(`/audit/export?format=${format}`)),
      admin.get('/audit?limit=500'),
    ]);
    return answers.map(({ text, headers }) => text + JSON.stringify([...headers]));
  }

  async function hashesAreInTheirEvents(hashes: readonly string[]): Promise<void> {
    const evidence = await admin.get('/audit/evidence');
    const leaves = evidence.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.stringify(decoded(line)));
    const holding = leaves.filter((leaf) => hashes.some((one) => leaf.includes(one)));
    expect(holding.length).toBe(hashes.length);
    expect(holding.every((leaf) => /ApiKey(Issued|Rotated)/.test(leaf))).toBe(true);
  }

  /** With what is in base64 written out. */
  function decoded(line: string): unknown {
    return JSON.parse(line, (_, value: unknown) => {
      if (typeof value !== 'string' || value.length < 40) return value;
      return `${value} ${Buffer.from(value, 'base64').toString()}`;
    });
  }

  function filesIn(path: string): string[] {
    return readdirSync(path, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath ?? entry.path, entry.name), 'latin1'));
  }
});
