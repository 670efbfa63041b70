// An entry of the audit trail as it is answered and exported: the name of its actor is joined on reading, everything
// else is as it was recorded.
import type { LiveViews } from '../read/live-views.js';
import type { AuditEntry } from '../../projections/audit-pages.js';
import type { AuditEntryAnswer } from './audit.answers.js';
import type { AuditReach } from './audit-reach.js';
import { presentActor } from './present.js';

/**
 * An entry that names another environment, which the caller may not know of, is told without it: with a summary of its
 * own, and without the states before and after.
 */
export function presentEntry(live: LiveViews, entry: AuditEntry, reach: AuditReach): AuditEntryAnswer {
  const { position, time, type, workspace, release, comment } = entry;
  const isWhole = entry.alsoNames === null || reach.includes(entry.project, entry.alsoNames);
  const { summary, before, after } = isWhole
    ? entry
    : { summary: entry.summaryAlone ?? '', before: null, after: null };
  const { environmentId, environmentSlug, flowId, flowSlug, versionId, versionNumber } = entry;
  const { requestId, correlationId, causationId, ip, userAgent } = entry;
  const actor = { type: entry.actorType, id: entry.actorId };
  return {
    ...{ position, time, type },
    actor: presentActor(live, workspace, actor),
    ...{ workspace, project: entry.project },
    ...(environmentId !== null && { environment: { id: environmentId, slug: environmentSlug ?? '' } }),
    ...(flowId !== null && { flow: { id: flowId, slug: flowSlug ?? '' } }),
    ...(versionId !== null && { version: { id: versionId, number: versionNumber ?? 0 } }),
    ...(release !== null && { release }),
    ...{ summary, comment, before: stateIn(before), after: stateIn(after) },
    ...{ requestId, correlationId, causationId, ip, userAgent },
    outcome: type === 'AttemptDenied' ? 'denied' : 'success',
  };
}

function stateIn(text: string | null): Record<string, unknown> | null {
  return text === null ? null : (JSON.parse(text) as Record<string, unknown>);
}
