// Where command, state and log meet: read, decide, append at the revision read, and answer once the views have it.
// Commands of this process on one stream run one after another; one that meets the change of another process is
// decided again on the new state, never blindly appended.
import { v7 as uuidv7 } from 'uuid';
import { Fence } from '../audit/fence.js';
import type { KeyedEffect } from '../../projections/idempotency-keys.js';
import { assert } from '../domain/decider.js';
import { SCHEMA, type Actor, type DomainEvent, type EventMetadata } from '../domain/events.js';
import { encode, Recorded } from '../domain/recorded.js';
import { Refused } from '../domain/refused.js';
import type { LogFollower } from '../read/log-follower.js';
import {
  OutcomeUnknown,
  RevisionConflict,
  type EventStore,
  type NewEvent,
  type Position,
} from '../store/event-store.js';

/** Who asks, in which workspace and project, and by which request. */
export interface Caller {
  readonly actor: Actor;
  readonly workspaceId: string;
  readonly projectId: string | null;
  readonly requestId: string;
  readonly ip?: string;
  readonly userAgent?: string;
  /** With which a command that is sent again is known to be the same. */
  readonly idempotency?: Idempotency | undefined;
}

export interface Idempotency {
  readonly key: string;
  readonly requestHash: string;
  /**
   * The log holds its effect: whatever has changed since, it is answered and not refused. Set here once it does, so
   * that whoever keeps the answer knows of what it tells.
   */
  hasEffect: boolean;
}

/** For an append that leads up to the effect: done again, it changes nothing by itself. */
export function withoutKey<C extends Caller>(caller: C): C {
  return { ...caller, idempotency: undefined };
}

/** A stream as it was when it was last looked at: its state, and the revision decided on, -1 for no stream. */
export interface Loaded<State> {
  readonly state: State;
  readonly revision: number;
}

export interface Task<State, Event extends DomainEvent> {
  readonly stream: string;
  load(): Loaded<State> | Promise<Loaded<State>>;
  decide(state: State): readonly Event[] | Promise<readonly Event[]>;
  readonly caller: Caller;
  /** Decide, but append nothing. */
  readonly dryRun?: boolean;
  /** Called with what was decided, while the disk is busy with it: the time to work out an answer. */
  onDecided?(events: readonly Event[], meta: EventMetadata): void;
}

export interface Outcome<Event> {
  /** What happened, or on a dry run would happen; empty when nothing changed. */
  readonly events: readonly Event[];
  readonly meta: EventMetadata;
  /** Of the newest event that the answer rests on; its own, where it appended any. */
  readonly position: Position;
}

export function keyReused(): Refused {
  return new Refused('idempotency-key-reused', 'Send a new command with a key of its own.');
}

const ATTEMPTS_MAX = 10;
const EFFECT_PAGE_EVENTS = 20;
const VIEWS_MS_MAX = 10_000;

export class CommandLog {
  private readonly queues = new Map<string, Promise<unknown>>();
  private lastTimeMs = 0;

  constructor(
    private readonly store: EventStore,
    private readonly follower: LogFollower,
    private readonly fence = new Fence(),
  ) {}

  /** Throws `LogFenced` and `ViewHalted`, before anything is looked at, and whatever deciding and appending throw. */
  async run<State, Event extends DomainEvent>(task: Task<State, Event>): Promise<Outcome<Event>> {
    this.fence.refuse();
    this.follower.refuseOnceHalted();
    return this.afterOthersOn(task.stream, () => this.decideAndAppend(task));
  }

