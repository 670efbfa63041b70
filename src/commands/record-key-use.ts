// RecordKeyUse: on which days a key was in use, for whoever asks which ones are still needed. Not more than once a day
// for each key, and off the way of every request.
import type { Directory } from '../../projections/directory.js';
import { v7 as uuidv7 } from 'uuid';
import type { AccessStream } from './access-stream.js';

const SWEEP_MS = 5 * 60_000;

export interface KeyUseWarnings {
  warn(fields: object, message: string): void;
}

export class KeyUseRecorder {
  private readonly timer: NodeJS.Timeout;
  private sweeping: Promise<void> = Promise.resolve();

  constructor(
    private readonly access: Pick<AccessStream, 'run'>,
    private readonly directory: () => Pick<Directory, 'knownKeys'>,
    private readonly warnings: KeyUseWarnings,
  ) {
    this.timer = setInterval(() => void this.sweep(), SWEEP_MS).unref();
  }

  /** Never throws: what could not be recorded is found again by the next sweep. */
  sweep(): Promise<void> {
    this.sweeping = this.sweeping.then(() => this.record());
    return this.sweeping;
  }

  /** Resolves once what is under way is in the log, or has failed. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.sweeping;
  }

  private async record(): Promise<void> {
    try {
      for (const { keyId, workspaceId, day } of this.unrecorded()) {
        const actor = { type: 'system', id: 'switchyard' } as const;
        const caller = { actor, workspaceId, projectId: null, requestId: uuidv7() };
        await this.access.run(caller, [{ type: 'RecordKeyUse', keyId, day }]);
      }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.warnings.warn({ error: { message } }, 'the use of keys could not be recorded');
    }
  }

  /** Gathered before anything is appended, because that changes what is gone through. */
  private unrecorded() {
    return [...this.directory().knownKeys()].flatMap(({ key, workspaceId, use }) => {
      const day = dayOf(use.atMs);
      const isNew = use.atMs > 0 && (key.usedOn === null || key.usedOn < day);
      return isNew ? [{ keyId: key.id, workspaceId, day }] : [];
    });
  }
}

/** As `2026-03-02`, in UTC. */
export function dayOf(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10);
}
