// The log, read append by append and held against the rules: each has to be, whole, what the rules make of the command
// that it came from, in a world in which that command may have been decided: no older than when it was sent, and with
// nothing in between on the stream that it changed. What comes of it is the world after every append.
import type { EventMetadata } from '../../src/domain/events.js';
import type { Position, StoredEvent } from '../../src/store/event-store.js';
import { factIn, isSame } from './facts.js';
import { told, type Attempt, type History } from './history.js';
import type { Fact, Operation } from './operations.js';
import { decide, lockRefusal, refusal, versionNamed } from './rules.js';
import { after, NOTHING, type World } from './world.js';

/** The world from a position on, until the next one. */
export interface Moment {
  readonly position: Position;
  readonly world: World;
}

/** The events of one append. */
export interface Append {
  readonly stream: string;
  readonly meta: EventMetadata;
  readonly facts: readonly Fact[];
  readonly first: Position;
  readonly last: Position;
}

/** What cannot be, in words. */
export class Fault extends Error {}

/** What a first start writes, each once. */
const FIRST_START = new Set([
  ...['WorkspaceSlugReserved', 'WorkspaceCreated', 'ApiKeyIssued', 'ProjectSlugReserved', 'ProjectCreated'],
]);

export class Timeline {
  readonly moments: Moment[] = [{ position: 0n, world: NOTHING }];
  /** What each request did, apart from what only led up to it. */
  readonly effects = new Map<string, Append>();
  /** Where each request had its answer kept. */
  readonly answers = new Map<string, Append>();
  readonly appends: readonly Append[];
  private readonly newestOn = new Map<string, Append>();
  private readonly attempts: ReadonlyMap<string, Attempt>;
  private readonly begun = new Set<string>();

  /** Throws `Fault`. */
  constructor(events: readonly StoredEvent[], history: History) {
    this.attempts = new Map(history.attempts.map((attempt) => [attempt.requestId, attempt]));
    this.appends = appendsIn(events);
    for (const append of this.appends) {
      this.checkTime(append);
      const world = this.take(append);
      this.moments.push({ position: append.last, world });
      this.newestOn.set(append.stream, append);
    }
  }

  get now(): World {
    return (this.moments.at(-1) as Moment).world;
  }

  /** The world at one position; undefined in the middle of an append. */
  at(position: Position): World | undefined {
    if (this.appends.some(({ first, last }) => first <= position && position < last)) return undefined;
    return this.moments.findLast((moment) => moment.position <= position)?.world;
  }

  /** All worlds from a position to another one. */
  between(from: Position, to: Position): World[] {
    const begin = this.moments.findLastIndex(({ position }) => position <= from);
    const end = this.moments.findLastIndex(({ position }) => position <= to);
    return this.moments.slice(begin, end + 1).map(({ world }) => world);
  }

  /** Whether a command could be admitted, and what it locks be locked at that moment or later, up to a position. */
  admits(operation: Operation, from: Position, to: Position): boolean {
    const worlds = this.between(from, to);
    const admitted = worlds.findIndex((world) => refusal(world, operation) === null);
    return admitted >= 0 && worlds.slice(admitted).some((world) => lockRefusal(world, operation) === null);
  }

  /** The world after an append. */
  private take(append: Append): World {
    const { stream, facts, meta } = append;
    const [fact] = facts;
    const attempt = this.attempts.get(meta.requestId);
    if (fact === undefined) return this.now;
    if (attempt === undefined) return this.begin(append);
    if (fact.type === 'CommandAnswered') {
      if (facts.length > 1 || this.newestOn.has(stream)) throw new Fault(`${stream} holds two answers`);
      this.answers.set(attempt.requestId, append);
      return this.now;
    }
    const { operation } = attempt.order;
    const wanted = leadUp(this.now, operation, fact);
    if (wanted === undefined) this.checkEffect(append, attempt);
    else if (!isSame(facts, [wanted])) throw fault(append, attempt, 'leads up to nothing that was asked');
    const about = stream.slice(stream.indexOf('-') + 1);
    return facts.reduce((world, next) => after(world, about, next, String(append.last)), this.now);
  }

