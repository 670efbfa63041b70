// People who sign in with a key, on real servers: what the cookie is, whom it lets do what, and when that ends.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MeAnswer, NewKeyAnswer } from '../../src/api/keys.answers.js';
import { DocumentSchemas, type ApiDocument } from '../support/api-document.js';
import { Browser } from '../support/browser.js';
import { good, Http, problemOf, refused, type Answer } from '../support/http.js';
import { missing, PostgresServer } from '../support/postgres-server.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';
import { unless, until } from '../support/spec.js';

const PROXY = { SWITCHYARD_TRUST_PROXY: '127.0.0.1' };
const SECRET = /swy_session_[0-9a-f]{64}/;

const suite = serversOfSuite();
let server: ServerProcess;
let admin: Http;

beforeAll(async () => {
  const folder = suite.newFolder();
  server = suite.kept(await ServerProcess.start(folder, { ...PROXY, SWITCHYARD_LOG_REQUESTS: 'all' }));
  admin = new Http(server.url, ADMIN_KEY);
});

interface Page {
  readonly items: readonly {
    readonly type: string;
    readonly summary: string;
    readonly actor: { readonly type: string; readonly id: string; readonly name: string | null };
    readonly after: Record<string, unknown> | null;
  }[];
}

async function newKey(
  role = 'admin',
  more: object = {},
  http = admin,
): Promise<NewKeyAnswer & { key: string }> {
  const body = { name: `${role} ${Math.random()}`, grants: [{ role }], ...more };
  return good(http.post<NewKeyAnswer & { key: string }>('/keys', body));
}

async function signedIn(key: string, url = server.url): Promise<Browser> {
  const browser = new Browser();
  await good(browser.fetch(`${url}/api/v1/session`, { method: 'POST', body: { key } }));
  return browser;
}

function whoIs(browser: Browser, url = server.url): Promise<Answer<MeAnswer>> {
  return browser.fetch<MeAnswer>(`${url}/api/v1/session`);
}

describe('Signing in with a key', () => {
  it('sets a cookie that no script can read and no other site can send, and says who that is', async () => {
    const { key, id, name } = await newKey('viewer');
    const browser = new Browser();
    const before = Date.now();
    const answer = await browser.fetch<MeAnswer>(`${server.url}/api/v1/session`, {
      ...{ method: 'POST', body: { key } },
    });
    expect(answer.status).toBe(201);
    const secret = browser.cookieNamed('switchyard');
    expect(secret).toMatch(new RegExp(`^${SECRET.source}$`));
    expect(answer.headers.getSetCookie()).toEqual([
      `switchyard=${secret}; Max-Age=43200; Path=/; HttpOnly; SameSite=Strict`,
    ]);
    const { expiresAt, ...me } = answer.body;
    expect(Math.abs(Date.parse(expiresAt ?? '') - before - 43_200_000)).toBeLessThan(5_000);
    const { expiresAt: never, ...same } = await good(new Http(server.url, key).get<MeAnswer>('/me'));
    expect(never).toBeNull();
    expect(me).toEqual(same);
    expect(me).toMatchObject({ id, type: 'api-key', name, grants: [{ role: 'viewer' }] });
    expect((await whoIs(browser)).body).toEqual(answer.body);
  });

  it('gives over TLS a cookie of this host alone, which only goes over TLS', async () => {
    const { key } = await newKey('viewer');
    const browser = new Browser();
    const headers = { 'x-forwarded-proto': 'https' };
    const url = `${server.url}/api/v1/session`;
    const answer = await browser.fetch(url, { method: 'POST', body: { key }, headers });
    const secret = browser.cookieNamed('__Host-switchyard');
    expect(answer.headers.getSetCookie()).toEqual([
      `__Host-switchyard=${secret}; Max-Age=43200; Path=/; HttpOnly; Secure; SameSite=Strict`,
    ]);
    expect((await browser.fetch(url, { headers })).status).toBe(200);
    // Anybody below the same domain could have set one of the plain name.
    const tossed = new Browser();
    tossed.plant(server.url, 'switchyard', secret ?? '');
    await refused(tossed.fetch(url, { headers }), 401, 'unauthorized');
    expect((await tossed.fetch(url)).status).toBe(200);
  });

  it('lets people do what the key may, as that key', async () => {
    const { key, id, name } = await newKey('admin');
    const browser = await signedIn(key);
    const body = { name: 'Made in a session' };
    await good(browser.fetch(`${server.url}/api/v1/environments`, { method: 'POST', body }));
    const { items } = await good(admin.get<Page>('/audit?type=EnvironmentCreated&limit=1'));
    expect(items[0]?.actor).toEqual({ type: 'api-key', id, name });
    const viewer = await signedIn((await newKey('viewer')).key);
    const forbidden = viewer.fetch(`${server.url}/api/v1/environments`, { method: 'POST', body });
    await refused(forbidden, 403, 'forbidden');
  });

  it.each([
    ['a key that never was', { key: 'swy_nobody' }, 401, 'unauthorized'],
    ['no key', {}, 422, 'invalid-body'],
    ['a key with a space in it', { key: 'a b' }, 422, 'invalid-body'],
    ['more than a key', { key: ADMIN_KEY, until: 'ever' }, 422, 'invalid-body'],
  ])('is refused with %s, and sets no cookie', async (_, body, status, code) => {
    const answer = await new Browser().fetch(`${server.url}/api/v1/session`, { method: 'POST', body });
    expect(answer.status).toBe(status);
    expect(problemOf(answer).code).toBe(code);
    expect(answer.headers.getSetCookie()).toEqual([]);
  });

  it('with a key that was revoked is refused, and is in the audit trail', async () => {
    const { key, id } = await newKey('viewer');
    await good(admin.delete(`/keys/${id}`));
    const signingIn = new Browser().fetch(`${server.url}/api/v1/session`, { method: 'POST', body: { key } });
    await refused(signingIn, 401, 'unauthorized');
    await until(async () => {
      const { items } = await good(admin.get<Page>(`/audit?actor=${id}&type=AttemptDenied`));
      return items.some(({ summary }) => summary.includes('unauthorized on POST /api/v1/session'));
    });
  });

  it('again ends the session that the browser had before', async () => {
    const browser = await signedIn(ADMIN_KEY);
    const before = browser.cookieNamed('switchyard') ?? '';
    const { key } = await newKey('viewer');
    await good(browser.fetch(`${server.url}/api/v1/session`, { method: 'POST', body: { key } }));
    const thief = new Browser();
    thief.plant(server.url, 'switchyard', before);
    await refused(whoIs(thief), 401, 'unauthorized');
    expect((await whoIs(browser)).body.grants).toEqual([{ role: 'viewer' }]);
  });
});

