// Versions of a flow over HTTP: writing them, comparing them, and where they are active.
import { Body, Controller, Delete, Get, Param, Patch, Post, Query, HttpCode } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { ActivateVersion, DeactivateVersion } from '../commands/activate-version.js';
import { DraftVersion, EditVersion, ForkVersion } from '../commands/write-version.js';
import type { EventMetadata } from '../domain/events.js';
import type { VersionDrafted, VersionEdited } from '../domain/flow.events.js';
import { Refused } from '../domain/refused.js';
import { LogFollower } from '../read/log-follower.js';
import { VersionLog } from '../read/version-log.js';
import type { Flow } from '../../projections/flows.js';
import type { Version } from '../../projections/versions.js';
import { InScope, InScopeWithQuery } from './access.js';
import { Scope } from './scope.js';
import { VersionAnswer, VersionDiffAnswer } from './answers.js';
import { diffOfVersions } from './version-diff.js';
import { AnswersRelease, Commands, Paged, Reads, WithPosition } from './documented.js';
import { PinnedRelease } from './headers.js';
import { fromCursor, NUMBER_CURSOR, page, PageQuery } from './paging.js';
import { presentActor, presentVersion } from './present.js';
import { ReleaseText, type JsonText } from './release-text.js';
import { ReferencePipe } from './validation.js';
import {
  ActivateVersionBody,
  DeactivateVersionBody,
  DraftVersionBody,
  EditVersionBody,
} from './versions.dto.js';

