import 'reflect-metadata';
import { request, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import {
  Body,
  Controller,
  Delete,
  Get,
  Module,
  Param,
  Post,
  Query,
  RequestMethod,
  Res,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply } from 'fastify';
import { IsOptional } from 'class-validator';
import { createAdapter, limits } from '../../src/api/fastify.js';
import { ProblemFilter } from '../../src/api/problem.filter.js';
import {
  IsComment,
  IsContent,
  IsQueryInteger,
  IsReference,
  ReferencePipe,
  RequestPipe,
} from '../../src/api/validation.js';

class ThingBody {
  @IsOptional()
  @IsComment()
  comment?: string;

  @IsContent()
  content: Record<string, unknown>;
}

class ThingQuery {
  @IsOptional()
  @IsQueryInteger(1, 500)
  limit?: number;

  @IsOptional()
  @IsReference()
  environment?: string;
}

const BROKEN = 'hunter2 leaked from /var/lib/switchyard';

@Controller('things')
class ThingController {
  @Get()
  list(@Query() query: ThingQuery) {
    return { query };
  }

  @Post()
  make(@Body() body: ThingBody) {
    return body.content;
  }

  @Get('broken')
  broken() {
    throw new Error(BROKEN);
  }

  @Get('half')
  half(@Res() reply: FastifyReply) {
    reply.raw.writeHead(200, { 'content-type': 'text/plain' });
    reply.raw.write('the first half');
    throw new Error(BROKEN);
  }

  @Get(':thing')
  one(@Param('thing', ReferencePipe) thing: string) {
    return { thing };
  }

  @Delete(':thing')
  remove(@Param('thing', ReferencePipe) thing: string, @Body() body: unknown) {
    return { thing, hasBody: body !== undefined };
  }
}

@Module({ controllers: [ThingController] })
class ThingModule {}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: { code?: string; requestId?: string; errors?: { pointer: string }[] } & Record<string, unknown>;
}

const logged: { fields: object; message: string }[] = [];
const log = {
  error: (fields: object, message: string) => void logged.push({ fields, message }),
  warn: (fields: object, message: string) => void logged.push({ fields, message }),
};

let app: NestFastifyApplication;
let port: number;

beforeAll(async () => {
  app = await NestFactory.create<NestFastifyApplication>(ThingModule, createAdapter({ log }), {
    logger: false,
  });
  app.setGlobalPrefix('api/v1', { exclude: [{ path: 'health', method: RequestMethod.ALL }] });
  app.useGlobalPipes(new RequestPipe());
  app.useGlobalFilters(new ProblemFilter(log));
  await app.listen(0, '127.0.0.1');
  port = (app.getHttpServer().address() as AddressInfo).port;
});

afterAll(() => app.close());

type Method = 'GET' | 'POST' | 'DELETE' | 'PATCH' | 'PUT' | 'OPTIONS' | 'HEAD';

function send(
  method: Method,
  path: string,
  payload?: string | Buffer,
  headers: Record<string, string> = payload === undefined ? {} : { 'content-type': 'application/json' },
  to = port,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = payload === undefined ? {} : { 'content-length': Buffer.byteLength(payload) };
    const options = { method, path, port: to, host: '127.0.0.1', headers: { ...headers, ...length } };
    const sent = request(options, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk) => (text += String(chunk)));
      answer.on('end', () => {
        const body = (text ? JSON.parse(text) : {}) as Answer['body'];
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body });
      });
    });
    sent.on('error', reject).end(payload);
  });
}

const post = (payload: string | Buffer, type = 'application/json') =>
  send('POST', '/api/v1/things', payload, { 'content-type': type });

function expectProblem(answer: Answer, status: number, code: string): void {
  expect({ status: answer.status, code: answer.body.code }).toEqual({ status, code });
  expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  expect(answer.body.requestId).toBe(answer.headers['x-request-id']);
  expect(answer.body).toMatchObject({ type: `/problems/${code}`, status });
}

/** Speaks to the server below HTTP, and answers what came back until it hung up. */
function raw(...chunks: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => chunks.forEach((chunk) => socket.write(chunk)));
    let received = '';
    socket.setEncoding('latin1').on('data', (text) => (received += String(text)));
    // The server may hang up while there is still something to send.
    socket.on('error', () => undefined).on('close', () => resolve(received));
    socket.setTimeout(5_000, () => reject(new Error(`no end after: ${received}`)));
  });
}

const rawProblem = (text: string) => JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) as Answer['body'];

