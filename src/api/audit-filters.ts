// From what a caller asks of the audit trail to what its index is searched for. Whatever is named has to exist now; the
// entries go by ids, so they are found under any name that a thing ever had.
import { assert } from '../domain/decider.js';
import { isId } from '../domain/naming.js';
import { Refused } from '../domain/refused.js';
import type { LogFollower } from '../read/log-follower.js';
import type { At } from '../read/past.js';
import { firstAt, numberOf, tokenOf, type AuditSearch } from '../../projections/audit-pages.js';
import {
  actorToken,
  alsoNamesToken,
  correlationToken,
  NO_TOKEN,
  SYSTEM_TOKEN,
  versionToken,
  wordsOf,
} from '../../projections/audit-tokens.js';
import { auditTrail, typeThing } from '../../projections/audit-trail.js';
import type { Flow } from '../../projections/flows.js';
import { moments, positionAt } from '../../projections/moments.js';
import type { Rows } from '../../projections/projection.js';
import type { Project } from '../../projections/projects.js';
import { versionById, versionByNumber, versions, type Version } from '../../projections/versions.js';
import { START } from '../store/event-store.js';
import { parseAt } from './at.js';
import { POSITION, type AuditQuery } from './audit.dto.js';
import { AuditReach } from './audit-reach.js';
import { fromCursor } from './paging.js';
import { Problem } from './problem.js';
import type { Scope } from './scope.js';

/** What the entries are searched for; undefined for the search where the caller may see none. */
export interface AuditQuestion {
  readonly rows: Rows;
  readonly search: AuditSearch | undefined;
}

export class AuditFilters {
  readonly reach: AuditReach;

  constructor(
    private readonly follower: LogFollower,
    private readonly scope: Scope,
    /** All projects of the workspace and what belongs to none, instead of the project alone. */
    private readonly everywhere: boolean,
  ) {
    this.reach = new AuditReach(scope.access, this.projects());
  }

  async question(query: AuditQuery): Promise<AuditQuestion> {
    const cursor = fromCursor(query.cursor, POSITION);
    const { scope, everywhere, reach } = this;
    const flow = query.flow === undefined ? undefined : this.flow(query.flow);
    const version = query.version === undefined ? undefined : await this.version(query.version, flow);
    const named = [
      ...(query.environment === undefined ? [] : [this.environmentId(query.environment)]),
      ...(flow === undefined ? [] : [flow.id]),
    ];
    // What is named was found here, and to look for all that happened here as well costs more than all else.
    const whole =
      named.length > 0 || version !== undefined ? [] : [everywhere ? scope.workspaceId : scope.project.id];
    const things = [...[...named, ...whole], ...(query.type === undefined ? [] : [typeThing(query.type)])];
    await this.follower.rows(moments);
    const rows = await this.follower.rows(auditTrail);
    const tokens = things.map((id) => tokenOf(rows, id) ?? NO_TOKEN);
    if (version !== undefined) tokens.push(versionTokenOf(rows, version));
    if (query.actor === 'system') tokens.push(SYSTEM_TOKEN);
    // What nobody's trail knows is searched for all the same: it must not be told from what another's knows.
    else if (query.actor !== undefined) tokens.push(tokenOf(rows, query.actor, actorToken) ?? NO_TOKEN);
    if (query.correlationId !== undefined) tokens.push(correlationToken(query.correlationId));
    const { words, prefix } = wordsAsked(query.q);
    const anyOf = reach.things?.flatMap((id) => tokenOf(rows, id) ?? []);
    // Words of an entry that are not shown must not be found either.
    const hidden = query.q === undefined ? [] : reach.hidden;
    const noneOf = hidden.flatMap((id) => tokenOf(rows, id, alsoNamesToken) ?? []);
    const workspace = numberOf(rows, scope.workspaceId);
    const { limit, direction } = query;
    const newestFirst = direction === 'backwards';
    const { first, last } = boundsOf(rows, query, cursor, newestFirst);
    if (workspace === undefined || anyOf?.length === 0 || first > last) return { rows, search: undefined };
    const search = {
      workspace,
      tokens: [...tokens, ...words],
      ...(anyOf && { anyOf }),
      noneOf,
      prefix,
      first,
      last,
      newestFirst,
      limit,
    };
    return { rows, search };
  }

