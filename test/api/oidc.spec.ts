// People who sign in at a real identity provider: the whole way there and back, what it lets them do, and everything
// on the way that must not work.
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { MeAnswer } from '../../src/api/keys.answers.js';
import { Browser, type Visit } from '../support/browser.js';
import { good, Http, problemOf, refused } from '../support/http.js';
import { CLIENT_ID, CLIENT_SECRET, freePort, IdentityProvider } from '../support/identity-provider.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';
import { until } from '../support/spec.js';

const CLOCK = pathToFileURL(fileURLToPath(new URL('../support/another-clock.js', import.meta.url))).href;

const PEOPLE = {
  'ada-17': {
    ...{ name: 'Ada Lovelace', email: 'ada@example.com', email_verified: true },
    ...{ groups: ['shop-operators', 'staff'], realm_access: { roles: ['auditors'] } },
  },
  'bob-4': { name: 'Bob', email: 'ada@example.com', email_verified: false, groups: 'staff' },
  'eve-9': { name: 'Eve', groups: ['nobody', '__proto__'] },
  'tom-2': { name: 'Tom', groups: ['tenants'] },
  'kim-3': { name: 'Kim', groups: ['lost', 'tenants'] },
};

const ROLES = [
  { claim: 'groups', value: 'staff', grants: [{ role: 'viewer' }] },
  {
    claim: 'groups',
    value: 'shop-operators',
    grants: [{ role: 'promoter', projects: ['shop', 'gone'], environments: ['production'] }],
  },
  { claim: 'realm_access.roles', value: 'auditors', grants: [{ role: 'auditor' }] },
  { claim: 'email', value: 'ada@example.com', grants: [{ role: 'editor' }] },
  { claim: 'groups', value: 'lost', grants: [{ role: 'admin', projects: ['gone'] }] },
  { claim: 'groups', value: 'lost', workspace: 'nowhere', grants: [{ role: 'admin' }] },
  { claim: 'groups', value: 'tenants', workspace: 'tenant', grants: [{ role: 'admin' }] },
];

const suite = serversOfSuite();
let folder: string;
let provider: IdentityProvider;
let server: ServerProcess;
let admin: Http;
let settings: Record<string, string>;

beforeAll(async () => {
  folder = suite.newFolder();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  provider = await IdentityProvider.start(`${url}/auth/oidc/callback`, PEOPLE);
  settings = {
    PORT: String(port),
    SWITCHYARD_PUBLIC_URL: url,
    SWITCHYARD_OIDC_ISSUER: provider.issuer,
    SWITCHYARD_OIDC_CLIENT_ID: CLIENT_ID,
    SWITCHYARD_OIDC_CLIENT_SECRET: CLIENT_SECRET,
    SWITCHYARD_OIDC_ROLES: JSON.stringify(ROLES),
    SWITCHYARD_LOG_LEVEL: 'trace',
    SWITCHYARD_LOG_REQUESTS: 'all',
  };
  // The provider is away while the server starts, which must not matter.
  await provider.goAway();
  await start();
  await provider.comeBack();
  await good(admin.post('/projects', { name: 'Shop' }));
  for (const name of ['production', 'staging'])
    await good(admin.post('/projects/shop/environments', { name }));
  await good(admin.post('/workspaces', { name: 'Tenant' }));
});
afterAll(() => provider.goAway());

async function start(more: Record<string, string> = {}): Promise<void> {
  server = suite.kept(await ServerProcess.start(folder, { ...settings, ...more }));
  admin = new Http(server.url, ADMIN_KEY);
}

interface Signing {
  readonly browser?: Browser;
  readonly query?: string;
  /** What becomes of an address on the way, before the browser goes there. */
  readonly change?: (url: URL) => void;
}

/** Up to where the server sends the browser in the end, or says that it does not. */
async function signIn(person: string | null, { browser = new Browser(), query = '', change }: Signing = {}) {
  provider.next = person;
  const isHere = (url: string) => new URL(url).origin === server.url;
  const isWayBack = (url: string) => isHere(url) && new URL(url).pathname === '/auth/oidc/callback';
  let visit = await browser.go(`${server.url}/auth/oidc/login${query}`, (url) => !isHere(url));
  if (isHere(visit.url)) return { browser, visit };
  const there = new URL(visit.url);
  if (change !== undefined) change(there);
  visit = await browser.goFromElsewhere(there.href, isWayBack);
  if (!isWayBack(visit.url)) return { browser, visit };
  const back = new URL(visit.url);
  visit = await browser.goFromElsewhere(back.href, (url) => !url.includes('/auth/oidc/'));
  return { browser, visit, back: back.href };
}

