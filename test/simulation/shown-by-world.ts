// What a server has to show to a question, read off the model.
import type { Question } from './history.js';
import { versionNamed } from './rules.js';
import { activeIn, newest, placesOf, type Flow, type Place, type Ref, type World } from './world.js';

/** A rule of the answer says no. */
class No extends Error {
  constructor(readonly code: string) {
    super(code);
  }
}

export function shownByWorld(world: World, question: Question): unknown {
  try {
    return shown(world, question);
  } catch (error) {
    if (error instanceof No) return { refused: error.code };
    throw error;
  }
}

function shown(world: World, question: Question): unknown {
  switch (question.kind) {
    case 'project': {
      const { name, withoutEnvironment, defaultId, places, slugs } = world;
      const lists = { environments: [...places.keys()], slugs: [...slugs].sort() };
      return { name, withoutEnvironment, defaultId, ...lists };
    }
    case 'resolve':
      return resolved(world, flowIn(world, question.flow), question.environment);
    case 'environment': {
      const { releases, ...place } = placeIn(world, question.environment);
      const active = [...activeIn({ releases, ...place })].map(([flowId, ref]) => ({ flowId, ...ref }));
      active.sort((a, b) => (a.flowId < b.flowId ? -1 : 1));
      const isDefault = world.defaultId === place.id;
      const { inEffect } = newest({ releases, ...place });
      return {
        ...place,
        isDefault,
        release: releases.length - 1,
        inEffect,
        activeCount: active.length,
        active,
      };
    }
    case 'diff':
      return difference(world, placeIn(world, question.source), placeIn(world, question.target));
    case 'flow': {
      const { id, slug, name, archived, versions } = flowIn(world, question.flow);
      const latest = versions.at(-1);
      const runs = placesOf(world, id).map((place) => [place.id, activeIn(place).get(id)?.versionId]);
      const numbers = { latestId: latest?.id ?? null, latestNumber: latest?.number ?? 0 };
      return { id, slug, name, archived, ...numbers, activeIn: runs };
    }
    case 'version': {
      const flow = flowIn(world, question.flow);
      const found = versionNamed(flow, question.version);
      if (found === undefined) return null;
      const { locked, ...version } = found;
      return { ...version, flowId: flow.id, state: locked ? 'locked' : 'draft' };
    }
    case 'releases': {
      const { releases } = placeIn(world, question.environment);
      return releases.flatMap(({ fact, position }) => (fact ? [{ ...fact, position }] : [])).reverse();
    }
  }
}

function resolved(world: World, flow: Flow, asked: string | null): unknown {
  const within = (reason: string, place: Place): unknown => {
    if (place.archived) throw new No('environment-archived');
    const ref = activeIn(place).get(flow.id);
    if (ref === undefined) throw new No('not-active');
    const { id: environment } = place;
    return { reason, versionId: ref.versionId, environment, release: place.releases.length - 1 };
  };
  if (asked !== null) return within('environment', placeIn(world, asked));
  if (world.defaultId !== null) return within('default-environment', placeIn(world, world.defaultId));
  const [first] = world.withoutEnvironment === 'first-active' ? placesOf(world, flow.id) : [];
  if (first !== undefined) return within('first-active', first);
  const latest = flow.versions.at(-1);
  if (latest === undefined) throw new No('version-not-found');
  return { reason: 'latest', versionId: latest.id, environment: null, release: null };
}

function difference(world: World, source: Place, target: Place): unknown {
  const [from, into] = [activeIn(source), activeIn(target)];
  const items = [...new Set([...from.keys(), ...into.keys()])].map((flowId) => {
    const { slug, name } = flowIn(world, flowId);
    const [a, b] = [from.get(flowId) ?? null, into.get(flowId) ?? null];
    return { flowId, slug, name, kind: 'prompt', change: changeOf(a, b), source: a, target: b };
  });
  const count = (change: string) => items.filter((item) => item.change === change).length;
  const [added, changed] = [count('added'), count('changed')];
  return {
    sourceEnvironment: source.slug,
    targetEnvironment: target.slug,
    sourceRelease: source.releases.length - 1,
    targetRelease: target.releases.length - 1,
    summary: { added, changed, removed: count('removed'), unchanged: count('unchanged') },
    items: items.sort((a, b) => (a.slug < b.slug ? -1 : 1)),
  };
}

function changeOf(source: Ref | null, target: Ref | null): string {
  if (target === null) return 'added';
  if (source === null) return 'removed';
  return source.versionId === target.versionId ? 'unchanged' : 'changed';
}

function placeIn(world: World, reference: string): Place {
  const found = world.places.get(world.slugs.get(reference) ?? reference);
  if (found === undefined) throw new No('environment-not-found');
  return found;
}

function flowIn(world: World, reference: string): Flow {
  const found = [...world.flows.values()].find(({ id, slug }) => id === reference || slug === reference);
  if (found === undefined) throw new No('flow-not-found');
  return found;
}
