// The adapter to EventStoreDB and KurrentDB, which several servers may share. Everything that this process
// hears of the log, its own appends included, comes by one subscription: that is the order of all of it.

import { setTimeout as pause } from 'node:timers/promises';
import {
  OutcomeUnknown,
  START,
  StoreRefused,
  StoreUnavailable,
  type Appended,
  type EventStore,
  type ExpectedRevision,
  type NewEvent,
  type Position,
  type ReadStreamOptions,
  type StoreStatistics,
  type StoredEvent,
  type Subscriber,
  type Subscription,
} from './event-store.js';
import { KurrentAccess } from './kurrent.access.js';
import { readKurrentAddress, type KurrentAddress } from './kurrent.address.js';
import { KurrentAppender } from './kurrent.appender.js';
import { KurrentClient } from './kurrent.client.js';
import { checkEvents, toStoredEvent } from './kurrent.events.js';
import { KurrentFeed } from './kurrent.feed.js';
import { KurrentLogReader } from './kurrent.log-reader.js';
import { failureOf } from './kurrent.outcome.js';
import { OwnAppends, type OwnAppend } from './kurrent.own-appends.js';
import { KurrentStreams, OUR_PREFIXES } from './kurrent.streams.js';
import { LiveTail } from './live-tail.js';
import { checkAppend, pageLimit } from './store-rules.js';

export interface KurrentOptions {
  /** Put before the name of every stream at the server, so that several logs can share one. */
  readonly namespace?: string;
  /** Which streams make up the log; undefined takes every one that is not the server's own. */
  readonly prefixes?: readonly string[] | undefined;
  /** With a server that has just been started, and with any one call. */
  readonly openMs?: number;
  readonly readMs?: number;
  readonly attemptMs?: number;
  readonly settleMs?: number;
  /** How long an append that succeeded waits for the subscription to bring it. */
  readonly deliveryMs?: number;
  readonly watchMs?: number;
  /** Rules of access for each new stream; by default wherever the server knows users. */
  readonly restricted?: boolean;
  readonly warn?: (line: string) => void;
}

export const DEFAULTS = {
  namespace: '',
  openMs: 10_000,
  readMs: 5_000,
  attemptMs: 2_500,
  settleMs: 5_000,
  deliveryMs: 2_000,
  // Silence is noticed at the second look, so within ten seconds and the time of one read.
  watchMs: 5_000,
  warn: (line: string) => process.emitWarning(line),
};

export class KurrentEventStore implements EventStore {
  /**
   * What a server takes by default from 25.1 on. Older ones take 1 MiB, and an operator may set any number: the
   * server says its own when an append goes beyond it.
   */
  readonly appendBytesMax = 256 * 1024 * 1024;
  private readonly tail: LiveTail;
  private readonly feed: KurrentFeed;
  private readonly appender: KurrentAppender;
  private readonly own = new OwnAppends();
  private readonly running = new Set<Promise<unknown>>();
  private readonly counts = { appends: 0, commits: 0 };
  private trouble: string | undefined;
  private closing: Promise<void> | undefined;

  private constructor(
    private readonly client: KurrentClient,
    private readonly streams: KurrentStreams,
    private readonly reader: KurrentLogReader,
    private readonly access: KurrentAccess | undefined,
    private readonly options: typeof DEFAULTS,
    head: Position,
  ) {
    const onTrouble = (trouble: string | undefined): void => void (this.trouble = trouble);
    this.appender = new KurrentAppender(client, streams, options, onTrouble);
    this.tail = new LiveTail(head, (after) => this.pageFor(after));
    this.feed = new KurrentFeed(
      head,
      {
        subscribe: (after) =>
          client.subscribeToAll(
            after,
            streams.filter(({ commit }) => reader.learn(START, commit)),
          ),
        read: ({ event }) =>
          event !== undefined && streams.holds(event)
            ? toStoredEvent(event, streams.nameHere(event.streamId))
            : undefined,
        head: () => reader.head(),
      },
      { onEvents: (events) => this.publish(events), onTrouble, watchMs: options.watchMs },
    );
  }

  /** Throws `StoreRefused` with one line that holds no password. */
  static async open(url: string, given: KurrentOptions = {}): Promise<KurrentEventStore> {
    const address = readKurrentAddress(url);
    const options = { ...DEFAULTS, ...given };
    const streams = new KurrentStreams(
      options.namespace,
      'prefixes' in given ? given.prefixes : OUR_PREFIXES,
    );
    const client = new KurrentClient(address);
    const reader = new KurrentLogReader(client, streams, options.readMs);
    const restricted = given.restricted ?? !address.insecure;
    const access = restricted ? new KurrentAccess(client, address, options.warn) : undefined;
    try {
      const head = await firstHead(reader, options.openMs);
      return new KurrentEventStore(client, streams, reader, access, options, head);
    } catch (error) {
      await client.close();
      throw refused(address, error);
    }
  }

  async append(stream: string, events: readonly NewEvent[], expected: ExpectedRevision): Promise<Appended> {
    checkAppend(stream, events, expected, this.appendBytesMax);
    checkEvents(stream, events, expected);
    this.refuseOnceClosed();
    const own = this.own.expect(stream, events);
    const appending = this.appendAndDeliver(stream, events, expected, own).finally(() => own.forget());
    return this.untilClosed(appending);
  }

