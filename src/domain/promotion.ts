// Promotion: one release of the target whose versions come from the source, exactly as the diff showed it.
import { placementOf, refuseMoved, sameVersion, type EnvironmentState } from './environment-state.js';
import type { Change, EnvironmentEvent, VersionsPromoted } from './environment.events.js';
import { Refused, type FieldError } from './refused.js';
import { inParts } from './release-parts.js';

export interface Promote {
  readonly type: 'Promote';
  readonly source: { readonly environmentId: string; readonly state: EnvironmentState };
  /** Null: every flow active in the source. */
  readonly flowIds: readonly string[] | null;
  /** Deactivate in the target what is not active in the source. */
  readonly prune: boolean;
  readonly comment: string | null;
  readonly expectedSourceRelease: number | null;
  readonly expectedTargetRelease: number | null;
}

export function decidePromotion(target: EnvironmentState, command: Promote): readonly EnvironmentEvent[] {
  const source = command.source.state;
  refuseMoved('The source environment', source, command.expectedSourceRelease);
  refuseMoved('The target environment', target, command.expectedTargetRelease);
  const changes = command.flowIds === null ? allChanges(target, command) : chosenChanges(target, command);
  if (changes.length === 0) return [];
  const promoted: VersionsPromoted = {
    type: 'VersionsPromoted',
    release: target.release + 1,
    comment: command.comment,
    source: { environmentId: command.source.environmentId, release: source.release },
    changes,
  };
  return inParts(promoted);
}

function allChanges(target: EnvironmentState, command: Promote): Change[] {
  const source = command.source.state;
  const changes: Change[] = [];
  for (const [flowId, { version }] of source.flows) {
    if (version !== null) pushChange(changes, target, flowId, version);
  }
  if (!command.prune) return changes;
  for (const [flowId, { version }] of target.flows) {
    if (version === null) continue;
    if (placementOf(source, flowId).version === null) pushChange(changes, target, flowId, null);
  }
  return changes;
}

function chosenChanges(target: EnvironmentState, command: Promote): Change[] {
  const changes: Change[] = [];
  const errors: FieldError[] = [];
  const source = command.source.state;
  const seen = new Set<string>();
  for (const [index, flowId] of (command.flowIds ?? []).entries()) {
    if (seen.has(flowId)) continue;
    seen.add(flowId);
    const version = placementOf(source, flowId).version;
    const removable = command.prune && placementOf(target, flowId).version !== null;
    if (version === null && !removable) {
      errors.push({
        pointer: `/flowIds/${index}`,
        detail: `${flowId} is not active in the source environment.`,
      });
    } else {
      pushChange(changes, target, flowId, version);
    }
  }
  if (errors.length === 0) return changes;
  const named = errors.map(({ pointer }) => command.flowIds?.[Number(pointer.slice('/flowIds/'.length))]);
  throw new Refused(
    'flows-not-active',
    `Nothing was promoted: not active in the source environment: ${named.join(', ')}.`,
    errors,
  );
}

function pushChange(changes: Change[], target: EnvironmentState, flowId: string, to: Change['to']): void {
  const from = placementOf(target, flowId);
  if (sameVersion(from.version, to)) return;
  changes.push({ flowId, from: from.version, to, fromSince: from.since, toSince: target.release + 1 });
}
