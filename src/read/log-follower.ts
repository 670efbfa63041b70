// Follows the log once for this process: every event goes into the views in memory at once, and on to the rows.
import { Recorded } from '../domain/recorded.js';
import type { EventStore, Position, StoredEvent, Subscription } from '../store/event-store.js';
import type { Rows } from '../../projections/projection.js';
import { LiveViews } from './live-views.js';
import { ViewDatabase } from './view-database.js';
import type { Checkpoint } from './views.worker.js';

/** A start may have to fold the whole log, which is bounded by its size and not by a clock. */
const CATCH_UP_MS_MAX = 2_147_483_647;

export class LogFollower {
  live = new LiveViews();
  /** When the newest event known here was recorded, in milliseconds since 1970. */
  lastTimeMs = 0;
  private subscription: Subscription | undefined;
  private readonly listeners: ((recorded: Recorded) => void)[] = [];

  private constructor(
    private readonly store: EventStore,
    readonly views: ViewDatabase,
  ) {}

  /** Opens the views and brings them to the end of the log. */
  static async start(store: EventStore, viewsPath: string): Promise<LogFollower> {
    const { views, checkpoint } = await ViewDatabase.open(viewsPath);
    const follower = new LogFollower(store, views);
    try {
      const head = await store.head();
      if (checkpoint !== null) await follower.resume(checkpoint);
      follower.follow();
      await follower.live.progress.reached(head, CATCH_UP_MS_MAX);
      return follower;
    } catch (error) {
      await follower.close();
      throw error;
    }
  }

  /** Why the views no longer follow the log, one line each. Empty while all is well. */
  get failures(): readonly string[] {
    return [this.live.progress.failed, this.views.progress.failed].filter((reason) => reason !== undefined);
  }

  /** The rows, once they hold all that the views in memory hold. Throws `NotCaughtUp`. */
  rows(): Promise<Rows> {
    return this.views.rowsAt(this.live.progress.position);
  }

  /** Calls `listener` for every event from now on, once the views in memory have taken it. */
  onEvent(listener: (recorded: Recorded) => void): void {
    this.listeners.push(listener);
  }

  async close(): Promise<void> {
    await this.subscription?.close();
    await this.views.close();
  }

  /** Goes on where the rows stand, unless they belong to another log or cannot be read: then begins anew. */
  private async resume({ position, eventId }: Checkpoint): Promise<void> {
    try {
      const event = await eventAt(this.store, position);
      if (event?.id === eventId) {
        this.lastTimeMs = timeMs(new Recorded(event));
        this.live.load(this.views.rows, position);
        return;
      }
    } catch {
      // Rows that cannot be read are worth nothing; the log has it all.
      this.live = new LiveViews();
    }
    await this.views.reset();
  }

  private follow(): void {
    this.subscription = this.store.subscribe({
      after: this.live.progress.position,
      onEvents: (events) => this.take(events),
      onError: (error) => {
        this.live.progress.fail(`The log is no longer followed: ${String(error)}`);
      },
    });
  }

  private take(events: readonly StoredEvent[]): Promise<void> | undefined {
    let last: Recorded | undefined;
    for (const event of events) {
      last = new Recorded(event);
      this.live.take(last);
      for (const listener of this.listeners) listener(last);
    }
    if (last === undefined) return undefined;
    this.lastTimeMs = timeMs(last);
    this.live.progress.advance(last.position);
    return this.views.take(events);
  }
}

async function eventAt(store: EventStore, position: Position): Promise<StoredEvent | undefined> {
  const [event] = await store.readAll({ after: position - 1n, limit: 1 });
  return event?.position === position ? event : undefined;
}

function timeMs(recorded: Recorded): number {
  return Date.parse(recorded.meta.time);
}
