// Grants between what people write and what is stored: they name projects and environments, the log holds ids.
import type { Grant } from '../domain/access.events.js';
import type { FieldError } from '../domain/refused.js';
import type { Directory } from '../../projections/directory.js';
import type { Project } from '../../projections/projects.js';
import type { GrantAnswer } from './keys.answers.js';
import type { GrantBody } from './keys.dto.js';
import { Problem } from './problem.js';
import type { Scope } from './scope.js';

/** Projects and environments that all grants of one key may name together: whoever looks at keys looks at each. */
export const PLACES_MAX = 200;

/**
 * An environment that several of the projects have by that slug is granted in each of them. Whoever administers a part
 * of the workspace names what is in it: of the rest it learns as little as of what never was. Throws `invalid-body`.
 */
export function grantsOf(
  bodies: readonly GrantBody[],
  { workspaceId, access }: Pick<Scope, 'workspaceId' | 'access'>,
  directory: Directory,
): Grant[] {
  refuseTooMany(bodies);
  const isIn = ({ id }: Project) => access.hasIn('administer', id);
  const everywhere = directory.projectsOf(workspaceId).filter(isIn);
  const errors: FieldError[] = [];
  const grants = bodies.map(({ role, projects, environments }, at) => {
    const wrong = (field: string, index: number, what: string) =>
      errors.push({ pointer: `/grants/${at}/${field}/${index}`, detail: `names no ${what}` });
    const named = projects?.flatMap((reference, index) => {
      const found = directory.findProject(workspaceId, reference);
      if (found !== undefined && isIn(found)) return found;
      wrong('projects', index, 'project of this workspace');
      return [];
    });
    const ids = environments?.flatMap((reference, index) => {
      const found = (named ?? everywhere).flatMap((project) => {
        const id = directory.findEnvironment(project, reference)?.id;
        return id !== undefined && access.hasOn('administer', project.id, id) ? id : [];
      });
      if (found.length === 0) wrong('environments', index, 'environment of these projects');
      return found;
    });
    return {
      role,
      ...(named && { projects: [...new Set(named.map(({ id }) => id))] }),
      ...(ids && { environments: [...new Set(ids)] }),
    };
  });
  if (errors.length > 0) throw invalid(errors);
  refuseTooMany(grants);
  return grants;
}

function refuseTooMany(grants: readonly Omit<Grant, 'role'>[]): void {
  let places = 0;
  for (const [at, { projects, environments }] of grants.entries()) {
    places += (projects?.length ?? 0) + (environments?.length ?? 0);
    const detail = `is one too many: a key names up to ${PLACES_MAX} projects and environments, or none for all`;
    if (places > PLACES_MAX) throw invalid([{ pointer: `/grants/${at}`, detail }]);
  }
}

function invalid(errors: readonly FieldError[]): Problem {
  return new Problem('invalid-body', 'The body is not what is expected; see errors.', errors);
}

/** By slug, as everything is called now. */
export function presentGrants(
  grants: readonly Grant[],
  workspaceId: string,
  directory: Directory,
): GrantAnswer[] {
  return grants.map(({ role, projects, environments }) => ({
    role,
    ...(projects && {
      projects: slugsOf(projects, (id) => directory.findProject(workspaceId, id)?.state.slug),
    }),
    ...(environments && {
      environments: slugsOf(environments, (id) => directory.environmentById(id)?.slug),
    }),
  }));
}

function slugsOf(ids: readonly string[], slugOf: (id: string) => string | undefined): string[] {
  return [...new Set(ids.map((id) => slugOf(id) ?? id))];
}
