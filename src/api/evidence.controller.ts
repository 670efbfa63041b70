// The evidence over HTTP, in the very bytes of an evidence bundle (docs/audit-format.md): every event as a leaf, and
// the checkpoints that were signed over them. Streamed page by page, so that a log of any size can be taken out.
import { Controller, Get, Header, Query, Req, Res } from '@nestjs/common';
import { ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { eventLine } from '../audit/evidence-lines.js';
import { leafOf } from '../audit/leaf.js';
import { Engine } from '../engine.js';
import { LogFollower } from '../read/log-follower.js';
import { START } from '../store/event-store.js';
import { ledger, Tree, workspaceOf } from '../../projections/ledger.js';
import { InScope, InScopeWithQuery } from './access.js';
import { Scope } from './scope.js';
import { streamTo } from './audit-stream.js';
import { Reads } from './documented.js';
import { Problem } from './problem.js';
import { EvidenceQuery } from './record.dto.js';

/** Of the older checkpoints so many stand for all: each later one covers what those before it cover. */
const CHECKPOINTS_MAX = 100;

@ApiTags('audit')
@Controller(['api/v1/audit', 'api/v1/projects/:project/audit'])
export class EvidenceController {
  constructor(
    private readonly engine: Engine,
    private readonly follower: LogFollower,
  ) {}

  /** Signed checkpoints, oldest first, the last one over everything that was there when this was asked. */
  @Get('checkpoints')
  @Reads('log-fenced', 'store-unavailable')
  @ApiProduces('text/plain')
  @ApiResponse({ status: 200, content: { 'text/plain': { schema: { type: 'string' } } } })
  @Header('content-type', 'text/plain; charset=utf-8')
  @Header('content-disposition', 'attachment; filename="checkpoints.txt"')
  async checkpoints(@InScope() { project }: Scope): Promise<string> {
    const signed = await this.engine.checkpoints.all(project.workspaceId);
    const step = Math.ceil(signed.length / CHECKPOINTS_MAX);
    const kept = signed.filter((_, i) => (signed.length - 1 - i) % step === 0);
    return kept.map(({ note }) => `${note}\n`).join('');
  }

  /** The leaves of the tree, one JSON object a line, from an index on. Asked again from a later one, it goes on. */
  @Get('evidence')
  @Reads('store-unavailable')
  @ApiProduces('application/x-ndjson')
  @ApiResponse({ status: 200, content: { 'application/x-ndjson': { schema: { type: 'string' } } } })
  async evidence(
    @InScopeWithQuery() { project: { workspaceId } }: Scope,
    @Query() { from, size: asked }: EvidenceQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const tree = new Tree(await this.follower.rows(ledger), workspaceId);
    const size = asked ?? tree.size;
    if (size > tree.size || from > size) {
      const pointer = size > tree.size ? '/size' : '/from';
      const detail = `must not be more than ${size > tree.size ? tree.size : size}`;
      throw new Problem('invalid-query', 'The log has no such sizes.', [{ pointer, detail }]);
    }
    void reply.header('content-type', 'application/x-ndjson; charset=utf-8');
    void reply.header('content-disposition', 'attachment; filename="events.ndjson"');
    await reply.send(streamTo(request, this.lines(tree, workspaceId, from, size)));
  }

  /** A page of the log at a time. */
  private async *lines(tree: Tree, workspace: string, from: number, size: number): AsyncGenerator<string> {
    let index = from;
    let after = from === 0 ? START : tree.positionOf(from - 1);
    while (index < size) {
      const page = await this.engine.store.readAll({ after });
      if (page.length === 0) throw new Error(`Broken promise: the log has event ${index} of ${workspace}`);
      let text = '';
      for (const event of page) {
        after = event.position;
        if (index === size || workspaceOf(event) !== workspace) continue;
        text += eventLine(index, leafOf(event, workspace, index));
        index += 1;
      }
      if (text !== '') yield text;
    }
  }
}
