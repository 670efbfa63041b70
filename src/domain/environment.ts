// An environment: which version of each flow runs there. Every change is one release, and a rollback is a
// release too. Promotion and rollback have their own files; the two small commands are here.
import { assert, unreachable, type Decider } from './decider.js';
import type { Change, EnvironmentEvent, VersionRef } from './environment.events.js';
import {
  inEffectAfter,
  placementOf,
  refuseMoved,
  sameVersion,
  type EnvironmentState,
} from './environment-state.js';
import { decidePromotion, type Promote } from './promotion.js';
import { decideRollback, type Rollback } from './rollback.js';

export interface ActivateVersion {
  readonly type: 'ActivateVersion';
  readonly flowId: string;
  readonly version: VersionRef;
  readonly comment: string | null;
  readonly expectedRelease: number | null;
}

export interface DeactivateVersion {
  readonly type: 'DeactivateVersion';
  readonly flowId: string;
  readonly comment: string | null;
  readonly expectedRelease: number | null;
}

export type EnvironmentCommand = ActivateVersion | DeactivateVersion | Promote | Rollback;

export const environment: Decider<EnvironmentState, EnvironmentCommand, EnvironmentEvent> = {
  initial: () => ({ release: 0, inEffect: 0, flows: new Map(), activeCount: 0, held: [] }),

  decide(state, command) {
    switch (command.type) {
      case 'ActivateVersion':
        refuseMoved('This environment', state, command.expectedRelease);
        return oneChange('VersionActivated', state, command, command.version);
      case 'DeactivateVersion':
        refuseMoved('This environment', state, command.expectedRelease);
        return oneChange('VersionDeactivated', state, command, null);
      case 'Promote':
        return decidePromotion(state, command);
      case 'Rollback':
        return decideRollback(state, command);
      default:
        return unreachable(command);
    }
  },

  evolve(state, event) {
    assert(event.release === state.release + 1, `release ${event.release} follows ${state.release}`);
    if (event.part !== undefined && event.part.number < event.part.of) {
      state.held.push(...event.changes);
      return state;
    }
    for (const change of state.held) apply(state, change);
    for (const change of event.changes) apply(state, change);
    if (state.held.length > 0) state.held = [];
    state.release = event.release;
    state.inEffect = inEffectAfter(event);
    return state;
  },
};

function oneChange(
  type: 'VersionActivated' | 'VersionDeactivated',
  state: EnvironmentState,
  command: { readonly flowId: string; readonly comment: string | null },
  to: VersionRef | null,
): readonly EnvironmentEvent[] {
  const from = placementOf(state, command.flowId);
  if (sameVersion(from.version, to)) return [];
  const release = state.release + 1;
  const change: Change = {
    flowId: command.flowId,
    from: from.version,
    to,
    fromSince: from.since,
    toSince: release,
  };
  return [{ type, release, comment: command.comment, changes: [change] }];
}

function apply(state: EnvironmentState, change: Change): void {
  const before = placementOf(state, change.flowId).version;
  if (before === null && change.to !== null) state.activeCount += 1;
  if (before !== null && change.to === null) state.activeCount -= 1;
  state.flows.set(change.flowId, { version: change.to, since: change.toSince });
}
