// Projects over HTTP.
import { Body, Controller, Get, Param, Patch, Query, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ChangeProject } from '../commands/set-default.js';
import { LogFollower } from '../read/log-follower.js';
import { Past } from '../read/past.js';
import { InScope, InScopeWithQuery, type Scope } from './access.js';
import { ProjectAnswer } from './answers.js';
import { fromCursor, ID_CURSOR, page, PageQuery } from './paging.js';
import { presentProject } from './present.js';
import { Commands, Paged, Reads, WithPosition } from './documented.js';
import { answerAsOf, AnswersAsOf } from './time-travel.js';
import { AtQuery } from './time-travel.dto.js';
import { ReferencePipe } from './validation.js';
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
  list(@InScopeWithQuery() { caller }: Scope, @Query() query: PageQuery) {
    const after = fromCursor(query.cursor, ID_CURSOR) ?? '';
    const projects = this.follower.live.directory.projectsOf(caller.workspaceId);
    const rest = projects.filter(({ id }) => id > after).map(presentProject);
    return page(rest, query.limit, ({ id }) => id);
  }

  /** One project. */
  @Get(':project')
  @Reads('at-not-reached')
  @AnswersAsOf(ProjectAnswer)
  get(
    @InScopeWithQuery() { project }: Scope,
    @Param('project', ReferencePipe) _: string,
    @Query() { at }: AtQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): ProjectAnswer | Promise<ProjectAnswer | undefined> {
    if (at === undefined) return presentProject(project);
    return answerAsOf(this.past, { project, at, request, reply }, (then) => presentProject(then.project));
  }

  /** Renames, or sets what resolves without an environment. What is left out stays as it is. */
  @Patch(':project')
  @Commands()
  @WithPosition(ProjectAnswer)
  async change(
    @InScope() { caller, project }: Scope,
    @Param('project', ReferencePipe) _: string,
    @Body() body: ChangeProjectBody,
  ) {
    const request = body.name === undefined ? body : { ...body, name: body.name.normalize('NFC') };
    const { position } = await this.commands.execute(new ChangeProject(caller, request));
    return { ...presentProject(project), position: String(position) };
  }
}
