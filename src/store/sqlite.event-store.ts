// The embedded adapter: the log in one SQLite file, written and read by two threads of this process. Here is
// the side of the event loop: what is asked of them, what they answered, and the subscribers that follow.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import {
  OutcomeUnknown,
  RevisionConflict,
  START,
  StorageFull,
  StoreRefused,
  StoreUnavailable,
  type Appended,
  type EventStore,
  type ExpectedRevision,
  type NewEvent,
  type Position,
  type ReadStreamOptions,
  type StoredEvent,
  type StoreStatistics,
  type Subscriber,
  type Subscription,
} from './event-store.js';
import { LiveTail } from './live-tail.js';
import type { Page } from './sqlite.log-reader.js';
import type { AppendAnswer } from './sqlite.log-writer.js';
import type {
  Opened,
  ReadAnswer,
  ReaderRequest,
  WorkerTask,
  WriterAnswer,
  WriterRequest,
} from './sqlite.worker.js';
import { checkAppend, pageLimit } from './store-rules.js';

interface WaitingAppend {
  readonly stream: string;
  readonly events: readonly NewEvent[];
  readonly expected: ExpectedRevision;
  resolve(appended: Appended): void;
  reject(error: unknown): void;
}

interface WaitingRead {
  resolve(events: readonly StoredEvent[]): void;
  reject(error: unknown): void;
}

export class SqliteEventStore implements EventStore {
  readonly appendBytesMax = 256 * 1024 * 1024;
  private readonly tail: LiveTail;
  private readonly appends = new Map<number, WaitingAppend>();
  private readonly reads = new Map<number, WaitingRead>();
  /** Of appends that the writer has settled, and that are not answered yet. */
  private readonly answers: AppendAnswer[] = [];
  /** The next answer goes out in a later turn. */
  private settling = false;
  private asked = 0;
  private counts = { appends: 0, commits: 0 };
  /** Why nothing is taken on any more. */
  private ended: string | undefined;
  /** What the writer said at the newest append, when that could not be made. */
  private refusal: string | undefined;
  private closing: Promise<void> | undefined;
  private onceIdle: () => void = () => undefined;

  private constructor(
    private readonly writer: Worker,
    private readonly reader: Worker,
    head: Position,
  ) {
    this.tail = new LiveTail(head, (after) => this.ask({ from: Number(after) }));
    writer.on('message', (answers: WriterAnswer) => this.settleAppends(answers));
    reader.on('message', (answer: ReadAnswer) => this.settleRead(answer));
    for (const worker of [writer, reader]) {
      worker.on('error', (error) => this.end(`A thread of the log died: ${error.message}`));
      worker.on('exit', () => this.end('A thread of the log has ended'));
    }
  }

  /** Makes the file when there is none. Throws `StoreRefused`. */
  static async open(path: string): Promise<SqliteEventStore> {
    const writer = await start({ path, role: 'writer' });
    try {
      const reader = await start({ path, role: 'reader' });
      return new SqliteEventStore(writer.worker, reader.worker, BigInt(writer.head));
    } catch (error) {
      writer.worker.postMessage('close' satisfies WriterRequest);
      await once(writer.worker, 'exit');
      throw error;
    }
  }

  async append(stream: string, events: readonly NewEvent[], expected: ExpectedRevision): Promise<Appended> {
    checkAppend(stream, events, expected, this.appendBytesMax);
    this.refuseOnceEnded();
    const flat: string[] = [];
    for (const { id, type, data, meta } of events) flat.push(id, type, data, meta);
    const number = ++this.asked;
    return new Promise((resolve, reject) => {
      this.appends.set(number, { stream, events, expected, resolve, reject });
      const request = { number, stream, expected: expected === 'no-stream' ? -1 : expected, events: flat };
      this.writer.postMessage(request satisfies WriterRequest);
    });
  }

  async readStream(stream: string, options: ReadStreamOptions = {}): Promise<readonly StoredEvent[]> {
    this.refuseOnceEnded();
    const backwards = options.direction === 'backwards';
    const from = options.from ?? (backwards ? Number.MAX_SAFE_INTEGER : 0);
    return this.ask({ stream, from, backwards, limit: pageLimit(options.limit) });
  }

  async readAll(options: { readonly after?: Position; readonly limit?: number } = {}) {
    this.refuseOnceEnded();
    return this.ask({ from: Number(options.after ?? START), limit: pageLimit(options.limit) });
  }

  async head(): Promise<Position> {
    this.refuseOnceEnded();
    return this.tail.head;
  }

  subscribe(subscriber: Subscriber): Subscription {
    return this.tail.subscribe(subscriber);
  }

  get failing(): string | undefined {
    return this.ended ?? this.refusal;
  }

  statistics(): StoreStatistics {
    return { ...this.counts };
  }

  close(): Promise<void> {
    this.closing ??= this.shut();
    return this.closing;
  }

  private async shut(): Promise<void> {
    this.ended ??= 'The log is closed';
    if (this.appends.size > 0) await new Promise<void>((resolve) => (this.onceIdle = resolve));
    this.tail.close();
    // The writer goes last: only the last connection can take the write-ahead log away.
    await stop(this.reader);
    await stop(this.writer);
  }

