// From what an identity provider says of a person to what the person may do: the rules of SWITCHYARD_OIDC_ROLES, with
// the names in them looked up as everything is called now. A name that nobody has gives nothing, and never more.
import type { Grant } from '../domain/access.events.js';
import type { RoleRule, RuleGrant } from '../sign-in-config.js';
import type { Directory } from '../../projections/directory.js';
import type { Project } from '../../projections/projects.js';
import type { Workspace } from '../../projections/workspaces.js';

export type Claims = Readonly<Record<string, unknown>>;

/** Told of a name in a rule that nobody has, such as `project shop`. */
export type TellUnknown = (name: string) => void;

export interface Given {
  readonly workspaceId: string;
  /** Empty where no rule gives anything. */
  readonly grants: readonly Grant[];
}

/** A session is of one workspace: the one that was asked for, else that of the first rule that gives something. */
export function givenBy(
  rules: readonly RoleRule[],
  claims: Claims,
  asked: string | null,
  directory: Directory,
  tellUnknown: TellUnknown,
): Given {
  const given = rules
    .filter((rule) => matches(rule, claims))
    .flatMap(({ workspace: slug, grants }) => {
      const id = workspaceOf(slug, directory)?.id;
      if (id === undefined) tellUnknown(`workspace ${slug}`);
      if (id === undefined) return [];
      return grants.flatMap((grant) =>
        granted(grant, id, directory, tellUnknown).map((one) => ({ id, grant: one })),
      );
    });
  const wanted = asked === null ? given[0]?.id : directory.workspaceBySlug(asked)?.id;
  const grants = given.filter(({ id }) => id === wanted).map(({ grant }) => grant);
  return { workspaceId: wanted ?? workspaceOf(undefined, directory)?.id ?? '', grants };
}

function workspaceOf(slug: string | undefined, directory: Directory): Workspace | undefined {
  const found = slug === undefined ? directory.allWorkspaces()[0] : directory.workspaceBySlug(slug);
  return found?.state.archived === true ? undefined : found;
}

/** An address that the provider has not verified may be anybody's. */
function matches({ claim, value }: RoleRule, claims: Claims): boolean {
  if (claim === 'email' && claims['email_verified'] !== true) return false;
  return [valueAt(claim, claims)].flat().some((one) => isPlain(one) && String(one) === value);
}

function isPlain(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}

/** By its own name, which may have dots in it, else by the way to it through objects. */
function valueAt(claim: string, claims: Claims): unknown {
  if (Object.hasOwn(claims, claim)) return claims[claim];
  return claim.split('.').reduce<unknown>((inside, name) => {
    const isInside = typeof inside === 'object' && inside !== null && Object.hasOwn(inside, name);
    return isInside ? (inside as Claims)[name] : undefined;
  }, claims);
}

function granted(
  { role, projects, environments }: RuleGrant,
  workspaceId: string,
  directory: Directory,
  tellUnknown: TellUnknown,
): Grant[] {
  const named = projects?.flatMap((slug) => {
    const project = directory.findProject(workspaceId, slug);
    if (project === undefined) tellUnknown(`project ${slug}`);
    return project ?? [];
  });
  const among: readonly Project[] = named ?? directory.projectsOf(workspaceId);
  const ids = environments?.flatMap((slug) => {
    const found = among.flatMap((project) => directory.findEnvironment(project, slug)?.id ?? []);
    if (found.length === 0) tellUnknown(`environment ${slug}`);
    return found;
  });
  if (named?.length === 0 || ids?.length === 0) return [];
  return [
    {
      role,
      ...(named && { projects: [...new Set(named.map(({ id }) => id))] }),
      ...(ids && { environments: [...new Set(ids)] }),
    },
  ];
}