@ApiTags('versions')
@Controller(['api/v1/flows/:flow', 'api/v1/projects/:project/flows/:flow'])
export class VersionsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly follower: LogFollower,
    private readonly versions: VersionLog,
  ) {}

  /** A new draft, with the next number. */
  @Post('versions')
  @Commands('flow-not-found', 'flow-archived', 'content-too-large')
  @WithPosition(VersionAnswer, 201)
  async draft(
    @InScope() scope: Scope,
    @Param('flow', ReferencePipe) reference: string,
    @Body() body: DraftVersionBody,
  ) {
    const flow = this.flow(scope, reference);
    return this.drafted(
      scope,
      flow,
      await this.commands.execute(new DraftVersion(scope.caller, flow.id, body)),
    );
  }

  /** Newest first. */
  @Get('versions')
  @Reads('flow-not-found')
  @Paged(VersionAnswer)
  async list(
    @InScopeWithQuery() scope: Scope,
    @Param('flow', ReferencePipe) reference: string,
    @Query() { limit, cursor }: PageQuery,
  ) {
    const below = Number(fromCursor(cursor, NUMBER_CURSOR) ?? Number.MAX_SAFE_INTEGER);
    const versions = await this.versions.page(this.flow(scope, reference).id, below, limit + 1);
    const shown = versions.map((version) => presentVersion(this.follower.live, scope.project, version));
    return page(shown, limit, ({ number }) => String(number));
  }

  /** By id or number. */
  @Get('versions/:version')
  @Reads('flow-not-found', 'version-not-found')
  async get(
    @InScope() scope: Scope,
    @Param('flow', ReferencePipe) reference: string,
    @Param('version', ReferencePipe) version: string,
  ): Promise<VersionAnswer> {
    const found = await this.find(this.flow(scope, reference), version);
    return presentVersion(this.follower.live, scope.project, found);
  }

  /** Changes a draft. A version that was ever active is locked: fork it. */
  @Patch('versions/:version')
  @Commands('flow-not-found', 'version-not-found', 'version-locked', 'flow-archived', 'content-too-large')
  @WithPosition(VersionAnswer)
  async edit(
    @InScope() scope: Scope,
    @Param('flow', ReferencePipe) reference: string,
    @Param('version', ReferencePipe) version: string,
    @Body() body: EditVersionBody,
  ) {
    const flow = this.flow(scope, reference);
    const before = await this.find(flow, version);
    const command = new EditVersion(scope.caller, flow.id, before.id, body);
    const { event, position } = await this.commands.execute(command);
    const shown = presentVersion(this.follower.live, scope.project, before);
    return { ...shown, ...(event && written(event)), position: String(position) };
  }

  /** A new draft that begins with this version's content and remembers where it came from. */
  @Post('versions/:version/fork')
  @Commands('flow-not-found', 'version-not-found', 'flow-archived', 'content-too-large')
  @WithPosition(VersionAnswer, 201)
  async fork(
    @InScope() scope: Scope,
    @Param('flow', ReferencePipe) reference: string,
    @Param('version', ReferencePipe) version: string,
    @Body() body: EditVersionBody,
  ) {
    const flow = this.flow(scope, reference);
    const { id } = await this.find(flow, version);
    return this.drafted(
      scope,
      flow,
      await this.commands.execute(new ForkVersion(scope.caller, flow.id, id, body)),
    );
  }

  /** What changed from one version's content to another's. */
  @Get('versions/:a/diff/:b')
  @Reads('flow-not-found', 'version-not-found')
  async diff(
    @InScope() scope: Scope,
    @Param('flow', ReferencePipe) reference: string,
    @Param('a', ReferencePipe) a: string,
    @Param('b', ReferencePipe) b: string,
  ): Promise<VersionDiffAnswer> {
    const flow = this.flow(scope, reference);
    return diffOfVersions(flow.slug, await this.find(flow, a), await this.find(flow, b));
  }

  /** Makes it the version that the environment resolves to. A draft is locked by its first activation. */
  @Post('versions/:version/environments')
  @HttpCode(200)
  @AnswersRelease()
  @Commands(
    ...(['flow-not-found', 'version-not-found', 'environment-not-found', 'environment-archived'] as const),
    ...(['flow-archived', 'release-moved', 'invalid-header'] as const),
  )
  async activate(
    @InScope() scope: Scope,
    @Param('flow', ReferencePipe) reference: string,
    @Param('version', ReferencePipe) version: string,
    @Body() { environment, comment = null }: ActivateVersionBody,
    @PinnedRelease() expectedRelease: number | null,
  ): Promise<JsonText> {
    const flow = this.flow(scope, reference);
    const { id: environmentId } = scope.openEnvironment(environment, 'activate');
    const request = { environmentId, flowId: flow.id, version, comment, expectedRelease };
    const text = new ReleaseText(this.follower.live, scope, environmentId);
    return text.of(await this.commands.execute(new ActivateVersion(scope.caller, request, text.prepare)));
  }

  /** Removes the flow from the environment. */
  @Delete('environments/:environment')
  @HttpCode(200)
  @AnswersRelease()
  @Commands(
    ...(['flow-not-found', 'environment-not-found', 'environment-archived'] as const),
    ...(['release-moved', 'invalid-header'] as const),
  )
  async deactivate(
    @InScope() scope: Scope,
    @Param('flow', ReferencePipe) reference: string,
    @Param('environment', ReferencePipe) environment: string,
    @Body() { comment = null }: DeactivateVersionBody,
    @PinnedRelease() expectedRelease: number | null,
  ): Promise<JsonText> {
    const flowId = this.flow(scope, reference).id;
    const { id: environmentId } = scope.openEnvironment(environment, 'activate');
    const request = { environmentId, flowId, comment, expectedRelease };
    const text = new ReleaseText(this.follower.live, scope, environmentId);
    return text.of(await this.commands.execute(new DeactivateVersion(scope.caller, request, text.prepare)));
  }

  private flow({ project }: Scope, reference: string): Flow {
    return this.follower.live.directory.flow(project, reference);
  }

  private async find(flow: Flow, reference: string): Promise<Version> {
    const version = await this.versions.find(flow.id, reference);
    if (version !== undefined) return version;
    throw new Refused('version-not-found', `Flow ${flow.slug} has no version ${reference}.`);
  }

  private drafted(
    { project }: Scope,
    { id: flowId }: Flow,
    { event, meta, position }: { event: VersionDrafted; meta: EventMetadata; position: bigint },
  ) {
    return {
      ...{ id: event.versionId, flowId, number: event.number, state: 'draft' },
      ...written(event),
      ...{ forkedFrom: event.forkedFrom, createdAt: meta.time },
      actor: presentActor(this.follower.live, project.workspaceId, meta.actor),
      position: String(position),
    };
  }
}

function written({ content, digest, label, comment }: VersionDrafted | VersionEdited) {
  return { content, digest, label, comment };
}
