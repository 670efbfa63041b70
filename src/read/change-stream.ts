// What changes, for those who follow it as it happens: in the order of the log, each change once, from any position on.
// The newest messages are kept once for all; whoever is further behind is read to from the log.
import { idInStream, isEnvironmentEvent, type DomainEvent } from '../domain/events.js';
import { Recorded, UnknownEvent } from '../domain/recorded.js';
import { joined } from '../domain/release-parts.js';
import type { EventStore, Position, StoredEvent } from '../store/event-store.js';
import { ChangeReader, STRETCH_BYTES, type ChangeLimits, type Outlet } from './change-reader.js';
import { FairTurns, type TurnHolder } from './fair-turns.js';
import type { LogFollower } from './log-follower.js';
import {
  RecentMessages,
  wantedPart,
  type Message,
  type Stretch,
  type Topic,
  type Wanted,
} from './recent-messages.js';
import type { ReleaseLog } from './release-log.js';

export const CHANGE_LIMITS: ChangeLimits = {
  heartbeatMs: 15_000,
  stallMs: 30_000,
  tickMs: 1_000,
  behindBytesMax: 1024 * 1024,
  recentBytesMax: 16 * 1024 * 1024,
  missedEventsMax: 100_000,
};

/** One change, whole: a release in several parts is told of at its last one. */
export interface Change {
  readonly event: DomainEvent;
  readonly recorded: Recorded;
}

/** How changes are put into words. */
export interface Wording {
  /** Undefined for what nobody is told of. */
  topicOf(change: Change): Topic | undefined;
  bytesOf(change: Change, withSource: boolean): Uint8Array;
}

/** One who follows, until it leaves, is cut off, or its key or session no longer works. */
export interface Client extends TurnHolder {
  /** Where it follows in a session. */
  readonly sessionId?: string | undefined;
  /** In milliseconds since 1970. */
  readonly worksUntil: number;
  readonly wanted: Wanted;
  readonly outlet: Outlet;
}

/** Where a stream begins, and why it cannot begin where its client was. */
export interface Beginning {
  readonly position: Position;
  readonly reset?: 'too-old' | 'beyond-the-end';
}

/** Woken in one turn of the event loop, so that thousands do not keep every other request waiting. */
const READERS_PER_TURN = 100;

