// The HTTP server under Nest: its limits and timeouts, how bodies and queries are read, and that whatever
// goes wrong below the controllers, down to a request that is not HTTP, ends as a problem with a request id.
import { randomUUID } from 'node:crypto';
import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { noRoute, sendProblem, type ProblemLog } from './problem.filter.js';
import { Problem, problemBody, problemHeaders } from './problem.js';
import { NO_STORE, SECURITY_HEADERS, SecureResponse, strictTransport } from './security-headers.js';
import { cutSlowReaders } from './slow-readers.js';
import { parseStrictJson } from './strict-json.js';

export const limits = {
  bodyBytes: 1_048_576,
  headerBytes: 16_384,
  /** With all of them together it is bounded too, but thousands of tiny ones cost more than their bytes. */
  headers: 100,
  urlCharacters: 8_192,
  pathPartCharacters: 128,
  /** Headers that are not complete by then are cut off, and so is a connection that never sends any. */
  headersMs: 12_000,
  /** How often the two limits on slow requests are checked, so headers are cut off within 15 s. */
  checkMs: 3_000,
  requestMs: 30_000,
  keepAliveMs: 72_000,
  /** A connection on which nothing moves either way. Event streams send a comment more often than that. */
  silenceMs: 120_000,
} as const;

interface Options {
  readonly log: ProblemLog;
  /** Addresses and networks whose X-Forwarded-… headers are believed; none unless they are named. */
  readonly trustedProxies?: readonly string[];
  /** Whether TLS is asked for on the hosts below this one too. */
  readonly hstsSubdomains?: boolean;
}

export function createAdapter(options: Options): FastifyAdapter {
  return new HttpAdapter(options);
}

/** Nest would set its own body parsers and handlers while the application starts; here they are set once. */
class HttpAdapter extends FastifyAdapter {
  private draining = false;

  constructor({ log, trustedProxies = [], hstsSubdomains = true }: Options) {
    super(serverOptions(log, trustedProxies));
    const instance = this.getInstance<FastifyInstance>();
    cutSlowReaders(instance.server);
    readJsonOnly(instance);
    answerWhateverIsExpected(instance);
    instance.addHook('onRequest', (request, reply, done) => {
      void reply.header('x-request-id', request.id);
      done(
        this.draining
          ? new Problem('shutting-down', 'Send the request to another server.')
          : tooMuch(request),
      );
    });
    if (trustedProxies.length > 0) {
      const lines = strictTransport(hstsSubdomains);
      instance.addHook('onRequest', (request, reply, done) => {
        if (request.protocol === 'https') (reply.raw as SecureResponse).lines += lines;
        done();
      });
    }
    instance.setErrorHandler((error, request, reply) => sendProblem(reply, error, request.id, log));
    instance.setNotFoundHandler((request, reply) => sendProblem(reply, noRoute(request), request.id, log));
  }

  override registerParserMiddleware(): void {}

  override setErrorHandler() {
    return this.instance;
  }

  override setNotFoundHandler() {
    return this.instance;
  }

  override beforeClose(): void {
    super.beforeClose();
    this.draining = true;
    // A connection that is kept alive after its last answer would hold up the stop.
    const { server } = this.getInstance<FastifyInstance>();
    const closing = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_MS);
    server.once('close', () => clearInterval(closing));
  }
}

function serverOptions(log: ProblemLog, trustedProxies: readonly string[]) {
  return {
    logger: false,
    trustProxy: trustedProxies.length > 0 && [...trustedProxies],
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionTimeout: limits.silenceMs,
    // Fastify would answer in words of its own.
    return503OnClosing: false,
    http: {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersMs,
      connectionsCheckingInterval: limits.checkMs,
      ServerResponse: SecureResponse as unknown as typeof ServerResponse,
    },
    routerOptions: { maxParamLength: limits.pathPartCharacters },
    genReqId: (request: { headers: Record<string, string | string[] | undefined> }) =>
      requestId(request.headers['x-request-id']),
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) =>
      sendProblem(reply, request.server.overLimit?.(request) ?? error, request.id, log),
    clientErrorHandler: answerOnSocket,
  };
}

function tooMuch({ raw }: FastifyRequest): Problem | undefined {
  if ((raw.url ?? '').length > limits.urlCharacters) {
    return new Problem('url-too-long', `A URL may have ${limits.urlCharacters} characters.`);
  }
  if (raw.rawHeaders.length > 2 * limits.headers) {
    return new Problem('headers-too-large', `A request may have ${limits.headers} headers.`);
  }
  return undefined;
}

const CLOSE_IDLE_MS = 50;
const REQUEST_ID = /^[A-Za-z0-9._~-]{1,128}$/;

/** The caller's id when it can safely stand in headers and logs, else a new one. */
function requestId(sent: string | string[] | undefined): string {
  return typeof sent === 'string' && REQUEST_ID.test(sent) ? sent : randomUUID();
}

function readJsonOnly(instance: FastifyInstance): void {
  const read = (
    request: FastifyRequest,
    body: Buffer,
    done: (error: Error | null, body?: unknown) => void,
  ) => {
    try {
      done(null, readBody(request, body));
    } catch (error) {
      done(error as Error);
    }
  };
  instance.removeAllContentTypeParsers();
  instance.addContentTypeParser('application/json', { parseAs: 'buffer' }, read);
  instance.addContentTypeParser(/^application\/[\w.!#$&^-]+\+json(?:;|$)/, { parseAs: 'buffer' }, read);
}

/** Node would answer 417 in words of its own. An expectation that is not known may be ignored (RFC 9110, 10.1.1). */
function answerWhateverIsExpected({ server }: FastifyInstance): void {
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
}

function readBody(request: FastifyRequest, body: Buffer): unknown {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new Problem('unsupported-media-type', 'Send the body without a Content-Encoding.');
  }
  return parseStrictJson(body);
}

/** What Node refuses before there is a request: Fastify and Nest never see it. */
function answerOnSocket(error: Error & { code?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) {
    return;
  }
  if (socket.writable) {
    socket.write(rawAnswer(socketProblem(error.code)));
  }
  socket.destroy(error);
}

function socketProblem(code: string | undefined): Problem {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Problem('request-timeout', 'The request was not complete in time.');
    case 'HPE_HEADER_OVERFLOW':
      return new Problem('headers-too-large', `All headers together may have ${limits.headerBytes} bytes.`);
    default:
      return new Problem('invalid-header', 'The request is not valid HTTP.');
  }
}

function rawAnswer(problem: Problem): string {
  const id = randomUUID();
  const body = JSON.stringify(problemBody(problem, id));
  const headers = {
    ...SECURITY_HEADERS,
    ...NO_STORE,
    ...problemHeaders(problem),
    'x-request-id': id,
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n${lines.join('')}\r\n${body}`;
}
