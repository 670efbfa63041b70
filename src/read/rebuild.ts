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
      while (next.progress.position < this.old.progress.position) await this.pause();
      if (this.old.halts.length === 0) equal = await next.equals(this.old);
      // Nothing is waited for between the last look and the change, so that no event comes in between.
      while (!this.standsWithOld(next)) await this.pause();
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
    await this.old.retire();
    removeFile(this.old.path);
    return { startedAt, finishedAt: new Date().toISOString(), position, equal };
  }

  /** Whoever waits for the old rows still gets them. */
  private async lastReads(): Promise<void> {
    await this.old.rowsAt(this.old.sentPosition, '').catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }

  /** Also written as far: what memory has forgotten because the old rows hold it, the new ones have to hold too. */
  private standsWithOld({ sentPosition, progress }: ViewDatabase): boolean {
    return sentPosition === this.old.sentPosition && progress.position >= this.old.progress.position;
  }

  /** Throws when the log can no longer be followed. */
  private async pause(): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
