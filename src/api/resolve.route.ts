// GET /flows/{flow}/resolve: which version runs. It is asked far more often than everything else together, so it is
// registered on Fastify itself, answers from memory, and keeps the JSON of the versions asked for lately.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { isId, isSlug } from '../domain/naming.js';
import { Refused } from '../domain/refused.js';
import type { LogFollower } from '../read/log-follower.js';
import type { At } from '../read/past.js';
import type { VersionLog } from '../read/version-log.js';
import type { Flow } from '../../projections/flows.js';
import type { Project } from '../../projections/projects.js';
import type { Resolved } from '../../projections/resolution.js';
import { versionById, versions, type Version } from '../../projections/versions.js';
import { scopeIn } from './access.js';
import { AT_EXPECTED, parseAt } from './at.js';
import { cachingOf, hasAlready } from './headers.js';
import { presentVersion } from './present.js';
import { Problem } from './problem.js';
import { refuseUnseen, type AskedAt, type ResolveAt } from './resolve-at.js';

export const RESOLVE_PATHS = ['/api/v1/flows/:flow/resolve', '/api/v1/projects/:project/flows/:flow/resolve'];

const TEXT_BYTES_MAX = 256 * 1024 * 1024;

/** A version as JSON text without its last brace, and what the tag and the resolution need of it. */
interface VersionText {
  readonly json: string;
  readonly tag: string;
  readonly position: string;
}

/** All that is said of why, settled in one turn: a release made while the version is read must not slip in. */
type Answer = Resolved & {
  readonly requestedEnvironment: string | undefined;
  readonly release: number | null;
  /** Where the environment last changed; null where none decided. */
  readonly position: bigint | null;
};

export class ResolveRoute {
  /** Locked versions only: those never change. */
  private readonly texts = new LRUCache<string, VersionText>({
    maxSize: TEXT_BYTES_MAX,
    sizeCalculation: ({ json }) => json.length * 2 + 200,
  });

  constructor(
    private readonly follower: LogFollower,
    private readonly versions: VersionLog,
    private readonly past: ResolveAt,
  ) {}

  register(instance: FastifyInstance): void {
    // They name who wrote the version.
    this.follower.live.directory.people.onChange(() => this.texts.clear());
    for (const path of RESOLVE_PATHS) {
      instance.get(path, (request, reply) => this.answer(request, reply));
    }
  }

  private answer(request: FastifyRequest, reply: FastifyReply): FastifyReply | Promise<FastifyReply> {
    const scope = scopeIn(request);
    const { project } = scope;
    const { environment, version, at } = queryOf(request.query as Query);
    if (at !== undefined) return this.asOf(request, reply, { scope, environment, version, at });
    refuseUnseen(scope, { environment, version }, project);
    const flowNumber = this.flowNumber(project, (request.params as { readonly flow: string }).flow);
    if (version !== undefined) {
      const flow = this.follower.live.directory.flowAt(flowNumber);
      return this.explicit(request, reply, { project, flow, version, environment });
    }
    const { resolution, activeVersions } = this.follower.live;
    const resolved = resolution.resolve(project, flowNumber, environment);
    const runs = resolved.environment && activeVersions.environment(resolved.environment.id);
    const answer: Answer = {
      reason: resolved.reason,
      versionId: resolved.versionId,
      environment: resolved.environment,
      requestedEnvironment: environment,
      release: runs && runs.state.release,
      position: runs && runs.position,
    };
    // A look that does not count as use: keeping that order would cost more than it saves.
    const text = this.texts.peek(resolved.versionId);
    if (text !== undefined) return this.send(request, reply, text, answer);
    return this.readAndSend(request, reply, project, answer);
  }

  private asOf(request: FastifyRequest, reply: FastifyReply, asked: Omit<AskedAt, 'flow'>) {
    const flow = checked('flow', (request.params as { readonly flow: string }).flow);
    return this.past.answer(request, reply, { ...asked, flow });
  }

