// Environments over HTTP: parse, dispatch, answer. No rule lives here.
import { Body, Controller, Get, HttpCode, Param, Patch, Post, Put, Query, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ArchiveEnvironment, ChangeEnvironment, RestoreEnvironment } from '../commands/change-environment.js';
import { CreateEnvironment } from '../commands/create-environment.js';
import { SetDefault } from '../commands/set-default.js';
import { isEnvironmentSlug, slugFrom } from '../domain/naming.js';
import { LogFollower } from '../read/log-follower.js';
import { Past } from '../read/past.js';
import type { Project } from '../../projections/projects.js';
import { InScope, InScopeWithQuery } from './access.js';
import { Scope, seesIn } from './scope.js';
import { ActiveAnswer, DiffAnswer, EnvironmentAnswer, ProjectAnswer } from './answers.js';
import { presentDiff } from './diff.js';
import { answerOnce, releaseTag, stateTag } from './headers.js';
import { fromCursor, ID_CURSOR, page } from './paging.js';
import { presentActive, presentEnvironment, presentProject } from './present.js';
import { Problem } from './problem.js';
import { Commands, Paged, Reads, WithPosition } from './documented.js';
import { answerAsOf, AnswersAsOf } from './time-travel.js';
import { DefaultEnvironmentAnswer } from './time-travel.answers.js';
import { AtQuery } from './time-travel.dto.js';
import { NoBody, ReferencePipe } from './validation.js';
import {
  ChangeEnvironmentBody,
  CreateEnvironmentBody,
  DiffQuery,
  EnvironmentsQuery,
  SetDefaultBody,
} from './environments.dto.js';

