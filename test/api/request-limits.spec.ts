// How much of everything a request and a connection may take, beside the bodies that hostile.spec.ts sends.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { cutSlowReaders } from '../../src/api/slow-readers.js';
import { Http, refused } from '../support/http.js';
import { rawRequest } from '../support/raw-request.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';
import { until } from '../support/spec.js';

const suite = serversOfSuite();

describe('A request', () => {
  let http: Http;

  beforeAll(async () => {
    http = new Http((await suite.start(suite.newFolder())).url, ADMIN_KEY);
  });

  const withHeaders = (count: number) => {
    const headers = Array.from({ length: count - 2 }, (_, index) => `X-${index}: 1\r\n`);
    const path = '/health/live';
    return rawRequest(
      http.url,
      `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers.join('')}\r\n`,
    );
  };

  it('has at most a hundred headers, of which none is dropped without a word', async () => {
    expect((await withHeaders(100)).status).toBe(200);
    for (const count of [101, 102, 1_500]) {
      const answer = await withHeaders(count);
      expect(answer.status).toBe(431);
      expect(JSON.parse(answer.text)).toMatchObject({ code: 'headers-too-large' });
    }
  });

  it('has a URL of at most 8,192 characters', async () => {
    const path = (length: number) => '/api/v1/nothing?q='.padEnd(length, 'x');
    await refused(http.send('GET', path(8_192)), 404, 'not-found');
    await refused(http.send('GET', path(8_193)), 414, 'url-too-long');
    await refused(http.send('GET', path(15_000)), 414, 'url-too-long');
  });
});

describe('A server', () => {
  it('takes so many connections and closes the others at once, and counts those', async () => {
    const server = suite.kept(
      await ServerProcess.start(suite.newFolder(), { SWITCHYARD_MAX_CONNECTIONS: '5' }),
    );
    const { hostname, port } = new URL(server.url);
    const open: Socket[] = [];
    const closed: Socket[] = [];
    for (let count = 0; count < 8; count += 1) {
      const socket = connect(Number(port), hostname).on('error', () => undefined);
      socket.on('close', () => closed.push(socket));
      await once(socket, 'connect');
      open.push(socket);
    }
    await until(() => closed.length === 3);
    open.forEach((socket) => socket.destroy());
    const http = new Http(server.url, ADMIN_KEY);
    const metrics = async () => {
      try {
        return (await http.send('GET', '/metrics')).text;
      } catch {
        // It may not have noticed yet that the others are gone.
        return '';
      }
    };
    await until(async () => /^switchyard_connections_dropped_total [3-9]/m.test(await metrics()));
  });
});

describe('A client that asks for a long answer', () => {
  const EVERY_MS = 300;
  const BYTES_MIN = 65_536;
  const PIECE = Buffer.alloc(65_536, 'x');
  const ANSWER = Buffer.alloc(64 * 1024 * 1024, 'x');
  let server: Server;
  /** The one connection there is, as the server sees it. */
  let connection: { isCut: boolean };

  beforeEach(async () => {
    const its = { isCut: false };
    connection = its;
    server = createServer((request, response) => {
      const write = (left: number): void => {
        if (left === 0) response.end();
        else if (response.write(PIECE)) write(left - PIECE.length);
        else response.once('drain', () => write(left - PIECE.length));
      };
      if (request.url === '/in-one-piece') response.end(ANSWER);
      else write(ANSWER.length);
    });
    cutSlowReaders(server, EVERY_MS, BYTES_MIN);
    server.on('connection', (socket) => socket.on('close', () => (its.isCut = true)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  /** Takes so many bytes at a time, until it has all of them or is cut off; answers how many it took. */
  async function read(path: string, bytes: number, everyMs: number): Promise<number> {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => undefined).pause();
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    let taken = 0;
    const reading = setInterval(() => {
      const chunk = socket.read(Math.min(bytes, socket.readableLength)) as Buffer | null;
      taken += chunk?.length ?? 0;
    }, everyMs);
    try {
      await until(() => connection.isCut || taken > ANSWER.length);
      return taken;
    } finally {
      clearInterval(reading);
      socket.destroy();
    }
  }

  it.each(['/in-one-piece', '/in-many'])('and hardly reads it is cut off: %s', async (path) => {
    expect(await read(path, 500, 20)).toBeLessThan(ANSWER.length / 10);
  });

  it.each(['/in-one-piece', '/in-many'])(
    'and reads it without haste is served to its end: %s',
    async (path) => {
      const began = performance.now();
      expect(await read(path, 262_144, 10)).toBeGreaterThan(ANSWER.length);
      expect(performance.now() - began).toBeGreaterThan(2 * EVERY_MS);
    },
  );

  it('and has taken all of it may keep its connection', async () => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    let taken = 0;
    socket.on('data', (chunk) => (taken += chunk.length));
    socket.write('GET /in-many HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => taken > ANSWER.length);
    // Nothing is to happen, so there is nothing to wait for but a few looks.
    await pause(4 * EVERY_MS);
    expect(connection.isCut).toBe(false);
    socket.destroy();
  });
});