describe('a body', () => {
  it('of JSON gets in exactly as it is, also as application/…+json and with a charset', async () => {
    const content = { toString: 'x', then: 1, nested: { hasOwnProperty: [null, 1.5, {}] } };
    for (const type of ['application/json', 'application/json; charset=utf-8', 'application/vnd.x+json']) {
      const answer = await post(JSON.stringify({ content }), type);
      expect(answer).toMatchObject({ status: 201, body: content });
    }
  });

  it('over 1 MiB is 413, whether declared or streamed without saying so', async () => {
    expectProblem(await post(`{"content":"${'x'.repeat(limits.bodyBytes)}"}`), 413, 'body-too-large');
    const chunk = 'x'.repeat(65_536);
    const chunks = Array<string>(20).fill(`10000\r\n${chunk}\r\n`);
    const answer = await raw(
      'POST /api/v1/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n',
      'Transfer-Encoding: chunked\r\n\r\n',
      ...chunks,
      '0\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(rawProblem(answer).code).toBe('body-too-large');
  });

  it('that is compressed is never unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    expectProblem(await send('POST', '/api/v1/things', bomb, headers), 415, 'unsupported-media-type');
    expectProblem(await post(bomb), 400, 'malformed-json');
  });

  it('too deep or with too many members is 422', async () => {
    expectProblem(await post('['.repeat(10_000) + ']'.repeat(10_000)), 422, 'invalid-body');
    expectProblem(await post(`{"content":${'{"a":'.repeat(64)}1${'}'.repeat(65)}`), 422, 'invalid-body');
    const keys = Array.from({ length: 100_000 }, (_, index) => `"${index}":0`).join(',');
    expectProblem(await post(`{"content":{${keys}}}`), 422, 'invalid-body');
    expectProblem(await post(`{"content":{"a":[${Array(100_000).fill(1).join(',')}]}}`), 422, 'invalid-body');
  });

  it.each([
    ['malformed', '{"content":'],
    ['empty', ''],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['with a byte order mark', '\uFEFF{"content":{}}'],
    ['with a key twice', '{"content":{},"content":{}}'],
  ])('that is %s is 400', async (_name, payload) => {
    expectProblem(await post(payload), 400, 'malformed-json');
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'application/jsonx',
    'nonsense',
  ])('of type %s is 415', async (type) => {
    expectProblem(await post('{"content":{}}', type), 415, 'unsupported-media-type');
  });

  it('without a type is 415, and no body at all is none', async () => {
    expectProblem(await send('POST', '/api/v1/things', '{"content":{}}', {}), 415, 'unsupported-media-type');
    expect(await send('DELETE', '/api/v1/things/a')).toMatchObject({ status: 200, body: { hasBody: false } });
    const missing = await send('POST', '/api/v1/things');
    expectProblem(missing, 422, 'invalid-body');
    expect(missing.body.errors?.[0]?.pointer).toBe('');
  });

  it.each(['1e400', '9007199254740993', '-0', '"\\ud800"', '"\\u0000"'])(
    'with %s in it, which would be changed, is 422 and says where',
    async (value) => {
      const answer = await post(`{"content":{"a":[${value}]}}`);
      expectProblem(answer, 422, 'invalid-body');
      expect(answer.body.errors?.[0]?.pointer).toBe('/content/a/0');
    },
  );

  it.each(['__proto__', 'constructor', 'prototype'])('with the key %s anywhere is 422', async (key) => {
    expectProblem(await post(`{"content":{"a":{"${key}":{"polluted":1}}}}`), 422, 'invalid-body');
    expectProblem(await post(`{"${key}":{"polluted":1},"content":{}}`), 422, 'invalid-body');
    expect({}).not.toHaveProperty('polluted');
  });
});

describe('a query', () => {
  it.each([
    'limit=1&limit=2',
    'limit=1e9',
    'limit[a]=1',
    'unknown=1',
    '__proto__=1',
    'constructor=1',
    'limit=%ff',
  ])('%s is 400', async (query) => {
    expectProblem(await send('GET', `/api/v1/things?${query}`), 400, 'invalid-query');
  });

  it('gives its values to the controller', async () => {
    const answer = await send('GET', '/api/v1/things?limit=5&environment=prod');
    expect(answer).toMatchObject({ status: 200, body: { query: { limit: 5, environment: 'prod' } } });
  });
});