describe('A session', () => {
  it('ends when somebody signs out, also for whoever has kept the cookie, and so does a stream', async () => {
    const browser = await signedIn(ADMIN_KEY);
    const cookie = `switchyard=${browser.cookieNamed('switchyard')}`;
    const stream = await fetch(`${server.url}/api/v1/events`, { headers: { cookie } });
    expect(stream.status).toBe(200);
    const answer = await browser.fetch<object>(`${server.url}/api/v1/session`, { method: 'DELETE' });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ position: expect.stringMatching(/^\d+$/) });
    expect(answer.headers.getSetCookie()).toEqual([
      'switchyard=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict',
    ]);
    // Reads to the end, which there only is because the stream was ended.
    expect(await stream.text()).toContain('event: hello');
    expect(browser.cookieNamed('switchyard')).toBeUndefined();
    browser.plant(server.url, 'switchyard', cookie.slice('switchyard='.length));
    await refused(whoIs(browser), 401, 'unauthorized');
    await refused(browser.fetch(`${server.url}/api/v1/environments`), 401, 'unauthorized');
  });

  it('ends when its key is revoked', async () => {
    const { key, id } = await newKey('viewer');
    const browser = await signedIn(key);
    await good(admin.delete(`/keys/${id}`));
    await refused(whoIs(browser), 401, 'unauthorized');
  });

  it('ends when its key is rotated, also while the secret of before works', async () => {
    const { key, id } = await newKey('viewer');
    const browser = await signedIn(key);
    const rotated = await good(admin.post<{ key: string }>(`/keys/${id}/rotate`, { overlapSeconds: 600 }));
    await refused(whoIs(browser), 401, 'unauthorized');
    expect((await new Http(server.url, key).get('/me')).status).toBe(200);
    const again = new Browser().fetch(`${server.url}/api/v1/session`, { method: 'POST', body: { key } });
    await refused(again, 401, 'unauthorized');
    expect((await whoIs(await signedIn(rotated.key))).status).toBe(200);
  });

  it('ends when its key expires', async () => {
    const expiresAt = new Date(Date.now() + 2_500).toISOString();
    const { key } = await newKey('viewer', { expiresAt });
    const browser = await signedIn(key);
    expect((await whoIs(browser)).body.expiresAt).toBe(expiresAt);
    await until(async () => (await whoIs(browser)).status === 401);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expiresAt));
  });

  it('is needed to be told who is signed in, and to sign out: a key alone is not one', async () => {
    for (const method of ['GET', 'DELETE']) {
      await refused(admin.send(method, '/api/v1/session'), 401, 'unauthorized');
      await refused(new Http(server.url, undefined).send(method, '/api/v1/session'), 401, 'unauthorized');
    }
  });

  it('counts for nothing beside a key, whether that works or not', async () => {
    const { key, id } = await newKey('viewer');
    const browser = await signedIn(ADMIN_KEY);
    const me = (authorization: string) =>
      browser.fetch<MeAnswer>(`${server.url}/api/v1/me`, { headers: { authorization } });
    expect((await me(`Bearer ${key}`)).body.id).toBe(id);
    for (const authorization of ['Bearer swy_nobody', 'Basic abc', '']) {
      await refused(me(authorization), 401, 'unauthorized');
    }
  });

  it.each([
    '',
    'switchyard',
    'switchyard=',
    'switchyard=%',
    '=;=;=',
    `switchyard=${'x'.repeat(4_000)}`,
    'theme=1',
  ])('is not found in the cookie %j', async (cookie) => {
    const answer = await new Http(server.url, undefined).get('/me', { cookie });
    expect(problemOf(answer).code).toBe('unauthorized');
  });
});

