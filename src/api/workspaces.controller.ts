// Workspaces over HTTP, for whoever looks after the installation: tenants that share nothing.
import { Body, Controller, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { ChangeWorkspace, CreateWorkspace } from '../commands/create-workspace.js';
import { Refused } from '../domain/refused.js';
import { LogFollower } from '../read/log-follower.js';
import type { Workspace } from '../../projections/workspaces.js';
import { InScope, InScopeWithQuery } from './access.js';
import { Commands, Paged, Reads, WithPosition } from './documented.js';
import { AnswerHasSecret } from './idempotency.js';
import { NewWorkspaceAnswer, WorkspaceAnswer } from './keys.answers.js';
import { pageById, PageQuery } from './paging.js';
import { CreatePlaceBody, placeOf, RenameWorkspaceBody } from './places.dto.js';
import { Scope } from './scope.js';
import { NoBody, ReferencePipe } from './validation.js';

@ApiTags('workspaces')
@Controller('api/v1/workspaces')
export class WorkspacesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly follower: LogFollower,
  ) {}

  /** A new workspace with the project `default`, and its administrator key, which is shown in this answer alone. */
  @Post()
  @AnswerHasSecret()
  @Commands('workspace-exists', 'recent-sign-in-needed')
  @WithPosition(NewWorkspaceAnswer, 201)
  async create(@InScope() { callerInWorkspace: caller }: Scope, @Body() body: CreatePlaceBody) {
    const command = new CreateWorkspace(caller, placeOf(body));
    const { workspaceId, key, keyId, position } = await this.commands.execute(command);
    return { ...present(this.find(workspaceId)), key, keyId, position: String(position) };
  }

  /** Oldest first. */
  @Get()
  @Reads()
  @Paged(WorkspaceAnswer)
  list(@InScopeWithQuery() _: Scope, @Query() query: PageQuery) {
    const { items, nextCursor } = pageById(this.follower.live.directory.allWorkspaces(), query);
    return { items: items.map(present), nextCursor };
  }

  /** One workspace. */
  @Get(':workspace')
  @Reads('workspace-not-found')
  get(@InScope() _: Scope, @Param('workspace', ReferencePipe) reference: string): WorkspaceAnswer {
    return present(this.find(reference));
  }

  /** The slug stays. */
  @Patch(':workspace')
  @Commands('workspace-not-found')
  @WithPosition(WorkspaceAnswer)
  rename(
    @InScope() scope: Scope,
    @Param('workspace', ReferencePipe) reference: string,
    @Body() { name }: RenameWorkspaceBody,
  ) {
    return this.change(scope, reference, { type: 'RenameWorkspace', name: name.normalize('NFC') });
  }

  /** No key of it works any more. Nothing is lost. The workspace that came first cannot be archived. */
  @Post(':workspace/archive')
  @HttpCode(200)
  @Commands('workspace-not-found', 'workspace-is-first')
  @WithPosition(WorkspaceAnswer)
  archive(@InScope() scope: Scope, @Param('workspace', ReferencePipe) reference: string, @Body() _: NoBody) {
    if (this.follower.live.directory.isFirst(this.find(reference).id)) {
      throw new Refused('workspace-is-first', 'The installation is looked after from this workspace.');
    }
    return this.change(scope, reference, { type: 'ArchiveWorkspace' });
  }

  /** Its keys work again. */
  @Post(':workspace/restore')
  @HttpCode(200)
  @Commands('workspace-not-found')
  @WithPosition(WorkspaceAnswer)
  restore(@InScope() scope: Scope, @Param('workspace', ReferencePipe) reference: string, @Body() _: NoBody) {
    return this.change(scope, reference, { type: 'RestoreWorkspace' });
  }

  private async change(scope: Scope, reference: string, change: ChangeWorkspace['change']) {
    const { id } = this.find(reference);
    const { position } = await this.commands.execute(
      new ChangeWorkspace(scope.callerInWorkspace, id, change),
    );
    return { ...present(this.find(id)), position: String(position) };
  }

  private find(reference: string): Workspace {
    const { directory } = this.follower.live;
    const found = directory.workspaceBySlug(reference) ?? directory.workspace(reference);
    if (found !== undefined) return found;
    throw new Refused('workspace-not-found', `There is no workspace ${JSON.stringify(reference)}.`);
  }
}

function present({ id, state: { slug, name, archived }, createdAt }: Workspace): WorkspaceAnswer {
  return { id, slug, name, createdAt, archived };
}
