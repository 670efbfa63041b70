// Holds every answer and every look against the timeline of the log: what was said to be done is there, once, as it was
// said; what was said not to be done is not there; and whatever was shown or refused was right at some moment at which
// it may have been decided.
import type { Position } from '../../src/store/event-store.js';
import { isSame } from './facts.js';
import { told, type Attempt, type History, type Look } from './history.js';
import type { Done } from './operations.js';
import { decide, lockRefusal, refusal } from './rules.js';
import { shownByWorld } from './shown-by-world.js';
import { Fault, idMade, words, type Append, type Timeline } from './timeline.js';

/** So many times a command is decided again on what others have changed. */
const ATTEMPTS_MAX = 10;

/** Throws `Fault`. */
export function judge(timeline: Timeline, history: History): void {
  const attempts = new Attempts(timeline, history.attempts);
  for (const attempt of history.attempts) attempts.check(attempt);
  for (const look of history.looks) checkLook(timeline, look);
}

class Attempts {
  private readonly byKey = new Map<string, Attempt[]>();

  constructor(
    private readonly timeline: Timeline,
    attempts: readonly Attempt[],
  ) {
    for (const attempt of attempts) {
      const { actorId, key } = attempt.order;
      if (key === null) continue;
      const name = `${actorId} ${key}`;
      this.byKey.set(name, [...(this.byKey.get(name) ?? []), attempt]);
    }
  }

  check(attempt: Attempt): void {
    const { answer } = attempt;
    const own = this.timeline.effects.get(attempt.requestId);
    if (answer === undefined) throw new Fault(`No answer ever came: ${told(attempt)}`);
    switch (answer.kind) {
      case 'done':
        return this.checkDone(attempt, JSON.parse(answer.body) as Done);
      case 'refused':
        if (own !== undefined) throw new Fault(`It is in the log, and was refused: ${told(attempt)}`);
        return this.checkRefused(attempt, answer.code);
      case 'unavailable':
        if (own !== undefined) throw new Fault(`It is in the log, and was said not to be: ${told(attempt)}`);
        return;
      case 'broken':
        throw new Fault(`No rule says so: ${told(attempt)}`);
      case 'unknown':
      case 'none':
        return;
    }
  }

  private checkDone(attempt: Attempt, body: Done): void {
    const { effects } = this.timeline;
    const all = this.sameKey(attempt);
    const same = all.filter((other) => isSameCommand(other, attempt));
    // Two commands with one key at the same moment, on two servers, may both be carried out.
    const begin = first(same).from;
    if (all.some((other) => !same.includes(other) && this.wasDone(other, begin))) {
      throw new Fault(`The key stood for another command: ${told(attempt)}`);
    }
    const done = same.flatMap((one) => effects.get(one.requestId) ?? []);
    if (done.length > 1) throw new Fault(`One key has two effects: ${done.map(words).join(' AND ')}`);
    const [effect] = done;
    // Another server, sent the same at the same time, may have found nothing to do when nothing was.
    const isBefore = (one: Attempt, position: string) =>
      effect !== undefined && one.from < effect.first && BigInt(position) < effect.first;
    const bodies = same.flatMap((one) => {
      if (one.answer?.kind !== 'done') return [];
      const { position } = JSON.parse(one.answer.body) as Done;
      return isBefore(one, position) ? [] : [one.answer.body];
    });
    if (new Set(bodies).size > 1)
      throw new Fault(`One key has several answers: ${same.map(told).join(' AND ')}`);
    if (effect === undefined || isBefore(attempt, body.position)) this.checkUnchanged(attempt, same, body);
    else this.checkChanged(attempt, effect, body);
  }

  /** What it did, or what it was told, was in the log by then. */
  private wasDone({ requestId }: Attempt, position: Position): boolean {
    const { effects, answers } = this.timeline;
    return [effects, answers].some((those) => (those.get(requestId)?.last ?? position + 1n) <= position);
  }

