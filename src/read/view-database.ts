// The main thread's side of the view database: it sends events to the thread that keeps the rows, knows how far
// the rows have come, and reads them through a connection of its own.
import type { EventEmitter } from 'node:events';
import { rmSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import Database from 'better-sqlite3';
import type { StoredFact } from '../domain/recorded.js';
import type { Rows } from '../../projections/projection.js';
import { START, type Position } from '../store/event-store.js';
import { Progress } from './progress.js';
import { SqliteTables } from './sqlite-tables.js';
import { ViewHalted, type Halt } from './halt.js';
import type { Checkpoint } from './row-views.js';
import type { FromViews, ToViews } from './views.worker.js';

/** Events under way to the rows before whoever sends more has to wait: memory stays flat during a rebuild. */
const EVENTS_UNDER_WAY_MAX = 10_000;
const GATHER_MS = 10;
const GATHER_EVENTS_MAX = 500;
/** How long a read waits for the rows to come where memory is. */
const WAIT_MS_MAX = 10_000;
/** A question that began with these rows asks them no longer. */
const READ_ON_MS = 60_000;

/** Where the rows of a path are: who keeps them, and how they are read. */
export interface RowsPlace {
  keeper(path: string): RowsKeeper;
  reader(path: string): RowsReader;
}

/** Takes messages one after another, and answers them as `FromViews`. */
export interface RowsKeeper extends EventEmitter {
  postMessage(message: ToViews): void;
}

export interface RowsReader {
  readonly rows: Rows;
  close(): void;
}

/** In a file, kept by a thread. */
export const ON_DISK: RowsPlace = {
  keeper: (path) => new Worker(new URL('./views.worker.js', import.meta.url), { workerData: { path } }),
  reader(path) {
    const database = new Database(path, { readonly: true, fileMustExist: true });
    return { rows: new SqliteTables(database), close: () => database.close() };
  },
};

export class ViewDatabase {
  readonly progress = new Progress();
  /** The views that have stopped; `progress` is that of the others. */
  halts: readonly Halt[] = [];
  /** Why the disk does not take the rows at the moment; they are tried again. */
  stalled: string | undefined;
  /** Of the newest event that was sent on, by this run or the one before. */
  sentPosition: Position = START;
  private reader: RowsReader | undefined;
  private readonly ended: Promise<void>;
  private sent = 0;
  private taken: { readonly position: bigint; readonly sent: number }[] = [];
  private outbox: StoredFact[] = [];
  private sending: NodeJS.Timeout | undefined;
  private room: (() => void) | undefined;
  private answered: (message: FromViews) => void = () => undefined;
  private compared: (message: FromViews) => void = () => undefined;

  private constructor(
    readonly path: string,
    private readonly worker: RowsKeeper,
    private readonly place: RowsPlace,
  ) {
    this.ended = new Promise((resolve) => worker.once('exit', () => resolve()));
    worker.on('message', (message: FromViews) => {
      this.hear(message);
    });
    worker.on('error', (error: Error) => {
      this.stopped(`The views stopped: ${error.message}`);
    });
  }

  /** Opens the file, or begins it anew. Answers how far its rows have come, null for nothing yet. */
  static async open(
    path: string,
    place: RowsPlace = ON_DISK,
  ): Promise<{ views: ViewDatabase; checkpoint: Checkpoint | null }> {
    const views = new ViewDatabase(path, place.keeper(path), place);
    const checkpoint = await views.nextCheckpoint();
    // What an earlier run sent is in the rows.
    if (checkpoint !== null) views.sentPosition = checkpoint.position;
    return { views, checkpoint };
  }

  /** As `open`, with nothing in it. */
  static async openEmpty(path: string): Promise<ViewDatabase> {
    removeFile(path);
    return (await ViewDatabase.open(path)).views;
  }

  /** The rows of a view, once they hold everything up to a position. Throws `NotCaughtUp` or `ViewHalted`. */
  async rowsAt(position: Position, view: string): Promise<Rows> {
    if (position > this.progress.position) {
      this.flush();
      await this.progress.reached(position, WAIT_MS_MAX);
    }
    const halt = this.halts.find((halted) => halted.view === view);
    if (halt !== undefined) throw new ViewHalted(halt);
    return this.rows;
  }

  /** Rows as of `progress.position`, or a little later. */
  get rows(): Rows {
    this.reader ??= this.place.reader(this.path);
    return this.reader.rows;
  }

  /** Forgets every row: they belong to another log, or to more of it than there is. */
  async reset(): Promise<void> {
    this.reader?.close();
    this.reader = undefined;
    this.halts = [];
    this.sentPosition = START;
    const done = this.nextCheckpoint();
    this.post({ say: 'reset' });
    await done;
  }

  /**
   * Sends events on to the rows, a little later, so that commands one after another do not cost the rows a
   * transaction each; whoever wants to read has them sent at once. The promise is there when the sender should
   * wait before it sends more.
   */
  take(events: readonly StoredFact[]): Promise<void> | undefined {
    const last = events.at(-1);
    if (last === undefined || this.progress.failed !== undefined) return undefined;
    this.sending ??= setTimeout(() => this.flush(), GATHER_MS);
    for (const event of events) this.outbox.push(plain(event));
    if (this.outbox.length >= GATHER_EVENTS_MAX) this.flush();
    this.sent += events.length;
    this.sentPosition = last.position;
    this.taken.push({ position: last.position, sent: this.sent });
    if (this.underWay() < EVENTS_UNDER_WAY_MAX) return undefined;
    return new Promise((resolve) => (this.room = resolve));
  }

  /** Whether another file holds the same rows at one moment. Throws when that cannot be told. */
  async equals(other: ViewDatabase): Promise<boolean> {
    const answer = new Promise<FromViews>((resolve) => (this.compared = resolve));
    this.post({ compareWith: other.path });
    const message = await answer;
    if ('equal' in message) return message.equal;
    throw new Error('notCompared' in message ? message.notCompared : 'The views closed');
  }

  /** As `close`; but whoever has the rows in hand, and waits for something else between two looks, reads on. */
  async retire(): Promise<void> {
    const { reader } = this;
    this.reader = undefined;
    await this.close();
    setTimeout(() => reader?.close(), READ_ON_MS).unref();
  }

  async close(): Promise<void> {
    this.reader?.close();
    this.flush();
    this.post({ say: 'close' });
    await this.ended;
  }

  private flush(): void {
    clearTimeout(this.sending);
    this.sending = undefined;
    if (this.outbox.length > 0) this.post({ events: this.outbox });
    this.outbox = [];
  }

  private nextCheckpoint(): Promise<Checkpoint | null> {
    return new Promise((resolve, reject) => {
      this.worker.once('error', reject);
      this.answered = (message) => {
        this.answered = () => undefined;
        this.worker.off('error', reject);
        if ('checkpoint' in message) resolve(message.checkpoint);
        else reject(new Error('The views closed'));
      };
    });
  }

  private hear(message: FromViews): void {
    this.answered(message);
    if ('equal' in message || 'notCompared' in message || 'closed' in message) this.compared(message);
    if ('stalled' in message) this.stalled = message.stalled;
    if (!('checkpoint' in message)) return;
    this.stalled = undefined;
    this.halts = message.halts;
    const position = message.checkpoint?.position ?? START;
    while (this.taken[0] !== undefined && this.taken[0].position <= position) this.taken.shift();
    this.progress.advance(position);
    if (this.underWay() < EVENTS_UNDER_WAY_MAX) this.giveRoom();
  }

  private stopped(reason: string): void {
    this.progress.fail(reason);
    this.taken = [];
    this.giveRoom();
  }

  private underWay(): number {
    const oldest = this.taken[0];
    return oldest === undefined ? 0 : this.sent - oldest.sent;
  }

  private giveRoom(): void {
    this.room?.();
    this.room = undefined;
  }

  private post(message: ToViews): void {
    this.worker.postMessage(message);
  }
}

/** With all that SQLite keeps beside a file. */
export function removeFile(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
}

/** Only the bytes of the log go to the rows, so that what was decided here and what is read later fold alike. */
function plain({ id, type, data, meta, stream, revision, position }: StoredFact): StoredFact {
  return { id, type, data, meta, stream, revision, position };
}
