// Follows the log once for this process: every event goes into the views in memory at once, and on to the rows. It
// goes on after the store was away, and notices when nothing comes although something should.
import { existsSync, renameSync } from 'node:fs';
import { Recorded, UnknownEvent } from '../domain/recorded.js';
import type { EventStore, Position, StoredEvent, Subscription } from '../store/event-store.js';
import {
  idempotencyKeys,
  keyedEffect,
  RecentKeys,
  type KeyedEffect,
  type KeyOwner,
} from '../../projections/idempotency-keys.js';
import { momentOf, newestMoment } from '../../projections/moments.js';
import type { Projection, Rows } from '../../projections/projection.js';
import { ViewHalted, type Halt } from './halt.js';
import { LiveViews } from './live-views.js';
import { NotCaughtUp } from './progress.js';
import { Rebuild, type Rebuilt } from './rebuild.js';
import type { Checkpoint } from './row-views.js';
import { ON_DISK, removeFile, ViewDatabase } from './view-database.js';
import { Watchdog, WATCHING, type Watching } from './watchdog.js';

/** A start may have to fold the whole log, which is bounded by its size and not by a clock. */
const CATCH_UP_MS_MAX = 2_147_483_647;
const SUBSCRIBE_AGAIN_MS = 500;

export class LogFollower {
  live = new LiveViews();
  /** When the newest event known here was recorded, in milliseconds since 1970. */
  lastTimeMs = 0;
  lastRebuild: Rebuilt | undefined;
  rebuildFailure: string | undefined;
  isRebuilding = false;
  readonly watchdog: Watchdog;
  private readonly recentKeys = new RecentKeys();
  private subscription: Subscription | undefined;
  private ended: string | undefined;
  private closing = false;
  private look: Promise<Position> | undefined;
  private nextLook: Promise<Position> | undefined;
  private readonly listeners: ((recorded: Recorded) => void)[] = [];

  private constructor(
    private readonly store: EventStore,
    public views: ViewDatabase,
    watching: Watching,
  ) {
    const subscribeAgain = () => this.subscribeAgain();
    this.watchdog = new Watchdog(store, () => this.live.progress, subscribeAgain, watching);
  }

  /** Opens the views and brings them to the end of the log. Throws `NotCaughtUp` where they cannot follow. */
  static async start(
    store: EventStore,
    viewsPath: string,
    watching = WATCHING,
    place = ON_DISK,
  ): Promise<LogFollower> {
    removeFile(besides(viewsPath));
    const { views, checkpoint } = await ViewDatabase.open(viewsPath, place);
    const follower = new LogFollower(store, views, watching);
    try {
      const head = await store.head();
      if (checkpoint !== null) await follower.resume(checkpoint);
      follower.follow();
      await follower.live.progress.reached(head, CATCH_UP_MS_MAX);
      const [halt] = follower.live.halts;
      if (halt !== undefined) throw new NotCaughtUp(head, halt.position, halt.reason);
      return follower;
    } catch (error) {
      await follower.close();
      throw error;
    }
  }

  /** Views that have stopped, in memory and in rows. */
  get halts(): readonly Halt[] {
    return [...this.live.halts, ...this.views.halts];
  }

  /** Why the views do not follow the log as they should, one line each. Empty while all is well. */
  get failures(): readonly string[] {
    const stalled = this.views.stalled && `The rows cannot be written: ${this.views.stalled}`;
    const reasons = [this.ended, this.views.progress.failed, stalled];
    return [
      ...reasons.filter((reason) => reason !== undefined),
      ...this.halts.map((halt) => new ViewHalted(halt).message),
    ];
  }

  /** The rows of a view, once they hold all that memory holds. Throws `NotCaughtUp` or `ViewHalted`. */
  rows({ name }: Pick<Projection, 'name'>): Promise<Rows> {
    return this.views.rowsAt(this.live.progress.position, name);
  }

  /** As `rows`, but waits for as long as they come nearer: after a start they may have the whole log before them. */
  async rowsAtLast(view: Pick<Projection, 'name'>): Promise<Rows> {
    for (;;) {
      const before = this.views.progress.position;
      try {
        return await this.rows(view);
      } catch (error) {
        const isNearer = this.views.progress.position > before;
        if (!(error instanceof NotCaughtUp) || !isNearer) throw error;
      }
    }
  }

  /** Throws `ViewHalted` when a view in memory has stopped, on which every command is decided. */
  refuseOnceHalted(): void {
    const [halt] = this.live.halts;
    if (halt !== undefined) throw new ViewHalted(halt);
  }

  /** What came of a command with this key, as far as memory holds the log. */
  effectOf(owner: KeyOwner, key: string): KeyedEffect | undefined {
    const halt = this.views.halts.find(({ view }) => view === idempotencyKeys.name);
    if (halt !== undefined) throw new ViewHalted(halt);
    // The rows first: where they hold the beginning of an effect, memory may hold no more than its end.
    return keyedEffect(this.views.rows, owner, key) ?? this.recentKeys.find(owner, key);
  }

