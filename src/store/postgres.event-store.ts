// The adapter for PostgreSQL, whose log several servers may share: positions are taken under one lock, so that they
// have no gaps, and no reader ever passes an append that is still under way.

import {
  RevisionConflict,
  START,
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
import { Address, messageOf } from './postgres.connection.js';
import { PostgresFeed, type FeedTimes } from './postgres.feed.js';
import { PostgresLogReader } from './postgres.log-reader.js';
import { PostgresLogWriter, type WriterTimes } from './postgres.log-writer.js';
import { prepareDatabase } from './postgres.schema.js';
import { checkAppend, pageLimit } from './store-rules.js';

export interface PostgresOptions extends WriterTimes, FeedTimes {
  readonly connectMs: number;
}

/** A server that has stopped answering leaves an append unknown after the second and the third of these together. */
const DEFAULTS: PostgresOptions = {
  connectMs: 3_000,
  appendMs: 6_000,
  settleMs: 4_000,
  lockMs: 4_000,
  readMs: 5_000,
  pollMs: 200,
  listen: true,
};

export class PostgresEventStore implements EventStore {
  /** Twice what the promotion of 100,000 flows takes; more would keep every other append waiting for too long. */
  readonly appendBytesMax = 64 * 1024 * 1024;
  private running = 0;
  private closing: Promise<void> | undefined;
  private onceIdle: () => void = () => undefined;

  private constructor(
    private readonly writer: PostgresLogWriter,
    private readonly reader: PostgresLogReader,
    private readonly feed: PostgresFeed,
    private readonly closed: AbortController,
  ) {}

  /** Makes the schema when there is none, or brings it up to date. Throws `StoreRefused`. */
  static async open(url: string, options: Partial<PostgresOptions> = {}): Promise<PostgresEventStore> {
    const times = { ...DEFAULTS, ...options };
    const address = new Address(url, times.connectMs);
    await prepareDatabase(address);
    const closed = new AbortController();
    const reader = new PostgresLogReader(address, times.readMs);
    try {
      const head = await reader.newest();
      const feed = new PostgresFeed(address, reader, times, closed.signal, head);
      const writer = new PostgresLogWriter(address, times, closed.signal);
      return new PostgresEventStore(writer, reader, feed, closed);
    } catch (error) {
      await reader.close();
      throw new StoreRefused(messageOf(error));
    }
  }

  async append(stream: string, events: readonly NewEvent[], expected: ExpectedRevision): Promise<Appended> {
    checkAppend(stream, events, expected, this.appendBytesMax);
    refuseNul(stream, events);
    this.refuseOnceClosed();
    this.feed.refuseOnceGoneBack();
    this.running += 1;
    this.feed.expect(events);
    try {
      const answer = await this.writer.append({ stream, events, expected });
      if (answer.kind === 'conflict') throw new RevisionConflict(stream, expected, answer.actual);
      const { position } = answer;
      const revision = (expected === 'no-stream' ? -1 : expected) + events.length;
      // What an earlier try left there may differ in all but its ids, so that it has to be read.
      if (answer.kind === 'standing') await this.feed.reach(position);
      else await this.feed.deliver(storedUpTo({ revision, position }, stream, events));
      return { revision, position };
    } finally {
      this.feed.forget(events);
      this.running -= 1;
      if (this.running === 0) this.onceIdle();
    }
  }

  async readStream(stream: string, options: ReadStreamOptions = {}): Promise<readonly StoredEvent[]> {
    this.refuseOnceClosed();
    const backwards = options.direction === 'backwards';
    const from = options.from ?? (backwards ? Number.MAX_SAFE_INTEGER : 0);
    return this.reader.stream(stream, from, backwards, pageLimit(options.limit));
  }

  async readAll(options: { readonly after?: Position; readonly limit?: number } = {}) {
    this.refuseOnceClosed();
    return this.reader.log(options.after ?? START, pageLimit(options.limit));
  }

  async head(): Promise<Position> {
    this.refuseOnceClosed();
    const { position } = await this.reader.newest();
    // Whoever asks wants to see what is there, and should not have to wait until it is time to look again.
    if (position > this.feed.tail.head) this.feed.wake();
    return position;
  }

  subscribe(subscriber: Subscriber): Subscription {
    return this.feed.tail.subscribe(subscriber);
  }

  get failing(): string | undefined {
    return this.closing === undefined ? (this.feed.failing ?? this.writer.refusal) : 'The log is closed';
  }

  statistics(): StoreStatistics {
    return { appends: this.writer.appends, commits: this.writer.commits };
  }

  close(): Promise<void> {
    this.closing ??= this.shut();
    return this.closing;
  }

  private async shut(): Promise<void> {
    if (this.running > 0) await new Promise<void>((resolve) => (this.onceIdle = resolve));
    this.closed.abort();
    await Promise.all([this.feed.close(), this.writer.close(), this.reader.close()]);
  }

  private refuseOnceClosed(): void {
    if (this.closing !== undefined) throw new StoreUnavailable('The log is closed');
  }
}

/** JSON text never holds it, so that data can stay text that any client of PostgreSQL shows as it is. */
function refuseNul(stream: string, events: readonly NewEvent[]): void {
  const texts = events.flatMap(({ id, type, data, meta }) => [id, type, data, meta]);
  if ([stream, ...texts].some((text) => text.includes('\0'))) {
    throw new Error(`An append to ${stream} holds U+0000, which PostgreSQL cannot store`);
  }
}

/** The caller's own events, with whatever it attached to them. */
function storedUpTo(last: Appended, stream: string, events: readonly NewEvent[]): StoredEvent[] {
  const before = events.length - 1;
  return events.map((event, i) => ({
    ...event,
    stream,
    revision: last.revision - before + i,
    position: last.position - BigInt(before - i),
  }));
}
