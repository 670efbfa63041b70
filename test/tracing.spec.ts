// Traces, as a collector gets them: this test's own, which takes what OpenTelemetry sends over HTTP.
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { good, Http, refused } from './support/http.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from './support/server-process.js';
import { until } from './support/spec.js';

interface Received {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
  readonly status: { readonly code?: number };
}

interface Export {
  readonly resourceSpans: readonly {
    readonly resource: Pick<Received, 'attributes'>;
    readonly scopeSpans: readonly { readonly spans: readonly Received[] }[];
  }[];
}

const suite = serversOfSuite();
let collector: Server;
let status = 200;
const headers: IncomingHttpHeaders[] = [];
const bodies: string[] = [];

beforeAll(async () => {
  collector = createServer((request, response) => {
    headers.push(request.headers);
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      if (status === 200) bodies.push(body);
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    });
  });
  collector.listen(0, '127.0.0.1');
  await once(collector, 'listening');
});
afterAll(() => collector.close());
beforeEach(() => {
  status = 200;
  bodies.length = 0;
});

const endpoint = () => `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;

async function started(
  settings: Record<string, string> = {},
): Promise<{ server: ServerProcess; http: Http }> {
  const tracing = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint(), OTEL_BSP_SCHEDULE_DELAY: '100', ...settings };
  const server = suite.kept(await ServerProcess.start(suite.newFolder(), tracing));
  return { server, http: new Http(server.url, ADMIN_KEY) };
}

const spans = (): Received[] =>
  bodies.flatMap((body) =>
    (JSON.parse(body) as Export).resourceSpans.flatMap(({ scopeSpans }) =>
      scopeSpans.flatMap((scope) => scope.spans),
    ),
  );

const attributesOf = ({ attributes }: Pick<Received, 'attributes'>): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

/** The span of a request, once it has come. */
async function spanOf(requestId: string): Promise<Received> {
  const isIts = (span: Received) => attributesOf(span)['switchyard.request_id'] === requestId;
  await until(() => spans().some(isIts));
  const found = spans().find(isIts);
  if (found === undefined) throw new Error('It was there a moment ago');
  return found;
}

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';

describe('A trace', () => {
  it('has a span for a command, below what the caller named, and in it the decision and the append', async () => {
    const { http } = await started({
      OTEL_SERVICE_NAME: 'prompts',
      OTEL_EXPORTER_OTLP_HEADERS: 'x-token=t0k3n',
    });
    const sent = { 'x-request-id': 'command-1', traceparent: `00-${TRACE}-${PARENT}-01` };
    await good(http.post('/environments', { name: 'production' }, sent));
    const request = await spanOf('command-1');
    expect(request).toMatchObject({
      traceId: TRACE,
      parentSpanId: PARENT,
      name: 'POST /api/v1/environments',
      kind: 2,
    });
    expect(attributesOf(request)).toEqual({
      'http.request.method': 'POST',
      'http.route': '/api/v1/environments',
      'http.response.status_code': 201,
      'switchyard.request_id': 'command-1',
    });
    const below = spans().filter(({ parentSpanId }) => parentSpanId === request.spanId);
    expect(below.map(({ name }) => name).sort()).toEqual(['append', 'decide']);
    expect(below.every(({ traceId }) => traceId === TRACE)).toBe(true);
    const resource = (JSON.parse(bodies[0] ?? '') as Export).resourceSpans[0]?.resource;
    expect(resource && attributesOf(resource)).toMatchObject({ 'service.name': 'prompts' });
    expect(headers.at(-1)).toMatchObject({ 'x-token': 't0k3n', 'content-type': 'application/json' });
  });

  it('has the pattern of the route and never what was sent, also where that was refused', async () => {
    const { http } = await started();
    const named = (id: string) => ({ 'x-request-id': id });
    await refused(
      http.get('/flows/no-such-flow/resolve?environment=nowhere', named('read-1')),
      404,
      'flow-not-found',
    );
    await refused(http.post('/environments', { name: '' }, named('bad-1')), 422, 'invalid-body');
    await refused(new Http(http.url, 'wrong').get('/flows', named('denied-1')), 401, 'unauthorized');
    await refused(http.get('/no-such-route', named('none-1')), 404, 'not-found');
    const read = await spanOf('read-1');
    expect(read.name).toBe('GET /api/v1/flows/:flow/resolve');
    expect(attributesOf(read)).toMatchObject({
      'error.type': 'flow-not-found',
      'http.response.status_code': 404,
    });
    expect(attributesOf(await spanOf('bad-1'))).toMatchObject({ 'error.type': 'invalid-body' });
    expect(attributesOf(await spanOf('denied-1'))).toMatchObject({ 'error.type': 'unauthorized' });
    expect((await spanOf('none-1')).name).toBe('GET none');
    expect(bodies.join()).not.toMatch(/no-such|nowhere/);
  });

  it('has what was decided wrongly below the request, by the name of the error alone', async () => {
    const { http } = await started();
    await good(http.post('/environments', { name: 'taken' }));
    await refused(
      http.post('/environments', { name: 'taken' }, { 'x-request-id': 'twice' }),
      409,
      'environment-exists',
    );
    const request = await spanOf('twice');
    const decide = spans().find(({ parentSpanId }) => parentSpanId === request.spanId);
    expect(decide).toMatchObject({ name: 'decide', status: { code: 2 } });
    expect(decide && attributesOf(decide)).toEqual({ 'error.type': 'Refused' });
  });

  it('is in the hands of the collector before the server is gone', async () => {
    const { http, server } = await started({ OTEL_BSP_SCHEDULE_DELAY: '60000' });
    await good(http.get('/environments', { 'x-request-id': 'last-words' }));
    expect((await server.kill('SIGTERM')).code).toBe(0);
    await spanOf('last-words');
  });

  it('of a stream of changes ends with it', async () => {
    const { http } = await started();
    await http.get('/events', { 'x-request-id': 'stream-1' });
    expect(attributesOf(await spanOf('stream-1'))).toMatchObject({ 'http.response.status_code': 200 });
  });
});

describe('A collector that does not answer', () => {
  it('costs one line in the log, and neither an answer nor the stop', async () => {
    status = 400;
    const { http, server } = await started();
    for (let count = 0; count < 3; count += 1) {
      await good(http.get('/environments'));
      const before = headers.length;
      await until(() => headers.length > before);
    }
    const { code, stderr } = await server.kill('SIGTERM');
    expect(code).toBe(0);
    expect(stderr.match(/traces could not be delivered/g)).toHaveLength(1);
  });
});

describe('Tracing', () => {
  it.each([
    ['nothing is set', { OTEL_EXPORTER_OTLP_ENDPOINT: '' }],
    ['it is switched off', { OTEL_SDK_DISABLED: 'true' }],
    ['no traces are wanted', { OTEL_TRACES_EXPORTER: 'none' }],
  ])('does not happen where %s', async (_, settings) => {
    const { http, server } = await started(settings);
    await good(http.get('/environments'));
    await server.kill('SIGTERM');
    expect(bodies).toEqual([]);
  });
});
