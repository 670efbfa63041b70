// The state of an environment, and the questions that every command on it asks.
import type { Change, EnvironmentEvent, VersionRef } from './environment.events.js';
import { Refused } from './refused.js';

/** What runs of one flow, null for nothing, and the release that put it in effect. */
export interface Placement {
  readonly version: VersionRef | null;
  readonly since: number;
}

/** The flows of an environment, by id. A plain map will do; the views keep them in a denser form. */
export interface Placements extends Iterable<[string, Placement]> {
  readonly size: number;
  get(flowId: string): Placement | undefined;
  has(flowId: string): boolean;
  set(flowId: string, placement: Placement): unknown;
  keys(): Iterable<string>;
}

export interface EnvironmentState {
  /** The number of the newest release; 0 before the first. */
  release: number;
  /** The release whose state is in effect: the newest, or the one that a rollback restored. */
  inEffect: number;
  /** Every flow that was ever active here. */
  readonly flows: Placements;
  activeCount: number;
  /** Changes of a release whose last part has not come yet. Nobody sees half a release. */
  held: Change[];
}

const NEVER_ACTIVE: Placement = { version: null, since: 0 };

export function placementOf(state: Pick<EnvironmentState, 'flows'>, flowId: string): Placement {
  return state.flows.get(flowId) ?? NEVER_ACTIVE;
}

/** The release whose state is in effect once this one has been made. */
export function inEffectAfter(event: EnvironmentEvent): number {
  return event.type === 'EnvironmentRolledBack' ? event.inEffect : event.release;
}

export function sameVersion(a: VersionRef | null, b: VersionRef | null): boolean {
  return a?.versionId === b?.versionId;
}

/** Refuses when the environment is no longer at the release that the caller had reviewed. */
export function refuseMoved(who: string, state: EnvironmentState, expected: number | null): void {
  if (expected === null || expected === state.release) return;
  throw new Refused(
    'release-moved',
    `${who} is at release ${state.release}, not at the expected release ${expected}.`,
  );
}