  /** By slug in the project; by id, where the whole workspace is asked, in any project. */
  private environmentId(reference: string): string {
    const holder = this.everywhere && isId(reference) ? this.projects().find(has(reference)) : undefined;
    return this.scope.environment(reference, 'audit', holder ?? this.scope.project).id;
  }

  private flow(reference: string): Flow {
    const { directory } = this.follower.live;
    const flow = this.everywhere && isId(reference) ? directory.flowById(reference) : undefined;
    const isHere = this.projects().some(({ id }) => id === flow?.projectId);
    return flow !== undefined && isHere ? flow : directory.flow(this.scope.project, reference);
  }

  private async version(reference: string, flow: Flow | undefined): Promise<Version> {
    if (!isId(reference) && flow === undefined) {
      const errors = [{ pointer: '/version', detail: 'a number needs a flow beside it' }];
      throw new Problem('invalid-query', 'The number of a version says nothing without its flow.', errors);
    }
    const rows = await this.follower.rows(versions);
    const version = isId(reference)
      ? versionById(rows, reference)
      : versionByNumber(rows, flow?.id ?? '', Number(reference));
    const { directory } = this.follower.live;
    const holder = version === undefined ? undefined : (flow ?? directory.flowById(version.flowId));
    const isHere = this.projects().some(({ id }) => id === holder?.projectId);
    if (version !== undefined && version.flowId === holder?.id && isHere) return version;
    throw new Refused('version-not-found', `There is no version ${JSON.stringify(reference)}.`);
  }

  private projects(): readonly Project[] {
    const { scope, follower } = this;
    if (!this.everywhere) return [scope.project];
    const all = follower.live.directory.projectsOf(scope.workspaceId);
    return all.filter(({ id }) => scope.access.hasIn('audit', id));
  }
}

function has(environmentId: string): (project: Project) => boolean {
  return ({ state }) => state.environments.has(environmentId);
}

function versionTokenOf(rows: Rows, { flowId, number }: Version): string {
  return tokenOf(rows, flowId, (nr) => versionToken(nr, number)) ?? NO_TOKEN;
}

/** The last word may be the beginning of one. */
function wordsAsked(q: string | undefined): { readonly words: readonly string[]; readonly prefix?: string } {
  if (q === undefined) return { words: [] };
  const words = wordsOf(q).split(' ');
  const prefix = words.pop();
  return { words, ...(prefix !== undefined && { prefix }) };
}

/** Numbers of the first and the last entry that count: both ends are included, that of the cursor is not. */
function boundsOf(rows: Rows, { from, to }: AuditQuery, cursor: string | undefined, newestFirst: boolean) {
  let first = from === undefined ? 1 : firstFrom(rows, from);
  let last = (to === undefined ? firstAt(rows, MAX_POSITION) : firstAfter(rows, to)) - 1;
  if (cursor !== undefined && newestFirst) {
    last = Math.min(last, firstAt(rows, BigInt(cursor)) - 1);
  } else if (cursor !== undefined) {
    first = Math.max(first, firstAt(rows, BigInt(cursor) + 1n));
  }
  return { first, last };
}

const MAX_POSITION = 2n ** 63n - 1n;

function firstFrom(rows: Rows, place: string): number {
  const at = read(place);
  if ('position' in at) return firstAt(rows, at.position);
  return firstAt(rows, (positionAt(rows, at.timeMs - 1) ?? START) + 1n);
}

function firstAfter(rows: Rows, place: string): number {
  const at = read(place);
  if ('position' in at) return firstAt(rows, at.position + 1n);
  return firstAt(rows, (positionAt(rows, at.timeMs) ?? START) + 1n);
}

function read(place: string): At {
  const at = parseAt(place);
  assert(at !== undefined, 'the query was checked');
  return at;
}
