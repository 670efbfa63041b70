// A client of a stream of changes that reads it as browsers do, and remembers what it was sent.
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { ChangeEventAnswer } from '../../src/api/change.answers.js';
import type { Http } from './http.js';

export interface Told {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

const WAIT_MS_MAX = 30_000;

export class EventClient {
  readonly told: Told[] = [];
  /** What a client says when it comes back; it moves on without a message too. */
  lastId = '';
  comments = 0;
  hasEnded = false;
  private text = '';
  private waiting: (() => void)[] = [];

  private constructor(
    private readonly asking: ClientRequest,
    readonly answer: IncomingMessage,
    /** A crowd of clients has no room to keep all that they are told. */
    private onTold: (told: Told) => void = (told) => this.told.push(told),
  ) {
    answer.setEncoding('utf8');
    answer.on('data', (chunk: string) => this.read(chunk));
    const ended = (): void => {
      this.hasEnded = true;
      this.wake();
    };
    answer.on('close', ended).on('error', ended);
  }

  /** Resolves with the head of the answer; the first message may not be there yet. */
  static open(
    http: Http,
    path = '/events',
    headers: Record<string, string> = {},
    onTold?: (told: Told) => void,
  ): Promise<EventClient> {
    return new Promise((resolve, reject) => {
      const authorization = `Bearer ${http.key}`;
      const asking = request(`${http.url}/api/v1${path}`, {
        agent: false,
        headers: { authorization, ...headers },
      });
      asking.once('error', reject);
      asking.once('response', (answer) => {
        asking.on('error', () => undefined);
        resolve(new EventClient(asking, answer, onTold));
      });
      asking.end();
    });
  }

  /** After the message with this id, or after a position. */
  static openAfter(
    http: Http,
    id: string,
    path = '/events',
    onTold?: (told: Told) => void,
  ): Promise<EventClient> {
    return EventClient.open(http, path, { 'last-event-id': id }, onTold);
  }

  /** The changes alone, without what says where the stream began. */
  get changes(): Told[] {
    return this.told.filter(({ event }) => event.startsWith('io.switchyard.'));
  }

  get ids(): string[] {
    return this.changes.map(({ id }) => id);
  }

  get events(): ChangeEventAnswer[] {
    return this.changes.map(({ data }) => JSON.parse(data) as ChangeEventAnswer);
  }

  /** Waits for a condition on what has come; throws with what is there when it takes too long. */
  async until(condition: (client: EventClient) => boolean): Promise<this> {
    const timer = setTimeout(() => this.wake(), WAIT_MS_MAX);
    const started = performance.now();
    while (!condition(this)) {
      if (performance.now() - started >= WAIT_MS_MAX) {
        const last = JSON.stringify(this.told.slice(-3));
        throw new Error(
          `Waited for ${String(condition)} with ${this.told.length} messages, the last ${last}`,
        );
      }
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
    clearTimeout(timer);
    return this;
  }

  /** Until everything up to a position has been told of or left out. */
  untilId(id: string): Promise<this> {
    return this.until(({ lastId }) => BigInt(lastId || '0') >= BigInt(id));
  }

  /** Whatever had not come whole by now has not come. */
  close(): void {
    this.onTold = () => undefined;
    this.asking.destroy();
  }

  private read(chunk: string): void {
    this.text += chunk;
    for (let end = this.text.indexOf('\n\n'); end >= 0; end = this.text.indexOf('\n\n')) {
      this.take(this.text.slice(0, end).split('\n'));
      this.text = this.text.slice(end + 2);
    }
    this.wake();
  }

  private take(lines: readonly string[]): void {
    const fields: Record<string, string> = {};
    for (const line of lines) {
      const [, name = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
      if (name === '') this.comments += 1;
      else fields[name] = value;
    }
    const { id, event = 'message', data } = fields;
    if (id !== undefined) this.lastId = id;
    if (data !== undefined) this.onTold({ id: this.lastId, event, data });
  }

  private wake(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const look of waiting) look();
  }
}
