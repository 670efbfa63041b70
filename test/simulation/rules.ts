// The rules once more, in their plainest words: what a command must do to a world, or why it may not. None of the
// engine's code is used here. A command is first admitted by what it names, which other commands may change at any
// moment, and then decided on the one thing that it changes.
import { digestOf, newest, NEVER, placesOf, refOf } from './world.js';
import type { Content, Fact, Operation, Promotion, Rollback, Text } from './operations.js';
import type { Entry, Flow, Place, Ref, Version, World } from './world.js';

/** What happens, nothing where all is as asked already, or the code of the rule that says no. */
export type Decision = readonly Fact[] | string;

/** Why a command may not even be looked at; null where it may. */
export function refusal(world: World, operation: Operation): string | null {
  switch (operation.kind) {
    case 'create-environment':
    case 'create-flow':
    case 'change-project':
      return null;
    case 'set-default':
      return operation.environmentId === null ? null : unknownPlace(world, operation.environmentId);
    case 'change-environment':
    case 'archive-environment':
    case 'restore-environment':
      return unknownPlace(world, operation.environmentId);
    case 'promote': {
      const { sourceId, targetId } = operation;
      const same = sourceId === targetId ? 'same-environment' : null;
      return closedPlace(world, sourceId) ?? closedPlace(world, targetId) ?? same;
    }
    case 'rollback':
      return closedPlace(world, operation.environmentId);
    case 'deactivate':
    case 'activate':
      return unknownFlow(world, operation) ?? closedPlace(world, operation.environmentId);
    case 'archive-flow': {
      const flow = world.flows.get(operation.flowId);
      if (flow?.archived === false && placesOf(world, flow.id).length > 0) return 'flow-is-active';
      return unknownFlow(world, operation);
    }
    case 'edit':
    case 'fork':
      return unknownFlow(world, operation) ?? unknownVersion(world, operation.flowId, operation.versionId);
    default:
      return unknownFlow(world, operation);
  }
}

/**
 * Why an activation that was admitted may not lock its version, which it does next, on the flow's stream; null where it
 * may. The flow may have got the version since, and the environment may have been archived.
 */
export function lockRefusal(world: World, operation: Operation): string | null {
  if (operation.kind !== 'activate') return null;
  const unknown = unknownVersion(world, operation.flowId, operation.version);
  return unknown ?? (world.flows.get(operation.flowId)?.archived === true ? 'flow-archived' : null);
}

/** `made` is the id of what comes into being, where anything does. */
export function decide(world: World, operation: Operation, made: string): Decision {
  switch (operation.kind) {
    case 'create-environment':
    case 'change-environment':
    case 'archive-environment':
    case 'restore-environment':
      return onEnvironment(world, operation, made);
    case 'set-default': {
      const { environmentId } = operation;
      if (environmentId === world.defaultId) return [];
      if (environmentId !== null && world.places.get(environmentId)?.archived !== false)
        return 'environment-archived';
      return [{ type: 'DefaultEnvironmentSet', environmentId }];
    }
    case 'change-project': {
      const { name = world.name, withoutEnvironment = world.withoutEnvironment } = operation;
      const renamed = name === world.name ? [] : [{ type: 'ProjectRenamed', name }];
      if (withoutEnvironment === world.withoutEnvironment) return renamed;
      return [...renamed, { type: 'ResolutionPolicySet', withoutEnvironment }];
    }
    case 'activate': {
      const version = versionNamed(world.flows.get(operation.flowId), operation.version);
      return version === undefined ? 'version-not-found' : moved(world, operation, refOf(version));
    }
    case 'deactivate':
      return moved(world, operation, null);
    case 'promote':
      return promotion(world, operation);
    case 'rollback':
      return rollback(world, operation);
    default:
      return onFlow(world, operation, made);
  }
}

export function versionNamed(flow: Flow | undefined, reference: string): Version | undefined {
  return flow?.versions.find(({ id, number }) => id === reference || String(number) === reference);
}

function unknownPlace(world: World, id: string): string | null {
  return world.places.has(id) ? null : 'environment-not-found';
}