function meOf(browser: Browser): Promise<MeAnswer> {
  return good(browser.fetch<MeAnswer>(`${server.url}/api/v1/session`));
}

interface Page {
  readonly items: readonly {
    readonly type: string;
    readonly summary: string;
    readonly actor: { readonly type: string; readonly id: string; readonly name: string | null };
  }[];
}

function entriesOf(query: string): Promise<Page> {
  return good(admin.get<Page>(`/audit?${query}`));
}

function problemIn({ visit }: { readonly visit: Visit }) {
  expect(visit.headers.getSetCookie().filter((line) => /^switchyard=/.test(line))).toEqual([]);
  const { code, status } = problemOf(visit);
  return { code, status };
}

describe('Signing in at an identity provider', () => {
  it('leads there and back, and gives what all rules together give', async () => {
    const { browser, visit } = await signIn('ada-17', { query: '?returnTo=/flows%3Fq=1%23top' });
    expect([visit.status, visit.url]).toEqual([303, `${server.url}/flows?q=1#top`]);
    const secret = browser.cookieNamed('switchyard');
    const lines = visit.headers.getSetCookie();
    expect(lines).toEqual([
      'switchyard-sign-in=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax',
      `switchyard=${secret}; Max-Age=43200; Path=/; HttpOnly; SameSite=Strict`,
    ]);
    const { id, expiresAt, project, permissions, ...me } = await meOf(browser);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Date.parse(expiresAt ?? '') - Date.now()).toBeGreaterThan(43_100_000);
    expect([project?.slug, permissions.length]).toEqual(['default', 7]);
    expect(me).toEqual({
      ...{ type: 'person', name: 'Ada Lovelace', administersInstallation: false },
      workspace: expect.objectContaining({ slug: 'default' }),
      grants: [
        { role: 'viewer' },
        { role: 'promoter', projects: ['shop'], environments: ['production'] },
        { role: 'auditor' },
        { role: 'editor' },
      ],
    });
    expect(server.stderr).toContain('"unknown":"project gone"');
  });

  it('asks for a code with PKCE, a state and a nonce, and for no more than is needed', async () => {
    const visit = await new Browser().go(`${server.url}/auth/oidc/login`, () => true);
    const { origin, pathname, searchParams } = new URL(visit.url);
    expect([visit.status, origin, pathname]).toEqual([303, provider.issuer, '/auth']);
    const { state, nonce, code_challenge: challenge, ...others } = Object.fromEntries(searchParams);
    for (const random of [state, nonce, challenge]) expect(random).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(others).toEqual({
      ...{ client_id: CLIENT_ID, response_type: 'code', scope: 'openid profile email' },
      ...{ redirect_uri: `${server.url}/auth/oidc/callback`, code_challenge_method: 'S256' },
    });
    expect(visit.headers.getSetCookie()).toEqual([
      expect.stringMatching(
        /^switchyard-sign-in=[A-Za-z0-9_-]+; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/,
      ),
    ]);
    expect(visit.headers.getSetCookie().join()).not.toContain(state);
  });

  it('makes changes in the name of the person, whose name is in no event', async () => {
    const { browser } = await signIn('ada-17');
    const { id } = await meOf(browser);
    const body = { name: 'Made by a person', content: { text: 'hello' } };
    const headers = { 'idempotency-key': 'by-ada' };
    const path = `${server.url}/api/v1/flows`;
    await good(browser.fetch(path, { method: 'POST', body }));
    const version = { method: 'POST', body: { content: { text: 'again' } }, headers };
    const first = await browser.fetch(`${path}/made-by-a-person/versions`, version);
    const actor = { type: 'person', id, name: 'Ada Lovelace' };
    expect(first.body).toMatchObject({ actor });
    const again = await browser.fetch(`${path}/made-by-a-person/versions`, version);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.text).toBe(first.text);
    const { items } = await entriesOf(`actor=${id}&type=VersionDrafted`);
    expect(items[0]?.actor).toEqual(actor);
    const [signedIn] = (await entriesOf(`actor=${id}&type=SessionOpened`)).items;
    expect(signedIn?.summary).toMatch(
      /^A person signed in \(viewer, promoter on production in shop, auditor/,
    );
    expect(filesWith(['events.db', 'events.db-wal', 'views.db', 'views.db-wal'], 'Lovelace')).toEqual([]);
    expect(filesWith(['people.json'], 'Lovelace')).toEqual(['people.json']);
    expect(statSync(join(folder, 'people.json')).mode & 0o777).toBe(0o600);
  });

  it('gives nothing for an address that the provider has not verified', async () => {
    const { browser } = await signIn('bob-4');
    expect((await meOf(browser)).grants).toEqual([{ role: 'viewer' }]);
  });

  it('gives the same person the same id every time, in a workspace', async () => {
    const [one, other] = [await signIn('bob-4'), await signIn('bob-4')];
    expect((await meOf(other.browser)).id).toBe((await meOf(one.browser)).id);
    expect((await meOf((await signIn('ada-17')).browser)).id).not.toBe((await meOf(one.browser)).id);
  });

  it('is into the workspace that the rules name, and into another one where they allow it', async () => {
    const tom = await meOf((await signIn('tom-2')).browser);
    expect(tom).toMatchObject({ workspace: { slug: 'tenant' }, grants: [{ role: 'admin' }] });
    expect(tom.administersInstallation).toBe(false);
    const asked = await signIn('tom-2', { query: '?workspace=default' });
    expect(problemIn(asked)).toEqual({ code: 'forbidden', status: 403 });
    expect((await meOf((await signIn('ada-17', { query: '?workspace=default' })).browser)).name).toContain(
      'Ada',
    );
  });

  it('never gives more for a name that nobody has', async () => {
    // A project that is gone is not all projects, and a workspace that is gone is not the first one.
    expect(problemIn(await signIn('kim-3', { query: '?workspace=default' })).code).toBe('forbidden');
    expect((await meOf((await signIn('kim-3')).browser)).workspace.slug).toBe('tenant');
  });

  it('is refused to somebody to whom no rule gives anything, and that is in the audit trail', async () => {
    expect(problemIn(await signIn('eve-9'))).toEqual({ code: 'forbidden', status: 403 });
    await until(async () => {
      const { items } = await entriesOf('type=AttemptDenied&limit=5');
      return items.some(
        ({ actor, summary }) => actor.type === 'person' && summary.includes('/auth/oidc/callback'),
      );
    });
    expect(filesWith(['people.json'], 'Eve')).toEqual([]);
  });
});

