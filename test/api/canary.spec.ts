// A secret that is put into any place that takes something is found in no place where it does not belong: in no log,
// metric, trace, answer, export or file, neither plain nor disguised. One table says what belongs where.
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Canaries } from '../support/canaries.js';
import { EventClient } from '../support/event-client.js';
import { EVERY_COMMAND } from '../support/every-command.js';
import { good, Http, refused, type Answer, type Sent } from '../support/http.js';
import { rawRequest } from '../support/raw-request.js';
import { ServerProcess, serversOfSuite } from '../support/server-process.js';
import { until } from '../support/spec.js';

/** Kept with the change that it came with, and shown to whoever may read the record. */
const RECORD = ['events.db', 'views.db', 'evidence'];
const TRAIL = [...RECORD, 'audit trail', 'export'];

/** Where the word of an input belongs. What is not named here belongs nowhere. */
const BELONGS: Readonly<Record<string, readonly string[]>> = {
  // What people write down for others to read.
  'name of an environment': [...TRAIL, 'answers', 'stream'],
  'name of a flow': [...TRAIL, 'answers', 'stream'],
  'name of a key': [...TRAIL, 'answers'],
  'description of an environment': [...TRAIL, 'answers', 'stream'],
  'comment of a version': [...TRAIL, 'answers', 'stream'],
  'comment of a release': [...TRAIL, 'answers', 'stream'],
  'label of a version': [...TRAIL, 'answers', 'stream'],
  // Content is for whoever resolves it; the trail and the stream name its digest.
  'content of a version': [...RECORD, 'answers'],
  // What a request says of itself is kept with the events that it makes.
  'User-Agent': TRAIL,
  'X-Request-Id': [...TRAIL, 'answers', 'log', 'traces'],
  'Idempotency-Key': RECORD,
  // W3C: handed on with the trace that it belongs to.
  tracestate: ['traces'],
  // Told to the one who sent it, as the place of a mistake.
  'name of a query parameter': ['answers'],
  'name of an unknown field': ['answers'],
  'slug that nothing has': ['answers'],
  // For the other side, and for it alone.
  'token of the collector': ['headers to the collector'],
  'token of the sink': ['requests to the sink'],
};

/** Keys are looked for by their hash, so that is kept. An auditor gets every byte of an event. */
const HASH_BELONGS: Readonly<Record<string, readonly string[]>> = {
  'key that was issued': RECORD,
  'administrator key': RECORD,
  'secret of a session': RECORD,
};

const suite = serversOfSuite();
const canaries = new Canaries();
const artefacts = new Map<string, Buffer>();
let others: Server;

/** Whoever asks through this leaves all that was answered here. */
class Listening extends Http {
  static heard = '';

  override async send<Body>(method: string, path: string, sent?: Sent): Promise<Answer<Body>> {
    const answer = await super.send<Body>(method, path, sent);
    Listening.heard += JSON.stringify([...answer.headers]) + answer.text;
    return answer;
  }
}

beforeAll(async () => {
  const received = { traces: '', 'headers to the collector': '', 'requests to the sink': '' };
  others = createServer((request, response) => {
    const isSink = request.url?.startsWith('/sink') === true;
    const head = `${request.url} ${JSON.stringify(request.headers)}`;
    received[isSink ? 'requests to the sink' : 'headers to the collector'] += head;
    request.on('data', (chunk) => (received[isSink ? 'requests to the sink' : 'traces'] += String(chunk)));
    // The sink is out of order, so that there is something to complain of.
    request.on('end', () => response.writeHead(isSink ? 500 : 200).end('{}'));
  });
  others.listen(0, '127.0.0.1');
  await once(others, 'listening');
  const elsewhere = `http://127.0.0.1:${(others.address() as AddressInfo).port}`;
  const folder = suite.newFolder();
  const server = suite.kept(
    await ServerProcess.start(folder, {
      SWITCHYARD_ADMIN_KEY: canaries.of('administrator key'),
      SWITCHYARD_LOG_LEVEL: 'trace',
      SWITCHYARD_LOG_REQUESTS: 'all',
      SWITCHYARD_CHECKPOINT_SINK: `${elsewhere}/sink?token=${canaries.of('token of the sink')}`,
      SWITCHYARD_PUBLIC_URL: 'https://switchyard.example',
      SWITCHYARD_OIDC_ISSUER: elsewhere,
      SWITCHYARD_OIDC_CLIENT_ID: 'switchyard',
      SWITCHYARD_OIDC_CLIENT_SECRET: canaries.of('secret of the identity provider'),
      SWITCHYARD_OIDC_ROLES: '[]',
      OTEL_EXPORTER_OTLP_ENDPOINT: elsewhere,
      OTEL_EXPORTER_OTLP_HEADERS: `x-token=${canaries.of('token of the collector')}`,
    }),
  );
  const http = new Listening(server.url, canaries.of('administrator key'));
  await sendWhatIsKept(http);
  await sendWhatIsNot(http);
  await signIn(http);
  await sendInHeaders(http);
  await sendMistakes(http);
  await sendBelowHttp(http.url);
  await readBack(http);
  await until(() => received['requests to the sink'] !== '');
  keepFiles(folder);
  const { stdout, stderr } = await server.kill('SIGTERM');
  keepFiles(folder);
  for (const [name, text] of Object.entries({ ...received, log: stderr, greeting: stdout })) keep(name, text);
  keep('answers', Listening.heard);
}, 120_000);
afterAll(() => others.close());

