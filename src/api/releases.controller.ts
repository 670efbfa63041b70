// Releases over HTTP: promotion, rollback, and the numbered history of an environment.
import { Body, Controller, Get, Param, Post, Query, Req, Res, HttpCode } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Promote } from '../commands/promote.js';
import { Rollback } from '../commands/rollback.js';
import { Refused } from '../domain/refused.js';
import type { EnvironmentEntry } from '../domain/project.js';
import { LogFollower } from '../read/log-follower.js';
import { ReleaseLog, type MadeRelease } from '../read/release-log.js';
import type { Project } from '../../projections/projects.js';
import { InScope, InScopeWithQuery } from './access.js';
import { Scope } from './scope.js';
import { ReleaseAnswer } from './answers.js';
import { answerOnce, PinnedRelease, stateTag } from './headers.js';
import { fromCursor, NUMBER_CURSOR, PageQuery, toCursor } from './paging.js';
import { presentRelease } from './present.js';
import { ReleaseText, type JsonText } from './release-text.js';
import { AnswersRelease, Commands, Paged, Reads } from './documented.js';
import { NumberPipe, ReferencePipe } from './validation.js';
import { PromoteBody, RollbackBody } from './releases.dto.js';

@ApiTags('releases')
@Controller(['api/v1/environments', 'api/v1/projects/:project/environments'])
export class ReleasesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly follower: LogFollower,
    private readonly releases: ReleaseLog,
  ) {}

  /** Brings the versions of the source to the target, in one release, all or nothing. */
  @Post('promote')
  @HttpCode(200)
  @AnswersRelease()
  @Commands(
    ...(['environment-not-found', 'environment-archived', 'same-environment', 'flows-not-active'] as const),
    ...(['release-moved', 'release-too-large', 'invalid-header'] as const),
  )
  async promote(
    @InScope() scope: Scope,
    @Body() body: PromoteBody,
    @PinnedRelease() pinned: number | null,
  ): Promise<JsonText> {
    const { caller, project } = scope;
    const { id: sourceId } = scope.openEnvironment(body.sourceEnvironment, 'read');
    const { id: targetId } = scope.openEnvironment(body.targetEnvironment, 'promote');
    const request = {
      sourceId,
      targetId,
      flowIds: this.flowIds(project, body.flowIds),
      prune: body.prune ?? false,
      comment: body.comment ?? null,
      dryRun: body.dryRun ?? false,
      expectedSourceRelease: body.expectedSourceRelease ?? null,
      expectedTargetRelease: agreed(body.expectedTargetRelease, pinned),
    };
    const text = new ReleaseText(this.follower.live, scope, targetId);
    return text.of(await this.commands.execute(new Promote(caller, request, text.prepare)));
  }

  /** Puts an earlier release of this environment in effect. Other environments are not touched. */
  @Post(':environment/rollback')
  @HttpCode(200)
  @AnswersRelease()
  @Commands(
    ...(['environment-not-found', 'environment-archived', 'no-prior-release', 'unknown-release'] as const),
    ...(['flows-not-active', 'release-moved', 'release-too-large', 'invalid-header'] as const),
  )
  async rollback(
    @InScope() scope: Scope,
    @Param('environment', ReferencePipe) reference: string,
    @Body() body: RollbackBody,
    @PinnedRelease() pinned: number | null,
  ): Promise<JsonText> {
    const { caller, project } = scope;
    const { id } = scope.openEnvironment(reference, 'roll-back');
    const request = {
      toRelease: body.toRelease ?? null,
      flowIds: this.flowIds(project, body.flowIds),
      comment: body.comment ?? null,
      dryRun: body.dryRun ?? false,
      expectedRelease: pinned,
    };
    const text = new ReleaseText(this.follower.live, scope, id);
    return text.of(await this.commands.execute(new Rollback(caller, id, request, text.prepare)));
  }

  /** Newest first. A page of very large releases holds fewer of them than asked for. */
  @Get(':environment/releases')
  @Reads('environment-not-found')
  @Paged(ReleaseAnswer)
  async list(
    @InScopeWithQuery() scope: Scope,
    @Param('environment', ReferencePipe) reference: string,
    @Query() { limit, cursor }: PageQuery,
  ) {
    const environment = scope.environment(reference);
    const below = Number(fromCursor(cursor, NUMBER_CURSOR) ?? Number.MAX_SAFE_INTEGER);
    const made = await this.releases.page(environment.id, below, limit);
    const items = made.map((release) => this.present(scope, environment, release));
    const oldest = items.at(-1)?.number ?? 1;
    return { items, nextCursor: oldest > 1 ? toCursor(String(oldest)) : null };
  }

  /** A release never changes: 304 whenever the caller has it. */
  @Get(':environment/releases/:number')
  @Reads('environment-not-found', 'release-not-found')
  @ApiResponse({ status: 200, type: ReleaseAnswer })
  @ApiResponse({ status: 304, description: 'The caller has this answer already.' })
  async get(
    @InScope() scope: Scope,
    @Param('environment', ReferencePipe) reference: string,
    @Param('number', NumberPipe) number: number,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ReleaseAnswer | undefined> {
    const environment = scope.environment(reference);
    const made = await this.releases.release(environment.id, number);
    if (made === undefined) {
      throw new Refused('release-not-found', `Environment ${environment.slug} has no release ${number}.`);
    }
    const tag = stateTag(number, environment, sourceShown(scope, made));
    return answerOnce(request, reply, tag, () => this.present(scope, environment, made));
  }

  private present({ project, sees }: Scope, { id }: EnvironmentEntry, made: MadeRelease): ReleaseAnswer {
    const release = presentRelease(this.follower.live, project, id, made, sees);
    return { ...release, position: String(made.position) };
  }

  /** A reference that names no flow stays as it is: the refusal then names it as the caller did. */
  private flowIds(project: Project, references: readonly string[] | undefined): string[] | null {
    if (references === undefined) return null;
    const { directory } = this.follower.live;
    return references.map((reference) => directory.findFlow(project, reference)?.id ?? reference);
  }
}

/** The release that the body and `If-Match` pin. Two different ones cannot both be the newest. */
function agreed(expected: number | undefined, pinned: number | null): number | null {
  if (expected === undefined || pinned === null || expected === pinned) return expected ?? pinned;
  throw new Refused('release-moved', `expectedTargetRelease is ${expected}, but If-Match is ${pinned}.`);
}

/** The slug of the environment that a promotion came from, where the caller may know of it. */
function sourceShown({ project, sees }: Scope, { event }: MadeRelease): string | undefined {
  if (event.type !== 'VersionsPromoted' || !sees(event.source.environmentId)) return undefined;
  return project.state.environments.get(event.source.environmentId)?.slug;
}