describe('Somebody who signs in again and again', () => {
  it('is told to wait, and nobody else is', async () => {
    let status = 303;
    for (let times = 0; times < 100 && status === 303; times += 1) {
      ({ status } = (await signIn('kim-3')).visit);
    }
    expect(status).toBe(429);
    expect(problemIn(await signIn('kim-3'))).toEqual({ code: 'rate-limited', status: 429 });
    expect((await signIn('tom-2')).visit.status).toBe(303);
  });
});

describe('On the way to a provider and back', () => {
  it.each([
    ...[
      'https://evil.example/',
      '//evil.example',
      '/\\evil.example',
      '/.//evil.example',
      '/a/..//evil.example',
    ],
    ...['javascript:alert(1)', '/%0d%0aset-cookie:a=b\r\n', 'flows', ' /flows', '/\t/evil.example', ''],
  ])('nobody is sent to %j', async (returnTo) => {
    const visit = await new Browser().go(
      `${server.url}/auth/oidc/login?returnTo=${encodeURIComponent(returnTo)}`,
      () => true,
    );
    expect(problemOf(visit)).toMatchObject({ code: 'invalid-query', errors: [{ pointer: '/returnTo' }] });
    expect(visit.headers.getSetCookie()).toEqual([]);
  });

  it.each(['?returnTo=/a&returnTo=/b', '?workspace=No!', '?where=/'])(
    'no query like %s is taken',
    async (query) => {
      await refused(
        new Http(server.url, undefined).send('GET', `/auth/oidc/login${query}`),
        400,
        'invalid-query',
      );
    },
  );

  it.each([
    ['cross-site', false],
    ['same-site', false],
    ['', false],
    ['same-origin', true],
    ['none', true],
  ])(
    'nobody is sent there by a link elsewhere: Sec-Fetch-Site %j begins a sign-in: %j',
    async (site, begins) => {
      const sent = { headers: { 'sec-fetch-site': site } };
      const answer = await new Http(server.url, undefined).send('GET', '/auth/oidc/login', sent);
      expect(answer.headers.getSetCookie()).toHaveLength(begins ? 1 : 0);
      if (begins) expect(answer.status).toBe(303);
      else expect(problemOf(answer)).toMatchObject({ code: 'cross-site-request', status: 403 });
    },
  );

  it('a sign-in is finished once, whoever has kept what belongs to it', async () => {
    const browser = new Browser();
    const kept = await keptWhile(browser, () => signIn('bob-4', { browser }));
    expect(kept.visit.status).toBe(303);
    const again = await new Browser().go(kept.back ?? '');
    expect(problemOf(again)).toMatchObject({ code: 'sign-in-expired', status: 400 });
    const thief = new Browser();
    thief.plant(server.url, 'switchyard-sign-in', kept.pending);
    const replayed = await thief.go(kept.back ?? '');
    expect(problemOf(replayed)).toMatchObject({ code: 'sign-in-failed', status: 400 });
    expect(thief.cookieNamed('switchyard')).toBeUndefined();
  });

  it.each(['state', 'nonce', 'code_challenge'])('another %s than was sent ends it', async (parameter) => {
    const change = ({ searchParams }: URL) =>
      searchParams.set(parameter, 'x'.repeat(searchParams.get(parameter)?.length ?? 0));
    expect(problemIn(await signIn('ada-17', { change }))).toEqual({ code: 'sign-in-failed', status: 400 });
  });

  it('the code of somebody else is worth nothing in another browser', async () => {
    const [mine, theirs] = [new Browser(), new Browser()];
    await mine.go(`${server.url}/auth/oidc/login`, () => true);
    const { back } = await signIn('ada-17', { browser: theirs });
    const visit = await mine.goFromElsewhere(back ?? '');
    expect(problemOf(visit).code).toBe('sign-in-failed');
  });

  it('a cookie that somebody has made up or changed is none', async () => {
    const browser = new Browser();
    const kept = await keptWhile(browser, () => signIn('bob-4', { browser }));
    for (const sealed of [
      '',
      'x',
      'A'.repeat(200),
      `${kept.pending.slice(0, -1)}${kept.pending.endsWith('A') ? 'B' : 'A'}`,
    ]) {
      const other = new Browser();
      other.plant(server.url, 'switchyard-sign-in', sealed);
      expect(problemOf(await other.go(kept.back ?? '')).code).toBe('sign-in-expired');
    }
  });

  it('whoever does not want to is told so, in our words alone', async () => {
    const { visit } = await signIn(null);
    expect(problemOf(visit)).toMatchObject({ code: 'sign-in-failed', status: 400 });
    expect(visit.text).toContain('access_denied');
    expect(visit.text).not.toContain('<b>');
    const made = `${server.url}/auth/oidc/callback?error=%3Cscript%3E&state=x`;
    const browser = new Browser();
    await browser.go(`${server.url}/auth/oidc/login`, () => true);
    expect((await browser.go(made)).text).not.toContain('script');
  });

  it('a provider that is away, or not itself, is 503, and asked again by the next one', async () => {
    await server.kill('SIGTERM');
    await start();
    await provider.goAway();
    expect(problemIn(await signIn('ada-17'))).toEqual({ code: 'sign-in-unavailable', status: 503 });
    expect((await admin.get('/me')).status).toBe(200);
    await provider.comeBack();
    provider.failsWith = 500;
    expect(problemIn(await signIn('ada-17'))).toEqual({ code: 'sign-in-unavailable', status: 503 });
    provider.failsWith = undefined;
    expect((await signIn('ada-17')).visit.status).toBe(303);
  });

  it('a provider that goes away before the code is redeemed is 503 as well', async () => {
    const browser = new Browser();
    provider.next = 'ada-17';
    const isBack = (url: string) => url.includes('/auth/oidc/callback');
    const { url } = await browser.go(`${server.url}/auth/oidc/login`, isBack);
    provider.failsWith = 502;
    const visit = await browser.goFromElsewhere(url);
    provider.failsWith = undefined;
    expect(problemOf(visit)).toMatchObject({ code: 'sign-in-unavailable', status: 503 });
  });
});

