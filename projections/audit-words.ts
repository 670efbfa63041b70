// Every stored event in one plain sentence, and the smallest states before and after that show what it changed. Things
// are named as they were called when it happened; nothing that has to stay secret or is long is repeated.
import type { AuditEvent } from '../src/domain/audit.events.js';
import { unreachable } from '../src/domain/decider.js';
import type { DomainEvent } from '../src/domain/events.js';
import type { FlowEvent } from '../src/domain/flow.events.js';
import type { ProjectEvent, WithoutEnvironment } from '../src/domain/project.events.js';
import type { SlugReserved } from '../src/domain/slug.events.js';
import { toldOfAccess } from './audit-access-words.js';
import { toldOfRelease } from './audit-release-words.js';
import { toldOfSession } from './audit-session-words.js';
import type { Knowledge, Known, Told } from './audit-told.js';

/** `id` is that in the event's stream. */
export function toldOf(event: DomainEvent, id: string, knowledge: Knowledge): Told {
  switch (event.type) {
    case 'WorkspaceSlugReserved':
    case 'ProjectSlugReserved':
    case 'FlowSlugReserved':
      return toldOfSlug(event);
    case 'WorkspaceCreated':
    case 'WorkspaceRenamed':
    case 'WorkspaceArchived':
    case 'WorkspaceRestored':
    case 'ApiKeyIssued':
    case 'ApiKeyRotated':
    case 'ApiKeyRevoked':
    case 'ApiKeyUsed':
      return toldOfAccess(event, id, knowledge);
    case 'ProjectCreated':
    case 'ProjectRenamed':
    case 'ProjectArchived':
    case 'ProjectRestored':
    case 'ResolutionPolicySet':
    case 'EnvironmentCreated':
    case 'EnvironmentRenamed':
    case 'EnvironmentDescribed':
    case 'EnvironmentArchived':
    case 'EnvironmentRestored':
    case 'DefaultEnvironmentSet':
      return toldOfProject(event, id, knowledge);
    case 'FlowCreated':
    case 'FlowRenamed':
    case 'FlowArchived':
    case 'VersionDrafted':
    case 'VersionEdited':
    case 'VersionLocked':
      return { flowId: id, ...toldOfFlow(event, id, knowledge) };
    case 'VersionActivated':
    case 'VersionDeactivated':
    case 'VersionsPromoted':
    case 'EnvironmentRolledBack':
      return toldOfRelease(event, id, knowledge);
    case 'CommandAnswered': {
      const { status } = event;
      return {
        summary: `The answer (${status}) to a command with an idempotency key was kept`,
        after: { status },
      };
    }
    case 'SigningKeyAnnounced':
    case 'LogRestored':
    case 'AttemptDenied':
      return toldOfRecord(event);
    case 'SessionOpened':
    case 'SessionClosed':
    case 'PersonErased':
      return toldOfSession(event, id, knowledge);
    default:
      return unreachable(event);
  }
}

export function toldOfUnknown(type: string): Told {
  return { summary: `An event of a newer version, ${type}, was recorded` };
}

function toldOfSlug(event: SlugReserved): Told {
  const { slug } = event;
  switch (event.type) {
    case 'WorkspaceSlugReserved':
      return { summary: `The slug ${slug} was reserved for a workspace`, after: { slug } };
    case 'ProjectSlugReserved':
      return { summary: `The slug ${slug} was reserved for a project`, after: { slug } };
    case 'FlowSlugReserved': {
      const learned = { id: event.flowId, known: { slug, name: slug } };
      const summary = `The slug ${slug} was reserved for a flow`;
      return { summary, after: { slug }, flowId: event.flowId, learned };
    }
    default:
      return unreachable(event);
  }
}

const WITHOUT_ENVIRONMENT: Readonly<Record<WithoutEnvironment, string>> = {
  'first-active': 'now resolve to what the environment runs where they were first active',
  latest: 'now resolve to their latest versions',
};

function toldOfProject(event: ProjectEvent, id: string, knowledge: Knowledge): Told {
  const was = knowledge.known(id);
  const learn = (now: Partial<Known>) => ({ id, known: { ...was, ...now } });
  switch (event.type) {
    case 'ProjectCreated': {
      const { type: _, ...after } = event;
      return { summary: `Project ${event.slug} was created`, after, learned: learn(after) };
    }
    case 'ProjectRenamed': {
      const { name } = event;
      const summary = `Project ${was.slug} was renamed to "${name}"`;
      return { summary, before: { name: was.name }, after: { name }, learned: learn({ name }) };
    }
    case 'ProjectArchived':
      return { summary: `Project ${was.slug} was archived`, ...fromTo('archived', false, true) };
    case 'ProjectRestored':
      return { summary: `Project ${was.slug} was restored`, ...fromTo('archived', true, false) };
    case 'ResolutionPolicySet': {
      const { withoutEnvironment } = event;
      const resolve = WITHOUT_ENVIRONMENT[withoutEnvironment];
      return {
        summary: `Without an environment, flows of project ${was.slug} ${resolve}`,
        before: was.withoutEnvironment === undefined ? null : { withoutEnvironment: was.withoutEnvironment },
        after: { withoutEnvironment },
        learned: learn({ withoutEnvironment }),
      };
    }
    case 'DefaultEnvironmentSet': {
      const { environmentId } = event;
      const slugOf = (one: string | null) => one && knowledge.known(one).slug;
      const before = slugOf(was.defaultEnvironment ?? null);
      const after = slugOf(environmentId);
      const place = before === null ? '' : ` in place of ${before}`;
      return {
        summary:
          after === null
            ? `There is no default environment any more${before === null ? '' : `: it was ${before}`}`
            : `${after} became the default environment${place}`,
        before: { defaultEnvironment: before },
        after: { defaultEnvironment: after },
        environmentId,
        ...(was.defaultEnvironment && {
          alsoNames: {
            environmentId: was.defaultEnvironment,
            summaryAlone:
              after === null
                ? 'There is no default environment any more'
                : `${after} became the default environment`,
          },
        }),
        learned: learn({ defaultEnvironment: environmentId }),
      };
    }
    default:
      return { environmentId: event.environmentId, ...toldOfEnvironment(event, knowledge) };
  }
}