@ApiTags('environments')
@Controller(['api/v1/environments', 'api/v1/projects/:project/environments'])
export class EnvironmentsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly follower: LogFollower,
    private readonly past: Past,
  ) {}

  /** A new environment, empty, at release 0. */
  @Post()
  @Commands('environment-exists')
  @WithPosition(EnvironmentAnswer, 201)
  async create(@InScope() scope: Scope, @Body() body: CreateEnvironmentBody) {
    const name = body.name.normalize('NFC');
    const slug = body.slug ?? slugOf(name);
    const { description = null, color = null, default: makeDefault = false } = body;
    const { environmentId, position } = await this.commands.execute(
      new CreateEnvironment(scope.caller, { name, slug, description, color, makeDefault }),
    );
    return { ...this.present(scope, environmentId), position: String(position) };
  }

  /** Oldest first. */
  @Get()
  @Reads()
  @Paged(EnvironmentAnswer)
  list(
    @InScopeWithQuery() { project, sees }: Scope,
    @Query() { limit, cursor, archived }: EnvironmentsQuery,
  ) {
    const after = fromCursor(cursor, ID_CURSOR) ?? '';
    const rest = [...project.state.environments.values()].filter(
      ({ id, archived: isArchived }) => isArchived === archived && id > after && sees(id),
    );
    const shown = rest.map((environment) => presentEnvironment(this.follower.live, project, environment));
    return page(shown, limit, ({ id }) => id);
  }

  /** What promoting the source to the target would change. */
  @Get('diff')
  @Reads('environment-not-found', 'at-not-reached')
  @AnswersAsOf(DiffAnswer)
  diff(
    @InScopeWithQuery() scope: Scope,
    @Query() query: DiffQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): DiffAnswer | Promise<DiffAnswer | undefined> {
    const { at, sourceEnvironment, targetEnvironment, includeUnchanged } = query;
    if (at !== undefined) {
      return answerAsOf(this.past, { scope, at, request, reply }, (then) => {
        const source = scope.environment(sourceEnvironment, 'read', then.project);
        const target = scope.environment(targetEnvironment, 'read', then.project);
        return presentDiff(then, source, target, includeUnchanged);
      });
    }
    const source = scope.environment(sourceEnvironment);
    const target = scope.environment(targetEnvironment);
    return presentDiff(this.follower.live, source, target, includeUnchanged);
  }

  /** Which environment resolves for callers who name none. */
  @Get('default')
  @Reads('at-not-reached')
  @ApiResponse({ status: 200, type: DefaultEnvironmentAnswer })
  @ApiResponse({ status: 304, description: 'The caller has this answer already.' })
  default(
    @InScopeWithQuery() scope: Scope,
    @Query() { at }: AtQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): DefaultEnvironmentAnswer | Promise<DefaultEnvironmentAnswer | undefined> {
    const present = (as: Project) => {
      // Whether there is one at all is nothing for whoever may not know of it, as in the project.
      return { environment: presentProject(as, seesIn(scope.access, as)).defaultEnvironment };
    };
    if (at === undefined) return { ...present(scope.project), position: String(this.past.now) };
    return answerAsOf(this.past, { scope, at, request, reply }, (then) => present(then.project));
  }

  /** Sets the environment that resolves for callers who name none, or clears it. */
  @Put('default')
  @Commands('environment-not-found', 'environment-archived')
  @WithPosition(ProjectAnswer)
  async setDefault(@InScope() scope: Scope, @Body() { environment }: SetDefaultBody) {
    const id = environment === null ? null : scope.environment(environment, 'manage').id;
    const { position } = await this.commands.execute(new SetDefault(scope.caller, id));
    return { ...presentProject(scope.project, scope.sees), position: String(position) };
  }

  /** `ETag` is the newest release, for `If-Match`. */
  @Get(':environment')
  @Reads('environment-not-found', 'at-not-reached')
  @AnswersAsOf(EnvironmentAnswer)
  get(
    @InScopeWithQuery() scope: Scope,
    @Param('environment', ReferencePipe) reference: string,
    @Query() { at }: AtQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): EnvironmentAnswer | Promise<EnvironmentAnswer | undefined> {
    if (at !== undefined) {
      return answerAsOf(this.past, { scope, at, request, reply }, (then) =>
        presentEnvironment(then, then.project, scope.environment(reference, 'read', then.project)),
      );
    }
    const { id } = scope.environment(reference);
    const answer = this.present(scope, id);
    void reply.header('etag', releaseTag(answer.release));
    return answer;
  }

  /** Renames or describes. The slug that it had goes on working until another environment takes it. */
  @Patch(':environment')
  @Commands('environment-not-found', 'environment-archived', 'environment-exists')
  @WithPosition(EnvironmentAnswer)
  async change(
    @InScope() scope: Scope,
    @Param('environment', ReferencePipe) reference: string,
    @Body() body: ChangeEnvironmentBody,
  ) {
    const { id, name: nameNow } = scope.environment(reference, 'manage');
    const name = body.name?.normalize('NFC');
    const slug = body.slug ?? (name === undefined || name === nameNow ? undefined : slugOf(name));
    const request = { ...body, ...(name !== undefined && { name }), ...(slug !== undefined && { slug }) };
    const { position } = await this.commands.execute(new ChangeEnvironment(scope.caller, id, request));
    return { ...this.present(scope, id), position: String(position) };
  }

  /** Hides it and stops it resolving. Its history stays readable. */
  @Post(':environment/archive')
  @HttpCode(200)
  @Commands('environment-not-found', 'environment-is-default')
  @WithPosition(EnvironmentAnswer)
  async archive(
    @InScope() scope: Scope,
    @Param('environment', ReferencePipe) reference: string,
    @Body() _: NoBody,
  ) {
    const { id } = scope.environment(reference, 'manage');
    const { position } = await this.commands.execute(new ArchiveEnvironment(scope.caller, id));
    return { ...this.present(scope, id), position: String(position) };
  }

  /** Brings an archived environment back, as it was. */
  @Post(':environment/restore')
  @HttpCode(200)
  @Commands('environment-not-found')
  @WithPosition(EnvironmentAnswer)
  async restore(
    @InScope() scope: Scope,
    @Param('environment', ReferencePipe) reference: string,
    @Body() _: NoBody,
  ) {
    const { id } = scope.environment(reference, 'manage');
    const { position } = await this.commands.execute(new RestoreEnvironment(scope.caller, id));
    return { ...this.present(scope, id), position: String(position) };
  }

  /** Every flow that is active here, by slug. 304 when `If-None-Match` names the newest release. */
  @Get(':environment/active')
  @Reads('environment-not-found', 'at-not-reached')
  @AnswersAsOf(ActiveAnswer)
  active(
    @InScopeWithQuery() scope: Scope,
    @Param('environment', ReferencePipe) reference: string,
    @Query() { at }: AtQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): ActiveAnswer | undefined | Promise<ActiveAnswer | undefined> {
    if (at !== undefined) {
      return answerAsOf(this.past, { scope, at, request, reply }, (then) =>
        presentActive(then, scope.environment(reference, 'read', then.project)),
      );
    }
    const { live } = this.follower;
    const environment = scope.environment(reference);
    const { release } = live.activeVersions.environment(environment.id).state;
    const tag = stateTag(release, environment);
    return answerOnce(request, reply, tag, () => presentActive(live, environment));
  }

  private present({ project }: Scope, environmentId: string): EnvironmentAnswer {
    const { live } = this.follower;
    return presentEnvironment(live, project, live.directory.environment(project, environmentId));
  }
}

function slugOf(name: string): string {
  const slug = slugFrom(name);
  if (isEnvironmentSlug(slug)) return slug;
  const detail = `no slug can be derived from the name${slug === '' ? '' : `: ${slug} is taken`}; give one`;
  throw new Problem('invalid-body', 'A slug is needed; see errors.', [{ pointer: '/slug', detail }]);
}
