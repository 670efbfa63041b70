// The difference of two environments, as a promotion would see it: what is only in the source, what differs, what is
// only in the target.
import { placementOf } from '../domain/environment-state.js';
import type { VersionRef } from '../domain/environment.events.js';
import type { EnvironmentEntry } from '../domain/project.js';
import type { Running, Views } from '../read/views.js';
import type { ChangeKind, DiffAnswer, DiffItemAnswer, DiffSummaryAnswer } from './answers.js';
import { bySlug, presentRef } from './present.js';

export function presentDiff(
  views: Views,
  source: EnvironmentEntry,
  target: EnvironmentEntry,
  includeUnchanged: boolean,
): DiffAnswer {
  const { activeVersions } = views;
  const inSource = activeVersions.environment(source.id).state;
  const inTarget = activeVersions.environment(target.id).state;
  const differing = activeVersions.differences.between(source.id, target.id);
  return {
    sourceEnvironment: source.slug,
    targetEnvironment: target.slug,
    sourceRelease: inSource.release,
    targetRelease: inTarget.release,
    ...compare(views, inSource, inTarget, differing, includeUnchanged),
  };
}

/** The rows of a diff, worded as the views have it. `differing` are the ids of the flows that are not the same. */
export function compare(
  views: Views,
  inSource: Running,
  inTarget: Running,
  differing: ReadonlySet<string>,
  includeUnchanged: boolean,
): { readonly summary: DiffSummaryAnswer; readonly items: DiffItemAnswer[] } {
  const row = (flowId: string) =>
    diffItem(views, flowId, placementOf(inSource, flowId).version, placementOf(inTarget, flowId).version);
  const items = [...differing].flatMap(row);
  const count = (change: ChangeKind): number => items.filter((item) => item.change === change).length;
  const summary = {
    added: count('added'),
    changed: count('changed'),
    removed: count('removed'),
    unchanged: 0,
  };
  // Whatever is active in the source and neither added nor changed is the same in the target.
  summary.unchanged = inSource.activeCount - summary.added - summary.changed;
  if (includeUnchanged) {
    for (const flowId of inSource.flows.keys()) if (!differing.has(flowId)) items.push(...row(flowId));
  }
  return { summary, items: items.sort(bySlug) };
}

function diffItem(
  views: Views,
  flowId: string,
  source: VersionRef | null,
  target: VersionRef | null,
): DiffItemAnswer[] {
  const flow = views.directory.flowById(flowId);
  if (flow === undefined || (source === null && target === null)) return [];
  const { slug, name, kind } = flow;
  return [
    {
      ...{ flowId, slug, name, kind },
      change: changeOf(source?.versionId, target?.versionId),
      source: source && presentRef(source),
      target: target && presentRef(target),
    },
  ];
}

function changeOf(source: string | undefined, target: string | undefined): ChangeKind {
  if (target === undefined) return 'added';
  if (source === undefined) return 'removed';
  return source === target ? 'unchanged' : 'changed';
}