function keep(name: string, content: string | Buffer): void {
  artefacts.set(name, Buffer.concat([artefacts.get(name) ?? Buffer.alloc(0), Buffer.from(content)]));
}

/** Every file, also those that are there only while the server runs. */
function keepFiles(folder: string): void {
  for (const name of readdirSync(folder)) {
    keep(name.replace(/-(wal|shm)$/, ''), readFileSync(join(folder, name)));
  }
}

async function sendWhatIsKept(http: Http): Promise<void> {
  const name = canaries.of('name of an environment');
  await good(http.post('/environments', { name, description: canaries.of('description of an environment') }));
  const flow = {
    name: canaries.of('name of a flow'),
    content: { text: canaries.of('content of a version') },
  };
  const words = { comment: canaries.of('comment of a version'), label: canaries.of('label of a version') };
  const { slug } = await good(http.post<{ slug: string }>('/flows', flow));
  await good(http.post(`/flows/${slug}/versions`, { content: flow.content, ...words }));
  const activation = { environment: name, comment: canaries.of('comment of a release') };
  const headers = {
    'user-agent': canaries.of('User-Agent'),
    'x-request-id': canaries.of('X-Request-Id'),
    'idempotency-key': canaries.of('Idempotency-Key'),
  };
  await good(http.post(`/flows/${slug}/versions/2/environments`, activation, headers));
  await good(http.get(`/flows/${slug}/resolve?environment=${name}`, headers));
}

/** Keys: those that work, those that do not, and those in a place where none is looked for. */
async function sendWhatIsNot(http: Http): Promise<void> {
  const silent = new Http(http.url, http.key);
  const asked = { name: canaries.of('name of a key'), grants: [{ role: 'viewer' }] };
  const issued = await good(silent.post<{ key: string; id: string }>('/keys', asked));
  canaries.take('key that was issued', issued.key);
  const own = new Listening(http.url, issued.key);
  await good(own.get('/flows'));
  await refused(own.post('/flows', { name: 'not allowed' }), 403, 'forbidden');
  await good(http.delete(`/keys/${issued.id}`));
  await refused(own.get('/flows'), 401, 'unauthorized');
  await refused(
    new Listening(http.url, canaries.of('key that never was')).get('/flows'),
    401,
    'unauthorized',
  );
  const anonymous = new Listening(http.url, undefined);
  const elsewhere = (authorization: string) => anonymous.get('/flows', { authorization });
  await refused(elsewhere(`Basic ${canaries.of('key of another scheme')}`), 401, 'unauthorized');
  await refused(elsewhere(canaries.of('key without a scheme')), 401, 'unauthorized');
  await refused(anonymous.get(`/flows?key=${canaries.of('key in the query')}`), 401, 'unauthorized');
  await refused(http.get(`/flows?key=${canaries.of('key in the query')}`), 400, 'invalid-query');
  await refused(anonymous.get('/flows', { cookie: `session=${canaries.of('cookie')}` }), 401, 'unauthorized');
}

async function signIn(http: Http): Promise<void> {
  const anonymous = new Listening(http.url, undefined);
  const headers = { 'sec-fetch-site': 'same-origin' };
  const sent = { body: { key: canaries.of('administrator key') }, headers };
  const opened = await new Http(http.url, undefined).send('POST', '/api/v1/session', sent);
  const cookie = opened.headers.get('set-cookie')?.split(';', 1)[0] ?? '';
  canaries.take('secret of a session', cookie.replace(/^[^=]*=/, ''));
  await good(anonymous.get('/session', { cookie }));
  await good(anonymous.get('/flows', { cookie }));
  const wrong = { key: canaries.of('key at the sign-in that never was') };
  await refused(anonymous.post('/session', wrong, headers), 401, 'unauthorized');
  // The provider answers, and makes no sense.
  await anonymous.send('GET', `/auth/oidc/login?returnTo=/${canaries.of('way back from the sign-in')}`);
  const back = `code=${canaries.of('code of a sign-in')}&state=${canaries.of('state of a sign-in')}`;
  await anonymous.send('GET', `/auth/oidc/callback?${back}`);
}

