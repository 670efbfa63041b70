// Makes the rows anew from the whole log, in a file beside the one that is being read from, and changes over to it
// once both stand at the same place. The log is the truth: should the rows differ, the new ones are right.
import type { EventStore, Position } from '../store/event-store.js';
import { START } from '../store/event-store.js';
import { removeFile, ViewDatabase } from './view-database.js';

export interface Rebuilt {
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly position: Position;
  /** Whether the rows were as they had been; null where a view had stopped and there was nothing to compare. */
  readonly equal: boolean | null;
}

const PAUSE_MS = 5;

export class Rebuild {
  private failure: Error | undefined;

  constructor(
    private readonly store: EventStore,
    private readonly old: ViewDatabase,
    private readonly path: string,
  ) {}

  /**
   * `changeOver` is called once, with rows that have been sent the very events that the old ones have; from then on
   * whoever follows the log sends events to them.
   */
  async run(changeOver: (next: ViewDatabase) => void): Promise<Rebuilt> {
    let equal: boolean | null = null;
    const startedAt = new Date().toISOString();
    const next = await ViewDatabase.openEmpty(this.path);
    const subscription = this.store.subscribe({
      after: START,
      onEvents: (events) => next.take(events),
      onError: (error) => (this.failure = error instanceof Error ? error : new Error(String(error))),
    });
    try {
      await this.until(() => next.progress.position >= this.old.progress.position);
      if (this.old.halts.length === 0) equal = await next.equals(this.old);
      // What memory has forgotten because the old rows hold it, the new ones have to hold too.
      await this.until(
        () =>
          next.sentPosition === this.old.sentPosition && next.progress.position >= this.old.progress.position,
      );
      const closed = subscription.close();
      changeOver(next);
      await closed;
    } catch (error) {
      await subscription.close();
      await next.close();
      removeFile(this.path);
      throw error;
    }
    const position = next.sentPosition;
    await this.lastReads();
    await this.old.close();
    removeFile(this.old.path);
    return { startedAt, finishedAt: new Date().toISOString(), position, equal };
  }

  /** Whoever waits for the old rows still gets them. */
  private async lastReads(): Promise<void> {
    await this.old.rowsAt(this.old.sentPosition, '').catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }

  /** The condition holds when this returns: nothing comes in between. */
  private async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.failure !== undefined) throw this.failure;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