  private ask(read: { stream?: string; from: number; backwards?: boolean; limit?: number }) {
    const { stream, from, backwards = false, limit = pageLimit() } = read;
    const number = ++this.asked;
    return new Promise<readonly StoredEvent[]>((resolve, reject) => {
      this.reads.set(number, { resolve, reject });
      this.reader.postMessage({ number, stream, from, backwards, limit } satisfies ReaderRequest);
    });
  }

  private settleRead(answer: ReadAnswer): void {
    const waiting = this.reads.get(answer.number);
    this.reads.delete(answer.number);
    if ('page' in answer) waiting?.resolve(eventsOf(answer.page));
    else waiting?.reject(new StoreUnavailable(`The log cannot be read: ${answer.failed}`));
  }

  /**
   * Appends that shared a commit are answered one in a turn of the event loop: each answer wakes a command, and a
   * hundred of them at once would keep every other request waiting.
   */
  private settleAppends(answers: WriterAnswer): void {
    if (answers === 'recovered') {
      this.refusal = undefined;
      return;
    }
    if (answers.some(({ kind }) => kind === 'appended')) this.counts.commits += 1;
    const newest = answers.at(-1);
    this.refusal = newest !== undefined && 'reason' in newest ? newest.reason : undefined;
    this.answers.push(...answers);
    if (!this.settling) this.settleNext();
  }

  private settleNext(): void {
    const answer = this.answers.shift();
    this.settling = answer !== undefined;
    if (answer === undefined) return;
    setImmediate(() => this.settleNext());
    const waiting = this.appends.get(answer.number);
    this.appends.delete(answer.number);
    if (waiting !== undefined) {
      if (answer.kind === 'appended') {
        this.counts.appends += 1;
        // Before anybody hears that the append has succeeded, whoever follows closely has it.
        this.tail.publish(storedFrom(waiting, answer.position));
      }
      settle(waiting, answer);
    }
    if (this.appends.size === 0) this.onceIdle();
  }

  /** A thread is gone. What it had been asked to append may or may not be in the log. */
  private end(reason: string): void {
    this.ended ??= `${reason}; restart to go on`;
    for (const waiting of this.appends.values()) waiting.reject(new OutcomeUnknown(reason));
    for (const waiting of this.reads.values()) waiting.reject(new StoreUnavailable(reason));
    this.appends.clear();
    this.reads.clear();
    this.onceIdle();
  }

  private refuseOnceEnded(): void {
    if (this.ended !== undefined) throw new StoreUnavailable(this.ended);
  }
}

/** The caller's own events, with whatever it attached to them. */
function storedFrom({ stream, events, expected }: WaitingAppend, lastPosition: number): StoredEvent[] {
  const revision = expected === 'no-stream' ? 0 : expected + 1;
  const position = BigInt(lastPosition - events.length + 1);
  return events.map((event, i) => ({
    ...event,
    stream,
    revision: revision + i,
    position: position + BigInt(i),
  }));
}

function settle(waiting: WaitingAppend, answer: AppendAnswer): void {
  const { stream, events, expected } = waiting;
  switch (answer.kind) {
    case 'appended':
    case 'standing': {
      const revision = (expected === 'no-stream' ? -1 : expected) + events.length;
      return waiting.resolve({ revision, position: BigInt(answer.position) });
    }
    case 'conflict':
      return waiting.reject(new RevisionConflict(stream, expected, answer.actual));
    case 'full':
      return waiting.reject(new StorageFull(answer.reason));
    case 'unavailable':
      return waiting.reject(new StoreUnavailable(answer.reason));
    case 'unknown':
      return waiting.reject(new OutcomeUnknown(answer.reason));
  }
}

function eventsOf(page: Page): StoredEvent[] {
  return page.positions.map((position, i) => ({
    id: page.ids[i] as string,
    type: page.types[i] as string,
    data: page.datas[i] as string,
    meta: page.metas[i] as string,
    stream: page.streams[i] as string,
    revision: page.revisions[i] as number,
    position: BigInt(position),
  }));
}

async function start(task: WorkerTask): Promise<{ worker: Worker; head: number }> {
  const worker = new Worker(new URL('./sqlite.worker.js', import.meta.url), { workerData: task });
  const opened = await new Promise<Opened>((resolve) => {
    let refused = `${task.path} cannot be opened: its thread ended without a word`;
    worker.once('message', (message: Opened) => {
      if ('head' in message) resolve(message);
      else refused = message.refused;
    });
    worker.once('error', (error) => {
      refused = `${task.path} cannot be opened: ${error.message}`;
    });
    // Whoever is refused waits for the end of the thread, which has let go of the file by then.
    worker.once('exit', () => resolve({ refused }));
  });
  if ('refused' in opened) throw new StoreRefused(opened.refused);
  return { worker, head: opened.head };
}

async function stop(worker: Worker): Promise<void> {
  // A thread that has died has no id any more, and will not say again that it has ended.
  if (worker.threadId < 0) return;
  const exit = once(worker, 'exit');
  worker.postMessage('close' satisfies WriterRequest & ReaderRequest);
  await exit;
}
