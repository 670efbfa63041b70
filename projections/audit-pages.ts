// Reading the audit trail: one entry, or a page of those that have all of some tokens. The index of the windows says
// which windows may hold any; each of them is searched by itself, and a page ends once it is full or once many entries
// were searched in vain: it may be short then, or empty. So its cost follows what is on it, and not how long the trail
// is. Where a page ends goes by nothing but entries that the caller may see, or it would tell of the others.
import type { Actor } from '../src/domain/events.js';
import { thingToken, tokensIn } from './audit-tokens.js';
import { spanOf, WINDOW_ENTRIES, windowsOver } from './audit-windows.js';
import type { Rows } from './projection.js';

export interface AuditEntry {
  readonly position: string;
  readonly time: string;
  readonly type: string;
  readonly actorType: Actor['type'];
  readonly actorId: string;
  readonly workspace: string;
  readonly project: string | null;
  readonly environmentId: string | null;
  readonly environmentSlug: string | null;
  readonly flowId: string | null;
  readonly flowSlug: string | null;
  readonly versionId: string | null;
  readonly versionNumber: number | null;
  readonly release: number | null;
  readonly summary: string;
  readonly comment: string | null;
  /** JSON text. */
  readonly before: string | null;
  readonly after: string | null;
  readonly requestId: string;
  readonly correlationId: string;
  readonly causationId: string;
  readonly ip: string | null;
  readonly userAgent: string | null;
  /** Id of another environment that the summary names, and the summary without it. */
  readonly alsoNames: string | null;
  readonly summaryAlone: string | null;
}

export interface AuditSearch {
  /** Its number: nothing of another one is looked at. */
  readonly workspace: number;
  /** All of them; at least one. */
  readonly tokens: readonly string[];
  /** One of them at least: not everything of the workspace may be seen, but all that these are of. */
  readonly anyOf?: readonly string[];
  readonly noneOf?: readonly string[];
  /** The beginning of one more token. */
  readonly prefix?: string | undefined;
  /** Numbers of the first and the last entry that count. */
  readonly first: number;
  readonly last: number;
  readonly newestFirst: boolean;
  readonly limit: number;
}

export interface AuditPage {
  readonly entries: readonly AuditEntry[];
  /** Position of the last entry that was looked at; null where there are no more to look at. */
  readonly next: string | null;
}

/** A page ends after so many, whatever it has. */
const WINDOWS_MAX = 64;
/** A shorter beginning is that of some word in nearly every window, and of far too many words in all of them. */
const PREFIX_BYTES_MIN = 3;

