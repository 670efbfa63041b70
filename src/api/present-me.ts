// Who is calling, and what the caller may do: of a key, and of somebody who has signed in.
import { PERMISSIONS } from '../domain/permissions.js';
import type { Directory } from '../../projections/directory.js';
import { presentGrants } from './grants.js';
import type { MeAnswer } from './keys.answers.js';
import type { Scope } from './scope.js';

export function presentMe({ principal, projectIfAny }: Scope, directory: Directory): MeAnswer {
  const { actor, access, grants, workspaceId, worksUntil } = principal;
  const workspace = directory.workspace(workspaceId);
  if (workspace === undefined) throw new Error('Broken promise: whoever calls belongs to a workspace');
  return {
    ...{ id: actor.id, type: actor.type === 'person' ? 'person' : 'api-key' },
    name: principal.name ?? directory.people.nameOf(actor.id) ?? null,
    workspace: placeOf(workspace),
    project: projectIfAny === undefined ? null : placeOf(projectIfAny),
    grants: presentGrants(grants, workspaceId, directory),
    permissions: PERMISSIONS.filter((permission) => access.hasSomewhere(permission)),
    expiresAt: worksUntil === Infinity ? null : new Date(worksUntil).toISOString(),
    administersInstallation: access.has('administer') && directory.isFirst(workspaceId),
  };
}

interface Place {
  readonly id: string;
  readonly state: { readonly slug: string; readonly name: string };
}

function placeOf({ id, state: { slug, name } }: Place) {
  return { id, slug, name };
}
