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
  private readonly held: readonly Held[];
  /** Held without any limit, which is what most keys are asked for. */
  private readonly everywhere: ReadonlySet<Permission>;
  /** The projects that the grants name; undefined where one of them is for all. */
  readonly projects: ReadonlySet<string> | undefined;

  constructor(grants: readonly Grant[]) {
    this.held = grants.map(({ role, projects, environments }) => ({
      permissions: ROLE_PERMISSIONS[role],
      projects: projects && new Set(projects),
      environments: environments && new Set(environments),
    }));
    const unlimited = this.held.filter(({ projects, environments }) => !projects && !environments);
    this.everywhere = new Set(unlimited.flatMap(({ permissions }) => [...permissions]));
    const isForAll = grants.some(({ projects }) => !projects);
    this.projects = isForAll ? undefined : new Set(grants.flatMap(({ projects }) => projects ?? []));
  }

  /** In the whole workspace. */
  has(permission: Permission): boolean {
    return this.everywhere.has(permission);
  }

  /** In some place of the workspace. */
  hasSomewhere(permission: Permission): boolean {
    return this.held.some(({ permissions }) => permissions.has(permission));
  }

  /** On what belongs to a project and to none of its environments, whichever environments a grant names. */
  hasIn(permission: Permission, projectId: string): boolean {
    return (
      this.has(permission) ||
      this.held.some((held) => held.permissions.has(permission) && covers(held.projects, projectId))
    );
  }

  /** In a project with all environments that it has or will have. */
  hasInAllOf(permission: Permission, projectId: string): boolean {
    return this.has(permission) || this.holds(permission, projectId, EVERY);
  }

  /** On an environment of a project. */
  hasOn(permission: Permission, projectId: string, environmentId: string): boolean {
    return this.has(permission) || this.holds(permission, projectId, environmentId);
  }

  /** Whether whoever has this access may give a grant to another key: it allows nothing that is not allowed here. */
  contains({ role, projects, environments }: Grant): boolean {
    const inProjects: readonly Place[] = projects ?? [EVERY];
    const onEnvironments: readonly Place[] = environments ?? [EVERY];
    return [...ROLE_PERMISSIONS[role]].every(
      (permission) =>
        this.has(permission) ||
        inProjects.every((project) =>
          onEnvironments.every((environment) => this.holds(permission, project, environment)),
        ),
    );
  }

  private holds(permission: Permission, project: Place, environment: Place): boolean {
    return this.held.some(
      (held) =>
        held.permissions.has(permission) &&
        covers(held.projects, project) &&
        covers(held.environments, environment),
    );
  }
}

interface Held {
  readonly permissions: ReadonlySet<Permission>;
  readonly projects: ReadonlySet<string> | undefined;
  readonly environments: ReadonlySet<string> | undefined;
}

/** All that there are, and those to come. */
const EVERY = undefined;
type Place = string | typeof EVERY;

/** No limit covers everything. */
function covers(limit: ReadonlySet<string> | undefined, place: Place): boolean {
  return limit === undefined || (place !== EVERY && limit.has(place));
}
