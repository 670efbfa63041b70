// RecordAttempt: what somebody was denied goes into the log, off the way of the answer: whoever was denied neither
// waits for it nor learns whether it worked. Whoever tries again and again fills neither the log nor the memory.
import { LRUCache } from 'lru-cache';
import type { AttemptDenied } from '../domain/audit.events.js';
import { streamOf } from '../domain/events.js';
import type { EventStore } from '../store/event-store.js';
import { withoutKey, type Caller, type CommandLog, type Loaded } from './command-log.js';

export type Attempt = Omit<AttemptDenied, 'type' | 'leftOut'>;

export interface AttemptWarnings {
  warn(fields: object, message: string): void;
}

const MINUTE_MS = 60_000;
export const ATTEMPTS_OF_ACTOR_MAX = 10;
export const ATTEMPTS_IN_WORKSPACE_MAX = 60;
/** Appends that have not come back: a log that does not answer must not gather them. */
const UNDER_WAY_MAX = 100;
/** Only keys that are or were known come this far, so this is far more than there are. */
const REMEMBERED_MAX = 10_000;
const SETTLE_MS_MAX = 2_000;

export class AttemptRecorder {
  private readonly actors = new LRUCache<string, Recent>({ max: REMEMBERED_MAX });
  private readonly workspaces = new LRUCache<string, Recent>({ max: REMEMBERED_MAX });
  private readonly underWay = new Set<Promise<void>>();

  constructor(
    private readonly store: Pick<EventStore, 'readStream'>,
    private readonly log: Pick<CommandLog, 'run'>,
    private readonly warnings: AttemptWarnings,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** Returns at once and never throws. What is too much is counted in the next one of the same actor. */
  record(caller: Caller, attempt: Attempt): void {
    const ofActor = recentOf(this.actors, `${caller.workspaceId} ${caller.actor.id}`);
    const inWorkspace = recentOf(this.workspaces, caller.workspaceId);
    const now = this.nowMs();
    const hasRoom =
      this.underWay.size < UNDER_WAY_MAX &&
      ofActor.hasRoom(now, ATTEMPTS_OF_ACTOR_MAX) &&
      inWorkspace.hasRoom(now, ATTEMPTS_IN_WORKSPACE_MAX);
    if (!hasRoom) {
      ofActor.leftOut += 1;
      return;
    }
    for (const recent of [ofActor, inWorkspace]) recent.times.push(now);
    const { leftOut } = ofActor;
    ofActor.leftOut = 0;
    const appending = this.append(caller, { type: 'AttemptDenied', ...attempt, leftOut }).catch(
      (error: unknown) => {
        ofActor.leftOut += leftOut + 1;
        const message = error instanceof Error ? error.message : String(error);
        const { requestId } = caller;
        this.warnings.warn({ requestId, error: { message } }, 'a denied attempt could not be recorded');
      },
    );
    this.underWay.add(appending);
    void appending.then(() => this.underWay.delete(appending));
  }

  /** Resolves once what is under way is in the log, or has had its time. */
  async settled(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => (timer = setTimeout(resolve, SETTLE_MS_MAX)));
    await Promise.race([Promise.all(this.underWay), enough]);
    clearTimeout(timer);
  }

  private async append(caller: Caller, event: AttemptDenied): Promise<void> {
    const stream = streamOf('attempt', caller.workspaceId);
    await this.log.run<null, AttemptDenied>({
      stream,
      load: () => this.load(stream),
      decide: () => [event],
      // With its key it would be taken for the effect of the command.
      caller: withoutKey(caller),
    });
  }

  /** There is nothing to decide on, only a place to append at. */
  private async load(stream: string): Promise<Loaded<null>> {
    const [newest] = await this.store.readStream(stream, { direction: 'backwards', limit: 1 });
    return { state: null, revision: newest?.revision ?? -1 };
  }
}

/** What was recorded within a minute. */
class Recent {
  times: number[] = [];
  leftOut = 0;

  hasRoom(now: number, max: number): boolean {
    this.times = this.times.filter((time) => time > now - MINUTE_MS);
    return this.times.length < max;
  }
}

function recentOf(known: LRUCache<string, Recent>, name: string): Recent {
  const found = known.get(name) ?? new Recent();
  known.set(name, found);
  return found;
}
