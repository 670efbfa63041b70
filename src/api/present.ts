// From views and facts to answers.
import type { EnvironmentEvent, VersionRef } from '../domain/environment.events.js';
import type { Actor } from '../domain/events.js';
import type { EnvironmentEntry } from '../domain/project.js';
import type { Views } from '../read/views.js';
import type { DecidedRelease } from '../commands/environment-stream.js';
import type { Sees } from './scope.js';
import type { Flow } from '../../projections/flows.js';
import type { Project } from '../../projections/projects.js';
import type { Version } from '../../projections/versions.js';
import type {
  ActiveAnswer,
  ActorAnswer,
  ChangeAnswer,
  EnvironmentAnswer,
  FlowAnswer,
  ProjectAnswer,
  ReleaseAnswer,
  ReleaseKind,
  VersionAnswer,
} from './answers.js';

export const RELEASE_KIND: Record<EnvironmentEvent['type'], ReleaseKind> = {
  VersionActivated: 'activation',
  VersionDeactivated: 'deactivation',
  VersionsPromoted: 'promotion',
  EnvironmentRolledBack: 'rollback',
};

/** A default environment that the caller may not know of is not told. */
export function presentProject({ id, state, createdAt, archivedAt }: Project, sees: Sees): ProjectAnswer {
  const { slug, name, withoutEnvironment, defaultEnvironment: byDefault } = state;
  const shown = byDefault !== null && sees(byDefault) ? state.environments.get(byDefault) : undefined;
  const defaultEnvironment = shown?.slug ?? null;
  return { id, slug, name, defaultEnvironment, withoutEnvironment, createdAt, archivedAt };
}

export function presentEnvironment(
  views: Views,
  project: Project,
  entry: EnvironmentEntry,
): EnvironmentAnswer {
  const { id, slug, name, description, color } = entry;
  const { state } = views.activeVersions.environment(id);
  const times = project.environmentTimes.get(id);
  return {
    ...{ id, slug, name, description, color },
    isDefault: project.state.defaultEnvironment === id,
    release: state.release,
    activeCount: state.activeCount,
    createdAt: times?.createdAt ?? project.createdAt,
    archivedAt: times?.archivedAt ?? null,
  };
}

/** With the environments that the caller may know of. */
export function presentFlow(views: Views, project: Project, flow: Flow, sees: Sees): FlowAnswer {
  const { id, slug, name, kind, createdAt, archivedAt, latestId, latestNumber } = flow;
  const activeVersions: Record<string, string> = {};
  for (const environmentId of views.activeVersions.environmentsOf(id)) {
    const environment = project.state.environments.get(environmentId);
    const version = views.activeVersions.active(environmentId, id);
    if (environment?.archived === false && version !== null && sees(environmentId)) {
      activeVersions[environment.slug] = version.versionId;
    }
  }
  const latest = latestId === null ? null : latestNumber;
  return { id, slug, name, kind, latest, latestVersionId: latestId, activeVersions, createdAt, archivedAt };
}

export function presentVersion(views: Views, project: Project, version: Version): VersionAnswer {
  const { id, flowId, number, state, digest, label, comment, forkedFrom, createdAt } = version;
  return {
    ...{ id, flowId, number, state, digest, label, comment, forkedFrom, createdAt },
    actor: presentActor(views, project.workspaceId, version.actor),
    content: JSON.parse(version.content) as Record<string, unknown>,
  };
}

export function presentActor(views: Views, workspaceId: string, { type, id }: Actor): ActorAnswer {
  const { directory } = views;
  if (type === 'system') return { type, id, name: 'Switchyard' };
  const name = type === 'person' ? directory.people.nameOf(id) : directory.keyName(workspaceId, id);
  return { type, id, name: name ?? null };
}

export function presentActive(views: Views, environment: EnvironmentEntry): ActiveAnswer {
  const { state } = views.activeVersions.environment(environment.id);
  const items = [...state.flows].flatMap(([flowId, { version }]) => {
    const flow = views.directory.flowById(flowId);
    if (version === null || flow === undefined) return [];
    return [{ flowId, slug: flow.slug, kind: flow.kind, ...presentRef(version) }];
  });
  return { environment: environment.slug, release: state.release, items: items.sort(bySlug) };
}

export function presentRef({ versionId, number, digest }: VersionRef) {
  return { versionId, number, digest };
}

export function bySlug(a: { readonly slug: string }, b: { readonly slug: string }): number {
  return a.slug < b.slug ? -1 : a.slug > b.slug ? 1 : 0;
}

/** Without the source of a promotion where the caller may not know of it. */
export function presentRelease(
  views: Views,
  project: Project,
  environmentId: string,
  { event, meta }: DecidedRelease,
  sees: Sees,
): Omit<ReleaseAnswer, 'position'> {
  const slugOf = (id: string): string => project.state.environments.get(id)?.slug ?? id;
  return {
    number: event.release,
    kind: RELEASE_KIND[event.type],
    environment: slugOf(environmentId),
    createdAt: meta.time,
    actor: presentActor(views, project.workspaceId, meta.actor),
    comment: event.comment,
    changes: event.changes.map((change) => presentChange(views, change)),
    ...(event.type === 'VersionsPromoted' &&
      sees(event.source.environmentId) && {
        source: { ...event.source, environment: slugOf(event.source.environmentId) },
      }),
    ...(event.type === 'EnvironmentRolledBack' && { restores: event.restores }),
  };
}

function presentChange(
  views: Views,
  { flowId, from, to }: EnvironmentEvent['changes'][number],
): ChangeAnswer {
  return {
    flowId,
    slug: views.directory.flowById(flowId)?.slug ?? flowId,
    from: from?.versionId ?? null,
    to: to?.versionId ?? null,
    fromNumber: from?.number ?? null,
    toNumber: to?.number ?? null,
    fromDigest: from?.digest ?? null,
    toDigest: to?.digest ?? null,
  };
}