  private checkChanged(attempt: Attempt, effect: Append, body: Done): void {
    const [fact] = effect.facts;
    const { kind } = attempt.order.operation;
    const expected: Done = {
      position: String(effect.last),
      ...(kind === 'create-environment' && { id: idMade(effect.facts) }),
      ...(kind === 'create-flow' && { id: effect.stream.replace('flow-', '') }),
      ...(['draft', 'edit', 'fork'].includes(kind) && { version: fact ?? null }),
      ...(['activate', 'deactivate', 'promote', 'rollback'].includes(kind) && { release: fact ?? null }),
    };
    if (isSame(body, expected)) return;
    throw new Fault(`The log says ${JSON.stringify(expected)}: ${told(attempt)}`);
  }

  /** Nothing had to change in the world that the answer rests on, or it was only asked what would. */
  private checkUnchanged(attempt: Attempt, same: readonly Attempt[], body: Done): void {
    const { operation } = attempt.order;
    const position = BigInt(body.position);
    const { from } = first(same);
    if (position < from || position > attempt.to)
      throw new Fault(`It rests on another time: ${told(attempt)}`);
    const world = this.timeline.at(position);
    if (world === undefined) return;
    const expected = decide(world, operation, body.id ?? '');
    const isDryRun = 'dryRun' in operation && operation.dryRun;
    const claimed = isDryRun && body.release ? [body.release] : [];
    if (!isSame(expected, claimed) || body.id !== undefined || (body.version ?? null) !== null) {
      throw new Fault(
        `It is not in the log, and should have been ${JSON.stringify(expected)}: ${told(attempt)}`,
      );
    }
    if (this.timeline.admits(operation, from, attempt.to)) return;
    throw new Fault(`It should have been refused: ${told(attempt)}`);
  }

  private checkRefused(attempt: Attempt, code: string): void {
    const { order, from, to } = attempt;
    const { operation } = order;
    const same = this.sameKey(attempt);
    if (code === 'idempotency-key-reused') {
      if (same.some((other) => !isSameCommand(other, attempt))) return;
      throw new Fault(`No other command had this key: ${told(attempt)}`);
    }
    const before = same.flatMap((one) => this.timeline.effects.get(one.requestId) ?? []);
    if (before.some((effect) => effect.last <= from))
      throw new Fault(`It had been done before: ${told(attempt)}`);
    if (code === 'concurrent-change') return this.checkCrowded(attempt);
    const rightly = this.timeline
      .between(from, to)
      .some(
        (world) =>
          [refusal, lockRefusal].some((rule) => rule(world, operation) === code) ||
          decide(world, operation, 'new') === code,
      );
    if (!rightly) throw new Fault(`No rule refuses it: ${told(attempt)}`);
  }

  /** Others were in the way: of an edit once, of anything else so often. */
  private checkCrowded(attempt: Attempt): void {
    const { order, from, to } = attempt;
    const least = order.operation.kind === 'edit' ? 1 : ATTEMPTS_MAX;
    const counts = new Map<string, number>();
    for (const { stream, last } of this.timeline.appends) {
      if (last > from && last <= to) counts.set(stream, (counts.get(stream) ?? 0) + 1);
    }
    if (Math.max(0, ...counts.values()) >= least) return;
    throw new Fault(`Nobody was in the way: ${told(attempt)}`);
  }

  /** All that was sent with its key, itself too. */
  private sameKey(attempt: Attempt): readonly Attempt[] {
    const { actorId, key } = attempt.order;
    return this.byKey.get(`${actorId} ${key}`) ?? [attempt];
  }
}

function isSameCommand(one: Attempt, other: Attempt): boolean {
  return isSame(one.order.operation, other.order.operation);
}

function first(attempts: readonly Attempt[]): Attempt {
  return attempts.reduce((least, one) => (one.from < least.from ? one : least));
}

function checkLook(timeline: Timeline, { question, server, atLeast, from, to, seen }: Look): void {
  const what = `Server ${server} at ${from}, asked for ${JSON.stringify(question)}, showed ${JSON.stringify(seen)}`;
  if (from < atLeast) throw new Fault(`${what}, though ${atLeast} had been answered`);
  if (timeline.at(from) === undefined || timeline.at(to) === undefined) return;
  const worlds = timeline.between(from, to);
  if (worlds.some((world) => isSame(shownByWorld(world, question), seen))) return;
  throw new Fault(`${what}, not ${JSON.stringify(worlds.map((world) => shownByWorld(world, question)))}`);
}
