// The adapter for tests: the log is an array, durable for as long as the process lives.

import {
  PAGE_EVENTS_MAX,
  RevisionConflict,
  START,
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
import { checkAppend, pageLimit } from './store-rules.js';

export class MemoryEventStore implements EventStore {
  readonly appendBytesMax = 256 * 1024 * 1024;
  private readonly log: StoredEvent[] = [];
  private readonly streams = new Map<string, StoredEvent[]>();
  private readonly ids = new Set<string>();
  private readonly tail = new LiveTail(START, async (after) => this.page(after, PAGE_EVENTS_MAX));
  private closed = false;
  private appends = 0;

  // Not a single await: nothing can come between the look at the revision and the push.
  async append(stream: string, events: readonly NewEvent[], expected: ExpectedRevision): Promise<Appended> {
    checkAppend(stream, events, expected, this.appendBytesMax);
    this.refuseOnceClosed();
    const history = this.streams.get(stream) ?? [];
    const next = expected === 'no-stream' ? 0 : expected + 1;
    const standing = history.slice(next, next + events.length);
    if (standing.length === events.length && events.every((event, i) => event.id === standing[i]?.id)) {
      return appended(standing);
    }
    if (history.length !== next || this.holdsAny(events)) {
      throw new RevisionConflict(stream, expected, history.length === 0 ? null : history.length - 1);
    }
    const stored = events.map((event, i) => ({
      ...event,
      stream,
      revision: next + i,
      position: BigInt(this.log.length + 1 + i),
    }));
    for (const event of stored) {
      this.log.push(event);
      history.push(event);
      this.ids.add(event.id);
    }
    this.streams.set(stream, history);
    this.appends += 1;
    this.tail.publish(stored);
    return appended(stored);
  }

  async readStream(stream: string, options: ReadStreamOptions = {}): Promise<readonly StoredEvent[]> {
    this.refuseOnceClosed();
    const history = this.streams.get(stream) ?? [];
    const limit = pageLimit(options.limit);
    if (options.direction === 'backwards') {
      const end = Math.min(options.from ?? history.length, history.length - 1) + 1;
      return history.slice(Math.max(0, end - limit), end).reverse();
    }
    const from = options.from ?? 0;
    return history.slice(from, from + limit);
  }

  async readAll(options: { readonly after?: Position; readonly limit?: number } = {}) {
    this.refuseOnceClosed();
    return this.page(options.after ?? START, pageLimit(options.limit));
  }

  async head(): Promise<Position> {
    this.refuseOnceClosed();
    return this.tail.head;
  }

  subscribe(subscriber: Subscriber): Subscription {
    return this.tail.subscribe(subscriber);
  }

  get failing(): string | undefined {
    return this.closed ? 'The log is closed' : undefined;
  }

  statistics(): StoreStatistics {
    return { appends: this.appends, commits: this.appends };
  }

  async close(): Promise<void> {
    this.closed = true;
    this.tail.close();
  }

  private page(after: Position, limit: number): readonly StoredEvent[] {
    const first = Number(after);
    return this.log.slice(first, first + limit);
  }

  private holdsAny(events: readonly NewEvent[]): boolean {
    const own = new Set(events.map((event) => event.id));
    return own.size < events.length || events.some((event) => this.ids.has(event.id));
  }

  private refuseOnceClosed(): void {
    if (this.closed) throw new StoreUnavailable('The log is closed');
  }
}

function appended(events: readonly StoredEvent[]): Appended {
  const last = events[events.length - 1] as StoredEvent;
  return { revision: last.revision, position: last.position };
}
