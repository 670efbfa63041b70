// What a server shows to a question, by the engine's own views.
import { presentDiff } from '../../src/api/diff.js';
import { Refused } from '../../src/domain/refused.js';
import type { Engine } from './engine.js';
import { factOf } from './facts.js';
import type { Question } from './history.js';

const RELEASES_MAX = 500;

type AtOnce = Exclude<Question, { kind: 'version' | 'releases' }>;

/** From memory, and so of one place in the log; anything else is read while the log may go on. */
export function isAtOnce(question: Question): question is AtOnce {
  return question.kind !== 'version' && question.kind !== 'releases';
}

export async function shownByServer(engine: Engine, question: Question): Promise<unknown> {
  try {
    return isAtOnce(question) ? fromMemory(engine, question) : await fromRows(engine, question);
  } catch (error) {
    if (error instanceof Refused) return { refused: error.code };
    throw error;
  }
}

function fromMemory({ follower: { live }, project }: Engine, question: AtOnce): unknown {
  const { directory, activeVersions, resolution } = live;
  const { state } = project;
  switch (question.kind) {
    case 'project': {
      const { name, withoutEnvironment, defaultEnvironment, environments, slugs } = state;
      const lists = { environments: [...environments.keys()], slugs: [...slugs].sort() };
      return { name, withoutEnvironment, defaultId: defaultEnvironment, ...lists };
    }
    case 'resolve': {
      const flow = directory.flowNumber(project, question.flow);
      const asked = question.environment ?? undefined;
      const { reason, versionId, environment } = resolution.resolve(project, flow, asked);
      const release = environment && activeVersions.environment(environment.id).state.release;
      return { reason, versionId, environment: environment && environment.id, release };
    }
    case 'environment': {
      const environment = directory.environment(project, question.environment);
      const { release, inEffect, activeCount, flows } = activeVersions.environment(environment.id).state;
      const active = [...flows].flatMap(([flowId, { version }]) => (version ? [{ flowId, ...version }] : []));
      const isDefault = state.defaultEnvironment === environment.id;
      return { ...environment, isDefault, release, inEffect, activeCount, active: active.sort(byFlow) };
    }
    case 'diff': {
      const source = directory.environment(project, question.source);
      return presentDiff(live, source, directory.environment(project, question.target), true);
    }
    case 'flow': {
      const { id, slug, name, archivedAt, latestId, latestNumber } = directory.flow(project, question.flow);
      const activeIn = activeVersions.environmentsOf(id).flatMap((environmentId) => {
        if (state.environments.get(environmentId)?.archived !== false) return [];
        return [[environmentId, activeVersions.active(environmentId, id)?.versionId]];
      });
      return { id, slug, name, archived: archivedAt !== null, latestId, latestNumber, activeIn };
    }
  }
}

async function fromRows(
  { follower: { live }, project, versions, releases }: Engine,
  question: Exclude<Question, AtOnce>,
): Promise<unknown> {
  if (question.kind === 'releases') {
    const { id } = live.directory.environment(project, question.environment);
    const made = await releases.page(id, Number.MAX_SAFE_INTEGER, RELEASES_MAX);
    return made.map(({ event, position }) => ({ ...factOf(event), position: String(position) }));
  }
  const flow = live.directory.flow(project, question.flow);
  const found = await versions.find(flow.id, question.version);
  if (found === undefined) return null;
  const { id, flowId, number, state, digest, label, comment, forkedFrom, content } = found;
  const text = { digest, label, comment, content: JSON.parse(content) as unknown };
  return { id, flowId, number, state, forkedFrom, ...text };
}

function byFlow(a: { readonly flowId: string }, b: { readonly flowId: string }): number {
  return a.flowId < b.flowId ? -1 : 1;
}