const OTHER_HEADERS = [
  ...[
    'accept',
    'accept-language',
    'baggage',
    'cookie',
    'if-match',
    'if-none-match',
    'last-event-id',
    'origin',
  ],
  ...['proxy-authorization', 'referer', 'x-api-key', 'x-forwarded-for', 'x-forwarded-proto', 'x-unknown'],
];

async function sendInHeaders(http: Http): Promise<void> {
  const flow = canaries.of('name of a flow');
  for (const name of OTHER_HEADERS) {
    const headers = { [name]: canaries.of(`header ${name}`) };
    await http.get('/environments', headers);
    await http.get(`/flows/${flow}/resolve`, headers);
    await http.get('/events', headers);
    await http.post('/environments', { name: `With ${name}` }, headers);
  }
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  await good(http.get('/flows', { traceparent, tracestate: `vendor=${canaries.of('tracestate')}` }));
  await good(http.get('/flows', { traceparent: canaries.of('header traceparent') }));
  const odd = (input: string) => `${canaries.of(input)} "`;
  await http.post('/environments', { name: 'Odd' }, { 'x-request-id': odd('X-Request-Id that is none') });
  await http.post(
    '/environments',
    { name: 'Odd' },
    { 'idempotency-key': odd('Idempotency-Key that is none') },
  );
}

/** Every command, wrong in every way, with a word in what is wrong. */
async function sendMistakes(http: Http): Promise<void> {
  const word = canaries.of('value in a body that is refused');
  for (const { method, path, body = {} } of EVERY_COMMAND) {
    const send = (sent: unknown, type = 'application/json') =>
      http.send(method, `/api/v1${path}`, { body: sent, headers: { 'content-type': type } });
    const fields = Object.keys(body as object);
    await refused(
      send({ ...(body as object), [canaries.of('name of an unknown field')]: word }),
      422,
      'invalid-body',
    );
    await refused(send(`{"name":"${word}`), 400, 'malformed-json');
    await refused(send(`{"${word}":1,"${word}":2,`), 400, 'malformed-json');
    await refused(send(`{"name":"${word}"}`, 'text/plain'), 415, 'unsupported-media-type');
    await refused(send(`{"name":"${word}"}`, `application/${word}`), 415, 'unsupported-media-type');
    for (const field of fields) {
      await refused(send({ ...(body as object), [field]: [word, { [word]: word }] }), 422, 'invalid-body');
    }
  }
  await refused(http.post('/flows', { name: 'Long', comment: word.repeat(1_000) }), 422, 'invalid-body');
  await refused(http.post('/flows', `{"name":"${word}","name":"${word}"}`), 400, 'malformed-json');
  await refused(http.get(`/flows/${canaries.of('slug that nothing has')}`), 404, 'flow-not-found');
  await refused(http.get(`/flows?limit=${canaries.of('value in a query')}`), 400, 'invalid-query');
  await refused(http.get(`/flows?${canaries.of('name of a query parameter')}=1`), 400, 'invalid-query');
  await refused(http.get(`/flows?cursor=${canaries.of('cursor')}`), 400, 'invalid-query');
  await refused(http.get(`/${canaries.of('path that is none')}`), 404, 'not-found');
  await refused(http.get(`/flows/%zz${canaries.of('path that is no URL')}`), 422, 'invalid-reference');
}

async function sendBelowHttp(url: string): Promise<void> {
  const word = canaries.of('what is not HTTP');
  const answers = [
    await rawRequest(url, `${word} / HTTP/1.1\r\n\r\n`),
    await rawRequest(url, `GET /${word} HTTP/1.1\r\nHost: x\r\n${word}\r\n\r\n`),
    await rawRequest(url, `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${word.repeat(1_000)}\r\n\r\n`),
  ];
  keep('answers', JSON.stringify(answers));
}

/** All that anybody may read afterwards. */
async function readBack(http: Http): Promise<void> {
  const flow = canaries.of('name of a flow');
  const environment = canaries.of('name of an environment');
  for (const path of [
    ...['/environments', '/flows', '/keys', '/me', '/projects', '/views', '/audit/keys', '/audit/checkpoint'],
    ...[`/flows/${flow}`, `/flows/${flow}/versions`, `/flows/${flow}/versions/2`, `/flows/${flow}/history`],
    ...[`/environments/${environment}/active`, `/environments/${environment}/releases`],
  ]) {
    await good(http.get(path));
  }
  const plain = new Http(http.url, http.key);
  const text = async (path: string) => (await plain.send('GET', path)).text;
  const { position } = await good(plain.send<{ position: string }>('GET', '/health/ready'));
  keep('audit trail', await text(`/api/v1/audit?limit=500&minPosition=${position}`));
  for (const format of ['ndjson', 'csv', 'ocsf']) {
    keep('export', await text(`/api/v1/audit/export?format=${format}`));
  }
  const [, size] = (await text('/api/v1/audit/checkpoint')).split('\n');
  keep('evidence', await text(`/api/v1/audit/evidence?from=0&size=${size}`));
  for (const path of ['/metrics', '/health/ready', '/openapi.json']) keep('metrics', await text(path));
  const client = await EventClient.openAfter(plain, '0');
  await client.untilId(position);
  client.close();
  keep('stream', JSON.stringify(client.told));
}

