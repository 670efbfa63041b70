// Projects over HTTP.
import { Body, Controller, Get, Param, Patch, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { ChangeProject } from '../commands/set-default.js';
import { LogFollower } from '../read/log-follower.js';
import { InScope, InScopeWithQuery, type Scope } from './access.js';
import { ProjectAnswer } from './answers.js';
import { fromCursor, ID_CURSOR, page, PageQuery } from './paging.js';
import { presentProject } from './present.js';
import { Commands, Paged, Reads, WithPosition } from './documented.js';
import { ReferencePipe } from './validation.js';
import { ChangeProjectBody } from './projects.dto.js';

@ApiTags('projects')
@Controller('api/v1/projects')
export class ProjectsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly follower: LogFollower,
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
  @Reads()
  get(@InScope() { project }: Scope, @Param('project', ReferencePipe) _: string): ProjectAnswer {
    return presentProject(project);
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
