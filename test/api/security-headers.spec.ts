// The headers that protect whoever reads an answer in a browser: on every kind of answer, whoever has written it.
import { connect } from 'node:net';
import { good, Http } from '../support/http.js';
import { rawRequest } from '../support/raw-request.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';

const EVERYWHERE = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};
const API_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const suite = serversOfSuite();
let http: Http;
let anonymous: Http;

beforeAll(async () => {
  const server = await suite.start(suite.newFolder());
  http = new Http(server.url, ADMIN_KEY);
  anonymous = new Http(server.url, undefined);
  await good(http.post('/environments', { name: 'production' }));
  await good(http.post('/flows', { name: 'chat', content: { a: 1 } }));
  await good(http.post('/flows/chat/versions/1/environments', { environment: 'production' }));
});

/** As they come on the wire: each header once. */
function held(headers: readonly (readonly [string, string])[]): Record<string, string> {
  const names = headers.map(([name]) => name.toLowerCase());
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  expect(Object.fromEntries(headers)).toMatchObject(EVERYWHERE);
  return Object.fromEntries(headers);
}

const asked = (line: string, ...headers: string[]) =>
  rawRequest(http.url, [line, 'Host: x', 'Connection: close', ...headers, '', ''].join('\r\n'));
const KEY = `Authorization: Bearer ${ADMIN_KEY}`;

describe('Every answer', () => {
  const resolve = '/api/v1/flows/chat/resolve?environment=production';
  const cases: [string, number, string, () => ReturnType<typeof rawRequest>][] = [
    ['a read', 200, 'no-store', () => asked('GET /api/v1/environments HTTP/1.1', KEY)],
    ['the head of a read', 200, 'no-store', () => asked('HEAD /api/v1/environments HTTP/1.1', KEY)],
    ['a resolve', 200, 'private, no-cache', () => asked(`GET ${resolve} HTTP/1.1`, KEY)],
    [
      'one that the caller has',
      304,
      'private, no-cache',
      () => asked(`GET ${resolve} HTTP/1.1`, KEY, 'If-None-Match: *'),
    ],
    [
      'the past',
      200,
      'private, max-age=31536000, immutable',
      () => asked('GET /api/v1/environments/production?at=8 HTTP/1.1', KEY),
    ],
    ['an export', 200, 'no-store', () => asked('GET /api/v1/audit/export?format=csv HTTP/1.1', KEY)],
    ['metrics', 200, 'no-store', () => asked('GET /metrics HTTP/1.1', KEY)],
    ['health', 200, 'no-store', () => asked('GET /health/live HTTP/1.1')],
    ['the API document', 200, 'no-store', () => asked('GET /openapi.json HTTP/1.1')],
    ['a denial', 401, 'no-store', () => asked('GET /api/v1/environments HTTP/1.1')],
    ['a path that is none', 404, 'no-store', () => asked('GET /api/v1/nothing HTTP/1.1', KEY)],
    ['a URL that is none', 422, 'no-store', () => asked('GET /%zz HTTP/1.1', KEY)],
    ['a method that is not taken', 405, 'no-store', () => asked('PUT /api/v1/flows HTTP/1.1', KEY)],
    ['what is not HTTP', 400, 'no-store', () => rawRequest(http.url, 'NONSENSE\r\n\r\n')],
    ['headers without end', 431, 'no-store', () => asked('GET / HTTP/1.1', `X-Long: ${'x'.repeat(20_000)}`)],
  ];

  it.each(cases)('has them: %s', async (_, status, caching, ask) => {
    const answer = await ask();
    expect(answer.status).toBe(status);
    const headers = held(answer.headers);
    expect(headers['content-security-policy']).toBe(API_POLICY);
    expect(headers['cache-control']).toBe(caching);
    expect(headers).not.toHaveProperty('strict-transport-security');
  });

  it('has them: a stream of changes', async () => {
    const { hostname, port } = new URL(http.url);
    const socket = connect(Number(port), hostname);
    socket.write(`GET /api/v1/events HTTP/1.1\r\nHost: x\r\n${KEY}\r\n\r\n`);
    const [head = ''] = (
      await new Promise<string>((done) => socket.once('data', (text) => done(String(text))))
    ).split('\r\n\r\n');
    socket.destroy();
    const lines = head
      .split('\r\n')
      .slice(1)
      .map((line) => line.split(': ') as [string, string]);
    expect(held(lines)).toMatchObject({ 'content-security-policy': API_POLICY, 'cache-control': 'no-store' });
  });
});

describe('The page at /docs', () => {
  it.each(['/docs', '/docs/'])(
    'at %s has no script and no style inside, and all that it names is there',
    async (path) => {
      const page = await anonymous.send('GET', path);
      expect(page.status).toBe(200);
      const policy = page.headers.get('content-security-policy') ?? '';
      expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
      expect(policy).not.toContain('unsafe');
      expect(page.text).not.toMatch(
        /<style|<script(?![^>]* src=)|<script[^>]*>[^<]|\sstyle=|\son\w+=|javascript:/i,
      );
      const named = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name]) => name ?? '');
      expect(named).toHaveLength(5);
      for (const name of named) {
        const { pathname } = new URL(name, http.url + path);
        const file = await anonymous.send('GET', pathname);
        expect({ name, status: file.status }).toEqual({ name, status: 200 });
        expect(file.headers.get('content-type')).toMatch(
          /^(text\/(css|javascript)|application\/javascript|image\/png)/,
        );
      }
    },
  );

  it.each([
    'index.html',
    'swagger-initializer.js',
    'package.json',
    '../package.json',
    '%2e%2e/package.json',
    '',
  ])('hands out no other file: %s', async (name) => {
    const answer = await asked(`GET /docs/x/../${name} HTTP/1.1`);
    expect(answer.status).toBeGreaterThanOrEqual(400);
  });
});

describe('Over TLS', () => {
  const trustingServer = async (settings = {}) =>
    suite.kept(
      await ServerProcess.start(suite.newFolder(), { SWITCHYARD_TRUST_PROXY: '127.0.0.1', ...settings }),
    );
  const over = (proto: string, url: string) =>
    rawRequest(
      url,
      `GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-Proto: ${proto}\r\n\r\n`,
    );

  it('answers ask for TLS from then on, when a trusted proxy says so and nobody else', async () => {
    const trusting = await trustingServer();
    const secure = await over('https', trusting.url);
    expect(held(secure.headers)).toMatchObject({
      'strict-transport-security': 'max-age=31536000; includeSubDomains',
    });
    expect(held((await over('http', trusting.url)).headers)).not.toHaveProperty('strict-transport-security');
    expect(held((await over('https', http.url)).headers)).not.toHaveProperty('strict-transport-security');
  });

  it('leaves the hosts below this one to themselves where that is set', async () => {
    const { url } = await trustingServer({ SWITCHYARD_HSTS_SUBDOMAINS: 'off' });
    const { headers } = await over('https', url);
    expect(held(headers)).toMatchObject({ 'strict-transport-security': 'max-age=31536000' });
  });
});
