// How the fuzz sends: over connections that stay open, and now and then bytes that no client would send, on a bare
// socket.
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import type { Random } from '../support/random.js';
import { bytesOf } from './fuzz-mutations.js';
import type { Draft } from './fuzz-requests.js';

export interface Received {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Undefined where the answer is long, and was dropped after its beginning. */
  readonly text: string | undefined;
}

const ANSWER_MS_MAX = 20_000;
const BODY_BYTES_MAX = 1_048_576;
/** Of an answer that has no end. */
const STREAM_MS = 5;
const SOCKET_MS = 400;

export class FuzzConnections {
  private readonly agent = new Agent({ keepAlive: true });
  private readonly host: string;
  private readonly port: number;

  constructor(
    url: string,
    private readonly key: string,
  ) {
    const { hostname, port } = new URL(url);
    [this.host, this.port] = [hostname, Number(port)];
  }

  close(): void {
    this.agent.destroy();
  }

  /** Undefined where the server may well close the connection without an answer. Throws where it may not. */
  async send(draft: Draft): Promise<Received | undefined> {
    try {
      return await this.once(draft);
    } catch (error) {
      const { code = '', isReused = false } = error as { code?: string; isReused?: boolean };
      const isClosed = code === 'ECONNRESET' || code === 'EPIPE';
      if (isClosed && bytesOf(draft).length > BODY_BYTES_MAX) return undefined;
      // The server closes idle connections when it likes, also while a request is on its way.
      if (isClosed && isReused) return this.once(draft);
      throw error;
    }
  }

  /** Answers what came back, perhaps nothing. */
  sendBytes(bytes: string): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(this.port, this.host);
      let text = '';
      socket.setTimeout(SOCKET_MS, () => socket.destroy());
      socket.on('data', (chunk) => (text += chunk.toString('latin1')));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(text));
      socket.write(bytes, 'latin1');
    });
  }

  private once(draft: Draft): Promise<Received> {
    const { method, headers } = draft;
    const body = bytesOf(draft);
    const isSent = draft.body !== undefined || draft.bytes !== undefined;
    return new Promise((resolve, reject) => {
      const asking = httpRequest({
        ...{ host: this.host, port: this.port, agent: this.agent, method, path: targetOf(draft) },
        headers: {
          authorization: `Bearer ${this.key}`,
          ...(isSent && { 'content-type': 'application/json', 'content-length': body.length }),
          ...headers,
        },
      });
      const timer = setTimeout(() => asking.destroy(new Error('No answer came in time')), ANSWER_MS_MAX);
      asking.on('error', (error) => {
        clearTimeout(timer);
        // After a destroyed answer this has been settled already.
        reject(Object.assign(error, { isReused: asking.reusedSocket }));
      });
      asking.on('response', (answer) => {
        const { statusCode: status = 0, headers: answered } = answer;
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', () => undefined);
        answer.on('close', () => {
          clearTimeout(timer);
          const text = answer.complete ? Buffer.concat(chunks).toString() : undefined;
          if (text === undefined && !isStream(answered)) reject(new Error('The answer was cut off'));
          else resolve({ status, headers: answered, text });
        });
        if (isStream(answered)) setTimeout(() => answer.destroy(), STREAM_MS);
      });
      asking.end(isSent ? body : undefined);
    });
  }
}

/** Lines one after another, as long as there are any: a log of many events, or one that is still being written. */
function isStream(headers: IncomingHttpHeaders): boolean {
  const type = headers['content-type'] ?? '';
  return headers['content-length'] === undefined && /event-stream|ndjson|csv/.test(type);
}

export function targetOf({ path, query, tail }: Draft): string {
  const pairs = query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  const all = [...pairs, ...(tail === '' ? [] : [tail])].join('&');
  return all === '' ? path : `${path}?${all}`;
}

/** Bytes that are no request, more than one, or one that can be read in two ways. */
export function oddBytes(key: string, random: Random): string {
  const post = `POST /api/v1/flows HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\n`;
  const get = `GET /api/v1/flows HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\n`;
  const json = `${post}Content-Type: application/json\r\n`;
  return random.pick([
    'GET\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    `BREW /api/v1/flows HTTP/1.1\r\nHost: x\r\n\r\n`,
    `TRACE /api/v1/flows HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    'GET /api/v1/\x00flows HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET /api/v1/flows HTTP/1.1\r\n\r\n',
    'GET /api/v1/flows HTTP/9.9\r\nHost: x\r\n\r\n',
    'GET http://evil.example/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    `${get}X-Filler: ${'x'.repeat(20_000)}\r\n\r\n`,
    `${get}X-Request-Id: a\r\n X-Evil: 1\r\nConnection: close\r\n\r\n`,
    `${get}X-Request-Id: a\rX-Evil: 1\r\nConnection: close\r\n\r\n`,
    `${get}Connection: close\r\n\r\n`,
    `${get}\r\n${get}\r\n${get}Connection: close\r\n\r\n`,
    `${get}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
    `${get}Content-Length: -1\r\n\r\n`,
    `${json}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `${json}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
    `${json}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
    `${json}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    `${json}Content-Length: 100\r\n\r\n{"name":`,
    `${json}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} `,
    `${json}Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
  ]);
}
