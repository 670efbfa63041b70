// A second opinion on who may do what, written down without a look at that of the product: a slip in either shows. What
// a role may, what a route takes and where, and what follows for one request.

export const ROLES = ['viewer', 'resolver', 'editor', 'promoter', 'auditor', 'admin'] as const;
export type Role = (typeof ROLES)[number];

const READS = ['look', 'resolve'];
const ALL = [...READS, 'write', 'switch', 'promote', 'go back', 'audit', 'furnish', 'rule'];

export const MAY: Readonly<Record<Role, readonly string[]>> = {
  viewer: READS,
  resolver: ['resolve'],
  editor: [...READS, 'write', 'switch'],
  promoter: [...READS, 'switch', 'promote', 'go back'],
  auditor: [...READS, 'audit'],
  admin: ALL,
};

/**
 * `any key` · `session`: none of the keys here is one · `somewhere` · `project`: of which any part is enough ·
 * `environment`: and on those that are named · `whole project` · `workspace` · `installation`: the workspace that came
 * first · `key`: and where that key may do something · `entry`: and where that happened.
 */
export type Where =
  | 'any key'
  | 'session'
  | 'somewhere'
  | 'project'
  | 'environment'
  | 'whole project'
  | 'workspace'
  | 'installation'
  | 'key'
  | 'entry';

/** Every route that needs a key, without the project that its path may begin with. */
export const TAKES: Readonly<Record<string, readonly [ability: string, where: Where]>> = {
  'GET /me': ['', 'any key'],
  'GET /session': ['', 'session'],
  'DELETE /session': ['', 'session'],
  'GET /sessions': ['', 'any key'],
  'DELETE /sessions/:session': ['', 'any key'],
  'DELETE /people/:person': ['rule', 'workspace'],
  'POST /keys': ['rule', 'somewhere'],
  'GET /keys': ['rule', 'somewhere'],
  'GET /keys/:key': ['rule', 'key'],
  'DELETE /keys/:key': ['rule', 'key'],
  'POST /keys/:key/rotate': ['rule', 'key'],
  'GET /workspaces': ['rule', 'installation'],
  'POST /workspaces': ['rule', 'installation'],
  'GET /workspaces/:workspace': ['rule', 'installation'],
  'PATCH /workspaces/:workspace': ['rule', 'installation'],
  'POST /workspaces/:workspace/archive': ['rule', 'installation'],
  'POST /workspaces/:workspace/restore': ['rule', 'installation'],
  'GET /projects': ['look', 'somewhere'],
  'POST /projects': ['rule', 'workspace'],
  'GET /projects/:project': ['look', 'project'],
  'PATCH /projects/:project': ['furnish', 'whole project'],
  'POST /projects/:project/archive': ['rule', 'workspace'],
  'POST /projects/:project/restore': ['rule', 'workspace'],
  'GET /environments': ['look', 'project'],
  'POST /environments': ['furnish', 'whole project'],
  'GET /environments/default': ['look', 'project'],
  'PUT /environments/default': ['furnish', 'whole project'],
  'GET /environments/diff': ['look', 'environment'],
  'GET /environments/:environment': ['look', 'environment'],
  'PATCH /environments/:environment': ['furnish', 'whole project'],
  'POST /environments/:environment/archive': ['furnish', 'whole project'],
  'POST /environments/:environment/restore': ['furnish', 'whole project'],
  'GET /environments/:environment/active': ['look', 'environment'],
  'GET /environments/:environment/history': ['look', 'environment'],
  'GET /environments/:environment/releases': ['look', 'environment'],
  'GET /environments/:environment/releases/:number': ['look', 'environment'],
  'POST /environments/promote': ['promote', 'environment'],
  'POST /environments/:environment/rollback': ['go back', 'environment'],
  'GET /diff': ['look', 'environment'],
  'GET /flows': ['look', 'project'],
  'POST /flows': ['write', 'project'],
  'GET /flows/:flow': ['look', 'project'],
  'PATCH /flows/:flow': ['write', 'project'],
  'POST /flows/:flow/archive': ['write', 'project'],
  'GET /flows/:flow/history': ['look', 'environment'],
  'GET /flows/:flow/resolve': ['resolve', 'environment'],
  'GET /flows/:flow/versions': ['look', 'project'],
  'POST /flows/:flow/versions': ['write', 'project'],
  'GET /flows/:flow/versions/:version': ['look', 'project'],
  'PATCH /flows/:flow/versions/:version': ['write', 'project'],
  'POST /flows/:flow/versions/:version/fork': ['write', 'project'],
  'GET /flows/:flow/versions/:a/diff/:b': ['look', 'project'],
  'POST /flows/:flow/versions/:version/environments': ['switch', 'environment'],
  'DELETE /flows/:flow/environments/:environment': ['switch', 'environment'],
  'GET /events': ['look', 'environment'],
  'GET /audit': ['audit', 'somewhere'],
  'GET /audit/export': ['audit', 'somewhere'],
  'GET /audit/:position': ['audit', 'entry'],
  'GET /audit/checkpoint': ['audit', 'workspace'],
  'GET /audit/checkpoints': ['audit', 'workspace'],
  'GET /audit/evidence': ['audit', 'workspace'],
  'GET /audit/keys': ['audit', 'workspace'],
  'GET /audit/proof/inclusion': ['audit', 'workspace'],
  'GET /audit/proof/consistency': ['audit', 'workspace'],
  'GET /views': ['rule', 'workspace'],
  'POST /views/rebuild': ['rule', 'installation'],
  'GET /metrics': ['look', 'installation'],
};

