// What a key may do. A role is a set of permissions, and a grant gives a role in some projects and environments, or in
// all of them. Everything that is ever allowed or denied follows from this one table.
import type { Grant, Role } from './access.events.js';

export const PERMISSIONS = [
  /** What there is, what runs where, and what changed. */
  'read',
  /** Which version runs, with its content. */
  'resolve',
  /** Flows and versions. */
  'edit',
  'activate',
  'promote',
  'roll-back',
  /** The audit trail, its exports, proofs and evidence. */
  'audit',
  /** Environments, and the settings of a project. */
  'manage',
  /** Keys, projects, and the server itself. */
  'administer',
] as const;

export type Permission = (typeof PERMISSIONS)[number];

export const ROLE_PERMISSIONS: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  viewer: new Set(['read', 'resolve']),
  resolver: new Set(['resolve']),
  editor: new Set(['read', 'resolve', 'edit', 'activate']),
  promoter: new Set(['read', 'resolve', 'activate', 'promote', 'roll-back']),
  auditor: new Set(['read', 'resolve', 'audit']),
  admin: new Set(PERMISSIONS),
};

/** All that the grants of one key allow in its workspace. */
export class Access {
  /** Held without any limit, which is what most keys are asked for. */
  private readonly everywhere: ReadonlySet<Permission>;
  private readonly limited = new Map<Permission, Area[]>();
  /** The projects that the grants name; undefined where one of them is for all. */
  readonly projects: ReadonlySet<string> | undefined;

  constructor(grants: readonly Grant[]) {
    const unlimited = grants.filter(({ projects, environments }) => !projects && !environments);
    this.everywhere = new Set(unlimited.flatMap(({ role }) => [...ROLE_PERMISSIONS[role]]));
    for (const { role, projects, environments } of [...grants].sort(widerFirst)) {
      if (!projects && !environments) continue;
      const area = {
        projects: projects && new Set(projects),
        environments: environments && new Set(environments),
      };
      for (const permission of ROLE_PERMISSIONS[role]) {
        const areas = this.limited.get(permission);
        if (areas === undefined) this.limited.set(permission, [area]);
        else areas.push(area);
      }
    }
    const isForAll = grants.some(({ projects }) => !projects);
    this.projects = isForAll ? undefined : new Set(grants.flatMap(({ projects }) => projects ?? []));
  }

  /** In the whole workspace. */
  has(permission: Permission): boolean {
    return this.everywhere.has(permission);
  }

  /** In some place of the workspace. */
  hasSomewhere(permission: Permission): boolean {
    return this.has(permission) || this.limited.has(permission);
  }

  /** On what belongs to a project and to none of its environments, whichever environments a grant names. */
  hasIn(permission: Permission, projectId: string): boolean {
    return this.has(permission) || this.areas(permission).some((area) => covers(area.projects, projectId));
  }

  /** In a project with all environments that it has or will have. */
  hasInAllOf(permission: Permission, projectId: string): boolean {
    return this.has(permission) || this.holds(permission, projectId, EVERY);
  }

  /** On an environment of a project. */
  hasOn(permission: Permission, projectId: string, environmentId: string): boolean {
    return this.has(permission) || this.holds(permission, projectId, environmentId);
  }

  /** Wherever a grant is for. */
  hasWherever(permission: Permission, { projects, environments }: Omit<Grant, 'role'>): boolean {
    return (
      this.has(permission) || coverAll(this.areas(permission), projects ?? [EVERY], environments ?? [EVERY])
    );
  }

  /** Whether whoever has this access may give a grant to another key: it allows nothing that is not allowed here. */
  contains(grant: Grant): boolean {
    return [...ROLE_PERMISSIONS[grant.role]].every((permission) => this.hasWherever(permission, grant));
  }

  private holds(permission: Permission, projectId: string, environment: Place): boolean {
    return this.areas(permission).some(
      (area) => covers(area.projects, projectId) && covers(area.environments, environment),
    );
  }

  private areas(permission: Permission): readonly Area[] {
    return this.limited.get(permission) ?? [];
  }
}

/** The environments of a grant in the projects of it. */
interface Area {
  readonly projects: ReadonlySet<string> | undefined;
  readonly environments: ReadonlySet<string> | undefined;
}

/** What a wide one covers need not be looked for in many small ones. */
function widerFirst(a: Grant, b: Grant): number {
  return widthOf(b) - widthOf(a);
}

function widthOf({ projects, environments }: Grant): number {
  return (projects?.length ?? WIDE) * (environments?.length ?? WIDE);
}

/** More than any grant names. */
const WIDE = 1_000_000;

/** All that there are, and those to come. */
const EVERY = undefined;
type Place = string | typeof EVERY;

/** No limit covers everything. */
function covers(limit: ReadonlySet<string> | undefined, place: Place): boolean {
  return limit === undefined || (place !== EVERY && limit.has(place));
}

/**
 * Whether areas, from one on, cover each of the environments in each of the projects: what the first one leaves, the
 * others have to. To ask of every environment in every project would cost the product of them.
 */
function coverAll(
  areas: readonly Area[],
  projects: readonly Place[],
  environments: readonly Place[],
  from = 0,
): boolean {
  if (projects.length === 0 || environments.length === 0) return true;
  const area = areas[from];
  if (area === undefined) return false;
  const beside = projects.filter((project) => !covers(area.projects, project));
  if (!coverAll(areas, beside, environments, from + 1)) return false;
  if (beside.length === projects.length) return true;
  const within = projects.filter((project) => covers(area.projects, project));
  const left = environments.filter((environment) => !covers(area.environments, environment));
  return coverAll(areas, within, left, from + 1);
}