  async readStream(stream: string, options: ReadStreamOptions = {}): Promise<readonly StoredEvent[]> {
    this.refuseOnceClosed();
    return this.reader.readStream(stream, options);
  }

  async readAll(options: { readonly after?: Position; readonly limit?: number } = {}) {
    this.refuseOnceClosed();
    return this.reader.readAll(options.after ?? START, pageLimit(options.limit));
  }

  async head(): Promise<Position> {
    this.refuseOnceClosed();
    return this.reader.head();
  }

  subscribe(subscriber: Subscriber): Subscription {
    return this.tail.subscribe(subscriber);
  }

  get failing(): string | undefined {
    return this.closing === undefined ? this.trouble : 'The log is closed';
  }

  statistics(): StoreStatistics {
    return { ...this.counts };
  }

  close(): Promise<void> {
    this.closing ??= this.shut();
    return this.closing;
  }

  private async shut(): Promise<void> {
    while (this.running.size > 0) await Promise.allSettled(this.running);
    this.feed.close();
    this.tail.close();
    await this.client.close();
  }

  private async appendAndDeliver(
    stream: string,
    events: readonly NewEvent[],
    expected: ExpectedRevision,
    own: OwnAppend,
  ): Promise<Appended> {
    const knownBefore = this.feed.position;
    const answered = await this.appender.append(stream, events, expected);
    const revision = (expected === 'no-stream' ? -1 : expected) + events.length;
    const position = await this.whereDelivered(stream, revision, answered, own);
    // What the feed had passed before it was asked for stood there already.
    if (position > knownBefore) {
      this.counts.appends += 1;
      this.counts.commits += 1;
      if (expected === 'no-stream') this.restrict(stream);
    }
    return { revision, position };
  }

  /** Where the last event stands, once subscribers have it, or once they have been waited for long enough. */
  private async whereDelivered(
    stream: string,
    revision: number,
    answered: Position | undefined,
    { delivered }: OwnAppend,
  ): Promise<Position> {
    const inTime = async (): Promise<Position | undefined> => {
      const patience = new AbortController();
      const timeout = pause(this.options.deliveryMs, undefined, { signal: patience.signal }).catch(
        () => undefined,
      );
      return Promise.race([delivered, timeout]).finally(() => patience.abort());
    };
    const passed = answered !== undefined && answered <= this.feed.position;
    const position = passed ? undefined : await inTime();
    if (position !== undefined) return position;
    const stands = await this.whereItStands(stream, revision);
    if (stands > this.feed.position && (!passed || (await inTime()) === undefined)) this.feed.suspect();
    return stands;
  }

  private async whereItStands(stream: string, revision: number): Promise<Position> {
    const unknown = `The append to ${stream} succeeded, but where it stands cannot be read`;
    const [event] = await this.reader
      .readStream(stream, { from: revision, limit: 1 })
      .catch((error: unknown) => {
        throw new OutcomeUnknown(unknown, { cause: error });
      });
    if (event?.revision !== revision) throw new OutcomeUnknown(unknown);
    return event.position;
  }

  /** For a subscriber that lags, who must not hear of an outage: it waits for the end of it instead. */
  private async pageFor(after: Position): Promise<readonly StoredEvent[]> {
    for (;;) {
      try {
        return await this.reader.readAll(after, pageLimit());
      } catch (error) {
        this.refuseOnceClosed();
        if (!(error instanceof StoreUnavailable)) throw error;
      }
      await pause(250);
    }
  }

  private publish(events: readonly StoredEvent[]): void {
    const recognised = events.map((event) => this.own.recognise(event));
    const { position } = recognised.at(-1) as StoredEvent;
    this.reader.learn(position, position);
    this.tail.publish(recognised);
    this.own.delivered(recognised);
  }

  private restrict(stream: string): void {
    if (this.access === undefined) return;
    void this.untilClosed(this.access.restrict(this.streams.nameAtServer(stream), this.options.attemptMs));
  }

  /** Closing waits for it. */
  private untilClosed<T>(work: Promise<T>): Promise<T> {
    this.running.add(work);
    const done = (): void => void this.running.delete(work);
    work.then(done, done);
    return work;
  }

  private refuseOnceClosed(): void {
    if (this.closing !== undefined) throw new StoreUnavailable('The log is closed');
  }
}

/** A server that is starting says for a while that it is not ready. */
async function firstHead(reader: KurrentLogReader, openMs: number): Promise<Position> {
  const deadline = performance.now() + openMs;
  for (;;) {
    try {
      return await reader.head();
    } catch (error) {
      if (performance.now() + 250 > deadline || isForGood(error)) throw error;
      await pause(250);
    }
  }
}

function isForGood(error: unknown): boolean {
  return !['unsent', 'unknown'].includes(failureOf(causeOf(error)).kind);
}

function refused({ shown, user }: KurrentAddress, error: unknown): StoreRefused {
  const { kind, reason } = failureOf(causeOf(error));
  return new StoreRefused(
    kind === 'denied'
      ? `The event store at ${shown} does not let the user ${user} read its whole log ($all): ${reason}`
      : `The event store at ${shown} cannot be used: ${reason}`,
    { cause: error },
  );
}

function causeOf(error: unknown): unknown {
  return error instanceof StoreUnavailable ? (error.cause ?? error) : error;
}
