// What nobody should send, sent to the real server: it answers each with a problem, keeps nothing of it, and goes on.
import { startOwnServer, type OwnServer } from '../../scripts/own-server.js';
import type { Flow, Page } from '../../scripts/client.js';
import { good, Http, pointersOf, problemOf, refused } from '../support/http.js';
import { rawRequest } from '../support/raw-request.js';

let server: OwnServer;
let http: Http;
let before: string;

const position = async () => (await good(http.send<{ position: string }>('GET', '/health/ready'))).position;

beforeAll(async () => {
  server = await startOwnServer();
  http = new Http(server.url, server.key);
  for (const name of ['place', 'spare']) await good(http.post('/environments', { name }));
  await good(http.post('/flows', { name: 'known', content: { a: 1 } }));
});
afterAll(() => server.stop());

/** Nothing below may write, but where it says so. */
beforeEach(async () => {
  before = await position();
});
const nothingWritten = async () => expect(await position()).toBe(before);

describe('A body', () => {
  const bytes = (...parts: (string | number[])[]) =>
    Buffer.concat(parts.map((part) => Buffer.from(part as string)));
  const malformed: [string, string | Buffer][] = [
    ['cut off', '{"name":'],
    ['a word', 'name'],
    ['two values', '{"name":"a"}{"name":"b"}'],
    ['single quotes', "{'name':'a'}"],
    ['a trailing comma', '{"name":"a",}'],
    ['a byte order mark', bytes([0xef, 0xbb, 0xbf], '{"name":"a"}')],
    ['invalid UTF-8', bytes('{"name":"', [0xff, 0xfe], '"}')],
    ['an overlong encoding', bytes('{"name":"', [0xc0, 0xaf], '"}')],
    ['UTF-16', Buffer.from('{"name":"a"}', 'utf16le')],
    ['a key twice', '{"name":"a","name":"b"}'],
    ['a key twice, once in disguise', '{"name":"a","n\\u0061me":"b"}'],
    ['a raw control character', '{"name":"a\u0001"}'],
    ['nothing', ''],
  ];

  it.each(malformed)('that is %s is not JSON', async (_, body) => {
    await refused(http.post('/flows', body), 400, 'malformed-json');
    await nothingWritten();
  });

  const unacceptable: [string, string, string][] = [
    ['__proto__', '{"name":"a","__proto__":{"isAdmin":true}}', '/__proto__'],
    [
      'constructor deep in the content',
      '{"name":"a","content":{"b":[{"constructor":1}]}}',
      '/content/b/0/constructor',
    ],
    ['prototype', '{"name":"a","content":{"prototype":1}}', '/content/prototype'],
    ['NUL in a name', '{"name":"a\\u0000b"}', '/name'],
    ['NUL in the content', '{"name":"a","content":{"b":"\\u0000"}}', '/content/b'],
    ['a lone surrogate', '{"name":"a","content":{"b":"\\ud800"}}', '/content/b'],
    ['1e400', '{"name":"a","content":{"b":1e400}}', '/content/b'],
    ['2^53 + 1', '{"name":"a","content":{"b":9007199254740993}}', '/content/b'],
    ['minus zero', '{"name":"a","content":{"b":-0}}', '/content/b'],
    ['an unknown field', '{"name":"a","tenantId":"other"}', '/tenantId'],
    ['toString as a field', '{"name":"a","toString":"other"}', '/toString'],
    ['a number for a name', '{"name":1}', '/name'],
    ['an array for a name', '{"name":["a"]}', '/name'],
    ['text for content', '{"name":"a","content":"b"}', '/content'],
    ['an array for content', '{"name":"a","content":[]}', '/content'],
    ['an unknown kind', '{"name":"a","kind":"constructor"}', '/kind'],
    ['an array', '[]', ''],
    ['null', 'null', ''],
    ['a text', '"name"', ''],
  ];

  it.each(unacceptable)('with %s is refused with a pointer to it', async (_, body, pointer) => {
    const problem = await refused(http.post('/flows', body), 422, 'invalid-body');
    expect(pointersOf(problem)).toContain(pointer);
    await nothingWritten();
  });

  it('that is nested 10,000 deep, or holds 100,000 keys or elements, is refused and not followed', async () => {
    const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;
    const keys = Array.from({ length: 100_000 }, (_, index) => `"${index.toString(36)}":0`).join(',');
    const elements = Array.from({ length: 100_000 }, () => 0).join(',');
    for (const value of [deep, `{"a":${deep}}`, `{${keys}}`, `{"a":[${elements}]}`]) {
      await refused(http.post('/flows', `{"name":"a","content":${value}}`), 422, 'invalid-body');
    }
    await refused(http.post('/flows', deep), 422, 'invalid-body');
    await nothingWritten();
  });

  it('of two megabytes is too large, whether or not it says so beforehand', async () => {
    const large = `{"name":"a","content":{"a":"${'x'.repeat(2_000_000)}"}}`;
    const head = `POST /api/v1/flows HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.key}\r\n`;
    const more = 'Content-Type: application/json\r\nConnection: close\r\n';
    const declared = await rawRequest(server.url, `${head}${more}Content-Length: ${large.length}\r\n\r\n`);
    expect(declared.status).toBe(413);
    const chunked = `${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`;
    const streamed = await rawRequest(
      server.url,
      `${head}${more}Transfer-Encoding: chunked\r\n\r\n`,
      chunked,
    );
    expect(streamed.status).toBe(413);
    expect(JSON.parse(declared.text)).toMatchObject({ code: 'body-too-large' });
    await nothingWritten();
  });

  it('of another type or encoding is not read', async () => {
    const types = [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'text/json',
    ];
    for (const type of [...types, 'application/xml', 'nonsense', '']) {
      const answer = await http.post('/flows', '{"name":"a"}', { 'content-type': type });
      expect(problemOf(answer).status).toBe(415);
    }
    const packed = http.post('/flows', '{"name":"a"}', { 'content-encoding': 'gzip' });
    await refused(packed, 415, 'unsupported-media-type');
    await nothingWritten();
  });

  it('is empty where there is nothing to say', async () => {
    const paths = ['/environments/spare/archive', '/environments/spare/restore', '/flows/known/archive'];
    for (const path of paths) {
      const answer = await http.post(path, { dryRun: true });
      expect({ path, status: answer.status }).toEqual({ path, status: 422 });
      expect(pointersOf(problemOf(answer))).toEqual(['/dryRun']);
    }
    await nothingWritten();
  });

  it('leaves every object of the server as it was', async () => {
    const pollution =
      '{"name":"a","content":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}';
    await refused(http.post('/flows', pollution), 422, 'invalid-body');
    expect((await http.get('/flows/known')).text).not.toContain('polluted');
    await nothingWritten();
  });
});

