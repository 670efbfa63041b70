// Who is calling, and in which project: settled before a request reaches its route. Everything but health, the API
// document, its pages and signing in needs a key or a session, which act in their own workspace alone.
import { hash } from 'node:crypto';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { hashOfSecret } from '../commands/open-session.js';
import { isId, isSlug } from '../domain/naming.js';
import type { LogFollower } from '../read/log-follower.js';
import { projectNotFound, type Directory, type FormerKey } from '../../projections/directory.js';
import type { KnownKey, Principal } from '../../projections/principal.js';
import type { Project } from '../../projections/projects.js';
import type { BrowserOrigin } from './cross-site.js';
import { Problem } from './problem.js';
import { Scope } from './scope.js';
import { sessionCookie, type ServerCookie } from './session-cookie.js';
import { jsonPointer } from './strict-json.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** None where no key is needed. */
    principal?: Principal;
    /** As what the principal asks, once the project was found. */
    scope?: Scope;
    /** Once something was waited for: whoever was shut out meanwhile does not come in. */
    admitAgain?: () => void;
    /** The key that was sent, where it worked once. */
    formerKey?: FormerKey;
    /** Somebody whom the identity provider knows, and to whom no rule gives anything. */
    refusedPerson?: { readonly personId: string; readonly workspaceId: string };
  }
}

const OPEN_PATHS = [/^\/health(\/|$)/, /^\/docs(\/|$)/, /^\/openapi\.json$/, /^\/auth\/oidc\//];
export const SIGN_IN_PATH = '/api/v1/session';
const BEARER = /^Bearer +([\x21-\x7e]{1,512}) *$/i;
const DEFAULT_PROJECT = 'default';
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Who asks; nothing is looked up yet of what is asked for. */
export function identifyCallers(
  instance: FastifyInstance,
  follower: LogFollower,
  origin: BrowserOrigin,
): void {
  const cookie = sessionCookie(origin);
  const identify = (request: FastifyRequest): void => {
    request.principal = principalOf(request, follower.live.directory, cookie);
  };
  instance.addHook('onRequest', (request, _reply, done) => {
    try {
      if (!isOpen(request.method, request.url)) identify(request);
      done();
    } catch (error) {
      done(error as Error);
    }
  });
  instance.decorateRequest('admitAgain', function (this: FastifyRequest): void {
    identify(this);
    admit(this, follower.live.directory, origin);
  });
}

export function guardAccess(instance: FastifyInstance, follower: LogFollower, origin: BrowserOrigin): void {
  instance.addHook('onRequest', (request, _reply, done) => {
    try {
      admit(request, follower.live.directory, origin);
      done();
    } catch (error) {
      done(error as Error);
    }
  });
  instance.addHook('preHandler', (request, _reply, done) => {
    try {
      // Its body may have taken long to arrive, and other servers may have been waited for.
      if (request.scope !== undefined && !READS.has(request.method)) request.admitAgain?.();
      done();
    } catch (error) {
      done(error as Error);
    }
  });
}

/** The scope of the request, in a controller whose route takes no query: one that was sent is refused. */
export const InScope = createParamDecorator((_: unknown, context: ExecutionContext): Scope => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  const errors = Object.keys(request.query as object).map((name) => {
    return { pointer: jsonPointer([name]), detail: 'is not known here' };
  });
  if (errors.length > 0) throw new Problem('invalid-query', 'This route takes no query.', errors);
  return scopeIn(request);
});

/** The same where the route reads a query of its own. */
export const InScopeWithQuery = createParamDecorator((_: unknown, context: ExecutionContext): Scope => {
  return scopeIn(context.switchToHttp().getRequest<FastifyRequest>());
});

export function scopeIn(request: FastifyRequest): Scope {
  if (request.scope === undefined) throw new Error('Broken promise: a guarded route has a scope');
  return request.scope;
}

export function isOpen(method: string, url: string): boolean {
  const path = url.split('?', 1)[0] ?? '';
  if (path.startsWith('/api/')) return method === 'POST' && path === SIGN_IN_PATH;
  return OPEN_PATHS.some((open) => open.test(path));
}

function principalOf(request: FastifyRequest, directory: Directory, cookie: ServerCookie): Principal {
  const { authorization, cookie: cookies } = request.headers;
  // With a key nobody looks at cookies, so that a browser cannot be made to add one to it.
  if (authorization !== undefined || cookies === undefined) {
    const key = BEARER.exec(authorization ?? '')?.[1];
    const keyHash = key === undefined ? '' : hash('sha256', key, 'hex');
    return keyIn(request, keyHash, directory);
  }
  const principal = directory.principalInSession(hashOfSecret(cookie.valueIn(request) ?? ''));
  const now = Date.now();
  if (principal === undefined || principal.isArchived || principal.worksUntil <= now) {
    throw new Problem('unauthorized', 'Nobody is signed in, or not any more: sign in again.');
  }
  if (principal.use !== undefined) principal.use.atMs = now;
  return principal;
}

function admit(request: FastifyRequest, directory: Directory, origin: BrowserOrigin): void {
  const { principal } = request;
  if (principal === undefined) return;
  request.scope = scopeFor(request, principal, directory);
  if (principal.sessionId !== undefined) origin.refuseOthers(request);
}

/** The key of a hash, if it works. The hash is looked up: how long that takes says nothing about any key. */
export function keyIn(
  request: FastifyRequest,
  keyHash: string,
  directory: Directory,
  detail = 'Send a valid key as Authorization: Bearer <key>.',
): KnownKey {
  const known = directory.keyByHash(keyHash);
  const now = Date.now();
  if (known === undefined || known.isArchived || known.worksUntil <= now) {
    const former = known && { keyId: known.key.id, workspaceId: known.workspaceId };
    const formerKey = former ?? directory.formerKeyByHash(keyHash);
    if (formerKey !== undefined) request.formerKey = formerKey;
    throw new Problem('unauthorized', detail);
  }
  known.use.atMs = now;
  return known;
}

export function scopeFor(request: FastifyRequest, principal: Principal, directory: Directory): Scope {
  return new Scope(request, principal, directory, projectOf(request, principal, directory));
}

/** A key with limits learns of other projects as little as of those that never were. */
function projectOf(
  request: FastifyRequest,
  { workspaceId, access }: Principal,
  directory: Directory,
): Project | undefined {
  const reference = projectReference(request);
  const { projects } = access;
  if (projects === undefined) return directory.project(workspaceId, reference ?? DEFAULT_PROJECT);
  const [only] = projects.size === 1 ? projects : [];
  const found = directory.findProject(workspaceId, reference ?? only ?? DEFAULT_PROJECT);
  if (found !== undefined && projects.has(found.id)) return found;
  if (reference !== undefined) throw projectNotFound(reference);
  return undefined;
}

/** As the path names it. Throws `invalid-reference`. */
export function projectReference(request: FastifyRequest): string | undefined {
  const { project } = request.params as { readonly project?: string };
  if (project === undefined || isSlug(project) || isId(project)) return project;
  throw new Problem('invalid-reference', 'A project is named by its slug or id.');
}
