// Who asks, in which project, and what of it the caller may see and do. Environments are looked up here: what a key
// may not touch is forbidden in the same words whether it exists or not.
import type { FastifyRequest } from 'fastify';
import type { Caller } from '../commands/command-log.js';
import type { InProject } from '../commands/project-stream.js';
import type { Asker, Issuer } from '../domain/access.js';
import type { Access, Permission } from '../domain/permissions.js';
import { archived, type EnvironmentEntry } from '../domain/project.js';
import type { Directory } from '../../projections/directory.js';
import type { Principal } from '../../projections/principal.js';
import type { Project } from '../../projections/projects.js';
import { Problem } from './problem.js';

const USER_AGENT_CHARACTERS_MAX = 256;

/** Whether the caller may know of an environment. */
export type Sees = (environmentId: string) => boolean;

export class Scope {
  constructor(
    private readonly request: FastifyRequest,
    readonly principal: Principal,
    private readonly directory: Directory,
    /** The one that the path names, else that of the key; undefined for a key with several. */
    readonly projectIfAny: Project | undefined,
  ) {}

  get access(): Access {
    return this.principal.access;
  }

  get workspaceId(): string {
    return this.principal.workspaceId;
  }

  /** Throws `forbidden` where the path has to name one. */
  get project(): Project {
    if (this.projectIfAny !== undefined) return this.projectIfAny;
    throw new Problem('forbidden', 'Name one of the projects of this key: /api/v1/projects/{project}/….');
  }

  get caller(): InProject {
    return { ...this.callerInWorkspace, projectId: this.project.id };
  }

  get callerInWorkspace(): Caller {
    const { routeOptions } = this.request;
    return {
      actor: this.principal.actor,
      workspaceId: this.workspaceId,
      projectId: routeOptions.config.isInProject === true ? (this.projectIfAny?.id ?? null) : null,
      ...sentFrom(this.request),
      idempotency: this.request.idempotency,
    };
  }

  /** As whoever hands a key out. */
  get issuer(): Issuer & Asker {
    const { actor, grants, keyExpiresAt: expiresAt, secretHash = null } = this.principal;
    return { id: actor.id, grants, expiresAt, secretHash };
  }

  /** The command was carried out already: whatever has changed since, it is answered and not refused. */
  get isDone(): boolean {
    return this.request.idempotency?.hasEffect === true;
  }

  get sees(): Sees {
    return seesIn(this.access, this.project);
  }

  /** Archived ones too. Throws `environment-not-found`, or `forbidden` for a key that may not know that. */
  environment(reference: string, permission: Permission = 'read', project = this.project): EnvironmentEntry {
    const { access, directory } = this;
    if (access.hasInAllOf(permission, project.id)) return directory.environment(project, reference);
    const found = this.findEnvironment(reference, permission, project);
    if (found !== undefined) return found;
    throw forbidden(permission, 'on that environment');
  }

  /** Undefined for one that is not there, and for one that the caller has not got the permission on. */
  findEnvironment(
    reference: string,
    permission: Permission,
    project = this.project,
  ): EnvironmentEntry | undefined {
    const found = this.directory.findEnvironment(project, reference);
    return found && this.access.hasOn(permission, project.id, found.id) ? found : undefined;
  }

  /** For a command. Throws `environment-archived` too, unless it was carried out before it was archived. */
  openEnvironment(reference: string, permission: Permission): EnvironmentEntry {
    const found = this.environment(reference, permission);
    if (found.archived && !this.isDone) throw archived(found);
    return found;
  }
}

export function seesIn(access: Access, { id }: Project): Sees {
  return (environmentId) => access.hasOn('read', id, environmentId);
}

/** By which request, and from where. */
export function sentFrom({ id: requestId, sourceAddress: ip, headers }: FastifyRequest) {
  const userAgent = headers['user-agent']?.slice(0, USER_AGENT_CHARACTERS_MAX);
  return {
    requestId,
    ...(ip === undefined ? {} : { ip }),
    ...(userAgent === undefined ? {} : { userAgent }),
  };
}

export function forbidden(permission: Permission, where: string): Problem {
  return new Problem('forbidden', `This takes the permission ${permission} ${where}, which the key has not.`);
}
