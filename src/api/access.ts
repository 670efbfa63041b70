// Who is calling, and in which project: settled before a request reaches its route. Everything but health, the API
// document and its pages needs a key, and a key acts in its own workspace alone.
import { hash } from 'node:crypto';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { InProject } from '../commands/project-stream.js';
import { isId, isSlug } from '../domain/naming.js';
import type { EnvironmentEntry } from '../domain/project.js';
import type { LogFollower } from '../read/log-follower.js';
import type { Directory, KnownKey, RevokedKey } from '../../projections/directory.js';
import type { Project } from '../../projections/projects.js';
import { Problem } from './problem.js';
import { jsonPointer } from './strict-json.js';

/** The project that a request is about, and the caller, who is put into words only for a command. */
export class Scope {
  constructor(
    private readonly request: FastifyRequest,
    private readonly known: KnownKey,
    private readonly directory: Directory,
    readonly project: Project,
  ) {}

  get caller(): InProject {
    return {
      actor: { type: 'api-key', id: this.known.key.id },
      workspaceId: this.known.workspaceId,
      projectId: this.project.id,
      ...sentFrom(this.request),
      idempotency: this.request.idempotency,
    };
  }

  /** For a command. Throws `environment-archived`, unless the command was carried out before it was archived. */
  openEnvironment(reference: string): EnvironmentEntry {
    const { directory, project, request } = this;
    return request.idempotency?.hasEffect === true
      ? directory.environment(project, reference)
      : directory.openEnvironment(project, reference);
  }
}

declare module 'fastify' {
  interface FastifyRequest {
    /** None where no key is needed. */
    scope?: Scope;
    /** The key that was sent, where it worked once. */
    revokedKey?: RevokedKey;
  }
}

const OPEN_PATHS = [/^\/health(\/|$)/, /^\/docs(\/|$)/, /^\/openapi\.json$/];
const BEARER = /^Bearer +([\x21-\x7e]{1,512}) *$/i;
const USER_AGENT_CHARACTERS_MAX = 256;
const DEFAULT_PROJECT = 'default';

/** By which request, and from where. */
export function sentFrom({ id: requestId, ip, headers }: FastifyRequest) {
  const userAgent = headers['user-agent']?.slice(0, USER_AGENT_CHARACTERS_MAX);
  return { requestId, ip, ...(userAgent === undefined ? {} : { userAgent }) };
}

export function guardAccess(instance: FastifyInstance, follower: LogFollower): void {
  instance.addHook('onRequest', (request, _reply, done) => {
    try {
      if (!isOpen(request.url)) request.scope = scopeOf(request, follower);
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

function isOpen(url: string): boolean {
  if (url.startsWith('/api/')) return false;
  const path = url.split('?', 1)[0] ?? '';
  return OPEN_PATHS.some((open) => open.test(path));
}

function scopeOf(request: FastifyRequest, { live: { directory } }: LogFollower): Scope {
  const key = BEARER.exec(request.headers.authorization ?? '')?.[1];
  // The hash is looked up, not the key: how long that takes says nothing about any key.
  const keyHash = key === undefined ? '' : hash('sha256', key, 'hex');
  const known = directory.keyByHash(keyHash);
  if (known === undefined) {
    const revoked = directory.revokedKeyByHash(keyHash);
    if (revoked !== undefined) request.revokedKey = revoked;
    throw new Problem('unauthorized', 'Send a valid key as Authorization: Bearer <key>.');
  }
  const project = directory.project(known.workspaceId, projectReference(request));
  return new Scope(request, known, directory, project);
}

export function projectReference(request: FastifyRequest): string {
  const { project } = request.params as { readonly project?: string };
  if (project === undefined) return DEFAULT_PROJECT;
  if (isSlug(project) || isId(project)) return project;
  throw new Problem('invalid-reference', 'A project is named by its slug or id.');
}