describe('A name', () => {
  const invisible: [string, string][] = [
    ['a bidi override', 'pro\u202edorp'],
    ['a zero-width space', 'prod\u200b'],
    ['a zero-width joiner', 'pr\u200dod'],
    ['a byte order mark', '\ufeffprod'],
    ['a line break', 'prod\nX-Evil: 1'],
    ['carriage return and line feed', 'prod\r\nSet-Cookie: a=b'],
    ['a line separator', 'prod\u2028'],
    ['only spaces', '   '],
    ['a space at the end', 'prod '],
    ['nothing', ''],
    ['101 characters', 'x'.repeat(101)],
  ];

  it.each(invisible)('with %s is refused', async (_, name) => {
    for (const path of ['/environments', '/flows']) {
      const problem = await refused(http.post(path, { name, slug: 'fine' }), 422, 'invalid-body');
      expect(pointersOf(problem)).toEqual(['/name']);
    }
    await nothingWritten();
  });

  it.each([
    '../x',
    '..',
    '.hidden',
    '-x',
    'a b',
    'Prod',
    'prоd',
    'a/b',
    'a%2fb',
    "a'b",
    'x'.repeat(64),
    '',
    'ﬁ',
  ])('may not have the slug %j', async (slug) => {
    const problem = await refused(http.post('/environments', { name: 'fine', slug }), 422, 'invalid-body');
    expect(pointersOf(problem)).toEqual(['/slug']);
    await refused(http.post('/flows', { name: 'fine', slug }), 422, 'invalid-body');
    await nothingWritten();
  });

  it('may be what every object inherits, and is then a name as any other', async () => {
    for (const slug of [
      'constructor',
      'hasownproperty',
      'tostring',
      'valueof',
      'null',
      'undefined',
      'con',
      '0',
    ]) {
      await refused(http.get(`/environments/${slug}`), 404, 'environment-not-found');
      await refused(http.get(`/flows/${slug}`), 404, 'flow-not-found');
      await refused(http.get(`/flows/known/resolve?environment=${slug}`), 404, 'environment-not-found');
      await refused(http.get(`/flows/known/resolve?version=${slug}`), 404, 'version-not-found');
      await refused(http.get(`/projects/${slug}`), 404, 'project-not-found');
      await good(http.post('/environments', { name: slug }));
      await good(http.post('/flows', { name: slug, content: { a: 1 } }));
      await good(http.post(`/flows/${slug}/versions/1/environments`, { environment: slug }));
      const { id, activeVersions } = await good(http.get<Flow>(`/flows/${slug}`));
      expect(Object.keys(activeVersions)).toEqual([slug]);
      expect(await good(http.get(`/flows/${slug}/resolve?environment=${slug}`))).toMatchObject({
        flowId: id,
      });
    }
  });

  it('of SQL is kept as it is, and finds nothing but itself', async () => {
    const name = `'; DROP TABLE events; --" OR 1=1 %_`;
    await good(http.post('/flows', { name, slug: 'bobby' }));
    expect(await good(http.get('/flows/bobby'))).toMatchObject({ name });
    const { items } = await good(http.get<Page<Flow>>('/flows?limit=500'));
    expect(items.map(({ slug }) => slug)).toContain('known');
  });
});