describe('A person', () => {
  it('who is erased is signed out and has no name any more, in no answer and no file', async () => {
    const { browser } = await signIn('ada-17');
    const { id } = await meOf(browser);
    const name = 'Ada Lovelace';
    const actorOf = async () => (await entriesOf(`actor=${id}&limit=1`)).items[0]?.actor;
    await good(admin.post('/environments', { name: 'production' }));
    const flow = { name: 'Of Ada', content: { text: 'hello' } };
    await good(browser.fetch(`${server.url}/api/v1/flows`, { method: 'POST', body: flow }));
    await good(admin.post('/flows/of-ada/versions/1/environments', { environment: 'production' }));
    const resolve = () => admin.get<{ actor: unknown }>('/flows/of-ada/resolve?environment=production');
    expect((await resolve()).body.actor).toEqual({ type: 'person', id, name });
    expect(await actorOf()).toEqual({ type: 'person', id, name });
    const proofBefore = await good(admin.get<{ leaf: string }>('/audit/proof/inclusion?position=1'));
    const erased = await good(admin.delete<{ id: string; position: string }>(`/people/${id}`));
    expect(erased).toEqual({ id, position: expect.stringMatching(/^\d+$/) });
    await refused(browser.fetch(`${server.url}/api/v1/session`), 401, 'unauthorized');
    const unnamed = { type: 'person', id, name: null };
    expect((await resolve()).body.actor).toEqual(unnamed);
    expect(await actorOf()).toEqual(unnamed);
    expect(filesWith(['people.json'], 'Lovelace')).toEqual([]);
    const whole = await admin.send('GET', '/api/v1/audit/export?format=ndjson');
    expect(whole.text).toContain(id);
    expect(whole.text).not.toContain('Lovelace');
    expect(await good(admin.get('/audit/proof/inclusion?position=1'))).toMatchObject({
      leaf: proofBefore.leaf,
    });
    const { items } = await entriesOf('type=PersonErased');
    expect(items[0]?.summary).toBe(`The name of person ${id} was erased`);
  });

  it('is erased again by a start that finds an older file of names', async () => {
    await signIn('ada-17');
    const { id } = await meOf((await signIn('ada-17')).browser);
    const before = readFileSync(join(folder, 'people.json'));
    await good(admin.delete(`/people/${id}`));
    await server.kill('SIGTERM');
    writeFileSync(join(folder, 'people.json'), before);
    await start();
    await until(() => filesWith(['people.json'], 'Lovelace').length === 0);
    expect((await entriesOf(`actor=${id}&limit=1`)).items[0]?.actor.name).toBeNull();
    await signIn('ada-17');
    expect((await entriesOf(`actor=${id}&limit=1`)).items[0]?.actor.name).toBe('Ada Lovelace');
  });

  it('is erased by administrators of that workspace alone', async () => {
    const { browser } = await signIn('tom-2');
    const { id } = await meOf(browser);
    await refused(admin.delete(`/people/${id}`), 404, 'person-not-found');
    await refused(admin.delete('/people/0198c5a2-1000-7a01-8c11-4b7de2a90f01'), 404, 'person-not-found');
    const ada = (await signIn('ada-17')).browser;
    const erasing = ada.fetch(`${server.url}/api/v1/people/${id}`, { method: 'DELETE' });
    await refused(erasing, 403, 'forbidden');
    await good(browser.fetch(`${server.url}/api/v1/people/${id}`, { method: 'DELETE' }));
  });

  it('keeps the id when the client secret is another one, and is signed out after the hours of a session', async () => {
    const { browser } = await signIn('bob-4');
    const { id } = await meOf(browser);
    await server.kill('SIGTERM');
    await start({ NODE_OPTIONS: `--import ${CLOCK}`, ANOTHER_CLOCK_MS: String(13 * 3_600_000) });
    await refused(browser.fetch(`${server.url}/api/v1/session`), 401, 'unauthorized');
    expect((await entriesOf(`actor=${id}&limit=1`)).items[0]?.actor.name).toBe('Bob');
    await server.kill('SIGTERM');
    await start();
  });

  it('leaves neither secret nor token in the log of the server', async () => {
    const { browser } = await signIn('ada-17');
    const secret = browser.cookieNamed('switchyard') ?? '';
    const { stderr } = await server.kill('SIGTERM');
    expect(stderr).toContain('/auth/oidc/callback');
    for (const kept of [secret.slice(-64), CLIENT_SECRET, 'Lovelace', 'ada@example.com', 'ada-17', 'eyJ']) {
      expect(stderr.includes(kept)).toBe(false);
    }
    await start();
  });
});

/** What the pending cookie was while the work was done. */
async function keptWhile<Result>(browser: Browser, work: () => Promise<Result>) {
  const seen: string[] = [];
  browser.onCookie = (name, value) => {
    if (name === 'switchyard-sign-in' && value !== '') seen.push(value);
  };
  const result = await work();
  return { ...result, pending: seen[0] ?? '' };
}

function filesWith(names: readonly string[], text: string): string[] {
  return names.filter((name) => readFileSync(join(folder, name), 'latin1').includes(text));
}