export class ChangeStream {
  /** Nobody may follow any more. */
  isClosed = false;
  private readonly recent: RecentMessages;
  private readonly readers = new Map<ChangeReader, Client>();
  /** Streams of releases of which not all parts have come. */
  private readonly parts = new Map<string, Recorded[]>();
  /** Positions up to here are known to be too old to go on from. */
  private tooOld: Position = -1n;
  /** One page of the log at a time, however many wait for one. */
  private readonly turns = new FairTurns();
  private hasNews = false;
  private isWaking = false;
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly store: EventStore,
    private readonly follower: LogFollower,
    private readonly releases: ReleaseLog,
    private readonly wording: Wording,
    private readonly limits = CHANGE_LIMITS,
  ) {
    this.recent = new RecentMessages(follower.live.progress.position, limits.recentBytesMax);
    follower.onEvent((recorded) => this.take(recorded));
    this.timer = setInterval(() => this.tick(), limits.tickMs);
    this.timer.unref();
  }

  /** How many follow at the moment. */
  get open(): number {
    return this.readers.size;
  }

  /** And how many of them in a workspace, and with a key of it. */
  openOf({ workspaceId, actorId }: TurnHolder): { ofWorkspace: number; ofKey: number } {
    let [ofWorkspace, ofKey] = [0, 0];
    for (const client of this.readers.values()) {
      if (client.workspaceId !== workspaceId) continue;
      ofWorkspace += 1;
      if (client.actorId === actorId) ofKey += 1;
    }
    return { ofWorkspace, ofKey };
  }

  /** Where a client goes on that was at a position, or begins. Throws `StoreUnavailable`. */
  async beginning(after: Position | undefined, who: TurnHolder): Promise<Beginning> {
    const here = () => this.follower.live.progress.position;
    if (after === undefined) return { position: here() };
    // Another server may have told of what has not come here yet.
    if (after > here() && after > (await this.store.head())) {
      return { position: here(), reset: 'beyond-the-end' };
    }
    return (await this.isTooOld(after, who)) ? { position: here(), reset: 'too-old' } : { position: after };
  }

  /** Passes on what was wanted, strictly after a position. */
  follow(position: Position, client: Client): ChangeReader {
    const changes = {
      recent: this.recent,
      read: (after: Position, wanted: Wanted, events: number) =>
        this.turns.take(client, () => this.stretchAfter(after, wanted, events)),
    };
    const reader = new ChangeReader(position, client.wanted, client.outlet, changes, this.limits);
    this.readers.set(reader, client);
    setImmediate(() => reader.wake(performance.now()));
    return reader;
  }

  leave(reader: ChangeReader): void {
    reader.close();
    this.readers.delete(reader);
  }

  close(): void {
    this.isClosed = true;
    clearInterval(this.timer);
    this.endAll(() => true);
  }

  private tick(): void {
    const now = Date.now();
    this.endAll(({ worksUntil }) => worksUntil <= now);
    this.wakeAll();
  }

  private take(recorded: Recorded): void {
    const { event } = recorded;
    // A client whose key was rotated comes back with a secret that works.
    if (event.type === 'ApiKeyRevoked' || event.type === 'ApiKeyRotated') {
      this.endAll(({ actorId }) => actorId === event.keyId);
    } else if (['SessionOpened', 'SessionClosed', 'PersonErased'].includes(event.type)) {
      const { sessions } = this.follower.live.directory;
      this.endAll(({ sessionId }) => sessionId !== undefined && !sessions.isOpen(sessionId));
    } else if (event.type === 'WorkspaceArchived') {
      this.endAll(({ workspaceId }) => workspaceId === idInStream(recorded.stream));
    }
    // Words with the name that was erased must go: whoever is behind is told from the log.
    if (event.type === 'PersonErased') this.recent.restart(recorded.position);
    // With a view that has stopped a change might be left out, or be named wrongly. Another server does better.
    if (this.follower.live.halts.length > 0) this.endAll(() => true);
    if (this.readers.size === 0) {
      this.parts.clear();
      return this.recent.restart(recorded.position);
    }
    const change = this.wholeChange(recorded);
    if (change === 'more to come') return this.recent.moveTo(recorded.position);
    try {
      const message = change && this.messageOf(change, () => true);
      if (change === undefined) this.recent.restart(recorded.position);
      else if (message === undefined) return this.recent.moveTo(recorded.position);
      else this.recent.add(message);
    } catch {
      // The views must not stop because of this. Whoever has to tell of it reads it from the log, and fails alone.
      this.recent.restart(recorded.position);
    }
    this.wakeAll();
  }

  /** Undefined where the first parts came before anybody followed: the log has them. */
  private wholeChange(recorded: Recorded): Change | 'more to come' | undefined {
    const { event, stream } = recorded;
    const part = isEnvironmentEvent(event) ? event.part : undefined;
    if (part === undefined) return { event, recorded };
    const parts = [...(this.parts.get(stream) ?? []), recorded];
    if (part.number < part.of) {
      this.parts.set(stream, parts);
      return 'more to come';
    }
    this.parts.delete(stream);
    if (parts.length < part.of) return undefined;
    return {
      event: joined(parts.flatMap((one) => (isEnvironmentEvent(one.event) ? [one.event] : []))),
      recorded,
    };
  }

  private messageOf(change: Change, wanted: Wanted): Message | undefined {
    const topic = this.wording.topicOf(change);
    if (topic === undefined || wanted(topic) === false) return undefined;
    const message = { position: change.recorded.position, topic, bytes: this.wording.bytesOf(change, true) };
    const isPromotion = topic.sourceId !== null;
    const both = isPromotion ? { ...message, withoutSource: this.wording.bytesOf(change, false) } : message;
    return wantedPart(both, wanted);
  }

  /** From the log, no further than to where the newest messages begin. */
  private async stretchAfter(after: Position, wanted: Wanted, limit: number): Promise<Stretch> {
    const { before } = this.recent;
    const messages: Message[] = [];
    let upTo = after;
    let bytes = 0;
    const page = await this.store.readAll({ after, limit });
    if (page.length === 0) throw new Error(`The log holds nothing after ${after}, though it should.`);
    for (const stored of page) {
      if (stored.position > before) return { messages, upTo: before };
      upTo = stored.position;
      const change = await this.changeOf(stored);
      const message = change && this.messageOf(change, wanted);
      if (message === undefined) continue;
      messages.push(message);
      bytes += message.bytes.length;
      if (bytes >= STRETCH_BYTES) break;
    }
    return { messages, upTo };
  }

  private async changeOf(stored: StoredEvent): Promise<Change | undefined> {
    let recorded: Recorded;
    try {
      recorded = new Recorded(stored);
    } catch (error) {
      // If it meant anything to the views they have stopped, and nobody is served.
      if (error instanceof UnknownEvent) return undefined;
      throw error;
    }
    const { event, stream } = recorded;
    const part = isEnvironmentEvent(event) ? event.part : undefined;
    if (!isEnvironmentEvent(event) || part === undefined) return { event, recorded };
    if (part.number < part.of) return undefined;
    const whole = await this.releases.release(idInStream(stream), event.release);
    if (whole === undefined)
      throw new Error(`Broken promise: release ${event.release} of ${stream} is in the rows`);
    return { event: whole.event, recorded };
  }

  /** Positions may leave gaps, so that only counting tells, unless even without gaps there would be too few. */
  private async isTooOld(after: Position, who: TurnHolder): Promise<boolean> {
    const { missedEventsMax } = this.limits;
    if (this.follower.live.progress.position - after <= BigInt(missedEventsMax)) return false;
    let missed = 0;
    for (let at = after; after > this.tooOld;) {
      const from = at;
      const page = await this.turns.take(who, () => this.store.readAll({ after: from }));
      const last = page.at(-1);
      if (last === undefined) return false;
      at = last.position;
      missed += page.length;
      if (missed > missedEventsMax) this.tooOld = after;
    }
    return true;
  }

  private endAll(concerned: (client: Client) => boolean): void {
    for (const [reader, client] of this.readers) {
      if (!concerned(client)) continue;
      this.readers.delete(reader);
      reader.end();
    }
  }

  /** In rounds: what comes during one is passed on in the next. */
  private wakeAll(): void {
    this.hasNews = true;
    if (this.isWaking) return;
    this.isWaking = true;
    setImmediate(() => this.beginRound());
  }

  private beginRound(): void {
    this.isWaking = this.hasNews;
    this.hasNews = false;
    if (this.isWaking) this.wakeNext(this.readers.keys());
  }

  private wakeNext(readers: Iterator<ChangeReader, unknown>): void {
    const now = performance.now();
    for (let woken = 0; woken < READERS_PER_TURN; woken += 1) {
      const next = readers.next();
      if (next.done === true) return this.beginRound();
      next.value.wake(now);
    }
    setImmediate(() => this.wakeNext(readers));
  }
}