/** What a request may say of the page that it comes from, and whether a change is taken from there. */
const SITES: readonly (readonly [says: Record<string, string>, isTaken: boolean])[] = [
  [{ 'sec-fetch-site': 'same-origin' }, true],
  [{ 'sec-fetch-site': 'none' }, true],
  [{ 'sec-fetch-site': 'same-site' }, false],
  [{ 'sec-fetch-site': 'cross-site' }, false],
  [{ 'sec-fetch-site': '' }, false],
  [{ origin: 'own' }, true],
  [{ 'sec-fetch-site': 'cross-site', origin: 'own' }, false],
  [{ origin: 'own', 'x-forwarded-proto': 'https' }, false],
  [{ origin: 'own over TLS', 'x-forwarded-proto': 'https' }, true],
  [{ origin: 'https://evil.example' }, false],
  [{ origin: 'http://127.0.0.1:1' }, false],
  [{ origin: 'null' }, false],
  [{ origin: '' }, false],
  [{}, false],
];

describe('A change with a session', () => {
  const saying = (says: Record<string, string>) => ({
    ...says,
    ...(says['origin'] === 'own' && { origin: server.url }),
    ...(says['origin'] === 'own over TLS' && { origin: server.url.replace('http:', 'https:') }),
  });

  it.each(SITES)('that says %j is taken: %j', async (says, isTaken) => {
    const secret = (await signedIn(ADMIN_KEY)).cookieNamed('switchyard') ?? '';
    const name = says['x-forwarded-proto'] === undefined ? 'switchyard' : '__Host-switchyard';
    const headers = { ...saying(says), cookie: `${name}=${secret}` };
    const browser = new Http(server.url, undefined);
    const before = await positionNow();
    const answers = [
      await browser.send('POST', '/api/v1/environments', { headers, body: { name: `env ${Math.random()}` } }),
      await browser.send('PATCH', '/api/v1/projects/default', { headers, body: {} }),
      await browser.send('PUT', '/api/v1/environments/default', { headers, body: { environment: null } }),
    ];
    const signingIn = { headers: saying(says), body: { key: ADMIN_KEY } };
    answers.push(await browser.send('POST', '/api/v1/session', signingIn));
    answers.push(await browser.send('DELETE', '/api/v1/session', { headers }));
    const codes = answers.map((answer) => (answer.status < 300 ? 'taken' : problemOf(answer).code));
    expect(codes).toEqual(codes.map(() => (isTaken ? 'taken' : 'cross-site-request')));
    expect(answers.every(({ status }) => isTaken || status === 403)).toBe(true);
    if (!isTaken) expect(await changesSince(before)).toEqual([]);
    // Reading is nobody's harm: the answer is not shown to the page.
    expect((await browser.get('/me', { ...headers, cookie: `${name}=${secret}` })).status).toBe(
      isTaken ? 401 : 200,
    );
  });

  it('is not asked where it comes from when it comes with a key', async () => {
    for (const [says] of SITES) {
      const headers = saying(says);
      const body = { name: `env ${Math.random()}` };
      expect((await admin.send('POST', '/api/v1/environments', { headers, body })).status).toBe(201);
    }
  });

  it('is allowed to no page of another site by CORS headers', async () => {
    const origin = 'https://evil.example';
    const asked = { origin, 'access-control-request-method': 'POST' };
    const cookie = `switchyard=${(await signedIn(ADMIN_KEY)).cookieNamed('switchyard')}`;
    const http = new Http(server.url, undefined);
    const answers = [
      await http.send('OPTIONS', '/api/v1/environments', { headers: asked }),
      await http.get('/me', { origin, cookie }),
      await http.post('/session', { key: ADMIN_KEY }, { origin }),
    ];
    for (const { headers } of answers) {
      expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });

  it('is never made by a GET, whichever route is asked', async () => {
    const browser = await signedIn(ADMIN_KEY);
    const document = await good(admin.send<ApiDocument>('GET', '/openapi.json'));
    const paths = Object.entries(document.paths).flatMap(([path, item]) => ('get' in item ? [path] : []));
    expect(paths.length).toBeGreaterThan(50);
    const before = await positionNow();
    for (const path of [...paths, '/metrics', '/health/ready', '/auth/oidc/login']) {
      const url = server.url + path.replaceAll('{project}', 'default').replaceAll(/\{\w+\}/g, '1');
      const aborted = new AbortController();
      const cookie = `switchyard=${browser.cookieNamed('switchyard')}`;
      const answer = await fetch(url, { headers: { cookie }, signal: aborted.signal });
      expect({ path, isHandled: answer.status < 500 }).toEqual({ path, isHandled: true });
      aborted.abort();
    }
    expect(await changesSince(before)).toEqual([]);
  });
});

async function positionNow(): Promise<string> {
  return (await good(admin.send<{ position: string }>('GET', '/health/ready'))).position;
}

/** What is in the log since, other than that somebody was denied. */
async function changesSince(position: string): Promise<string[]> {
  const from = String(Number(position) + 1);
  const { items } = await good(admin.get<Page>(`/audit?from=${from}&limit=500`));
  return items.map(({ type }) => type).filter((type) => type !== 'AttemptDenied');
}

describe('Sessions in the record', () => {
  it('are told as what they are, without a secret or the hash of one', async () => {
    const { key, id, name } = await newKey('viewer');
    const browser = await signedIn(key);
    await good(browser.fetch(`${server.url}/api/v1/session`, { method: 'DELETE' }));
    const { items } = await good(admin.get<Page>(`/audit?actor=${id}`));
    expect(items.map(({ type }) => type)).toEqual(['SessionClosed', 'SessionOpened']);
    expect(items[1]).toMatchObject({
      summary: expect.stringMatching(`^Somebody signed in with API key ${name} until `),
      actor: { type: 'api-key', id, name },
      after: { keyId: id },
    });
    const trail = await admin.send('GET', '/api/v1/audit/export?format=ndjson');
    expect(trail.text).toContain('SessionOpened');
    expect(trail.text).not.toMatch(/"(hash|keyHash)"|[0-9a-f]{64}/);
    expect(trail.text).not.toMatch(SECRET);
  });

  it('are answered as the API document says', async () => {
    const document = await good(admin.send<ApiDocument>('GET', '/openapi.json'));
    const schemas = new DocumentSchemas(document);
    const browser = new Browser();
    for (const [method, body] of [['POST', { key: ADMIN_KEY }], ['GET'], ['DELETE']] as const) {
      const asked = { method, ...(body && { body }) };
      const answer = await browser.fetch(`${server.url}/api/v1/session`, asked);
      const operation = document.paths['/api/v1/session']?.[method.toLowerCase()];
      const schema = operation?.responses[answer.status]?.content?.['application/json']?.schema;
      expect({ method, faults: schemas.faultsIn(schema, answer.body) }).toEqual({ method, faults: [] });
      expect(operation?.['security'] ?? []).toEqual([]);
    }
  });

  it('leave no secret in the log of the server, nor on its disk', async () => {
    const folder = suite.newFolder();
    const settings = { SWITCHYARD_LOG_REQUESTS: 'all', SWITCHYARD_LOG_LEVEL: 'trace' };
    const one = suite.kept(await ServerProcess.start(folder, settings));
    const browser = await signedIn(ADMIN_KEY, one.url);
    const secret = browser.cookieNamed('switchyard') ?? '';
    await good(whoIs(browser, one.url));
    const wrong = { method: 'POST', body: { key: 'a-key-of-somebody-else' } };
    await refused(browser.fetch(`${one.url}/api/v1/session`, wrong), 401, 'unauthorized');
    const { stderr, stdout } = await one.kill('SIGTERM');
    expect(stderr).toContain('/api/v1/session');
    const written = ['events.db', 'views.db'].map((file) => readFileSync(join(folder, file), 'latin1'));
    for (const text of [stderr, stdout, ...written]) {
      for (const kept of [secret, secret.slice('swy_session_'.length), ADMIN_KEY, 'a-key-of-somebody-else']) {
        expect(text.includes(kept)).toBe(false);
      }
    }
  });

  it('hold after a crash, also when the views have to be made from the log again', async () => {
    const folder = suite.newFolder();
    const first = suite.kept(await ServerProcess.start(folder));
    const [kept, left] = [await signedIn(ADMIN_KEY, first.url), await signedIn(ADMIN_KEY, first.url)];
    await good(left.fetch(`${first.url}/api/v1/session`, { method: 'DELETE' }));
    const outOf = left.cookieNamed('switchyard');
    expect(outOf).toBeUndefined();
    const { body: before } = await whoIs(kept, first.url);
    await first.kill('SIGKILL');
    for (const file of ['views.db', 'views.db-wal', 'views.db-shm'])
      rmSync(join(folder, file), { force: true });
    const second = suite.kept(await ServerProcess.start(folder));
    expect((await whoIs(kept, second.url)).body).toEqual(before);
    await second.kill('SIGTERM');
    // And from the rows that were left.
    const third = suite.kept(await ServerProcess.start(folder));
    expect((await whoIs(kept, third.url)).body).toEqual(before);
  });

  it('last as long as the operator has set', async () => {
    const settings = { SWITCHYARD_SESSION_HOURS: '2', SWITCHYARD_PUBLIC_URL: 'https://switchyard.example' };
    const one = suite.kept(await ServerProcess.start(suite.newFolder(), settings));
    const http = new Http(one.url, undefined);
    const signingIn = (origin: string) => http.post('/session', { key: ADMIN_KEY }, { origin });
    const answer = await signingIn('https://switchyard.example');
    expect(answer.headers.get('set-cookie')).toMatch(
      new RegExp(
        `^__Host-switchyard=${SECRET.source}; Max-Age=7200; Path=/; HttpOnly; Secure; SameSite=Strict$`,
      ),
    );
    await refused(signingIn('https://other.example'), 403, 'cross-site-request');
  });

  it('cannot be opened by trying: after too many wrong keys an address has to wait', async () => {
    const settings = { SWITCHYARD_RATE_LIMIT_UNAUTHORIZED: '1' };
    const one = suite.kept(await ServerProcess.start(suite.newFolder(), settings));
    const wrong = () => {
      const asked = { method: 'POST', body: { key: 'wrong' } };
      return new Browser().fetch(`${one.url}/api/v1/session`, asked);
    };
    await until(async () => (await wrong()).status === 429);
    expect(Number((await wrong()).headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await whoIs(await signedIn(ADMIN_KEY, one.url), one.url)).status).toBe(200);
  });

  it('with names of people that cannot be read stop the start, rather than lose them', async () => {
    const folder = suite.newFolder();
    writeFileSync(join(folder, 'people.json'), '{"people":');
    await expect(ServerProcess.start(folder)).rejects.toThrow(
      /ended with 78 .*The names of people cannot be read/s,
    );
  });
});

const rule = unless(missing);

describe('Two servers on one log', () => {
  let postgres: PostgresServer;
  const urls: string[] = [];

  beforeAll(async () => {
    if (missing !== '') return;
    postgres = await PostgresServer.start();
    const settings = { SWITCHYARD_EVENT_STORE: await postgres.newDatabase() };
    for (let n = 0; n < 2; n += 1) {
      urls.push(suite.kept(await ServerProcess.start(suite.newFolder(), settings)).url);
    }
  });
  afterAll(() => postgres?.remove());

  rule('know the same sessions, and a sign-out on one holds on the other', async () => {
    const [one = '', other = ''] = urls;
    const browser = await signedIn(ADMIN_KEY, one);
    await until(async () => (await whoIs(browser, other)).status === 200);
    const secret = browser.cookieNamed('switchyard') ?? '';
    await good(browser.fetch(`${other}/api/v1/session`, { method: 'DELETE' }));
    browser.plant(one, 'switchyard', secret);
    await until(async () => (await whoIs(browser, one)).status === 401);
    expect((await whoIs(browser, other)).status).toBe(401);
  });
});
