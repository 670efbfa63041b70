// An answer to the last byte of its head and body, for tests of what must not be in any of them.
import { Agent, request } from 'node:http';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface Bytes {
  readonly status: number;
  readonly body: string;
  /** Status line, headers and body. */
  readonly all: string;
}

const agent = new Agent({ keepAlive: true, maxSockets: 4 });

export function bytesOf(url: string, key: string | undefined, asked: Asked): Promise<Bytes> {
  const { method, path, headers = {}, body } = asked;
  const sent = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const asking = request(url + path, {
      ...{ method, agent },
      headers: {
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
        ...(sent !== undefined && {
          ...{ 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(sent)) },
        }),
        ...headers,
      },
    });
    asking.on('error', reject);
    asking.on('response', (answer) => {
      const { statusCode: status = 0, statusMessage = '', rawHeaders } = answer;
      const head = `${status} ${statusMessage}\n${rawHeaders.join('\n')}`;
      const chunks: Buffer[] = [];
      const done = (): void => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status, body: text, all: `${head}\n\n${text}` });
      };
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', done);
      // A stream has no end; its messages are read by a client of such streams.
      if (answer.headers['content-type']?.startsWith('text/event-stream') === true) {
        answer.destroy();
        done();
      }
    });
    asking.end(sent);
  });
}
