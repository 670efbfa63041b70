// Which permission each route takes, and where the key has to hold it. The one table of it: a route without a row here
// stops the start, and the tests of isolation are made from it.
import type { FastifyInstance, onRequestHookHandler } from 'fastify';
import { openedAt } from '../commands/open-session.js';
import type { Permission } from '../domain/permissions.js';
import { Refused } from '../domain/refused.js';
import type { Directory } from '../../projections/directory.js';
import { isOpen, scopeIn } from './access.js';
import { Problem } from './problem.js';
import { forbidden, type Scope } from './scope.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What it does is done in a project, whether the path names one or not. */
    isInProject?: boolean;
  }
}

/**
 * `workspace`: without any limit. `installation`: so in the workspace that came first. `whole project`: with all its
 * environments. `project`: whichever environments a grant names. `environment`: as `project`, and then on the
 * environments that the request names. `somewhere`: in any place; the route shows or changes what lies there.
 */
export type Reach = 'installation' | 'workspace' | 'whole project' | 'project' | 'environment' | 'somewhere';

export interface Requirement {
  readonly permission: Permission;
  readonly on: Reach;
}

/** By method and path, without `/api/v1` and without the project that most of them may name. */
export const REQUIREMENTS: Readonly<Record<string, Requirement | 'any key' | 'a session'>> = {
  'GET /me': 'any key',
  'GET /session': 'a session',
  'DELETE /session': 'a session',
  'GET /sessions': 'any key',
  'DELETE /sessions/:session': 'any key',
  'DELETE /people/:person': on('workspace', 'administer'),
  'POST /keys': on('somewhere', 'administer'),
  'GET /keys': on('somewhere', 'administer'),
  'GET /keys/:key': on('somewhere', 'administer'),
  'DELETE /keys/:key': on('somewhere', 'administer'),
  'POST /keys/:key/rotate': on('somewhere', 'administer'),
  'POST /workspaces': on('installation', 'administer'),
  'GET /workspaces': on('installation', 'administer'),
  'GET /workspaces/:workspace': on('installation', 'administer'),
  'PATCH /workspaces/:workspace': on('installation', 'administer'),
  'POST /workspaces/:workspace/archive': on('installation', 'administer'),
  'POST /workspaces/:workspace/restore': on('installation', 'administer'),
  'POST /projects': on('workspace', 'administer'),
  'GET /projects': on('somewhere', 'read'),
  'GET /projects/:project': on('project', 'read'),
  'PATCH /projects/:project': on('whole project', 'manage'),
  'POST /projects/:project/archive': on('workspace', 'administer'),
  'POST /projects/:project/restore': on('workspace', 'administer'),
  'POST /environments': on('whole project', 'manage'),
  'GET /environments': on('project', 'read'),
  'GET /environments/diff': on('environment', 'read'),
  'GET /environments/default': on('project', 'read'),
  'PUT /environments/default': on('whole project', 'manage'),
  'GET /environments/:environment': on('environment', 'read'),
  'PATCH /environments/:environment': on('whole project', 'manage'),
  'POST /environments/:environment/archive': on('whole project', 'manage'),
  'POST /environments/:environment/restore': on('whole project', 'manage'),
  'GET /environments/:environment/active': on('environment', 'read'),
  'GET /environments/:environment/history': on('environment', 'read'),
  'GET /environments/:environment/releases': on('environment', 'read'),
  'GET /environments/:environment/releases/:number': on('environment', 'read'),
  'POST /environments/promote': on('environment', 'promote'),
  'POST /environments/:environment/rollback': on('environment', 'roll-back'),
  'GET /diff': on('environment', 'read'),
  'POST /flows': on('project', 'edit'),
  'GET /flows': on('project', 'read'),
  'GET /flows/:flow': on('project', 'read'),
  'PATCH /flows/:flow': on('project', 'edit'),
  'POST /flows/:flow/archive': on('project', 'edit'),
  'GET /flows/:flow/history': on('project', 'read'),
  'GET /flows/:flow/resolve': on('environment', 'resolve'),
  'POST /flows/:flow/versions': on('project', 'edit'),
  'GET /flows/:flow/versions': on('project', 'read'),
  'GET /flows/:flow/versions/:version': on('project', 'read'),
  'PATCH /flows/:flow/versions/:version': on('project', 'edit'),
  'POST /flows/:flow/versions/:version/fork': on('project', 'edit'),
  'GET /flows/:flow/versions/:a/diff/:b': on('project', 'read'),
  'POST /flows/:flow/versions/:version/environments': on('environment', 'activate'),
  'DELETE /flows/:flow/environments/:environment': on('environment', 'activate'),
  'GET /events': on('project', 'read'),
  'GET /audit': on('somewhere', 'audit'),
  'GET /audit/:position': on('somewhere', 'audit'),
  'GET /audit/export': on('somewhere', 'audit'),
  'GET /audit/checkpoint': on('workspace', 'audit'),
  'GET /audit/checkpoints': on('workspace', 'audit'),
  'GET /audit/proof/inclusion': on('workspace', 'audit'),
  'GET /audit/proof/consistency': on('workspace', 'audit'),
  'GET /audit/keys': on('workspace', 'audit'),
  'GET /audit/evidence': on('workspace', 'audit'),
  'GET /views': on('workspace', 'administer'),
  'POST /views/rebuild': on('installation', 'administer'),
  'GET /metrics': on('installation', 'read'),
};

