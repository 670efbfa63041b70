// The audit trail as one stream, in the form that another tool takes: oldest first, page by page, so that a trail of
// any length can be taken out, and gone on with after any entry.
import { Controller, Get, Param, Query, Req, Res } from '@nestjs/common';
import { ApiProduces, ApiProperty, ApiResponse, ApiTags, OmitType } from '@nestjs/swagger';
import { IsIn, Matches } from 'class-validator';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { EXPORT_FORMATS, exportForms, type ExportFormat } from '../audit/export-formats.js';
import { LogFollower } from '../read/log-follower.js';
import { searchTrail, type AuditPage } from '../../projections/audit-pages.js';
import { InScopeWithQuery } from './access.js';
import { Scope } from './scope.js';
import { AuditFilters } from './audit-filters.js';
import { AuditQuery, POSITION } from './audit.dto.js';
import type { AuditReach } from './audit-reach.js';
import { streamTo } from './audit-stream.js';
import { Reads } from './documented.js';
import { toCursor } from './paging.js';
import { presentEntry } from './present-entry.js';
import { IfGiven } from './validation.js';

const PAGE_ENTRIES = 500;

export class ExportQuery extends OmitType(AuditQuery, ['limit', 'cursor', 'direction'] as const) {
  @IfGiven()
  @IsIn(EXPORT_FORMATS)
  @ApiProperty({ enum: EXPORT_FORMATS, required: false, default: 'ndjson' })
  format: ExportFormat = 'ndjson';

  /** Position of the last entry of an earlier export that broke off. */
  @IfGiven()
  @Matches(POSITION, { message: 'after must be a position' })
  after?: string;
}

@ApiTags('audit')
@Controller(['api/v1/audit', 'api/v1/projects/:project/audit'])
export class AuditExportController {
  constructor(private readonly follower: LogFollower) {}

  /** Oldest first, up to what was there when each part of it was read. */
  @Get('export')
  @Reads('environment-not-found', 'flow-not-found', 'version-not-found')
  @ApiProduces('application/x-ndjson', 'text/csv')
  @ApiResponse({
    status: 200,
    content: {
      'application/x-ndjson': { schema: { type: 'string' } },
      'text/csv': { schema: { type: 'string' } },
    },
  })
  async export(
    @InScopeWithQuery() scope: Scope,
    @Query() query: ExportQuery,
    @Param('project') inProject: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { format, after, ...filters } = query;
    const trail = new AuditFilters(this.follower, scope, inProject === undefined);
    const pageAfter = async (position: string | undefined): Promise<AuditPage> => {
      const cursor = position === undefined ? {} : { cursor: toCursor(position) };
      const page = { ...filters, ...cursor, limit: PAGE_ENTRIES, direction: 'forwards' as const };
      const { rows, search } = await trail.question(page);
      return search === undefined ? { entries: [], next: null } : searchTrail(rows, search);
    };
    // What is wrong with the question is found before anything is sent.
    const first = await pageAfter(after);
    const { contentType, fileName } = exportForms[format];
    void reply.header('content-type', contentType);
    void reply.header('content-disposition', `attachment; filename="${fileName}"`);
    await reply.send(streamTo(request, this.lines(trail.reach, format, after, first, pageAfter)));
  }

  private async *lines(
    reach: AuditReach,
    format: ExportFormat,
    after: string | undefined,
    first: AuditPage,
    pageAfter: (position: string) => Promise<AuditPage>,
  ): AsyncGenerator<string> {
    const form = exportForms[format];
    // What is added to an earlier export has its head already.
    if (after === undefined && form.head !== '') yield form.head;
    for (let page = first; ; page = await pageAfter(page.next)) {
      const text = page.entries
        .map((entry) => form.line(presentEntry(this.follower.live, entry, reach)))
        .join('');
      if (text !== '') yield text;
      if (page.next === null) return;
    }
  }
}
