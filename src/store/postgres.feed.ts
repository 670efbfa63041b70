// What brings the newest events of a log in PostgreSQL to those who follow it here. It asks a few times a second,
// and at once when another server says that it has appended: that word may be lost, the next question is not.

import { setTimeout as sleep } from 'node:timers/promises';
import {
  PAGE_EVENTS_MAX,
  START,
  StoreUnavailable,
  type NewEvent,
  type Position,
  type StoredEvent,
} from './event-store.js';
import { LiveTail } from './live-tail.js';
import { Interrupted, PostgresConnection, messageOf, timed, type Address } from './postgres.connection.js';
import {
  LOG_PAGE,
  eventOf,
  type EventRow,
  type Newest,
  type PostgresLogReader,
} from './postgres.log-reader.js';

const CHANNEL = 'switchyard';
const PAUSE_MS_MAX = 1_000;
/** Others are told of many appends at once rather than of each. */
const ANNOUNCE_MS = 10;

/** How far the log goes, and which event stands at the newest place that is known here. */
const END = `SELECT coalesce(max(position), 0) AS head,
  (SELECT id FROM switchyard.events WHERE position = $1) AS id FROM switchyard.events`;

export interface FeedTimes {
  readonly pollMs: number;
  readonly readMs: number;
  /** False where a pooler in between would not let a connection keep listening. */
  readonly listen: boolean;
}

export class PostgresFeed {
  readonly tail: LiveTail;
  /** Why the end of the log is not known at the moment. */
  failing: string | undefined;
  private readonly connection: PostgresConnection;
  /** Appends of this process that are under way, by id: whoever reads them back gets what is attached to them. */
  private readonly own = new Map<string, NewEvent>();
  /** The log has lost events that were seen here: nothing that follows can be trusted. */
  private goneBack: string | undefined;
  private look: Promise<void> = Promise.resolve();
  private nextLook: Promise<void> | undefined;
  private announcing = false;
  private announceAgain = false;
  private readonly following: Promise<void>;

  constructor(
    address: Address,
    private readonly reader: PostgresLogReader,
    private readonly times: FeedTimes,
    private readonly closed: AbortSignal,
    /** The newest event that is known here. */
    private newest: Newest,
  ) {
    this.tail = new LiveTail(newest.position, (after) => this.patientPage(after));
    this.connection = new PostgresConnection(address, async (client) => {
      client.on('notification', ({ payload = '' }) => {
        if (/^\d{1,18}$/.test(payload) && BigInt(payload) > this.tail.head) this.wake();
      });
      if (times.listen) await client.query(timed(`LISTEN ${CHANNEL}`, [], times.readMs));
    });
    this.following = this.follow();
  }

  /** Looks at the log now, and not only when it is time to. */
  wake(): void {
    void this.advance().catch(() => undefined);
  }

  /** From now until `forget` these events may be met in the log. */
  expect(events: readonly NewEvent[]): void {
    for (const event of events) this.own.set(event.id, event);
  }

  forget(events: readonly NewEvent[]): void {
    for (const { id } of events) this.own.delete(id);
  }

  /** Hands over an append of this process; where others wrote before it what was not seen yet, that goes first. */
  async deliver(events: readonly StoredEvent[]): Promise<void> {
    if (events[0]?.position === this.tail.head + 1n) this.publish(events);
    else await this.reach(events[events.length - 1]?.position ?? START);
    if (this.times.listen) this.announce();
  }

  /** Resolves when the event at that place has been published, or cannot be read now and will be as soon as it can. */
  async reach(position: Position): Promise<void> {
    if (position > this.tail.head) await this.advance().catch(() => undefined);
  }

  /** Resolves when all that was in the log at the time of the call has been published. */
  advance(): Promise<void> {
    // A look that is under way may have begun before that, so only the next one counts.
    this.nextLook ??= this.look
      .catch(() => undefined)
      .then(() => {
        this.nextLook = undefined;
        this.look = this.lookNow();
        return this.look;
      });
    return this.nextLook;
  }

  refuseOnceGoneBack(): void {
    if (this.goneBack !== undefined) throw new StoreUnavailable(this.goneBack);
  }

  async close(): Promise<void> {
    this.tail.close();
    await this.connection.close();
    await this.following;
  }

  private async follow(): Promise<void> {
    let pauseMs = this.times.pollMs;
    while (!this.closed.aborted) {
      const sound = await this.advance().then(
        () => true,
        () => false,
      );
      pauseMs = sound ? this.times.pollMs : Math.min(PAUSE_MS_MAX, pauseMs * 2);
      await sleep(pauseMs, undefined, { signal: this.closed }).catch(() => undefined);
    }
  }

  private async lookNow(): Promise<void> {
    try {
      this.refuseOnceGoneBack();
      const head = await this.headNow();
      while (this.tail.head < head) {
        const page = await this.ask<EventRow>(LOG_PAGE, [String(this.tail.head), PAGE_EVENTS_MAX]);
        // Own appends may have been published while the page was on its way.
        const fresh = page.map(eventOf).filter(({ position }) => position > this.tail.head);
        if (fresh.length > 0) this.publish(fresh.map((event) => this.withAttached(event)));
      }
      this.failing = undefined;
    } catch (error) {
      this.failing = messageOf(error);
      throw error;
    }
  }

  /** A server that took over without the newest events of its predecessor would give their places to others. */
  private async headNow(): Promise<Position> {
    const { position, id } = this.newest;
    const [end] = await this.ask<{ head: string; id: string | null }>(END, [String(position)]);
    if (end?.id !== id) {
      this.goneBack = `The log has lost event ${position}, which was in it before; restart to go on with what it has`;
      this.refuseOnceGoneBack();
    }
    return BigInt(end?.head ?? 0);
  }

  /** Asks again once where the connection turned out to be lost. */
  private async ask<Row extends object>(text: string, values: readonly unknown[]): Promise<Row[]> {
    const query = () => this.connection.query<Row>(text, values, this.times.readMs);
    return query().catch((error: unknown) => {
      if (error instanceof Interrupted && !this.closed.aborted) return query();
      throw error;
    });
  }

  private publish(events: readonly StoredEvent[]): void {
    this.newest = events[events.length - 1] ?? this.newest;
    this.tail.publish(events);
  }

  private withAttached(event: StoredEvent): StoredEvent {
    const own = this.own.get(event.id);
    const same = own?.type === event.type && own.data === event.data && own.meta === event.meta;
    return same ? { ...own, ...event } : event;
  }

  /** For a follower, who has nothing to do but wait until the log can be read again. */
  private async patientPage(after: Position): Promise<readonly StoredEvent[]> {
    for (;;) {
      try {
        return await this.reader.log(after, PAGE_EVENTS_MAX);
      } catch (error) {
        if (this.closed.aborted) throw error;
        await sleep(this.times.pollMs, undefined, { signal: this.closed });
      }
    }
  }

  /** After the commit and apart from it: a commit that notifies holds up every other of the whole server. */
  private announce(): void {
    this.announceAgain = this.announcing;
    if (this.announcing || this.closed.aborted) return;
    this.announcing = true;
    void this.reader
      .query('SELECT pg_notify($1, $2)', [CHANNEL, String(this.tail.head)])
      .then(() => sleep(ANNOUNCE_MS, undefined, { signal: this.closed }))
      .catch(() => undefined)
      .then(() => {
        this.announcing = false;
        if (this.announceAgain) this.announce();
      });
  }
}