  /** Calls `listener` for every event from now on, once the views in memory have taken it. */
  onEvent(listener: (recorded: Recorded) => void): void {
    this.listeners.push(listener);
  }

  /** Resolves once the views in memory hold a position. Throws `NotCaughtUp` or `ViewHalted`. */
  async reached(position: Position, timeoutMs: number): Promise<void> {
    await this.live.progress.reached(position, timeoutMs);
    const halt = this.live.halts.find((halted) => halted.position <= position);
    if (halt !== undefined) throw new ViewHalted(halt);
  }

  /**
   * Resolves once the views in memory hold everything that was in the log when this was called, whichever server
   * wrote it. Callers that come together share one look at the log. Throws `NotCaughtUp` or `StoreUnavailable`.
   */
  async upToDate(timeoutMs: number): Promise<void> {
    // A look that is under way may have begun before this call, so only the next one counts.
    this.nextLook ??= (this.look ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => {
        this.look = this.nextLook;
        this.nextLook = undefined;
        return this.store.head();
      });
    await this.live.progress.reached(await this.nextLook, timeoutMs);
  }

  /** Makes all rows anew beside the old ones, which are read from until the new ones stand where they stand. */
  async rebuild(): Promise<Rebuilt> {
    if (this.isRebuilding) throw new Error('The rows are being made anew already');
    this.isRebuilding = true;
    this.rebuildFailure = undefined;
    try {
      const rebuild = new Rebuild(this.store, this.views, besides(this.views.path));
      this.lastRebuild = await rebuild.run((next) => (this.views = next));
      return this.lastRebuild;
    } catch (error) {
      this.rebuildFailure = error instanceof Error ? error.message : String(error);
      throw error;
    } finally {
      this.isRebuilding = false;
    }
  }

  async close(): Promise<void> {
    this.closing = true;
    this.watchdog.stop();
    await this.subscription?.close();
    await this.views.close();
    const { path } = this.views;
    // After a rebuild the rows are in the other file; the next start looks for them here.
    if (path.endsWith(BESIDES) && existsSync(path)) renameSync(path, path.slice(0, -BESIDES.length));
  }

  /** Goes on where the rows stand, unless they belong to another log or cannot be read: then begins anew. */
  private async resume({ position, eventId }: Checkpoint): Promise<void> {
    // A store that does not answer is no reason to read all of it.
    const event = await eventAt(this.store, position);
    try {
      if (event?.id === eventId) {
        this.live.load(this.views.rows, position);
        this.lastTimeMs = newestMoment(this.views.rows) ?? 0;
        return;
      }
    } catch {
      // Rows that cannot be read are worth nothing; the log has it all.
      this.live = new LiveViews();
    }
    await this.views.reset();
  }

  private follow(): void {
    const subscription = this.store.subscribe({
      after: this.live.progress.position,
      onEvents: (events) => this.take(events),
      onError: (error) => {
        if (subscription !== this.subscription || this.closing) return;
        this.ended = `The log is not followed at the moment: ${String(error)}`;
        setTimeout(() => this.subscribeAgain(), SUBSCRIBE_AGAIN_MS).unref();
      },
    });
    this.subscription = subscription;
  }

  private subscribeAgain(): void {
    // Before it has begun to follow there is nothing to take over from, and its place is not known yet.
    if (this.closing || this.subscription === undefined) return;
    void this.subscription.close();
    this.follow();
  }

  private take(events: readonly StoredEvent[]): Promise<void> | undefined {
    const { progress } = this.live;
    const last = events.at(-1);
    if (last === undefined || last.position <= progress.position) return undefined;
    // A subscription that took over from another may bring again what that one brought.
    const fresh = (events[0] as StoredEvent).position > progress.position;
    const taken = fresh ? events : events.filter(({ position }) => position > progress.position);
    for (const stored of taken) this.takeOne(stored);
    this.ended = undefined;
    progress.advance(last.position);
    return this.views.take(taken);
  }

  private takeOne(stored: StoredEvent): void {
    // The clocks of servers differ, so the last event need not have the latest time.
    this.lastTimeMs = Math.max(this.lastTimeMs, momentOf(stored) || 0);
    let recorded: Recorded;
    try {
      recorded = new Recorded(stored);
    } catch (error) {
      if (!(error instanceof UnknownEvent)) throw error;
      this.live.takeUnknown(stored, error);
      return;
    }
    this.live.take(recorded);
    this.recentKeys.take(recorded, this.views.progress.position);
    for (const listener of this.listeners) listener(recorded);
  }
}

const BESIDES = '.next';

/** The file beside another one; beside that one, the first again. */
function besides(path: string): string {
  return path.endsWith(BESIDES) ? path.slice(0, -BESIDES.length) : `${path}${BESIDES}`;
}

/** Undefined where no event stands at exactly this position. */
export async function eventAt(store: EventStore, position: Position): Promise<StoredEvent | undefined> {
  const [event] = await store.readAll({ after: position - 1n, limit: 1 });
  return event?.position === position ? event : undefined;
}