  private async readAndSend(request: FastifyRequest, reply: FastifyReply, project: Project, answer: Answer) {
    const version = versionById(await this.follower.rows(versions), answer.versionId);
    if (version === undefined) throw new Error(`Broken promise: version ${answer.versionId} is in the rows`);
    return this.send(request, reply, this.textOf(project, version), answer);
  }

  /** An explicit version wins over an environment; the environment asked for is told all the same. */
  private async explicit(
    request: FastifyRequest,
    reply: FastifyReply,
    asked: { project: Project; flow: Flow; version: string; environment: string | undefined },
  ) {
    const version = await this.versions.find(asked.flow.id, asked.version);
    if (version === undefined) {
      throw new Refused('version-not-found', `Flow ${asked.flow.slug} has no version ${asked.version}.`);
    }
    const answer: Answer = {
      reason: 'version',
      versionId: version.id,
      environment: null,
      requestedEnvironment: asked.environment,
      release: null,
      position: null,
    };
    return this.send(request, reply, this.textOf(asked.project, version), answer);
  }

  private textOf(project: Project, version: Version): VersionText {
    const text = {
      json: JSON.stringify(presentVersion(this.follower.live, project, version)).slice(0, -1),
      tag: `${version.number}.${version.digest.slice(0, 16)}`,
      position: String(version.position),
    };
    if (version.state === 'locked') this.texts.set(version.id, text);
    return text;
  }

  private send(
    request: FastifyRequest,
    reply: FastifyReply,
    text: VersionText,
    answer: Answer,
  ): FastifyReply {
    const { reason, environment, release } = answer;
    const position = answer.position === null ? text.position : String(answer.position);
    const tag = `"${text.tag}.${reason}.${environment?.slug ?? ''}.${position}"`;
    void reply.header('etag', tag).header('cache-control', cachingOf(request));
    if (hasAlready(request, tag)) return reply.code(304).send();
    const slug = environment && environment.slug;
    // References hold neither quotes nor backslashes, so they are JSON strings as they are.
    const resolution =
      `{"reason":"${reason}","requestedEnvironment":${quoted(answer.requestedEnvironment)},` +
      `"environment":${quoted(slug)},"release":${release},"position":"${position}"}`;
    return reply
      .header('content-type', 'application/json; charset=utf-8')
      .send(`${text.json},"resolution":${resolution}}`);
  }

  /** The hot path looks the flow up at once; what the reference looks like matters only when nothing is found. */
  private flowNumber(project: Project, reference: string): number {
    const { directory } = this.follower.live;
    const found = directory.findFlowNumber(project, reference);
    return found ?? directory.flowNumber(project, checked('flow', reference));
  }
}

interface Query {
  readonly [name: string]: string | string[] | undefined;
}

function queryOf(query: Query): Pick<AskedAt, 'environment' | 'version'> & { readonly at: At | undefined } {
  for (const name in query) {
    if (name !== 'environment' && name !== 'version' && name !== 'at')
      throw badParameter(name, 'is not known here');
    if (typeof query[name] !== 'string') throw badParameter(name, 'must be given once only');
  }
  const { environment, version, at } = query as Record<string, string | undefined>;
  if (version !== undefined) checked('version', version);
  if (environment !== undefined) checked('environment', environment);
  return { environment, version, at: at === undefined ? undefined : moment(at) };
}

function moment(at: string): At {
  const parsed = parseAt(at);
  if (parsed === undefined) throw badParameter('at', `must be ${AT_EXPECTED}`);
  return parsed;
}

function checked(name: string, reference: string): string {
  if (isSlug(reference) || isId(reference)) return reference;
  const errors = [{ pointer: `/${name}`, detail: 'must be a slug or an id' }];
  throw new Problem('invalid-reference', 'A slug or an id is expected.', errors);
}

function badParameter(name: string, detail: string): Problem {
  return new Problem('invalid-query', 'The query is not what is expected; see errors.', [
    { pointer: `/${name}`, detail },
  ]);
}

function quoted(text: string | null | undefined): string {
  return typeof text === 'string' ? `"${text}"` : 'null';
}
