// The answers of commands that came with an idempotency key, each on a stream of its own in the log: so the first
// answer is given again after a crash and by other servers too.
import { hash } from 'node:crypto';
import type { CommandAnswered } from '../domain/command.events.js';
import { streamOf } from '../domain/events.js';
import { Recorded } from '../domain/recorded.js';
import type { LogFollower } from '../read/log-follower.js';
import type { EventStore, StoredEvent } from '../store/event-store.js';
import { keyReused, withoutKey, type Caller, type CommandLog, type Loaded } from './command-log.js';

/** A longer one is not written down a second time where the effect says the same. */
const BODY_BYTES_MAX = 65_536;
const VIEWS_MS_MAX = 10_000;

export type FirstAnswer = Pick<CommandAnswered, 'status' | 'body'>;

/** What the log holds of a command that may have been sent before. */
export interface Before {
  /** Null when it was never answered. */
  readonly answer: FirstAnswer | null;
  readonly hasEffect: boolean;
}

export class AnsweredCommands {
  constructor(
    private readonly store: EventStore,
    private readonly follower: LogFollower,
    private readonly log: CommandLog,
  ) {}

  /** Throws `idempotency-key-reused`, and `NotCaughtUp`. */
  async find(caller: Caller): Promise<Before> {
    const stored = await this.read(caller);
    // Another server may have answered just now: whoever is told so and looks here sees what was done.
    if (stored !== undefined) await this.follower.reached(stored.position, VIEWS_MS_MAX);
    const answer = stored === undefined ? null : answerIn(stored);
    const effect = this.effectOf(caller);
    const requestHash = (answer ?? effect)?.requestHash;
    if (requestHash !== undefined && requestHash !== caller.idempotency?.requestHash) throw keyReused();
    const isOfEffect = answer?.hasEffect !== false || effect === undefined;
    return { answer: isOfEffect ? answer : null, hasEffect: effect !== undefined };
  }

  /** Answers what has been recorded: the answer given here, unless another server was quicker. */
  async record(caller: Caller, { status, body }: FirstAnswer): Promise<FirstAnswer> {
    const isLong = body !== null && Buffer.byteLength(body) > BODY_BYTES_MAX;
    const kept = isLong && this.effectOf(caller) !== undefined ? null : body;
    const { requestHash = '', hasEffect = false } = caller.idempotency ?? {};
    const { events } = await this.log.run<CommandAnswered | null, CommandAnswered>({
      stream: streamOfCommand(caller),
      load: () => this.load(caller),
      decide: (answered) =>
        answered === null ? [{ type: 'CommandAnswered', requestHash, status, body: kept, hasEffect }] : [],
      caller: withoutKey(caller),
    });
    if (events.length > 0) return { status, body };
    return (await this.find(caller)).answer ?? { status, body };
  }

  private async load(caller: Caller): Promise<Loaded<CommandAnswered | null>> {
    const stored = await this.read(caller);
    if (stored === undefined) return { state: null, revision: -1 };
    return { state: answerIn(stored), revision: stored.revision };
  }

  private async read(caller: Caller): Promise<StoredEvent | undefined> {
    const [stored] = await this.store.readStream(streamOfCommand(caller), { limit: 1 });
    return stored;
  }

  private effectOf({ workspaceId, actor, idempotency }: Caller) {
    return this.follower.effectOf({ workspaceId, actorId: actor.id }, idempotency?.key ?? '');
  }
}

function answerIn(stored: StoredEvent): CommandAnswered {
  return new Recorded(stored).event as CommandAnswered;
}

function streamOfCommand({ workspaceId, actor, idempotency }: Caller): string {
  const key = hash('sha256', `${actor.id} ${idempotency?.key ?? ''}`, 'hex');
  return streamOf('command', `${workspaceId}.${key}`);
}
