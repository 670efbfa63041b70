// Looks every few seconds whether the views in memory stand at the end of the log. A subscription can die without a
// sign; then the log moves on and the views do not, and the log has to be subscribed to again.
import type { EventStore, Position } from '../store/event-store.js';
import type { Progress } from './progress.js';

export interface Watching {
  readonly everyMs: number;
  /** Behind and not moving for so long means that nothing is coming any more. */
  readonly silentMs: number;
}

export const WATCHING: Watching = { everyMs: 2_000, silentMs: 10_000 };

export class Watchdog {
  /** Of the log, as far as is known here. */
  head: Position;
  /** Why the end of the log cannot be seen. */
  blind: string | undefined;
  private seen: Position;
  private movedAt = performance.now();
  private behindSince: number | undefined;
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly store: EventStore,
    private readonly progress: () => Progress,
    private readonly subscribeAgain: () => void,
    private readonly watching: Watching,
  ) {
    this.seen = progress().position;
    this.head = this.seen;
    this.timer = setInterval(() => void this.look(), watching.everyMs);
    this.timer.unref();
  }

  /** For how long the views have not held what the log held, in seconds. */
  get lagSeconds(): number {
    if (this.behindSince === undefined || this.progress().position >= this.head) return 0;
    return (performance.now() - this.behindSince) / 1000;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    const { position } = this.progress();
    const now = performance.now();
    if (position > this.seen) this.movedAt = now;
    this.seen = position;
    if (position >= this.head) this.behindSince = undefined;
    try {
      this.head = await this.store.head();
      this.blind = undefined;
    } catch (error) {
      this.blind = error instanceof Error ? error.message : String(error);
      return;
    }
    if (this.progress().position >= this.head) {
      this.behindSince = undefined;
      return;
    }
    this.behindSince ??= now;
    if (now - Math.max(this.movedAt, this.behindSince) < this.watching.silentMs) return;
    this.movedAt = now;
    this.subscribeAgain();
  }
}