describe('a path', () => {
  it.each(['%2e%2e%2f', 'CON', 'x'.repeat(100), 'x'.repeat(300), '%zz', '%00', 'pr%D0%BEd', '%20'])(
    'with %s for a name is 422',
    async (part) => {
      expectProblem(await send('GET', `/api/v1/things/${part}`), 422, 'invalid-reference');
    },
  );

  it('that nothing is at is 404, with an empty part too', async () => {
    expectProblem(await send('GET', '/api/v1/nothing'), 404, 'not-found');
    expectProblem(await send('POST', '/', '{}', { 'content-type': 'text/plain' }), 404, 'not-found');
    expectProblem(await send('GET', '/api/v1/things/'), 404, 'not-found');
  });

  it('with a method it does not take is 405 and names those it takes', async () => {
    const answer = await send('PATCH', '/api/v1/things/a?x=1');
    expectProblem(answer, 405, 'method-not-allowed');
    expect(answer.headers.allow).toBe('GET, HEAD, DELETE');
    expect((await send('PUT', '/api/v1/things')).headers.allow).toBe('GET, HEAD, POST');
    expect(await raw('TRACE /api/v1/things HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 405 /,
    );
  });
});

describe('headers', () => {
  it('give a request its id when it is a plain word, else it gets one, and every answer has it', async () => {
    const id = async (sent: string) => {
      const answer = await send('GET', '/api/v1/things', undefined, { 'x-request-id': sent });
      return String(answer.headers['x-request-id']);
    };
    expect(await id('Trace-1.a_b~c')).toBe('Trace-1.a_b~c');
    for (const sent of ['', 'a b', 'x'.repeat(129), 'a\tb', 'é', '<script>']) {
      expect(await id(sent)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
    }
    const problem = await send('GET', '/%zz', undefined, { 'x-request-id': 'mine' });
    expect(problem.body.requestId).toBe('mine');
    expect((await send('GET', '/%zz')).headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('with a line break in a value never reach the answer', async () => {
    const answer = await raw(
      'GET /api/v1/things HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\rX-Evil: 1\r\nConnection: close\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer.toLowerCase()).not.toContain('x-evil');
    const encoded = await send('GET', '/api/v1/things/a%0d%0ax-evil:%201');
    expectProblem(encoded, 422, 'invalid-reference');
    expect(encoded.headers).not.toHaveProperty('x-evil');
  });

  it('over 16 KiB are 431', async () => {
    const answer = await raw(`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/);
    expect(answer).toContain('application/problem+json');
    expect(rawProblem(answer)).toMatchObject({ code: 'headers-too-large', status: 431 });
  });

  it.each([
    [
      'both Content-Length and Transfer-Encoding',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n',
    ],
    ['two Content-Lengths', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n'],
    ['a method that is none', 'NONSENSE / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\x00'],
  ])('with %s are 400', async (_name, text) => {
    const answer = await raw(text);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(rawProblem(answer)).toMatchObject({ code: 'invalid-header', status: 400 });
  });
});

describe('the server', () => {
  it('cuts off slow headers within 15 s, slow requests, and connections on which nothing moves', () => {
    const server = app.getHttpServer();
    expect(server.headersTimeout + limits.checkMs).toBeLessThanOrEqual(15_000);
    expect(server).toMatchObject({ requestTimeout: 30_000, keepAliveTimeout: 72_000, timeout: 120_000 });
  });

  it('logs an unexpected error under the id of the request, and tells the caller nothing of it', async () => {
    logged.length = 0;
    const answer = await send('GET', '/api/v1/things/broken');
    expectProblem(answer, 500, 'internal-error');
    expect(JSON.stringify(answer)).not.toMatch(/hunter2|switchyard\/|stack/);
    expect(logged).toHaveLength(1);
    expect(logged[0]?.fields).toMatchObject({
      requestId: answer.body.requestId,
      error: { name: 'Error', message: BROKEN },
    });
  });

  it('cuts off an answer that goes wrong half-way, so that no half is taken for a whole', async () => {
    const answer = await raw('GET /api/v1/things/half HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toMatch(/the first half\r\n$/);
  });

  it('has logged nothing for what callers do wrong', async () => {
    logged.length = 0;
    await post('{');
    await post('{}', 'text/plain');
    await send('GET', '/nothing');
    expect(logged).toEqual([]);
  });

  it('answers 503 once it is told to stop, until it has', async () => {
    const other = await NestFactory.create<NestFastifyApplication>(ThingModule, createAdapter({ log }), {
      logger: false,
    });
    await other.listen(0, '127.0.0.1');
    const to = (other.getHttpServer().address() as AddressInfo).port;
    expect((await send('GET', '/things', undefined, {}, to)).status).toBe(200);
    other.getHttpAdapter().beforeClose?.();
    const answer = await send('GET', '/things', undefined, {}, to);
    expectProblem(answer, 503, 'shutting-down');
    expect(answer.headers['retry-after']).toBe('1');
    await other.close();
  });
});
