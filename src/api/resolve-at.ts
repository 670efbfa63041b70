// Resolving as of a moment: by the rules, the default environment, the names and the drafts of then.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Refused } from '../domain/refused.js';
import type { LogFollower } from '../read/log-follower.js';
import type { At, Past } from '../read/past.js';
import type { PastViews } from '../read/past-views.js';
import type { VersionLog } from '../read/version-log.js';
import type { Project } from '../../projections/projects.js';
import type { Resolved } from '../../projections/resolution.js';
import { answerOnce, momentTag } from './headers.js';
import { presentVersion } from './present.js';
import { forbidden, type Scope } from './scope.js';

export interface AskedAt {
  readonly scope: Scope;
  /** Slug or id. */
  readonly flow: string;
  readonly environment: string | undefined;
  readonly version: string | undefined;
  readonly at: At;
}

export class ResolveAt {
  constructor(
    private readonly follower: LogFollower,
    private readonly versions: VersionLog,
    private readonly past: Past,
  ) {}

  async answer(request: FastifyRequest, reply: FastifyReply, asked: AskedAt): Promise<FastifyReply> {
    const { position, isSettled } = await this.past.moment(asked.at);
    const then = await this.past.views(asked.scope.project, position);
    refuseUnseen(asked.scope, asked, then.project);
    const flow = then.directory.flow(then.project, asked.flow);
    const { reason, versionId, environment } = this.resolve(then, asked);
    const now = await this.versions.find(flow.id, versionId);
    const version = now && (await this.past.version(then, now));
    if (version === undefined) {
      throw new Refused('version-not-found', `Flow ${flow.slug} has no version ${versionId}.`);
    }
    const resolution = {
      reason,
      requestedEnvironment: asked.environment ?? null,
      environment: environment && environment.slug,
      release: environment && then.activeVersions.environment(environment.id).state.release,
      position: String(position),
    };
    const answer = { ...presentVersion(then, then.project, version), resolution };
    const text = answerOnce(request, reply, momentTag(position), () => JSON.stringify(answer), isSettled);
    return reply.header('content-type', 'application/json; charset=utf-8').send(text);
  }

  /** An explicit version, by id or number, wins over an environment. */
  private resolve(then: PastViews, { scope, flow, environment, version }: AskedAt): Resolved {
    if (version !== undefined) return { reason: 'version', versionId: version, environment: null };
    const flowNumber = this.follower.live.directory.flowNumber(scope.project, flow);
    return then.resolution.resolve(then.project, flowNumber, environment);
  }
}

/**
 * A key with limits resolves within the environments that it has and nowhere else: it names one of them, or the default
 * environment is one. An explicit version is for whoever may read all of them anyway.
 */
export function refuseUnseen(
  scope: Scope,
  { environment, version }: Pick<AskedAt, 'environment' | 'version'>,
  project: Project,
): void {
  const { access } = scope;
  if (access.hasInAllOf('resolve', project.id)) return;
  if (version !== undefined) {
    if (access.hasIn('read', project.id)) return;
    throw forbidden('read', 'in the project');
  }
  const reference = environment ?? project.state.defaultEnvironment;
  const found = reference === null ? undefined : scope.findEnvironment(reference, 'resolve', project);
  if (found !== undefined) return;
  throw forbidden(
    'resolve',
    environment === undefined ? 'in the default environment' : 'on that environment',
  );
}