/** A route as it is registered, by its row; a project in the path of most routes says where, and no more. */
export function rowOf(method: string, path: string): string {
  const known = `${method} ${path.replace(/^\/api\/v1/, '')}`;
  return known in TAKES ? known : known.replace(' /projects/:project/', ' /');
}

export interface Grant {
  readonly role: Role;
  readonly projects?: readonly string[];
  readonly environments?: readonly string[];
}

export interface Holder {
  readonly name: string;
  readonly works: boolean;
  /** Of the workspace that came first. */
  readonly isFirst: boolean;
  /** One that is asked about everything, also about what is hidden from it. */
  readonly isPlain: boolean;
  readonly grants: readonly Grant[];
}

/** What one request is about. Environments bear names that no other project has. */
export interface About {
  /** The slug of the project; undefined for one that is not of this workspace. */
  readonly project: string | undefined;
  /** Whether the path names it. */
  readonly isNamed: boolean;
  /** Each with what it takes there, in the order in which they are looked at; `nowhere` is none. */
  readonly environments: readonly (readonly [name: string, ability: string])[];
  /** Where the key or the entry lies that is asked for. */
  readonly lies?: { readonly project?: string; readonly environment?: string; readonly isForeign?: boolean };
}

export const NOWHERE = 'neverthere';
export const HOME = 'default';
export const OTHER_PROJECT = 'other-project';

/** The status that follows, 200 standing for every success. */
export function expected(row: string, holder: Holder, about: About): 200 | 401 | 403 | 404 {
  const [ability, where] = TAKES[row] ?? ['', 'any key'];
  const { grants, works, isFirst } = holder;
  if (!works || where === 'session') return 401;
  const reaches = ({ projects }: Grant) => projects?.includes(about.project ?? '') ?? true;
  if (about.isNamed && (about.project === undefined || !grants.some(reaches))) return 404;
  if (where === 'any key') return about.lies?.isForeign === true ? 404 : 200;
  const able = grants.filter(({ role }) => MAY[role].includes(ability));
  const isAnywhere = where === 'somewhere' || where === 'key' || where === 'entry';
  const isWide = where === 'workspace' || where === 'installation';
  const here = isAnywhere
    ? able
    : isWide
      ? able.filter(({ projects, environments }) => !projects && !environments)
      : able.filter((one) => reaches(one) && (where !== 'whole project' || !one.environments));
  if (here.length === 0 || (where === 'installation' && !isFirst)) return 403;
  for (const [name, what] of about.environments) {
    const held = grants.filter((one) => MAY[one.role].includes(what) && reaches(one));
    if (!held.some(({ environments }) => environments?.includes(name) ?? true)) return 403;
    if (name === NOWHERE) return 404;
  }
  return about.lies === undefined || able.some((one) => covers(one, about.lies ?? {})) ? 200 : 404;
}

function covers(grant: Grant, { project, environment, isForeign }: NonNullable<About['lies']>): boolean {
  const isInProject = grant.projects?.includes(project ?? '') ?? true;
  const isInEnvironment = grant.environments?.includes(environment ?? '') ?? true;
  return isForeign !== true && isInProject && isInEnvironment;
}