  private async decideAndAppend<State, Event extends DomainEvent>(
    task: Task<State, Event>,
  ): Promise<Outcome<Event>> {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
      const { state, revision } = await task.load();
      const before = this.effectBefore(task);
      if (before !== undefined) return this.again(task, before);
      const events = await task.decide(state);
      // While it was decided, its effect may have come from another server, and left nothing to do here.
      if (events.length === 0 && this.effectBefore(task) !== undefined) continue;
      const meta = this.metadata(task.caller);
      const appends = events.length > 0 && task.dryRun !== true;
      const appending = appends ? this.append(task.stream, events, meta, revision) : this.here();
      const [position] = await Promise.all([appending, workOut(task, events, meta)]);
      if (position === undefined) continue;
      if (appends) toldOf(task.caller);
      return { events, meta, position };
    }
    throw new Refused('concurrent-change', `Others changed ${task.stream} ${ATTEMPTS_MAX} times in between.`);
  }

  /** What this very command has done already, whether sent to this server or to another. */
  private effectBefore({ stream, caller }: Pick<Task<unknown, DomainEvent>, 'stream' | 'caller'>) {
    const { idempotency, workspaceId, actor } = caller;
    if (idempotency === undefined) return undefined;
    const effect = this.follower.effectOf({ workspaceId, actorId: actor.id }, idempotency.key);
    if (effect === undefined) return undefined;
    // A slug may have come to name another thing since; the key still stands for what was done to the first.
    if (effect.requestHash !== idempotency.requestHash || effect.stream !== stream) throw keyReused();
    return effect;
  }

  /** The outcome as it was the first time, from the log. */
  private async again<State, Event extends DomainEvent>(
    task: Task<State, Event>,
    { stream, revision }: KeyedEffect,
  ): Promise<Outcome<Event>> {
    const effect = await this.appendedAt(stream, revision);
    const last = effect.at(-1);
    assert(last !== undefined, 'an effect that the views know is in the log');
    toldOf(task.caller);
    const events = effect.map(({ event }) => event as Event);
    task.onDecided?.(events, last.meta);
    return { events, meta: last.meta, position: last.position };
  }

  /** All events of one append. They were written with the same metadata, to the byte, as no others are. */
  private async appendedAt(stream: string, revision: number): Promise<Recorded[]> {
    const found: Recorded[] = [];
    let meta: string | undefined;
    for (;;) {
      const from = revision + found.length;
      const page = await this.store.readStream(stream, { from, limit: EFFECT_PAGE_EVENTS });
      for (const stored of page) {
        meta ??= stored.meta;
        if (stored.meta !== meta) return found;
        found.push(new Recorded(stored));
      }
      if (page.length === 0) return found;
    }
  }

  private async here(): Promise<Position> {
    return this.follower.live.progress.position;
  }

  /** Undefined when the stream had moved on. */
  private async append(
    stream: string,
    events: readonly DomainEvent[],
    meta: EventMetadata,
    revision: number,
  ): Promise<Position | undefined> {
    const metaJson = JSON.stringify(meta);
    const written = events.map((event): NewEvent & { decided: DomainEvent } => {
      return { id: uuidv7(), type: event.type, data: encode(event), meta: metaJson, decided: event };
    });
    try {
      const { position } = await this.store.append(stream, written, revision < 0 ? 'no-stream' : revision);
      await this.seen(position);
      return position;
    } catch (error) {
      if (!(error instanceof RevisionConflict)) throw error;
      await this.follower.live.progress.reached(await this.store.head(), VIEWS_MS_MAX);
      return undefined;
    }
  }

  private async seen(position: Position): Promise<void> {
    try {
      await this.follower.live.progress.reached(position, VIEWS_MS_MAX);
    } catch (error) {
      // The events are in the log, but what came of them cannot be told. Whoever asked has to look before asking again.
      throw new OutcomeUnknown(error instanceof Error ? error.message : String(error));
    }
  }

  private metadata(caller: Caller): EventMetadata {
    const { actor, workspaceId, projectId, requestId, ip, userAgent, idempotency } = caller;
    return {
      actor,
      workspace: workspaceId,
      project: projectId,
      time: this.now(),
      schema: SCHEMA,
      requestId,
      $correlationId: requestId,
      $causationId: requestId,
      ...(ip === undefined ? {} : { ip }),
      ...(userAgent === undefined ? {} : { userAgent }),
      ...(idempotency && { idempotencyKey: idempotency.key, requestHash: idempotency.requestHash }),
    };
  }

  /** A clock that is set back must not make a later event look earlier. */
  private now(): string {
    this.lastTimeMs = Math.max(Date.now(), this.lastTimeMs, this.follower.lastTimeMs);
    return new Date(this.lastTimeMs).toISOString();
  }

  private async afterOthersOn<Result>(stream: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.queues.get(stream) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.queues.set(stream, mine);
    try {
      return await mine;
    } finally {
      if (this.queues.get(stream) === mine) this.queues.delete(stream);
    }
  }
}

function toldOf({ idempotency }: Caller): void {
  if (idempotency !== undefined) idempotency.hasEffect = true;
}

/** A promise, so that whatever goes wrong here is thrown only once the append has settled too. */
async function workOut<State, Event extends DomainEvent>(
  task: Task<State, Event>,
  events: readonly Event[],
  meta: EventMetadata,
): Promise<void> {
  if (events.length > 0) task.onDecided?.(events, meta);
}
