// What docs/security.md says and no other test holds: that no forged ID token is believed, that nothing is handed out
// or followed that should not be, and what the sources never do.
import { createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Browser, type Visit } from '../support/browser.js';
import { good, Http, problemOf, refused } from '../support/http.js';
import { freePort } from '../support/identity-provider.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';

const CLIENT_SECRET = 'a-client-secret-for-tests-alone';
const HOUR_SECONDS = 3_600;

type Part = Readonly<Record<string, unknown>>;
/** Makes an ID token of what a good one would say. */
type Forger = (header: Part, claims: Part) => string;

const pair = () => generateKeyPairSync('rsa', { modulusLength: 2_048 });
const own = pair();
const other = pair();
const jwkOf = (key: KeyObject, kid: string) => ({
  ...key.export({ format: 'jwk' }),
  kid,
  use: 'sig',
  alg: 'RS256',
});

const suite = serversOfSuite();
let provider: Server;
let issuer: string;
let server: ServerProcess;
let http: Http;
let nobody: Http;
/** What the provider calls itself; where its questions are sent on to; what it was asked. */
let calledItself: string;
let sendsOnTo: string | undefined;
let asked: string[];
/** Of the sign-in that is under way. */
let nonce: string;
let forge: Forger;

beforeAll(async () => {
  provider = createServer((request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    asked.push(path);
    if (path === '/token' && sendsOnTo !== undefined) {
      return void response.writeHead(307, { location: sendsOnTo }).end();
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answers[path]?.() ?? {}));
  });
  provider.listen(0, 'localhost');
  await once(provider, 'listening');
  issuer = `http://localhost:${(provider.address() as AddressInfo).port}`;
  const port = await freePort();
  const settings = {
    PORT: String(port),
    SWITCHYARD_PUBLIC_URL: `http://127.0.0.1:${port}`,
    SWITCHYARD_OIDC_ISSUER: issuer,
    SWITCHYARD_OIDC_CLIENT_ID: 'switchyard',
    SWITCHYARD_OIDC_CLIENT_SECRET: CLIENT_SECRET,
    SWITCHYARD_OIDC_ROLES: '[{"claim": "sub", "value": "ada", "grants": [{"role": "viewer"}]}]',
    SWITCHYARD_TRUST_PROXY: '127.0.0.1',
  };
  server = suite.kept(await ServerProcess.start(suite.newFolder(), settings));
  http = new Http(server.url, ADMIN_KEY);
  nobody = new Http(server.url, undefined);
});
afterAll(() => {
  provider.closeAllConnections();
  provider.close();
});

beforeEach(() => {
  [calledItself, sendsOnTo, asked, forge] = [issuer, undefined, [], asItShouldBe];
});

