// One server's way to the log. What it asks arrives after a while, and so does the answer, in an order of their own;
// some of it fails, and of some of what is written nobody ever hears. A server that crashed is cut off: no answer
// reaches it any more, though what was on its way to the log may still arrive there.
import {
  OutcomeUnknown,
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
  type Subscriber,
} from '../../src/store/event-store.js';
import { checkAppend, pageLimit } from '../../src/store/store-rules.js';
import type { Fate } from './fate.js';
import { Feed } from './feed.js';
import type { SimulatedLog } from './log.js';
import type { SimulatedTime } from './time.js';

const SHORT_PAGE_MAX = 3;

/** How an answer is given: after a while, unless the server is gone by then. */
interface Answer<Value> {
  with(value: Value, before?: () => void): void;
  failing(error: Error): void;
}

export class Connection implements EventStore {
  readonly appendBytesMax = 1024 * 1024;
  readonly failing = undefined;
  isCut = false;
  private readonly feeds = new Set<Feed>();
  /** Ids of the events that this server has decided itself. */
  private readonly own = new Set<string>();

  constructor(
    readonly log: SimulatedLog,
    readonly time: SimulatedTime,
    readonly fate: Fate,
  ) {}

  /** The server is gone. */
  cut(): void {
    this.isCut = true;
    for (const feed of this.feeds) feed.end();
  }

  append(stream: string, events: readonly NewEvent[], expected: ExpectedRevision): Promise<Appended> {
    checkAppend(stream, events, expected, this.appendBytesMax);
    return this.ask((answer) => {
      const fate = this.fate.ofAppend();
      const write = () => this.write(stream, events, expected);
      if (fate === 'unavailable') return answer.failing(new StoreUnavailable('The log cannot be written to'));
      if (fate === 'late') this.time.after(this.fate.lateMs(), () => tried(write));
      if (fate === 'unknown') tried(write);
      if (fate !== 'written') return answer.failing(new OutcomeUnknown('The log has not answered'));
      const appended = tried(write);
      if (appended instanceof RevisionConflict) return answer.failing(appended);
      // Whoever had kept up is told before the answer is there.
      answer.with(appended, () => this.feeds.forEach((feed) => feed.takeUpTo(appended.position)));
    });
  }

  readStream(stream: string, options: ReadStreamOptions = {}): Promise<readonly StoredEvent[]> {
    const limit = this.pageOf(options.limit);
    return this.read(() => {
      const history = this.log.stream(stream);
      if (options.direction !== 'backwards') {
        const from = options.from ?? 0;
        return history.slice(from, from + limit).map(plain);
      }
      const end = Math.min(options.from ?? history.length, history.length - 1) + 1;
      return history
        .slice(Math.max(0, end - limit), end)
        .reverse()
        .map(plain);
    });
  }

  readAll({ after = START, limit }: { readonly after?: Position; readonly limit?: number } = {}) {
    const most = this.pageOf(limit);
    return this.read(() => this.log.after(after, most).map(plain));
  }

  head(): Promise<Position> {
    return this.read(() => this.log.head);
  }

  subscribe(subscriber: Subscriber): Feed {
    const feed = new Feed(this, subscriber, () => this.feeds.delete(feed));
    this.feeds.add(feed);
    return feed;
  }

  /** An event as this server is given it. */
  seen(event: StoredEvent): StoredEvent {
    return this.own.has(event.id) && this.fate.random.next() < 0.5 ? event : plain(event);
  }

  statistics() {
    return { appends: this.own.size, commits: this.own.size };
  }

  async close(): Promise<void> {
    this.cut();
  }

  /** Where it meets the log, at one moment. */
  write(stream: string, events: readonly NewEvent[], expected: ExpectedRevision): Appended {
    for (const { id } of events) this.own.add(id);
    return this.log.write(stream, events, expected);
  }

  private read<Value>(look: () => Value): Promise<Value> {
    return this.ask((answer) => {
      if (this.fate.isUnreadable()) answer.failing(new StoreUnavailable('The log cannot be read'));
      else answer.with(look());
    });
  }

  private ask<Value>(arrive: (answer: Answer<Value>) => void): Promise<Value> {
    return new Promise((resolve, reject) => {
      const later = (work: () => void): void => {
        this.time.after(this.fate.delay(), () => {
          if (!this.isCut) work();
        });
      };
      this.time.after(this.fate.delay(), () => {
        if (this.isCut && this.fate.random.next() < 0.5) return;
        arrive({
          with: (value, before) =>
            later(() => {
              before?.();
              resolve(value);
            }),
          failing: (error) => later(() => reject(error)),
        });
      });
    });
  }

  /** An empty page is the end, and none but an empty one. */
  private pageOf(limit: number = PAGE_EVENTS_MAX): number {
    const { random } = this.fate;
    return random.next() < 0.2
      ? Math.min(pageLimit(limit), 1 + random.below(SHORT_PAGE_MAX))
      : pageLimit(limit);
  }
}

function tried(write: () => Appended): Appended | RevisionConflict {
  try {
    return write();
  } catch (error) {
    if (error instanceof RevisionConflict) return error;
    throw error;
  }
}

/** Only the bytes: what another process decided is not here. */
function plain({ id, type, data, meta, stream, revision, position }: StoredEvent): StoredEvent {
  return { id, type, data, meta, stream, revision, position };
}
