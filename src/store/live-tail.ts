// The newest part of a log, kept in memory, and the subscribers that follow it. One that keeps up gets
// the very events that were appended; one that lags reads pages of the log until the tail holds its place.

import { type Position, type StoredEvent, type Subscriber, type Subscription } from './event-store.js';

const TAIL_EVENTS_MAX = 1_000;
/** Of UTF-16 units in data and meta, which is where nearly all the memory goes. */
const TAIL_UNITS_MAX = 16 * 1024 * 1024;

export type ReadPage = (after: Position) => Promise<readonly StoredEvent[]>;

export class LiveTail {
  /** Everything after `before`, in order. Positions grow, and may leave gaps. */
  private events: StoredEvent[] = [];
  private units = 0;
  private readonly followers = new Set<Follower>();

  constructor(
    private before: Position,
    private readonly readPage: ReadPage,
  ) {}

  get head(): Position {
    return this.events.at(-1)?.position ?? this.before;
  }

  /** Hands over what has just become durable. Whoever had kept up has it when this returns. */
  publish(events: readonly StoredEvent[]): void {
    for (const event of events) {
      this.events.push(event);
      this.units += unitsOf(event);
    }
    for (const follower of this.followers) follower.wake();
    if (this.events.length > TAIL_EVENTS_MAX || this.units > TAIL_UNITS_MAX) this.shorten();
  }

  subscribe(subscriber: Subscriber): Subscription {
    const follower = new Follower(subscriber, this, this.readPage, () => this.followers.delete(follower));
    this.followers.add(follower);
    queueMicrotask(() => follower.wake());
    return { close: () => follower.close() };
  }

  /** Undefined when some of it is no longer here and has to be read. */
  after(position: Position): readonly StoredEvent[] | undefined {
    if (position < this.before) return undefined;
    // From the end, where nearly every follower stands.
    return this.events.slice(this.events.findLastIndex((event) => event.position <= position) + 1);
  }

  /** Ends every subscription without a word: whoever closes a log knows it. */
  close(): void {
    for (const follower of this.followers) void follower.close();
  }

  /** Down to half, so that one costly copy serves thousands of appends. */
  private shorten(): void {
    let dropped = 0;
    let units = this.units;
    while (this.events.length - dropped > TAIL_EVENTS_MAX / 2 || units > TAIL_UNITS_MAX / 2) {
      units -= unitsOf(this.events[dropped] as StoredEvent);
      dropped += 1;
    }
    this.before = this.events[dropped - 1]?.position ?? this.before;
    this.events = this.events.slice(dropped);
    this.units = units;
  }
}

function unitsOf(event: StoredEvent): number {
  return event.data.length + event.meta.length;
}

class Follower {
  private position: Position;
  /** Inside `onEvents`, or waiting for its promise or for a page. */
  private busy = false;
  private ended = false;
  private taking: Promise<void> = Promise.resolve();

  constructor(
    private readonly subscriber: Subscriber,
    private readonly tail: LiveTail,
    private readonly readPage: ReadPage,
    private readonly leave: () => void,
  ) {
    this.position = subscriber.after;
  }

  /** Goes on without a pause until nothing is left or a promise has to be waited for. */
  wake(): void {
    while (!this.busy && !this.ended) {
      const events = this.tail.after(this.position);
      if (events?.length === 0) return;
      if (events === undefined) this.catchUp();
      else this.hand(events);
    }
  }

  /** Waits for the call that is running, so that what it works on can be taken away afterwards. */
  async close(): Promise<void> {
    this.end();
    await this.taking;
  }

  private catchUp(): void {
    this.busy = true;
    const after = this.position;
    void this.readPage(after).then(
      (page) => {
        this.busy = false;
        if (page.length === 0) this.fail(new Error(`The log holds nothing after ${after}, though it should`));
        else if (!this.ended) this.hand(page);
        this.wake();
      },
      (error: unknown) => this.fail(error),
    );
  }

  private hand(events: readonly StoredEvent[]): void {
    this.busy = true;
    this.position = events[events.length - 1]?.position ?? this.position;
    try {
      const taken: unknown = this.subscriber.onEvents(events);
      if (typeof taken !== 'object' || taken === null) {
        this.busy = false;
        return;
      }
      this.taking = Promise.resolve(taken).then(
        () => {
          this.busy = false;
          this.wake();
        },
        (error: unknown) => this.fail(error),
      );
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    if (this.ended) return;
    this.end();
    this.subscriber.onError(error);
  }

  private end(): void {
    this.ended = true;
    this.leave();
  }
}
