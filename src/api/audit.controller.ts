// The audit trail over HTTP: who did what, when and why, filtered and page by page. Below a project it tells of that
// project alone, else of the whole workspace.
import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Refused } from '../domain/refused.js';
import { LogFollower } from '../read/log-follower.js';
import { searchTrail } from '../../projections/audit-pages.js';
import { InScope, InScopeWithQuery } from './access.js';
import { Scope } from './scope.js';
import { AuditFilters } from './audit-filters.js';
import { AuditEntryAnswer } from './audit.answers.js';
import { AuditQuery, POSITION } from './audit.dto.js';
import { Paged, Reads } from './documented.js';
import { toCursor } from './paging.js';
import { presentEntry } from './present-entry.js';
import { Problem } from './problem.js';

const ONE_ENTRY = { limit: 1, direction: 'forwards' } as const;

@ApiTags('audit')
@Controller(['api/v1/audit', 'api/v1/projects/:project/audit'])
export class AuditController {
  constructor(private readonly follower: LogFollower) {}

  /**
   * Newest first, or oldest first when `forwards`. A page may be short, or even empty, and still lead on: it ends when
   * it is full, or when it has looked through many entries in vain.
   */
  @Get()
  @Reads('environment-not-found', 'flow-not-found', 'version-not-found')
  @Paged(AuditEntryAnswer)
  async list(
    @InScopeWithQuery() scope: Scope,
    @Query() query: AuditQuery,
    @Param('project') inProject: string | undefined,
  ) {
    const filters = new AuditFilters(this.follower, scope, inProject === undefined);
    const { rows, search } = await filters.question(query);
    if (search === undefined) return { items: [], nextCursor: null };
    const { entries, next } = searchTrail(rows, search);
    const items = entries.map((entry) => presentEntry(this.follower.live, entry, filters.reach));
    return { items, nextCursor: next === null ? null : toCursor(next) };
  }

  /** The entry of the event at a position. */
  @Get(':position')
  @Reads('position-not-found')
  async get(
    @InScope() scope: Scope,
    @Param('position') position: string,
    @Param('project') inProject: string | undefined,
  ): Promise<AuditEntryAnswer> {
    if (!POSITION.test(position)) {
      const errors = [{ pointer: '/position', detail: 'must be a position' }];
      throw new Problem('invalid-reference', 'A position is expected.', errors);
    }
    const filters = new AuditFilters(this.follower, scope, inProject === undefined);
    const { rows, search } = await filters.question({ ...ONE_ENTRY, from: position, to: position });
    const [entry] = search === undefined ? [] : searchTrail(rows, search).entries;
    if (entry !== undefined) return presentEntry(this.follower.live, entry, filters.reach);
    throw new Refused('position-not-found', `There is no event at position ${position}.`);
  }
}