describe('A secret', () => {
  it('is where it belongs and nowhere else, whatever it was put into', () => {
    const found = canaries.inputs.map((input) => [input, canaries.whereIs(input, artefacts)]);
    const expected = canaries.inputs.map((input) => [input, [...(BELONGS[input] ?? [])].sort()]);
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
    expect(canaries.inputs).toEqual(expect.arrayContaining(Object.keys(BELONGS)));
  });

  it('is not there as a SHA-256 either, but for keys in the place where they are looked up', () => {
    const found = canaries.inputs.map((input) => [input, canaries.whereIsHashOf(input, artefacts)]);
    const expected = canaries.inputs.map((input) => [input, [...(HASH_BELONGS[input] ?? [])].sort()]);
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
  });

  it('was looked for in everything that a server leaves', () => {
    const sizes = Object.fromEntries([...artefacts].map(([name, bytes]) => [name, bytes.length > 0]));
    const files = ['events.db', 'events.db.lock', 'heads.log', 'signing.key', 'views.db', 'views.db.lock'];
    const told = [
      'answers',
      'audit trail',
      'evidence',
      'export',
      'greeting',
      'log',
      'metrics',
      'stream',
      'traces',
    ];
    const sent = ['headers to the collector', 'requests to the sink'];
    expect(Object.keys(sizes).sort()).toEqual([...files, ...told, ...sent].sort());
  });

  it.each([
    ['plain', (word: string) => Buffer.from(`x${word}y`)],
    ['in base64', (word: string) => Buffer.from(Buffer.from(`x${word}y`).toString('base64'))],
    ['in base64 for URLs', (word: string) => Buffer.from(Buffer.from(`xy${word}z`).toString('base64url'))],
    ['in hex', (word: string) => Buffer.from(Buffer.from(`x${word}y`).toString('hex').toUpperCase())],
    [
      'in a URL',
      (word: string) => Buffer.from(word.replace(/./g, (c) => `%${c.charCodeAt(0).toString(16)}`)),
    ],
    ['in UTF-16', (word: string) => Buffer.from(word, 'utf16le')],
  ])('would be found %s', (_, disguise) => {
    const hidden = new Map([
      ['here', disguise(canaries.of('hidden'))],
      ['not here', Buffer.from('canary')],
    ]);
    expect(canaries.whereIs('hidden', hidden)).toEqual(['here']);
  });
});

describe('A start that is refused', () => {
  it('repeats no secret of its settings', async () => {
    const bad = new Canaries();
    const server = ServerProcess.spawn({
      SWITCHYARD_DATA: suite.newFolder(),
      SWITCHYARD_ADMIN_KEY: `${bad.of('administrator key')} with a space`,
      SWITCHYARD_EVENT_STORE: `mysql://user:${bad.of('password')}@host/database`,
      SWITCHYARD_CHECKPOINT_SINK: `ftp://host/?token=${bad.of('token of the sink')}`,
      SWITCHYARD_ADMINKEY: bad.of('misspelt name'),
      OTEL_EXPORTER_OTLP_ENDPOINT: `ftp://user:${bad.of('password of the collector')}@host`,
    });
    const { code, stdout, stderr } = await server.ended;
    expect({ code, lines: stderr.trimEnd().split('\n').length }).toEqual({ code: 78, lines: 5 });
    const said = new Map([['said', Buffer.from(stdout + stderr)]]);
    expect(bad.inputs.filter((input) => bad.whereIs(input, said).length > 0)).toEqual([]);
  });

  it('does not tell the password of a store that it cannot reach', async () => {
    const bad = new Canaries();
    const server = ServerProcess.spawn({
      SWITCHYARD_DATA: suite.newFolder(),
      SWITCHYARD_LOG_LEVEL: 'trace',
      SWITCHYARD_EVENT_STORE: `postgres://user:${bad.of('password')}@127.0.0.1:1/database`,
    });
    const { code, stdout, stderr } = await server.ended;
    expect(code).toBe(78);
    expect(bad.whereIs('password', new Map([['said', Buffer.from(stdout + stderr)]]))).toEqual([]);
  });
});