/** Without a place for more about the person, so that the ID token alone says who it is. */
const answers: Readonly<Record<string, (() => unknown) | undefined>> = {
  '/.well-known/openid-configuration': () => ({
    issuer: calledItself,
    authorization_endpoint: `${issuer}/auth`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/keys`,
    response_types_supported: ['code'],
  }),
  '/keys': () => ({ keys: [jwkOf(own.publicKey, 'own')] }),
  '/other-keys': () => ({ keys: [jwkOf(other.publicKey, 'other')] }),
  '/token': () => {
    const now = Math.floor(Date.now() / 1_000);
    const claims = { iss: issuer, aud: 'switchyard', sub: 'ada', nonce, iat: now, exp: now + HOUR_SECONDS };
    const token = forge({ alg: 'RS256', kid: 'own', typ: 'JWT' }, claims);
    return { access_token: 'a', token_type: 'Bearer', expires_in: HOUR_SECONDS, id_token: token };
  },
};

const encoded = (part: Part) => Buffer.from(JSON.stringify(part)).toString('base64url');
const unsigned = (header: Part, claims: Part) => `${encoded(header)}.${encoded(claims)}`;

function signedBy(key: KeyObject, header: Part, claims: Part): string {
  const text = unsigned(header, claims);
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
}

/** The oldest trick: the secret of the MAC is something that everybody, or the other side, knows. */
function withMac(secret: string, header: Part, claims: Part): string {
  const text = unsigned({ ...header, alg: 'HS256' }, claims);
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

function asItShouldBe(header: Part, claims: Part): string {
  return signedBy(own.privateKey, header, claims);
}

async function signIn(): Promise<{ readonly browser: Browser; readonly visit: Visit }> {
  const browser = new Browser();
  const isAway = (url: string) => !url.startsWith(server.url);
  const begun = await browser.go(`${server.url}/auth/oidc/login`, isAway);
  if (!isAway(begun.url)) return { browser, visit: begun };
  const { searchParams } = new URL(begun.url);
  nonce = searchParams.get('nonce') ?? '';
  const back = `${server.url}/auth/oidc/callback?code=c&state=${searchParams.get('state')}`;
  return { browser, visit: await browser.goFromElsewhere(back, () => true) };
}

async function expectNobody(code: string): Promise<void> {
  const { browser, visit } = await signIn();
  expect(problemOf(visit).code).toBe(code);
  expect(browser.cookieNamed('switchyard')).toBeUndefined();
}

describe('A provider', () => {
  it('that calls itself otherwise than the settings do is none', async () => {
    calledItself = 'https://login.example.com';
    await expectNobody('sign-in-unavailable');
  });

  it('that sends our questions on to somewhere else is not followed', async () => {
    sendsOnTo = `${issuer}/elsewhere`;
    const { browser } = await signIn();
    expect(browser.cookieNamed('switchyard')).toBeUndefined();
    expect(asked).toContain('/token');
    expect(asked).not.toContain('/elsewhere');
  });
});

describe('An ID token', () => {
  it('that is as it should be lets somebody in', async () => {
    const { browser, visit } = await signIn();
    expect(visit.status).toBe(303);
    const me = await good(browser.fetch(`${server.url}/api/v1/session`));
    expect(me).toMatchObject({ type: 'person', grants: [{ role: 'viewer' }] });
  });

  const now = Math.floor(Date.now() / 1_000);
  const saying = (change: Part): Forger => {
    return (header, claims) => asItShouldBe(header, { ...claims, ...change });
  };
  const forgeries: [string, Forger][] = [
    ['signed with another key', (header, claims) => signedBy(other.privateKey, header, claims)],
    ['without a signature', (header, claims) => `${unsigned({ ...header, alg: 'none' }, claims)}.`],
    ['without its signature', (header, claims) => `${unsigned(header, claims)}.`],
    [
      'changed after it was signed',
      (header, claims) => {
        const [head, , signature] = asItShouldBe(header, { ...claims, sub: 'bob' }).split('.');
        return `${head}.${encoded(claims)}.${signature}`;
      },
    ],
    ['with a MAC of the client secret', (header, claims) => withMac(CLIENT_SECRET, header, claims)],
    [
      'with a MAC of the public key',
      (header, claims) =>
        withMac(own.publicKey.export({ format: 'pem', type: 'spki' }).toString(), header, claims),
    ],
    [
      'that brings its key along',
      (header, claims) => {
        const jwk = jwkOf(other.publicKey, 'other');
        return signedBy(other.privateKey, { ...header, kid: 'other', jwk }, claims);
      },
    ],
    [
      'that says where its key is',
      (header, claims) => {
        return signedBy(other.privateKey, { ...header, kid: 'other', jku: `${issuer}/other-keys` }, claims);
      },
    ],
    ['for somebody else', saying({ aud: 'another-client' })],
    ['of another provider', saying({ iss: 'https://login.example.com' })],
    ['of another sign-in', saying({ nonce: 'x'.repeat(43) })],
    ['that has expired', saying({ exp: now - HOUR_SECONDS, iat: now - 2 * HOUR_SECONDS })],
    ['that holds from later on', saying({ nbf: now + HOUR_SECONDS })],
    ['of nobody', saying({ sub: undefined })],
  ];

  it.each(forgeries)('%s lets nobody in', async (_, forger) => {
    forge = forger;
    await expectNobody('sign-in-failed');
    expect(asked).toContain('/token');
    expect(asked).not.toContain('/other-keys');
  });
});

describe('The server', () => {
  it.each([
    ['/api/v1/environments', 'application/json'],
    ['/api/v1/audit/checkpoint', 'text/plain'],
    ['/api/v1/audit/export?format=csv', 'text/csv'],
    ['/api/v1/events', 'text/event-stream'],
    ['/api/v1/nothing', 'application/problem+json'],
    ['/openapi.json', 'application/json'],
    ['/metrics', 'text/plain'],
    ['/docs', 'text/html'],
    ['/docs/start.js', 'text/javascript'],
    ['/docs/swagger-ui.css', 'text/css'],
    ['/docs/swagger-ui-bundle.js', 'application/javascript'],
  ])('names type and encoding of the text at %s', async (path, type) => {
    const answer = await http.send('GET', path);
    const [named, ...parameters] = (answer.headers.get('content-type') ?? '').toLowerCase().split(/; ?/);
    expect({ named, isUtf8: parameters.includes('charset=utf-8') }).toEqual({ named: type, isUtf8: true });
  });

  it.each(['.git/HEAD', '.env', 'package.json', 'data/events.db', 'events.db', 'signing.key', 'src/main.ts'])(
    'hands out no file of its folders: %s',
    async (file) => {
      for (const path of [`/${file}`, `/docs/${file}`, `/docs/..%2f..%2f${file}`]) {
        const answer = await nobody.send('GET', path);
        expect({ path, status: [401, 404].includes(answer.status) }).toEqual({ path, status: true });
      }
    },
  );

  it('refuses over plain HTTP as it does over TLS, and sends nobody from the one to the other', async () => {
    for (const proto of ['http', 'https']) {
      const headers = { 'x-forwarded-proto': proto };
      await refused(nobody.get('/environments', headers), 401, 'unauthorized');
      expect((await nobody.send('GET', '/docs', { headers })).status).toBe(200);
    }
  });
});

interface Rule {
  readonly says: string;
  readonly never: RegExp;
  /** Where it is done all the same. */
  readonly butIn?: RegExp;
  readonly broken: string;
}

const rules: readonly Rule[] = [
  {
    says: 'run no text as code, and no other program',
    never: /\beval\(|\bnew Function\b|'node:(?:vm|child_process)'/,
    broken: "import { exec } from 'node:child_process';",
  },
  {
    says: 'make regular expressions of constants alone',
    never: /\bnew RegExp\(/,
    butIn: /^src\/audit\/checkpoint\.ts$/,
    broken: 'new RegExp(query.q)',
  },
  { says: 'take chance from node:crypto alone', never: /\bMath\.random\b/, broken: 'Math.random()' },
  {
    says: 'hash with SHA-256 and encrypt with AES-256-GCM alone',
    never: /\b(?:createHash|createHmac|hash|hkdfSync)\((?!'sha256')|'(?!aes-256-gcm')(?:aes|des|rc4)-[\w-]+'/,
    broken: "createHash('md5')",
  },
  {
    says: 'never leave a certificate unchecked',
    never: /rejectUnauthorized|NODE_TLS_REJECT_UNAUTHORIZED|checkServerIdentity/,
    broken: '{ rejectUnauthorized: false }',
  },
  {
    says: 'talk to the store, the identity provider, the sink and the collector, and to nobody else',
    never:
      /(?<!\.|private )\bfetch\(|'node:(?:https|tls|dgram|dns)'|'(?:pg|\S*(?:db-client|openid-client|otlp-http))'/,
    butIn: /^src\/(?:store\/|audit\/checkpoint-sink\.ts$|api\/oidc-client\.ts$|tracing\.ts$)/,
    broken: 'await fetch(body.url)',
  },
];

describe('The sources', () => {
  const files = ['src', 'projections'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${folder}/${name}`),
  );

  it.each(rules)('$says', ({ never, butIn, broken }) => {
    expect(never.test(broken)).toBe(true);
    expect(files.length).toBeGreaterThan(100);
    const found = files.filter((file) => never.test(readFileSync(file, 'utf8')));
    expect(found.filter((file) => butIn?.test(file) !== true)).toEqual([]);
    // An exception that nothing needs would let something in one day.
    if (butIn !== undefined) expect(found).not.toEqual([]);
  });
});
