// Projects over HTTP.
import { Body, Controller, Get, HttpCode, Param, Patch, Post, Query, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ArchiveProject, CreateProject, RestoreProject } from '../commands/create-project.js';
import { ChangeProject } from '../commands/set-default.js';
import { LogFollower } from '../read/log-follower.js';
import { Past } from '../read/past.js';
import { InScope, InScopeWithQuery } from './access.js';
import { Scope, seesIn } from './scope.js';
import { ProjectAnswer } from './answers.js';
import { pageById, PageQuery } from './paging.js';
import { CreatePlaceBody, placeOf } from './places.dto.js';
import { presentProject } from './present.js';
import { Commands, Paged, Reads, WithPosition } from './documented.js';
import { answerAsOf, AnswersAsOf } from './time-travel.js';
import { AtQuery } from './time-travel.dto.js';
import { NoBody, ReferencePipe } from './validation.js';
import { ChangeProjectBody } from './projects.dto.js';

@ApiTags('projects')
@Controller('api/v1/projects')
export class ProjectsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly follower: LogFollower,
    private readonly past: Past,
  ) {}

  /** The projects of the workspace, oldest first. */
  @Get()
  @Reads()
  @Paged(ProjectAnswer)
  list(@InScopeWithQuery() scope: Scope, @Query() query: PageQuery) {
    const { access, workspaceId } = scope;
    const all = this.follower.live.directory.projectsOf(workspaceId);
    const { items, nextCursor } = pageById(
      all.filter(({ id }) => access.hasIn('read', id)),
      query,
    );
    return { items: items.map((project) => presentProject(project, seesIn(access, project))), nextCursor };
  }

  /** A new project, without environments and flows. */
  @Post()
  @Commands('project-exists')
  @WithPosition(ProjectAnswer, 201)
  async create(@InScope() { callerInWorkspace: caller, access }: Scope, @Body() body: CreatePlaceBody) {
    const { projectId, position } = await this.commands.execute(new CreateProject(caller, placeOf(body)));
    const project = this.follower.live.directory.project(caller.workspaceId, projectId);
    return { ...presentProject(project, seesIn(access, project)), position: String(position) };
  }

  /** It can be read as before, and nothing in it resolves or changes. */
  @Post(':project/archive')
  @HttpCode(200)
  @Commands()
  @WithPosition(ProjectAnswer)
  async archive(@InScope() scope: Scope, @Param('project', ReferencePipe) _: string, @Body() _body: NoBody) {
    return this.changed(scope, await this.commands.execute(new ArchiveProject(scope.caller)));
  }

  /** Brings an archived project back, as it was. */
  @Post(':project/restore')
  @HttpCode(200)
  @Commands()
  @WithPosition(ProjectAnswer)
  async restore(@InScope() scope: Scope, @Param('project', ReferencePipe) _: string, @Body() _body: NoBody) {
    return this.changed(scope, await this.commands.execute(new RestoreProject(scope.caller)));
  }

  /** One project. */
  @Get(':project')
  @Reads('at-not-reached')
  @AnswersAsOf(ProjectAnswer)
  get(
    @InScopeWithQuery() scope: Scope,
    @Param('project', ReferencePipe) _: string,
    @Query() { at }: AtQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): ProjectAnswer | Promise<ProjectAnswer | undefined> {
    const { project, sees } = scope;
    if (at === undefined) return presentProject(project, sees);
    return answerAsOf(this.past, { scope, at, request, reply }, (then) => presentProject(then.project, sees));
  }

  /** Renames, or sets what resolves without an environment. What is left out stays as it is. */
  @Patch(':project')
  @Commands()
  @WithPosition(ProjectAnswer)
  async change(
    @InScope() scope: Scope,
    @Param('project', ReferencePipe) _: string,
    @Body() body: ChangeProjectBody,
  ) {
    const request = body.name === undefined ? body : { ...body, name: body.name.normalize('NFC') };
    return this.changed(scope, await this.commands.execute(new ChangeProject(scope.caller, request)));
  }

  private changed({ project, sees }: Scope, { position }: { readonly position: bigint }) {
    return { ...presentProject(project, sees), position: String(position) };
  }
}