function closedPlace(world: World, id: string): string | null {
  return unknownPlace(world, id) ?? (world.places.get(id)?.archived === true ? 'environment-archived' : null);
}

function unknownFlow(world: World, { flowId }: { readonly flowId: string }): string | null {
  return world.flows.has(flowId) ? null : 'flow-not-found';
}

function unknownVersion(world: World, flowId: string, reference: string): string | null {
  return versionNamed(world.flows.get(flowId), reference) === undefined ? 'version-not-found' : null;
}

type OnEnvironment = Extract<
  Operation,
  { kind: 'create-environment' | 'change-environment' | 'archive-environment' | 'restore-environment' }
>;

function onEnvironment(world: World, operation: OnEnvironment, made: string): Decision {
  if (operation.kind === 'create-environment') {
    const { slug, name, description, color, makeDefault } = operation;
    if (isTaken(world, made, slug, name)) return 'environment-exists';
    const created = { type: 'EnvironmentCreated', environmentId: made, slug, name, description, color };
    return makeDefault ? [created, { type: 'DefaultEnvironmentSet', environmentId: made }] : [created];
  }
  const { environmentId } = operation;
  const now = world.places.get(environmentId);
  if (now === undefined) return 'environment-not-found';
  if (operation.kind === 'archive-environment') {
    if (now.archived) return [];
    if (world.defaultId === environmentId) return 'environment-is-default';
    return [{ type: 'EnvironmentArchived', environmentId }];
  }
  if (operation.kind === 'restore-environment') {
    return now.archived ? [{ type: 'EnvironmentRestored', environmentId }] : [];
  }
  if (now.archived) return 'environment-archived';
  const { slug = now.slug, name = now.name, description = now.description } = operation;
  if (isTaken(world, environmentId, slug, name)) return 'environment-exists';
  const facts: Fact[] = [];
  if (slug !== now.slug || name !== now.name)
    facts.push({ type: 'EnvironmentRenamed', environmentId, slug, name });
  if (description !== now.description) {
    facts.push({ type: 'EnvironmentDescribed', environmentId, description, color: now.color });
  }
  return facts;
}

function isTaken(world: World, id: string, slug: string, name: string): boolean {
  return [...world.places.values()].some(
    (other) => other.id !== id && (other.slug === slug || other.name === name),
  );
}

type OnFlow = Extract<
  Operation,
  { kind: 'create-flow' | 'rename-flow' | 'archive-flow' | 'draft' | 'edit' | 'fork' }
>;

function onFlow(world: World, operation: OnFlow, made: string): Decision {
  if (operation.kind === 'create-flow') {
    const { slug, name, content, comment } = operation;
    if ([...world.flows.values()].some((flow) => flow.slug === slug)) return 'flow-exists';
    const created = { type: 'FlowCreated', slug, name, kind: 'prompt' };
    return content === null
      ? [created]
      : [created, drafted(made, 1, { content, label: null, comment }, null)];
  }
  const flow = world.flows.get(operation.flowId);
  if (flow === undefined) return 'flow-not-found';
  if (operation.kind === 'archive-flow') return flow.archived ? [] : [{ type: 'FlowArchived' }];
  if (flow.archived) return 'flow-archived';
  const number = flow.versions.length + 1;
  if (operation.kind === 'rename-flow') {
    const { name } = operation;
    return name === flow.name ? [] : [{ type: 'FlowRenamed', name }];
  }
  if (operation.kind === 'draft')
    return [drafted(made, number, { label: null, comment: null, ...operation.text }, null)];
  const version = versionNamed(flow, operation.versionId);
  if (version === undefined) return 'version-not-found';
  const { content } = version;
  if (operation.kind === 'fork') {
    return [drafted(made, number, { content, label: null, comment: null, ...operation.text }, version.id)];
  }
  if (version.locked) return 'version-locked';
  const { label, comment } = version;
  const text = { content, label, comment, ...operation.text };
  const isSame =
    digestOf(text.content) === version.digest && text.label === label && text.comment === comment;
  if (isSame) return [];
  const edited = { type: 'VersionEdited', versionId: version.id, number: version.number };
  return [{ ...edited, ...text, digest: digestOf(text.content) }];
}