  private checkEffect(append: Append, attempt: Attempt): void {
    const { stream, facts, first } = append;
    const { operation } = attempt.order;
    if (this.effects.has(attempt.requestId))
      throw fault(append, attempt, 'is a second effect of one request');
    if (!isItsStream(this.now, operation, stream)) throw fault(append, attempt, 'is on another stream');
    if ('dryRun' in operation && operation.dryRun) throw fault(append, attempt, 'is the effect of a dry run');
    const newest = this.newestOn.get(stream)?.last ?? 0n;
    const decided = this.between(newest > attempt.from ? newest : attempt.from, first - 1n);
    const made = idMade(facts);
    if (!decided.some((world) => isSame(decide(world, operation, made), facts))) {
      const expected = decide(this.now, operation, made);
      throw fault(append, attempt, `should have been ${JSON.stringify(expected)}`);
    }
    if (!this.admits(operation, attempt.from, first - 1n)) {
      const code = refusal(this.now, operation) ?? lockRefusal(this.now, operation);
      throw fault(append, attempt, `should have been refused: ${code}`);
    }
    this.effects.set(attempt.requestId, append);
  }

  private begin(append: Append): World {
    for (const { type } of append.facts) {
      if (!FIRST_START.has(type)) throw new Fault(`Nobody asked for ${words(append)}`);
      if (this.begun.has(type)) throw new Fault(`There are two of ${type}`);
      this.begun.add(type);
    }
    return this.now;
  }

  /** Whatever the clocks of servers do, nothing is of an earlier time than what its server knew already. */
  private checkTime(append: Append): void {
    const attempt = this.attempts.get(append.meta.requestId);
    if (attempt === undefined) return;
    const later = this.appends.find(({ last, meta }) => last <= attempt.from && meta.time > append.meta.time);
    if (later !== undefined)
      throw new Fault(`${words(append)} is of ${append.meta.time}, before ${words(later)}`);
  }
}

/** Events that were written with the same metadata, one after another on one stream. */
function appendsIn(events: readonly StoredEvent[]): Append[] {
  const appends: (Append & { facts: Fact[]; last: Position })[] = [];
  const revisions = new Map<string, number>();
  let text = '';
  for (const stored of events) {
    const { stream, revision, position: first } = stored;
    if (revision !== (revisions.get(stream) ?? -1) + 1)
      throw new Fault(`${stream} has a gap before ${revision}`);
    revisions.set(stream, revision);
    const newest = appends.at(-1);
    if (newest?.stream === stream && text === stored.meta) {
      newest.facts.push(factIn(stored));
      newest.last = first;
      continue;
    }
    text = stored.meta;
    const meta = JSON.parse(text) as EventMetadata;
    appends.push({ stream, meta, facts: [factIn(stored)], first, last: first });
  }
  return appends;
}

/** What may come before the effect: a slug is reserved, a draft is locked. Undefined for the effect itself. */
function leadUp(world: World, operation: Operation, { type, ...fact }: Fact): Fact | undefined {
  if (
    type === 'FlowSlugReserved' &&
    operation.kind === 'create-flow' &&
    !world.reserved.has(operation.slug)
  ) {
    return { type, slug: operation.slug, flowId: fact['flowId'] };
  }
  if (type !== 'VersionLocked' || operation.kind !== 'activate') return undefined;
  const flow = world.flows.get(operation.flowId);
  const version = versionNamed(flow, operation.version);
  if (version === undefined || version.locked || flow?.archived === true) return undefined;
  return { type, versionId: version.id, number: version.number, digest: version.digest };
}

function isItsStream(world: World, operation: Operation, stream: string): boolean {
  switch (operation.kind) {
    case 'activate':
    case 'deactivate':
    case 'rollback':
      return stream === `environment-${operation.environmentId}`;
    case 'promote':
      return stream === `environment-${operation.targetId}`;
    case 'create-flow':
      return stream === `flow-${world.reserved.get(operation.slug)}`;
    default:
      return 'flowId' in operation ? stream === `flow-${operation.flowId}` : stream.startsWith('project-');
  }
}

/** Of the environment or the version that came into being. */
export function idMade(facts: readonly Fact[]): string {
  const made = facts.find(({ type }) => type === 'EnvironmentCreated' || type === 'VersionDrafted');
  return ((made?.['environmentId'] ?? made?.['versionId']) as string | undefined) ?? '';
}

export function words({ stream, facts, last }: Append): string {
  return `${facts.map((fact) => JSON.stringify(fact)).join(' and ')} on ${stream} at ${last}`;
}

function fault(append: Append, attempt: Attempt, what: string): Fault {
  return new Fault(`${words(append)} ${what}, after ${told(attempt)}`);
}
