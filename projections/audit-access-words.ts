// Workspaces and keys in one plain sentence each. Neither a key nor the hash of one is ever repeated.
import type { AccessEvent, Grant } from '../src/domain/access.events.js';
import { unreachable } from '../src/domain/decider.js';
import type { Knowledge, Told } from './audit-told.js';

type Known = Knowledge['known'];

/** A sentence names so many of what it could list, and counts the rest. */
const NAMED_MAX = 3;

/** `id` is that of the workspace. */
export function toldOfAccess(event: AccessEvent, id: string, { known }: Knowledge): Told {
  const was = known(id);
  switch (event.type) {
    case 'WorkspaceCreated': {
      const { slug, name } = event;
      const learned = { id, known: { slug, name } };
      return { summary: `Workspace ${slug} was created`, after: { slug, name }, learned };
    }
    case 'WorkspaceRenamed': {
      const { name } = event;
      const summary = `Workspace ${was.slug} was renamed to "${name}"`;
      return {
        summary,
        before: { name: was.name },
        after: { name },
        learned: { id, known: { ...was, name } },
      };
    }
    case 'WorkspaceArchived':
      return { summary: `Workspace ${was.slug} was archived`, ...archived(false, true) };
    case 'WorkspaceRestored':
      return { summary: `Workspace ${was.slug} was restored`, ...archived(true, false) };
    default:
      return toldOfKey(event, known);
  }
}

type KeyEvent = Extract<AccessEvent, { readonly keyId: string }>;

function toldOfKey(event: KeyEvent, known: Known): Told {
  const { keyId } = event;
  const was = known(keyId).name;
  switch (event.type) {
    case 'ApiKeyIssued': {
      const { name, grants, prefix, expiresAt } = event;
      const learned = { id: keyId, known: { slug: name, name } };
      const until = expiresAt === undefined ? '' : ` until ${expiresAt}`;
      const after = { keyId, name, grants, ...(prefix && { prefix }), ...(expiresAt && { expiresAt }) };
      return { summary: `API key ${name} was issued${inWords(grants, known)}${until}`, after, learned };
    }
    case 'ApiKeyRotated': {
      const { prefix, previousUntil } = event;
      const summary = `API key ${was} was rotated; its secret of before works until ${previousUntil}`;
      return { summary, after: { keyId, prefix, previousUntil } };
    }
    case 'ApiKeyRevoked':
      return { summary: `API key ${was} was revoked`, before: { keyId, name: was } };
    case 'ApiKeyUsed':
      return { summary: `API key ${was} was in use on ${event.day}`, after: { keyId, usedOn: event.day } };
    default:
      return unreachable(event);
  }
}

function archived(before: boolean, after: boolean) {
  return { before: { archived: before }, after: { archived: after } };
}

/** As in `(promoter on production in shop, viewer)`. */
export function inWords(grants: readonly Grant[], known: Known): string {
  if (grants.length === 0) return '';
  const named = grants.slice(0, NAMED_MAX).map(({ role, projects, environments }) => {
    const on = environments === undefined ? '' : ` on ${listed(environments, 'environments', known)}`;
    return `${role}${on}${projects === undefined ? '' : ` in ${listed(projects, 'projects', known)}`}`;
  });
  const more = grants.length - named.length;
  return ` (${named.join(', ')}${more === 0 ? '' : ` and ${more} more`})`;
}

function listed(ids: readonly string[], what: string, known: Known): string {
  if (ids.length > NAMED_MAX) return `${ids.length} ${what}`;
  return ids.map((id) => known(id).slug).join(' and ');
}