describe('A reference', () => {
  const nasty = [
    '..%2f..%2fetc%2fpasswd',
    '..%5c',
    'CON%00',
    '%00',
    "x'%20OR%201=1--",
    '%F0%9F%92%A9',
    '%E2%80%AE',
    'a%0d%0aX-Evil:%201',
    '__proto__',
    'UPPER',
    '*',
    '%25',
    '{}',
  ];

  it.each(nasty)('%s names nothing', async (reference) => {
    const paths = [
      `/environments/${reference}`,
      `/environments/${reference}/active`,
      `/environments/${reference}/releases/1`,
      `/flows/${reference}`,
      `/flows/${reference}/resolve`,
      `/flows/known/versions/${reference}`,
      `/flows/known/versions/1/diff/${reference}`,
      `/projects/${reference}`,
      `/projects/${reference}/flows`,
      `/flows/known/resolve?environment=${reference}`,
      `/flows/known/resolve?version=${reference}`,
      `/environments/diff?sourceEnvironment=place&targetEnvironment=${reference}`,
    ];
    for (const path of paths) {
      const answer = await http.get(path);
      expect({ path, status: answer.status }).toEqual({ path, status: 422 });
      expect(problemOf(answer).code).toBe('invalid-reference');
      expect([...answer.headers.keys()]).not.toContain('x-evil');
    }
    for (const path of [`/environments/${reference}/archive`, `/flows/${reference}/archive`]) {
      await refused(http.post(path), 422, 'invalid-reference');
    }
    await nothingWritten();
  });

  it('of 300 characters, or with broken percent signs, is a problem like any other', async () => {
    for (const path of [`/flows/${'x'.repeat(300)}`, '/flows/%zz', '/flows/%', '/flows/%c3%28']) {
      expect(problemOf(await http.get(path)).status).toBe(422);
    }
    expect(problemOf(await http.get('/environments/../../etc/passwd')).status).toBe(404);
    for (const [path, code] of [
      ['../../etc/passwd', 'not-found'],
      ['flows/%2e%2e', 'invalid-reference'],
    ] as const) {
      const head = `GET /api/v1/${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n`;
      const { text } = await rawRequest(server.url, `${head}Authorization: Bearer ${server.key}\r\n\r\n`);
      expect(JSON.parse(text)).toMatchObject({ code });
    }
  });

  it('to an id that nobody has is not found', async () => {
    const id = '01890000-0000-7000-8000-000000000000';
    await refused(http.get(`/environments/${id}`), 404, 'environment-not-found');
    await refused(http.get(`/flows/${id}`), 404, 'flow-not-found');
    await refused(http.get(`/flows/known/versions/${id}`), 404, 'version-not-found');
    await refused(http.get(`/projects/${id}`), 404, 'project-not-found');
  });
});