/** Whoever sits down at a browser that was left alone gets no key, and ends no key and no session elsewhere. */
const AFTER_SIGN_IN: ReadonlySet<string> = new Set([
  'POST /keys',
  'DELETE /keys/:key',
  'POST /keys/:key/rotate',
  'POST /workspaces',
  'DELETE /sessions/:session',
]);
const RECENT_MS = 30 * 60_000;

const IN_PROJECT: ReadonlySet<Reach> = new Set(['whole project', 'project', 'environment']);

/** What still answers for a project that is archived: whatever changes nothing, and its restoration. */
const ON_ARCHIVED: ReadonlySet<Permission> = new Set(['read', 'audit', 'administer']);

/** Has to be called before the first route is registered. */
export function guardRoutes(instance: FastifyInstance, directory: () => Directory): void {
  instance.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) {
      if (isOpen(method, route.url)) return;
      const requirement = requirementOf(method, route.url);
      if (requirement === undefined)
        throw new Error(`Broken promise: nobody said who may ${method} ${route.url}`);
      if (AFTER_SIGN_IN.has(rowOf(method, route.url))) {
        route.preHandler = [...[route.preHandler ?? []].flat(), checked(checkRecent)];
      }
      if (requirement === 'any key') return;
      const permitted = checked((scope, path) => {
        if (requirement === 'a session') return checkSignedIn(scope);
        checkHeld(requirement, scope, directory());
        if (requirement.on === 'environment') checkNamed(requirement, scope, path);
      });
      route.onRequest = [...[route.onRequest ?? []].flat(), permitted];
      if (requirement === 'a session') return;
      const isInProject = IN_PROJECT.has(requirement.on) || route.url.includes('/:project');
      route.config = { ...route.config, isInProject };
      if (ON_ARCHIVED.has(requirement.permission)) return;
      // Once it is known whether the command was carried out before its project was archived.
      route.preHandler = [...[route.preHandler ?? []].flat(), checked(checkOpen)];
    }
  });
}

function checked(check: (scope: Scope, path: PathParts) => void): onRequestHookHandler {
  return (request, _reply, done) => {
    try {
      check(scopeIn(request), request.params as PathParts);
      done();
    } catch (error) {
      done(error as Error);
    }
  };
}

/** The requirement of a route as it was registered; undefined for one that has no row. */
export function requirementOf(method: string, url: string): (typeof REQUIREMENTS)[string] | undefined {
  const row = rowOf(method === 'HEAD' ? 'GET' : method, url);
  return REQUIREMENTS[row] ?? REQUIREMENTS[row.replace(/ \/projects\/:project(?=\/)/, ' ')];
}

function rowOf(method: string, url: string): string {
  return `${method} ${url.replace(/^\/api\/v1/, '').replace(/\/$/, '')}`;
}

function checkSignedIn({ principal }: Scope): void {
  if (principal.sessionId !== undefined) return;
  throw new Problem('unauthorized', 'Nobody is signed in: the request came with a key.');
}

function checkRecent({ principal: { sessionId } }: Scope): void {
  if (sessionId === undefined || Date.now() - openedAt(sessionId) <= RECENT_MS) return;
  throw new Problem('recent-sign-in-needed', 'Sign in again, or send a key.');
}

function checkOpen({ project, isDone }: Scope): void {
  if (project.archivedAt === null || isDone) return;
  throw new Refused('project-archived', `Project ${project.state.slug} is archived.`);
}

function checkHeld({ permission, on: reach }: Requirement, scope: Scope, directory: Directory): void {
  if (!isHeld(permission, reach, scope, directory)) throw forbidden(permission, WHERE[reach]);
}

interface PathParts {
  readonly environment?: string;
}

/** The path names it, so that the body does not have to be read before it is denied. */
function checkNamed({ permission }: Requirement, scope: Scope, { environment }: PathParts): void {
  if (environment === undefined || scope.access.hasInAllOf(permission, scope.project.id)) return;
  scope.environment(environment, permission);
}

const WHERE: Readonly<Record<Reach, string>> = {
  installation: 'in the workspace that came first',
  workspace: 'in the whole workspace',
  'whole project': 'in the whole project',
  project: 'in the project',
  environment: 'in the project',
  somewhere: 'somewhere',
};

function isHeld(permission: Permission, reach: Reach, scope: Scope, directory: Directory): boolean {
  const { access } = scope;
  switch (reach) {
    case 'installation':
      return access.has(permission) && directory.isFirst(scope.workspaceId);
    case 'workspace':
      return access.has(permission);
    case 'somewhere':
      return access.hasSomewhere(permission);
    case 'whole project':
      return access.hasInAllOf(permission, scope.project.id);
    default:
      return access.hasIn(permission, scope.project.id);
  }
}

function on(reach: Reach, permission: Permission): Requirement {
  return { permission, on: reach };
}
