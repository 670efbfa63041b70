// The life of pointers over HTTP: every change of what ran, where, by whom and why.
import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { LogFollower } from '../read/log-follower.js';
import { PointerHistory, type PointerChange } from '../read/pointer-history.js';
import type { Project } from '../../projections/projects.js';
import { InScopeWithQuery } from './access.js';
import { Scope } from './scope.js';
import { Paged, Reads } from './documented.js';
import { fromCursor, page } from './paging.js';
import { presentActor, presentRef, RELEASE_KIND } from './present.js';
import { PointerChangeAnswer } from './time-travel.answers.js';
import { EnvironmentHistoryQuery, FlowHistoryQuery } from './time-travel.dto.js';
import { ReferencePipe } from './validation.js';

const POSITION_CURSOR = /^[1-9][0-9]{0,18}$/;
/** The release and the flow of a change: a number of the change itself would count those of other environments. */
const CHANGE_CURSOR = /^[1-9][0-9]{0,14} [0-9a-f-]{36}$/;

@ApiTags('history')
@Controller(['api/v1', 'api/v1/projects/:project'])
export class HistoryController {
  constructor(
    private readonly follower: LogFollower,
    private readonly history: PointerHistory,
  ) {}

  /** Which versions of a flow ran where, newest first. */
  @Get('flows/:flow/history')
  @Reads('flow-not-found', 'environment-not-found')
  @Paged(PointerChangeAnswer)
  async ofFlow(
    @InScopeWithQuery() scope: Scope,
    @Param('flow', ReferencePipe) reference: string,
    @Query() { limit, cursor, environment }: FlowHistoryQuery,
  ) {
    const { project, sees } = scope;
    const flow = this.follower.live.directory.flow(project, reference);
    const environmentIds =
      environment === undefined
        ? [...project.state.environments.keys()].filter(sees)
        : [scope.environment(environment).id];
    return this.pageOfFlow(project, flow.id, environmentIds, limit, cursor);
  }

  /** What ran in an environment, newest first; the changes of one release together. */
  @Get('environments/:environment/history')
  @Reads('environment-not-found', 'flow-not-found')
  @Paged(PointerChangeAnswer)
  async ofEnvironment(
    @InScopeWithQuery() scope: Scope,
    @Param('environment', ReferencePipe) reference: string,
    @Query() { limit, cursor, flow }: EnvironmentHistoryQuery,
  ) {
    const { project } = scope;
    const { id } = scope.environment(reference);
    if (flow !== undefined) {
      const { id: flowId } = this.follower.live.directory.flow(project, flow);
      return this.pageOfFlow(project, flowId, [id], limit, cursor);
    }
    const [release, flowId] = fromCursor(cursor, CHANGE_CURSOR)?.split(' ') ?? [];
    const below = flowId === undefined ? undefined : { release: Number(release), flowId };
    const found = await this.history.ofEnvironment(id, below, limit + 1);
    const { items, nextCursor } = page(found, limit, (change) => `${change.release.number} ${change.flowId}`);
    return { items: items.map((change) => this.present(project, change)), nextCursor };
  }

  private async pageOfFlow(
    project: Project,
    flowId: string,
    environmentIds: readonly string[],
    limit: number,
    cursor: string | undefined,
  ) {
    const before = fromCursor(cursor, POSITION_CURSOR);
    const position = before === undefined ? undefined : BigInt(before);
    const changes = await this.history.ofFlow(flowId, environmentIds, position, limit + 1);
    const shown = changes.map((change) => this.present(project, change));
    return page(shown, limit, (item) => item.position);
  }

  private present(project: Project, change: PointerChange): PointerChangeAnswer {
    const { environmentId, flowId, release, from, to } = change;
    const { live } = this.follower;
    const environment = project.state.environments.get(environmentId)?.slug ?? environmentId;
    const inProject = `/api/v1/projects/${project.state.slug}`;
    return {
      environment,
      flow: live.directory.flowById(flowId)?.slug ?? flowId,
      flowId,
      release: release.number,
      kind: RELEASE_KIND[release.type],
      from: from && presentRef(from),
      to: to && presentRef(to),
      actor: presentActor(live, project.workspaceId, release.actor),
      comment: release.comment,
      time: release.time,
      position: String(release.position),
      links: {
        release: `${inProject}/environments/${environment}/releases/${release.number}`,
        audit: `/api/v1/audit/${release.position}`,
      },
    };
  }
}
