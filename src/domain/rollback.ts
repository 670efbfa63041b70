// Rollback: one release that puts the state of an earlier one in effect. History is never rewritten: earlier
// changes are undone backwards, and going back twice goes further back instead of toggling.
import { assert } from './decider.js';
import {
  inEffectAfter,
  placementOf,
  refuseMoved,
  sameVersion,
  type EnvironmentState,
  type Placement,
} from './environment-state.js';
import type { Change, EnvironmentEvent, EnvironmentRolledBack } from './environment.events.js';
import { Refused, type FieldError } from './refused.js';
import { inParts } from './release-parts.js';

export interface RollbackRequest {
  /** Null: the prior release, or, with `flowIds`, each flow's own prior version. */
  readonly toRelease: number | null;
  readonly flowIds: readonly string[] | null;
  readonly comment: string | null;
  readonly expectedRelease: number | null;
}

export interface Rollback extends RollbackRequest {
  readonly type: 'Rollback';
  /** The releases that `releasesToRead` named, whole, by number. */
  readonly history: ReadonlyMap<number, EnvironmentEvent>;
}

/** Which releases must be read from the log before a rollback can be decided. Refuses what cannot be. */
export function releasesToRead(state: EnvironmentState, request: RollbackRequest): readonly number[] {
  refuseMoved('This environment', state, request.expectedRelease);
  if (request.flowIds !== null && request.toRelease === null) {
    refuseFlowsWithoutHistory(state, request.flowIds);
    return [...new Set(request.flowIds.map((flowId) => placementOf(state, flowId).since))];
  }
  const { target, newest } = span(state, request.toRelease);
  const numbers: number[] = [];
  for (let number = newest; number >= Math.max(target, 1); number -= 1) numbers.push(number);
  return numbers;
}

export function decideRollback(state: EnvironmentState, command: Rollback): readonly EnvironmentEvent[] {
  refuseMoved('This environment', state, command.expectedRelease);
  if (command.flowIds !== null && command.toRelease === null) {
    refuseFlowsWithoutHistory(state, command.flowIds);
    return rolledBack(state, command, ownPriors(state, command.flowIds, command.history), null, null);
  }
  const { target, newest } = span(state, command.toRelease);
  const undone = undo(command.history, newest, target);
  if (command.flowIds === null) {
    const inEffect = target === 0 ? 0 : inEffectAfter(release(command.history, target));
    return rolledBack(state, command, undone, target, inEffect);
  }
  refuseUnknownFlows(state, command.flowIds);
  const chosen = new Set(command.flowIds);
  const some = new Map([...undone].filter(([flowId]) => chosen.has(flowId)));
  return rolledBack(state, command, some, target, null);
}

/**
 * The release to restore, and the newest one to undo. The state of `inEffect` is the state now, so going to
 * before it need not undo the rollbacks made since.
 */
function span(state: EnvironmentState, toRelease: number | null): { target: number; newest: number } {
  if (toRelease === null) {
    if (state.inEffect <= 1) {
      throw new Refused('no-prior-release', 'There is no release before the one in effect to go back to.');
    }
    return { target: state.inEffect - 1, newest: state.inEffect };
  }
  if (toRelease > state.release) {
    const detail = `This environment has no release ${toRelease}; its newest is ${state.release}.`;
    throw new Refused('unknown-release', detail, [{ pointer: '/toRelease', detail }]);
  }
  return { target: toRelease, newest: toRelease < state.inEffect ? state.inEffect : state.release };
}

/** What each flow touched since `target` was then, by undoing the releases `newest` down to `target + 1`. */
function undo(history: Rollback['history'], newest: number, target: number): Map<string, Placement> {
  const then = new Map<string, Placement>();
  for (let number = newest; number > target; number -= 1) {
    for (const { flowId, from, fromSince } of release(history, number).changes) {
      then.set(flowId, { version: from, since: fromSince });
    }
  }
  return then;
}

/** The version that each flow had before its current one, by that flow's own history in this environment. */
function ownPriors(
  state: EnvironmentState,
  flowIds: readonly string[],
  history: Rollback['history'],
): Map<string, Placement> {
  const priors = new Map<string, Placement>();
  const errors: FieldError[] = [];
  for (const [index, flowId] of flowIds.entries()) {
    const { since } = placementOf(state, flowId);
    const change = release(history, since).changes.find((candidate) => candidate.flowId === flowId);
    assert(change !== undefined, `release ${since} changed flow ${flowId}`);
    if (change.fromSince === 0) errors.push(noPrior(index, flowId));
    else priors.set(flowId, { version: change.from, since: change.fromSince });
  }
  refuseNoPrior(errors);
  return priors;
}

function rolledBack(
  state: EnvironmentState,
  command: Rollback,
  placements: ReadonlyMap<string, Placement>,
  restores: number | null,
  inEffect: number | null,
): readonly EnvironmentEvent[] {
  const changes: Change[] = [];
  for (const [flowId, { version, since }] of placements) {
    const now = placementOf(state, flowId);
    if (sameVersion(now.version, version)) continue;
    changes.push({ flowId, from: now.version, to: version, fromSince: now.since, toSince: since });
  }
  if (changes.length === 0) return [];
  const next = state.release + 1;
  const event: EnvironmentRolledBack = {
    type: 'EnvironmentRolledBack',
    release: next,
    comment: command.comment,
    restores,
    inEffect: inEffect ?? next,
    changes,
  };
  return inParts(event);
}

function release(history: Rollback['history'], number: number): EnvironmentEvent {
  const event = history.get(number);
  assert(event !== undefined, `release ${number} was read before the rollback was decided`);
  return event;
}

function refuseUnknownFlows(state: EnvironmentState, flowIds: readonly string[]): void {
  const errors = flowIds.flatMap((flowId, index) =>
    state.flows.has(flowId)
      ? []
      : [{ pointer: `/flowIds/${index}`, detail: `${flowId} was never active in this environment.` }],
  );
  if (errors.length === 0) return;
  const detail = `Nothing was rolled back: ${errors.map((error) => error.detail).join(' ')}`;
  throw new Refused('flows-not-active', detail, errors);
}

function refuseFlowsWithoutHistory(state: EnvironmentState, flowIds: readonly string[]): void {
  refuseUnknownFlows(state, flowIds);
  refuseNoPrior(
    flowIds.flatMap((flowId, index) =>
      placementOf(state, flowId).since === 0 ? [noPrior(index, flowId)] : [],
    ),
  );
}

function noPrior(index: number, flowId: string): FieldError {
  return { pointer: `/flowIds/${index}`, detail: `${flowId} had no version here before its current one.` };
}

function refuseNoPrior(errors: readonly FieldError[]): void {
  if (errors.length === 0) return;
  const detail = `Nothing was rolled back: ${errors.map((error) => error.detail).join(' ')}`;
  throw new Refused('no-prior-release', detail, errors);
}