/** The number of the first entry at or after a position: positions only ever grow with the number. */
export function firstAt(rows: Rows, position: bigint): number {
  const sql = 'SELECT position >= ? AS passed FROM audit_entries WHERE nr = ?';
  let [low, high] = [1, (rows.get<{ nr: number }>('SELECT max(nr) AS nr FROM audit_entries')?.nr ?? 0) + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const found = rows.get<{ passed: number }>(sql, position, middle);
    if (found?.passed === 1) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The token of a thing, as what an entry is about or in another part; undefined where no entry knows the thing. */
export function tokenOf(
  rows: Rows,
  id: string,
  inPart: (nr: number) => string = thingToken,
): string | undefined {
  const nr = numberOf(rows, id);
  return nr === undefined ? undefined : inPart(nr);
}

export function numberOf(rows: Rows, id: string): number | undefined {
  return rows.get<{ nr: number }>('SELECT nr FROM audit_things WHERE id = ?', id)?.nr;
}

export function entryAt(rows: Rows, position: bigint): AuditEntry | undefined {
  const [entry] = entriesOf(rows, [firstAt(rows, position)]);
  return entry?.position === String(position) ? entry : undefined;
}

/**
 * A page ends, too, after entries in a row that may be seen and are not what is searched for: as many as two windows
 * hold. So they need not be counted where two neighbours have what is searched for.
 */
export function searchTrail(rows: Rows, search: AuditSearch, windowEntries = WINDOW_ENTRIES): AuditPage {
  const { limit } = search;
  const inVainMax = 2 * windowEntries;
  const found: number[] = [];
  const windows = windowsFor(rows, search);
  let inVain = 0;
  let uncounted: (readonly [number, AuditSearch])[] = [];
  for (const window of windows) {
    const inWindow = entriesIn(rows, search, window, limit + 1 - found.length);
    const [nearest, farthest] = [inWindow[0], inWindow.at(-1)];
    uncounted.push([window, before(search, nearest)]);
    if (nearest === undefined || inVain > 0) {
      for (const [place, stretch] of uncounted) {
        const seen = visibleIn(rows, stretch, place, inVainMax - inVain);
        inVain += seen.count;
        if (inVain === inVainMax) return pageOf(rows, found, seen.farthest);
      }
      uncounted = [];
    }
    found.push(...inWindow);
    if (found.length > limit) return pageOf(rows, found.slice(0, limit), found[limit - 1]);
    if (farthest !== undefined) {
      inVain = 0;
      uncounted = [[window, after(search, farthest)]];
    }
  }
  return pageOf(rows, found, windows.length < WINDOWS_MAX ? undefined : edgeOf(rows, search, windows.at(-1)));
}

/** In the direction of the search, those that may hold an entry for it. */
function windowsFor(rows: Rows, search: AuditSearch): number[] {
  const { workspace, tokens, anyOf, prefix, first, last, newestFirst } = search;
  const span = windowsOver(rows, workspace, first, last);
  if (span === undefined) return [];
  const here = (all: readonly string[]) => all.map((token) => tokensIn(workspace, token));
  const isSelective = prefix !== undefined && Buffer.byteLength(prefix) >= PREFIX_BYTES_MIN;
  // Whether a window has the other tokens may hang on entries of it that may not be seen.
  const match =
    anyOf === undefined
      ? matchOf({ tokens: here(tokens), prefix: isSelective ? tokensIn(workspace, prefix) : undefined })
      : matchOf({ anyOf: here(anyOf) });
  const found = rows.all<{ nr: number }>(select('audit_windows', newestFirst), match, ...span, WINDOWS_MAX);
  return found.map(({ nr }) => nr);
}

function entriesIn(rows: Rows, search: AuditSearch, window: number, limit: number): number[] {
  const { tokens, anyOf = [], noneOf = [], prefix, first, last, newestFirst } = search;
  const here = (all: readonly string[]) => all.map((token) => tokensIn(window, token));
  const begin = prefix === undefined ? undefined : tokensIn(window, prefix);
  const match = matchOf({ tokens: here(tokens), anyOf: here(anyOf), noneOf: here(noneOf), prefix: begin });
  const found = rows.all<{ nr: number }>(select('audit_index', newestFirst), match, first, last, limit);
  return found.map(({ nr }) => nr);
}

/** How many entries of a window may be seen, up to a limit, and which of these is the farthest. */
function visibleIn(rows: Rows, search: AuditSearch, window: number, limit: number) {
  const { workspace, anyOf = [thingToken(workspace)], first, last, newestFirst } = search;
  const span = search.anyOf === undefined ? spanOf(rows, window) : undefined;
  if (span !== undefined && first <= span.first && span.last <= last && span.entries <= limit) {
    return { count: span.entries, farthest: newestFirst ? span.first : span.last };
  }
  const match = matchOf({ anyOf: anyOf.map((token) => tokensIn(window, token)) });
  const sql = `SELECT count(*) AS count, ${newestFirst ? 'min' : 'max'}(nr) AS farthest
    FROM (${select('audit_index', newestFirst)})`;
  const seen = rows.get<{ count: number; farthest: number | null }>(sql, match, first, last, limit);
  return { count: seen?.count ?? 0, farthest: seen?.farthest ?? undefined };
}

/** The farthest entry of a window that may be seen. */
function edgeOf(rows: Rows, search: AuditSearch, window = 0): number | undefined {
  return visibleIn(rows, { ...search, newestFirst: !search.newestFirst }, window, 1).farthest;
}

/** What comes before an entry in the direction of the search; all of it where there is no such entry. */
function before(search: AuditSearch, nr: number | undefined): AuditSearch {
  if (nr === undefined) return search;
  return search.newestFirst ? { ...search, first: nr + 1 } : { ...search, last: nr - 1 };
}

function after(search: AuditSearch, nr: number | undefined): AuditSearch {
  if (nr === undefined) return search;
  return search.newestFirst ? { ...search, last: nr - 1 } : { ...search, first: nr + 1 };
}

function select(index: 'audit_index' | 'audit_windows', newestFirst: boolean): string {
  return `SELECT rowid AS nr FROM ${index} WHERE ${index} MATCH ? AND rowid BETWEEN ? AND ?
    ORDER BY rowid ${newestFirst ? 'DESC' : 'ASC'} LIMIT ?`;
}

interface Match {
  readonly tokens?: readonly string[];
  readonly anyOf?: readonly string[];
  readonly noneOf?: readonly string[];
  readonly prefix?: string | undefined;
}

/** No token has a quote in it. */
function matchOf({ tokens = [], anyOf = [], noneOf = [], prefix }: Match): string {
  const quoted = (all: readonly string[]) => all.map((token) => `"${token}"`);
  const all = quoted(tokens);
  if (anyOf.length > 0) all.push(`(${quoted(anyOf).join(' OR ')})`);
  if (prefix !== undefined) all.push(`"${prefix}" *`);
  const match = all.join(' AND ');
  return noneOf.length === 0 ? match : `(${match}) NOT (${quoted(noneOf).join(' OR ')})`;
}

function pageOf(rows: Rows, numbers: readonly number[], reached: number | undefined): AuditPage {
  const next = reached === undefined ? undefined : entriesOf(rows, [reached])[0]?.position;
  return { entries: entriesOf(rows, numbers), next: next ?? null };
}

const ENTRIES = `SELECT CAST(e.position AS TEXT) AS position, e.time, e.type, e.actor_type AS actorType,
    actor.id AS actorId, workspace.id AS workspace, project.id AS project, environment.id AS environmentId,
    e.environment_slug AS environmentSlug, flow.id AS flowId, e.flow_slug AS flowSlug, e.version_id AS versionId,
    e.version_number AS versionNumber, e.release, e.summary, e.comment, e.before, e.after,
    e.request_id AS requestId, coalesce(e.correlation_id, e.request_id) AS correlationId,
    coalesce(e.causation_id, e.request_id) AS causationId, e.ip, e.user_agent AS userAgent,
    other.id AS alsoNames, e.summary_alone AS summaryAlone
  FROM json_each(?) AS asked CROSS JOIN audit_entries AS e ON e.nr = asked.value
  JOIN audit_things AS actor ON actor.nr = e.actor
  JOIN audit_things AS workspace ON workspace.nr = e.workspace
  LEFT JOIN audit_things AS project ON project.nr = e.project
  LEFT JOIN audit_things AS environment ON environment.nr = e.environment
  LEFT JOIN audit_things AS flow ON flow.nr = e.flow
  LEFT JOIN audit_things AS other ON other.nr = e.also_names ORDER BY asked.key`;

function entriesOf(rows: Rows, numbers: readonly number[]): AuditEntry[] {
  return numbers.length === 0 ? [] : rows.all<AuditEntry>(ENTRIES, JSON.stringify(numbers));
}