function drafted(
  versionId: string,
  number: number,
  text: Text & { content: Content },
  forkedFrom: string | null,
) {
  return { type: 'VersionDrafted', versionId, number, ...text, digest: digestOf(text.content), forkedFrom };
}

type Move = Extract<Operation, { kind: 'activate' | 'deactivate' }>;

function moved(world: World, operation: Move, to: Ref | null): Decision {
  const { environmentId, flowId, comment, expectedRelease } = operation;
  const place = world.places.get(environmentId);
  if (place === undefined) return 'environment-not-found';
  if (hasMoved(place, expectedRelease)) return 'release-moved';
  const type = operation.kind === 'activate' ? 'VersionActivated' : 'VersionDeactivated';
  return release(place, new Map([[flowId, to]]), { type, comment });
}

function promotion(world: World, operation: Promotion): Decision {
  const { sourceId, targetId, flowIds, prune, comment } = operation;
  const [source, target] = [world.places.get(sourceId), world.places.get(targetId)];
  if (source === undefined || target === undefined) return 'environment-not-found';
  if (hasMoved(source, operation.expectedSourceRelease)) return 'release-moved';
  if (hasMoved(target, operation.expectedTargetRelease)) return 'release-moved';
  const wanted = new Map<string, Ref | null>();
  const [from, into] = [newest(source).flows, newest(target).flows];
  for (const flowId of flowIds ?? new Set([...from.keys(), ...into.keys()])) {
    const version = from.get(flowId)?.version ?? null;
    const isThere = into.get(flowId)?.version !== null && into.has(flowId);
    if (version !== null || (prune && isThere)) wanted.set(flowId, version);
    else if (flowIds !== null) return 'flows-not-active';
  }
  const origin = { environmentId: sourceId, release: source.releases.length - 1 };
  return release(target, wanted, { type: 'VersionsPromoted', comment, source: origin });
}

function rollback(world: World, operation: Rollback): Decision {
  const { environmentId, toRelease, flowIds, comment } = operation;
  const place = world.places.get(environmentId);
  if (place === undefined) return 'environment-not-found';
  if (hasMoved(place, operation.expectedRelease)) return 'release-moved';
  const { flows, inEffect } = newest(place);
  const next = place.releases.length;
  const type = 'EnvironmentRolledBack';
  const known = flowIds === null || flowIds.every((flowId) => flows.has(flowId));
  if (flowIds !== null && toRelease === null) {
    if (!known) return 'flows-not-active';
    const priors = flowIds.map((flowId): [string, Entry | null] => [
      flowId,
      flows.get(flowId)?.prior ?? null,
    ]);
    if (priors.some(([, prior]) => prior === null || prior === NEVER)) return 'no-prior-release';
    const wanted = new Map(priors.map(([flowId, prior]) => [flowId, prior?.version ?? null]));
    return release(place, wanted, { type, comment, restores: null, inEffect: next });
  }
  const restores = toRelease ?? inEffect - 1;
  if (toRelease === null && restores < 1) return 'no-prior-release';
  const then = place.releases[restores];
  if (then === undefined) return 'unknown-release';
  if (!known) return 'flows-not-active';
  const wanted = new Map<string, Ref | null>();
  for (const flowId of flowIds ?? flows.keys()) wanted.set(flowId, then.flows.get(flowId)?.version ?? null);
  const effect = flowIds === null ? then.inEffect : next;
  return release(place, wanted, { type, comment, restores, inEffect: effect });
}

function hasMoved({ releases }: Place, expected: number | null): boolean {
  return expected !== null && expected !== releases.length - 1;
}

/** The next release of a place, where anything changes. */
function release(place: Place, wanted: ReadonlyMap<string, Ref | null>, how: Fact): Decision {
  const { flows } = newest(place);
  const changes = [...wanted].flatMap(([flowId, to]) => {
    const from = flows.get(flowId)?.version ?? null;
    return from?.versionId === to?.versionId ? [] : [{ flowId, from, to }];
  });
  if (changes.length === 0) return [];
  changes.sort((a, b) => (a.flowId < b.flowId ? -1 : 1));
  return [{ ...how, release: place.releases.length, changes }];
}