describe('A query', () => {
  const reads = [
    '/projects',
    '/projects/default',
    '/environments',
    '/environments/place',
    '/environments/place/active',
    '/environments/place/releases',
    '/environments/diff?sourceEnvironment=place&targetEnvironment=place',
    '/flows',
    '/flows/known',
    '/flows/known/versions',
    '/flows/known/versions/1',
    '/flows/known/versions/1/diff/1',
    '/flows/known/resolve',
  ];

  it.each(reads)('of %s holds nothing that is not known there', async (path) => {
    const sign = path.includes('?') ? '&' : '?';
    for (const name of ['colour', 'tenantId', '__proto__', 'constructor', 'toString']) {
      const answer = await http.get(`${path}${sign}${name}=1`);
      expect({ name, status: answer.status }).toEqual({ name, status: 400 });
      expect(problemOf(answer).code).toBe('invalid-query');
    }
  });

  it('of a command holds nothing at all', async () => {
    const commands = [
      ['POST', '/flows', { name: 'Not Dry' }],
      ['POST', '/environments', { name: 'Not Dry' }],
      ['PATCH', '/flows/known', { name: 'Renamed' }],
      ['POST', '/flows/known/versions', { content: {} }],
      ['POST', '/flows/known/versions/1/environments', { environment: 'place' }],
      ['POST', '/environments/promote', { sourceEnvironment: 'place', targetEnvironment: 'spare' }],
      ['POST', '/environments/spare/archive', undefined],
    ] as const;
    const codes = commands.map(async ([method, path, body]) => {
      const answer = await http.send(method, `/api/v1${path}?dryRun=true`, { body });
      return { path, status: answer.status };
    });
    expect(await Promise.all(codes)).toEqual(commands.map(([, path]) => ({ path, status: 400 })));
    await nothingWritten();
  });

  it('names nothing twice', async () => {
    const twice = [
      '/environments?limit=1&limit=2',
      '/flows?cursor=a&cursor=b',
      '/flows?kind=prompt&kind=tool',
      '/flows/known/resolve?environment=place&environment=other',
      '/environments/diff?sourceEnvironment=place&targetEnvironment=place&targetEnvironment=x',
    ];
    for (const path of twice) await refused(http.get(path), 400, 'invalid-query');
  });
});

describe('A request', () => {
  it('by a method that the path does not take is told which it takes', async () => {
    for (const method of ['PROPFIND', 'DELETE', 'PUT', 'PATCH']) {
      const answer = await http.send(method, '/api/v1/environments');
      expect(problemOf(answer).code).toBe('method-not-allowed');
      expect(answer.headers.get('allow')).toContain('GET');
    }
    for (const method of ['TRACE', 'BREW']) {
      const head = `${method} /api/v1/environments HTTP/1.1\r\nHost: x\r\nConnection: close\r\n`;
      const sent = rawRequest(server.url, `${head}Authorization: Bearer ${server.key}\r\n\r\n`);
      const { status, text } = await sent;
      // What is no method of HTTP at all is not even read.
      expect({ method, status }).toEqual({ method, status: method === 'TRACE' ? 405 : 400 });
      expect(JSON.parse(text)).toMatchObject({ status, requestId: expect.stringMatching(/./) });
    }
  });

  it('with too many headers, or that could be read in two ways, is refused', async () => {
    const head = `GET /api/v1/environments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.key}\r\n`;
    const large = await rawRequest(server.url, `${head}X-Filler: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect(large.status).toBe(431);
    expect(JSON.parse(large.text)).toMatchObject({ code: 'headers-too-large' });
    const post = head.replace('GET', 'POST');
    const torn = await rawRequest(
      server.url,
      `${post}Content-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    );
    expect(torn.status).toBe(400);
    await nothingWritten();
  });

  it('cannot put a header of its own into the answer', async () => {
    const head = `GET /api/v1/environments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.key}\r\n`;
    const { headers } = await rawRequest(
      server.url,
      `${head}X-Request-Id: a%0d%0aX-Evil: 1\r\nConnection: close\r\n\r\n`,
    );
    expect(headers.filter(([name]) => name === 'x-request-id')).toHaveLength(1);
    expect(headers.map(([name]) => name)).not.toContain('x-evil');
  });

  it('out of the folder of the pages, or for what no file can be called, is for a path that is not there', async () => {
    for (const path of ['/docs/../x', '/docs/%2e%2e/x', '/docs/%00', `/docs/${'x'.repeat(300)}`]) {
      const head = `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
      expect({ path, ...(await rawRequest(server.url, head)) }).toMatchObject({ path, status: 404 });
    }
  });

  it('that expects what nobody knows is answered as if it did not', async () => {
    const head = 'GET /health/live HTTP/1.1\r\nHost: x\r\nExpect: something\r\nConnection: close\r\n\r\n';
    expect(await rawRequest(server.url, head)).toMatchObject({ status: 200 });
  });

  it('to a path that is not there is a problem, too', async () => {
    for (const path of [
      '/',
      '/api',
      '/api/v1',
      '/api/v2/flows',
      '/api/v1/flows/known/nothing',
      '/docs/../x',
    ]) {
      expect(problemOf(await http.send('GET', path)).code).toBe('not-found');
    }
  });
});

it('After all this a good command works', async () => {
  await good(http.post('/environments', { name: 'after' }));
  await good(http.post('/flows', { name: 'after', content: { a: 1 } }));
  const made = await http.post('/flows/after/versions/1/environments', { environment: 'after' });
  expect(made).toMatchObject({ status: 200, body: { changed: true, release: { number: 1 } } });
  expect(await good(http.send('GET', '/health/ready'))).toMatchObject({ status: 'ready', failures: [] });
});
