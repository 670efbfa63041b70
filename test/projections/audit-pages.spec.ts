// Pages of the audit trail tell of nothing but what the caller may see: neither their entries nor where they end.
import Database from 'better-sqlite3';
import type { StoredFact } from '../../src/domain/recorded.js';
import { SqliteTables } from '../../src/read/sqlite-tables.js';
import { tokenOf, type AuditSearch } from '../../projections/audit-pages.js';
import { alsoNamesToken } from '../../projections/audit-tokens.js';
import { auditTrailIn } from '../../projections/audit-trail.js';
import type { Rows } from '../../projections/projection.js';
import { AuditHistory, ENVIRONMENTS, storedFact, type Happened } from '../support/audit-history.js';
import {
  holds,
  pagesOf,
  plainWords,
  randomQuestion,
  searchFor,
  type Asked,
} from '../support/audit-questions.js';
import { Random, seed } from '../support/random.js';

/** Environments of the workspace w1, or all of it. */
type Reach = readonly string[] | undefined;

const REACHES: readonly { readonly of: string; readonly reach: Reach }[] = [
  { of: 'everything', reach: undefined },
  { of: 'one environment', reach: ['e1'] },
  { of: 'two environments', reach: ['e2', 'e3'] },
];
/** So many pages at least have to have ended in vain, or they would prove little. */
const IN_VAIN_MIN = 5;
const QUESTIONS_EACH = 40;

const random = new Random(seed);
const past = new AuditHistory(random);
past.grow(700);

function trailOf(facts: readonly StoredFact[], windowEntries: number): Rows {
  const database = new Database(':memory:');
  const trail = auditTrailIn(windowEntries);
  database.exec(trail.schema);
  const tables = new SqliteTables(database);
  trail.take(tables, facts);
  return tables;
}

function isSeen({ meta, environmentId }: Happened, reach: Reach): boolean {
  return meta.workspace === 'w1' && (reach === undefined || reach.includes(environmentId ?? ''));
}

/** As the API asks for a caller with this reach. */
function limitedTo(rows: Rows, reach: Reach, { q }: Asked): Partial<AuditSearch> {
  if (reach === undefined) return {};
  const others = q === undefined ? [] : ENVIRONMENTS.filter((id) => !reach.includes(id));
  return {
    anyOf: reach.flatMap((id) => tokenOf(rows, id) ?? []),
    noneOf: others.flatMap((id) => tokenOf(rows, id, alsoNamesToken) ?? []),
  };
}

/** What a plain look at all that happened finds, the oldest first. */
function naive(rows: Rows, asked: Asked, reach: Reach): string[] {
  const sql = "SELECT summary || ' ' || coalesce(comment, '') AS text FROM audit_entries ORDER BY nr";
  const texts = rows.all<{ text: string }>(sql).map(({ text }) => plainWords(text));
  const found = past.happened.filter((one, index) => {
    const { source } = JSON.parse(one.fact.data) as { source?: { environmentId: string } };
    const namesAnother = reach !== undefined && source !== undefined && !reach.includes(source.environmentId);
    const isFound = isSeen(one, reach) && holds(asked, one, texts[index] ?? []);
    return isFound && !(namesAnother && asked.q !== undefined);
  });
  return found.map(({ fact }) => String(fact.position));
}

/** The same places in the log, where something else happened that the same callers may not see. */
function saidOtherwise({ fact, meta }: Happened): StoredFact {
  const { id, revision, position } = fact;
  const event = { type: 'FlowRenamed', name: 'Café release 12 twice' } as const;
  const otherwise = { ...meta, actor: { type: 'api-key', id: 'key-mallory' }, $correlationId: 'at-night' };
  return storedFact(event, { id, stream: 'flow-f7', revision, position }, otherwise);
}

/** Asks two trails in which the same may be seen, and returns how many pages ended in vain. */
function expectSamePages(
  windowEntries: number,
  reach: Reach,
  ofHidden: (one: Happened) => StoredFact[],
): number {
  const trail = trailOf(
    past.happened.map(({ fact }) => fact),
    windowEntries,
  );
  const another = past.happened.flatMap((one) => (isSeen(one, reach) ? [one.fact] : ofHidden(one)));
  const other = trailOf(another, windowEntries);
  const seen = past.happened.filter((one) => isSeen(one, reach)).map(({ fact }) => String(fact.position));
  let endedInVain = 0;
  for (let question = 0; question < QUESTIONS_EACH; question += 1) {
    const asked = { ...randomQuestion(random, past.happened), workspace: 'w1' };
    const limits = { newestFirst: random.next() < 0.5, limit: random.pick([1, 5, 50]) };
    const [pages = [], others] = [trail, other].map((rows) => {
      return pagesOf(
        rows,
        searchFor(rows, asked, { ...limitedTo(rows, reach, asked), ...limits }),
        windowEntries,
      );
    });
    expect({ asked, reach, limits, pages: others }).toEqual({ asked, reach, limits, pages });
    const expected = naive(trail, asked, reach);
    expect(pages.flatMap(({ positions }) => positions)).toEqual(
      limits.newestFirst ? expected.reverse() : expected,
    );
    expect(pages.flatMap(({ next }) => next ?? []).filter((next) => !seen.includes(next))).toEqual([]);
    const short = pages.filter(({ positions, next }) => next !== null && positions.length < limits.limit);
    endedInVain += short.length;
  }
  return endedInVain;
}

describe(`Pages of the trail (TEST_SEED=${seed})`, () => {
  it.each(REACHES)(
    'are as if nothing had ever been there that may not be seen, to an auditor of $of',
    ({ reach }) => {
      const inVain = [8, 16, 32].map((entries) => expectSamePages(entries, reach, () => []));
      expect(inVain.reduce((sum, count) => sum + count)).toBeGreaterThan(IN_VAIN_MIN);
    },
  );

  it.each(REACHES)(
    'go by nothing that hidden entries say where they are too many to count, to an auditor of $of',
    ({ reach }) => {
      expect(expectSamePages(2, reach, (one) => [saidOtherwise(one)])).toBeGreaterThan(IN_VAIN_MIN);
    },
  );
});
