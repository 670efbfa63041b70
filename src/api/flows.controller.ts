// Flows over HTTP.
import { Body, Controller, Get, HttpCode, Param, Patch, Post, Query, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ArchiveFlow, RenameFlow } from '../commands/change-flow.js';
import { CreateFlow } from '../commands/create-flow.js';
import { isSlug, slugFrom } from '../domain/naming.js';
import { LogFollower } from '../read/log-follower.js';
import { Past } from '../read/past.js';
import { flowIdsBySlug, flows as flowRows } from '../../projections/flows.js';
import { InScope, InScopeWithQuery } from './access.js';
import { Scope } from './scope.js';
import { FlowAnswer } from './answers.js';
import { Commands, Paged, Reads, WithPosition } from './documented.js';
import { fromCursor, page, SLUG_CURSOR } from './paging.js';
import { presentFlow } from './present.js';
import { Problem } from './problem.js';
import { answerAsOf, AnswersAsOf } from './time-travel.js';
import { AtQuery } from './time-travel.dto.js';
import { NoBody, ReferencePipe } from './validation.js';
import { CreateFlowBody, FlowsQuery, RenameFlowBody } from './flows.dto.js';

@ApiTags('flows')
@Controller(['api/v1/flows', 'api/v1/projects/:project/flows'])
export class FlowsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly follower: LogFollower,
    private readonly past: Past,
  ) {}

  /** A new flow, with a first version when `content` is given. */
  @Post()
  @Commands('flow-exists', 'content-too-large')
  @WithPosition(FlowAnswer, 201)
  async create(@InScope() { caller, project, sees }: Scope, @Body() body: CreateFlowBody) {
    const name = body.name.normalize('NFC');
    const slug = body.slug ?? slugOf(name);
    const { kind = 'flow', content = null, comment = null } = body;
    const { flowId, position } = await this.commands.execute(
      new CreateFlow(caller, { slug, name, kind, content, comment }),
    );
    const { live } = this.follower;
    const flow = live.directory.flow(project, flowId);
    return { ...presentFlow(live, project, flow, sees), position: String(position) };
  }

  /** By slug. */
  @Get()
  @Reads()
  @Paged(FlowAnswer)
  async list(@InScopeWithQuery() { project, sees }: Scope, @Query() query: FlowsQuery) {
    const { live } = this.follower;
    const after = fromCursor(query.cursor, SLUG_CURSOR) ?? '';
    const ids = flowIdsBySlug(await this.follower.rows(flowRows), project.id, {
      ...query,
      after,
      limit: query.limit + 1,
    });
    const flows = ids.flatMap((id) => live.directory.flowById(id) ?? []);
    const shown = flows.map((flow) => presentFlow(live, project, flow, sees));
    return page(shown, query.limit, ({ slug }) => slug);
  }

  /** A flow, and where which of its versions is active. */
  @Get(':flow')
  @Reads('flow-not-found', 'at-not-reached')
  @AnswersAsOf(FlowAnswer)
  get(
    @InScopeWithQuery() scope: Scope,
    @Param('flow', ReferencePipe) reference: string,
    @Query() { at }: AtQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): FlowAnswer | Promise<FlowAnswer | undefined> {
    const { project, sees } = scope;
    if (at !== undefined) {
      return answerAsOf(this.past, { scope, at, request, reply }, (then) =>
        presentFlow(then, then.project, then.directory.flow(then.project, reference), sees),
      );
    }
    const { live } = this.follower;
    return presentFlow(live, project, live.directory.flow(project, reference), sees);
  }

  /** Renames. The slug stays: running code asks for it. */
  @Patch(':flow')
  @Commands('flow-not-found', 'flow-archived')
  @WithPosition(FlowAnswer)
  async rename(
    @InScope() { caller, project, sees }: Scope,
    @Param('flow', ReferencePipe) reference: string,
    @Body() body: RenameFlowBody,
  ) {
    const { live } = this.follower;
    const flow = live.directory.flow(project, reference);
    const { position } = await this.commands.execute(
      new RenameFlow(caller, flow.id, body.name.normalize('NFC')),
    );
    return { ...presentFlow(live, project, flow, sees), position: String(position) };
  }

  /** Takes it off the list; it takes no new versions and no activations any more. */
  @Post(':flow/archive')
  @HttpCode(200)
  @Commands('flow-not-found', 'flow-is-active')
  @WithPosition(FlowAnswer)
  async archive(
    @InScope() { caller, project, sees }: Scope,
    @Param('flow', ReferencePipe) reference: string,
    @Body() _: NoBody,
  ) {
    const { live } = this.follower;
    const flow = live.directory.flow(project, reference);
    const { position } = await this.commands.execute(new ArchiveFlow(caller, flow.id, sees));
    return { ...presentFlow(live, project, flow, sees), position: String(position) };
  }
}

function slugOf(name: string): string {
  const slug = slugFrom(name);
  if (isSlug(slug)) return slug;
  const errors = [{ pointer: '/slug', detail: 'no slug can be derived from the name; give one' }];
  throw new Problem('invalid-body', 'A slug is needed; see errors.', errors);
}
