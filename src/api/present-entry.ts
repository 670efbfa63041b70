// An entry of the audit trail as it is answered and exported: the name of its actor is joined on reading, everything
// else is as it was recorded.
import type { LiveViews } from '../read/live-views.js';
import type { AuditEntry } from '../../projections/audit-pages.js';
import type { Project } from '../../projections/projects.js';
import type { AuditEntryAnswer } from './audit.answers.js';
import { presentActor } from './present.js';

export function presentEntry(live: LiveViews, project: Project, entry: AuditEntry): AuditEntryAnswer {
  const { position, time, type, workspace, release, summary, comment, before, after } = entry;
  const { environmentId, environmentSlug, flowId, flowSlug, versionId, versionNumber } = entry;
  const { requestId, correlationId, causationId, ip, userAgent } = entry;
  const actor = { type: entry.actorType, id: entry.actorId };
  return {
    ...{ position, time, type },
    actor: presentActor(live, project, actor),
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
