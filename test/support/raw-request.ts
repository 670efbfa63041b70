// HTTP written by hand onto a socket, for requests that no well-behaved client would send.
import { connect } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case; a header that comes twice is there twice. */
  readonly headers: readonly (readonly [string, string])[];
  readonly text: string;
}

const ANSWER_MS_MAX = 10_000;

/** Sends the bytes as they are, and reads until the server has closed the connection. */
export function rawRequest(url: string, ...bytes: readonly (string | Uint8Array)[]): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    const chunks: Buffer[] = [];
    socket.setTimeout(ANSWER_MS_MAX, () => socket.destroy(new Error('The server did not answer in time')));
    socket.on('data', (chunk) => chunks.push(chunk));
    // The server may well answer and close while it is still being sent to.
    let failure = new Error('The server closed the connection without an answer');
    socket.on('error', (error) => (failure = error));
    socket.on('close', () => {
      if (chunks.length === 0) reject(failure);
      else resolve(answerIn(Buffer.concat(chunks).toString('latin1')));
    });
    for (const part of bytes) socket.write(part);
  });
}

function answerIn(text: string): RawAnswer {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = lines.map((line): readonly [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(statusLine.split(' ')[1] ?? 0), headers, text: rest.join('\r\n\r\n') };
}