type EnvironmentChange = Extract<ProjectEvent, { readonly type: `Environment${string}` }>;

function toldOfEnvironment(event: EnvironmentChange, { known }: Knowledge): Told {
  const { environmentId: id } = event;
  const was = known(id);
  switch (event.type) {
    case 'EnvironmentCreated': {
      const { type: _, environmentId: _id, ...after } = event;
      return { summary: `Environment ${event.slug} was created`, after, learned: { id, known: after } };
    }
    case 'EnvironmentRenamed': {
      const { slug, name } = event;
      const now = slug === was.slug ? `"${name}"` : slug;
      return {
        summary: `Environment ${was.slug} was renamed to ${now}`,
        before: { slug: was.slug, name: was.name },
        after: { slug, name },
        learned: { id, known: { ...was, slug, name } },
      };
    }
    case 'EnvironmentDescribed': {
      const { description, color } = event;
      return {
        summary: `Environment ${was.slug} was described anew`,
        before: { description: was.description ?? null, color: was.color ?? null },
        after: { description, color },
        learned: { id, known: { ...was, description, color } },
      };
    }
    case 'EnvironmentArchived':
      return { summary: `Environment ${was.slug} was archived`, ...fromTo('archived', false, true) };
    case 'EnvironmentRestored':
      return { summary: `Environment ${was.slug} was restored`, ...fromTo('archived', true, false) };
    default:
      return unreachable(event);
  }
}

function toldOfFlow(event: FlowEvent, id: string, knowledge: Knowledge): Told {
  const was = knowledge.known(id);
  switch (event.type) {
    case 'FlowCreated': {
      const { slug, name, kind } = event;
      const summary = `Flow ${slug} was created (kind ${kind})`;
      return { summary, after: { slug, name, kind }, learned: { id, known: { slug, name } } };
    }
    case 'FlowRenamed': {
      const { name } = event;
      const learned = { id, known: { ...was, name } };
      return {
        summary: `Flow ${was.slug} was renamed to "${name}"`,
        ...fromTo('name', was.name, name),
        learned,
      };
    }
    case 'FlowArchived':
      return { summary: `Flow ${was.slug} was archived`, ...fromTo('archived', false, true) };
    case 'VersionDrafted':
    case 'VersionEdited': {
      const { versionId, number, digest, label, comment } = event;
      const draft = { digest, label, comment };
      const text = { comment, version: { id: versionId, number }, draft: { versionId, draft } };
      if (event.type === 'VersionEdited') {
        const before = knowledge.draft(versionId);
        return { ...text, summary: `${was.slug} version ${number} was edited`, before, after: draft };
      }
      const { forkedFrom } = event;
      const summary = `${was.slug} version ${number} was drafted${forkedFrom === null ? '' : ' as a fork'}`;
      return { ...text, summary, after: { ...draft, forkedFrom } };
    }
    case 'VersionLocked': {
      const { versionId, number } = event;
      return {
        summary: `${was.slug} version ${number} was locked`,
        ...fromTo('state', 'draft', 'locked'),
        version: { id: versionId, number },
        draft: { versionId, draft: null },
      };
    }
    default:
      return unreachable(event);
  }
}

function toldOfRecord(event: AuditEvent): Told {
  switch (event.type) {
    case 'SigningKeyAnnounced': {
      const { publicKey } = event;
      const name = publicKey.split('+').slice(0, 2).join('+');
      return { summary: `The signing key ${name} was announced`, after: { publicKey } };
    }
    case 'LogRestored': {
      const { comment, type: _, ...after } = event;
      const { survived, known, epoch } = event;
      const summary = `The log was restored with ${survived} of ${known} events, and epoch ${epoch} began`;
      return { summary, comment, after };
    }
    case 'AttemptDenied': {
      const { code, method, route, environmentId, leftOut } = event;
      const more = leftOut === 0 ? '' : ` (${leftOut} more ${leftOut === 1 ? 'was' : 'were'} left out)`;
      return { summary: `An attempt was denied: ${code} on ${method} ${route}${more}`, environmentId };
    }
    default:
      return unreachable(event);
  }
}

function fromTo<Value>(name: string, before: Value, after: Value) {
  return { before: { [name]: before }, after: { [name]: after } };
}
