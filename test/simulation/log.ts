// The log of a simulation: what is in it is in it, whoever may know. Servers reach it through a `Connection` each.
import {
  RevisionConflict,
  START,
  type Appended,
  type ExpectedRevision,
  type NewEvent,
  type Position,
  type StoredEvent,
} from '../../src/store/event-store.js';
import type { Random } from '../support/random.js';

/** Stores may leave gaps between positions. */
const POSITIONS_APART_MAX = 3;

export class SimulatedLog {
  readonly events: StoredEvent[] = [];
  private readonly streams = new Map<string, StoredEvent[]>();
  private readonly listeners = new Set<() => void>();

  constructor(private readonly random: Random) {}

  get head(): Position {
    return this.events.at(-1)?.position ?? START;
  }

  /** All or none, at this very moment. Throws `RevisionConflict`. */
  write(stream: string, events: readonly NewEvent[], expected: ExpectedRevision): Appended {
    const history = this.stream(stream);
    const next = expected === 'no-stream' ? 0 : expected + 1;
    if (history.length !== next) throw new RevisionConflict(stream, expected, history.length - 1);
    for (const event of events) {
      const position = this.head + 1n + BigInt(this.random.below(POSITIONS_APART_MAX));
      const stored = { ...event, stream, revision: history.length, position };
      history.push(stored);
      this.events.push(stored);
    }
    for (const listener of this.listeners) listener();
    return { revision: history.length - 1, position: this.head };
  }

  stream(name: string): StoredEvent[] {
    let history = this.streams.get(name);
    if (history === undefined) this.streams.set(name, (history = []));
    return history;
  }

  after(position: Position, limit = Infinity): StoredEvent[] {
    const first = this.events.findLastIndex((event) => event.position <= position) + 1;
    return this.events.slice(first, first + limit);
  }

  /** Answers how to stop listening. */
  onWrite(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** As no real log may: the newest append is gone. */
  loseNewest(): void {
    const newest = this.events.at(-1);
    if (newest === undefined) return;
    while (this.events.at(-1)?.meta === newest.meta && this.events.at(-1)?.stream === newest.stream) {
      this.events.pop();
      this.stream(newest.stream).pop();
    }
  }
}
