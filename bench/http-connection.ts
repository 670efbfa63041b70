// One HTTP connection that is kept open, asked one thing at a time. It does no more than measuring needs, so that
// what is measured is the server and not the client.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Ask {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** JSON text. */
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  /** Status line and header lines. */
  readonly head: string;
  body(): string;
}

type Answered = (answer: Answer) => void;

const STATUS_AT = 'HTTP/1.1 '.length;
const CONTENT_LENGTH = /\r\ncontent-length: (\d+)/i;
const HEAD_END = Buffer.from('\r\n\r\n');

/** What goes over the wire. */
export function requestText({ method, path, body }: Ask, key: string): string {
  const head = `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${key}\r\n`;
  if (body === undefined) return `${head}\r\n`;
  const length = Buffer.byteLength(body);
  return `${head}Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`;
}

export class HttpConnection {
  private chunks: Buffer[] = [];
  private bytes = 0;
  private bytesWanted = Number.POSITIVE_INFINITY;
  private headBytes = 0;
  private head = '';
  private answered: Answered = () => undefined;

  private constructor(
    private readonly socket: Socket,
    private readonly key: string,
  ) {
    socket.on('data', (chunk: Buffer) => this.take(chunk));
  }

  static async open(port: number, key: string): Promise<HttpConnection> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new HttpConnection(socket, key);
  }

  /** For those who have the text of the request ready. */
  send(text: string, answered: Answered): void {
    this.answered = answered;
    this.socket.write(text);
  }

  async ask(asked: Ask): Promise<Answer> {
    const text = requestText(asked, this.key);
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.socket.once('close', () => reject(new Error(`${asked.path}: the connection was closed`)));
      this.send(text, resolve);
    });
    this.socket.removeAllListeners('close');
    if (answer.status !== 200) throw new Error(`${asked.path}: ${answer.head}\n${answer.body()}`);
    return answer;
  }

  close(): void {
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.bytes += chunk.length;
    if (this.headBytes === 0) this.readHead();
    if (this.bytes < this.bytesWanted) return;
    const { chunks, head, headBytes } = this;
    const status = Number(head.slice(STATUS_AT, STATUS_AT + 3));
    this.chunks = [];
    this.bytes = 0;
    this.headBytes = 0;
    this.bytesWanted = Number.POSITIVE_INFINITY;
    this.answered({ status, head, body: () => Buffer.concat(chunks).toString('utf8', headBytes) });
  }

  private readHead(): void {
    const [first] = this.chunks;
    const start = this.chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.chunks);
    const end = start.indexOf(HEAD_END);
    if (end < 0) return;
    this.head = start.toString('latin1', 0, end);
    this.headBytes = end + HEAD_END.length;
    this.bytesWanted = this.headBytes + Number(CONTENT_LENGTH.exec(this.head)?.[1] ?? 0);
  }
}
