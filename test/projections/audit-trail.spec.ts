// The audit trail as rows: how every event is worded, and that whatever is searched for is found, page after page,
// while the trail grows.
import { readdirSync, readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { EVENT_TYPES, type StoredFact } from '../../src/domain/recorded.js';
import { SqliteTables } from '../../src/read/sqlite-tables.js';
import { entryAt, firstAt, searchTrail, type AuditEntry } from '../../projections/audit-pages.js';
import { auditTrail } from '../../projections/audit-trail.js';
import { WINDOW_ENTRIES } from '../../projections/audit-windows.js';
import { toldOf } from '../../projections/audit-words.js';
import type { Tables } from '../../projections/projection.js';
import { AuditHistory } from '../support/audit-history.js';
import {
  holds,
  pagesOf,
  plainWords,
  randomQuestion,
  searchFor,
  type Asked,
} from '../support/audit-questions.js';
import { Random, seed } from '../support/random.js';

const FOLDER = 'test/golden';
const LAST = 2 ** 40;

interface Golden {
  readonly type: string;
  readonly stream: string;
  readonly data: object;
  readonly meta: { readonly time: string; readonly schema: number };
}

/** By name, in the order of their times. */
const goldens = readdirSync(FOLDER)
  .map((name): [string, Golden] => [
    name.replace(/\.json$/, ''),
    JSON.parse(readFileSync(`${FOLDER}/${name}`, 'utf8')) as Golden,
  ])
  .sort(([, a], [, b]) => (a.meta.time < b.meta.time ? -1 : a.meta.time > b.meta.time ? 1 : 0));

/** Things that the golden releases name and no golden event has made. */
const BEFORE: readonly (readonly [stream: string, type: string, data: object])[] = [
  ['flow-0198c5a2-3001-7a07-8c77-a1d3e80f6f07', 'FlowCreated', { slug: 'ranker', name: 'R', kind: 'scorer' }],
  [
    'flow-0198c5a2-3002-7b08-9d88-b2e4f9101f0b',
    'FlowCreated',
    { slug: 'translator', name: 'T', kind: 'app' },
  ],
  [
    'project-0198c5a2-1001-7b02-9d22-5c8ef3ba1f02',
    'EnvironmentCreated',
    { environmentId: '0198c5a2-2001-7e05-8a55-8fb1c6ed4f05', slug: 'staging', name: 'Staging' },
  ],
];

const META = {
  ...{ actor: { type: 'system', id: 'switchyard' }, workspace: 'w1', project: 'p1', schema: 1 },
  ...{ time: '2026-03-01T00:00:00.000Z', requestId: 'r1', $correlationId: 'r1', $causationId: 'r1' },
};

function factOf(index: number, stream: string, type: string, data: object, meta: object): StoredFact {
  const texts = { data: JSON.stringify(data), meta: JSON.stringify(meta) };
  return { id: `e${index}`, type, stream, ...texts, revision: 0, position: BigInt(10 * (index + 1)) };
}

function emptyTrail(): Tables {
  const database = new Database(':memory:');
  database.exec(auditTrail.schema);
  return new SqliteTables(database);
}

function trailOf(facts: readonly StoredFact[], batch = 1_000): Tables {
  const tables = emptyTrail();
  take(tables, facts, batch);
  return tables;
}

function take(tables: Tables, facts: readonly StoredFact[], batch = 1_000): void {
  for (let i = 0; i < facts.length; i += batch) auditTrail.take(tables, facts.slice(i, i + batch));
}

function goldenEntries(): Readonly<Record<string, AuditEntry | undefined>> {
  const before = BEFORE.map(([stream, type, data], index) => factOf(index, stream, type, data, META));
  const facts = goldens.map(([, { stream, type, data, meta }], index) =>
    factOf(before.length + index, stream, type, data, meta),
  );
  const tables = trailOf([...before, ...facts], 3);
  return Object.fromEntries(
    goldens.map(([name], index) => [name, entryAt(tables, facts[index]?.position ?? 0n)]),
  );
}

const GOLDEN_SUMMARIES = {
  'ApiKeyIssued.v1': 'API key administrator was issued (admin)',
  'ApiKeyIssued.v1.with-limits':
    'API key CI of the shop was issued (promoter on eu-prod in default, viewer) until 2027-03-02T00:00:00.000Z',
  'ApiKeyRevoked.v1': 'API key administrator was revoked',
  'ApiKeyRotated.v1':
    'API key CI of the shop was rotated; its secret of before works until 2026-03-03T08:50:00.000Z',
  'ApiKeyUsed.v1': 'API key CI of the shop was in use on 2026-03-02',
  'AttemptDenied.v1':
    'An attempt was denied: release-moved on POST /api/v1/environments/:environment/rollback',
  'CommandAnswered.v1': 'The answer (200) to a command with an idempotency key was kept',
  'CommandAnswered.v1.without-effect': 'The answer (200) to a command with an idempotency key was kept',
  'DefaultEnvironmentSet.v1': 'eu-prod became the default environment',
  'EnvironmentArchived.v1': 'Environment eu-prod was archived',
  'EnvironmentCreated.v1': 'Environment production was created',
  'EnvironmentDescribed.v1': 'Environment eu-prod was described anew',
  'EnvironmentRenamed.v1': 'Environment production was renamed to eu-prod',
  'EnvironmentRestored.v1': 'Environment eu-prod was restored',
  'EnvironmentRolledBack.v1': 'eu-prod was rolled back to release 2: translator 1 → none',
  'EnvironmentRolledBack.v1.by-own-history':
    'In eu-prod ranker went back by its own history: 3 → 1, release 4',
  'FlowArchived.v1': 'Flow support-chat was archived',
  'FlowCreated.v1': 'Flow support-chat was created (kind prompt)',
  'FlowRenamed.v1': 'Flow support-chat was renamed to "Support chat (web)"',
  'FlowSlugReserved.v1': 'The slug support-chat was reserved for a flow',
  'LogRestored.v1': 'The log was restored with 34 of 41 events, and epoch 2 began',
  'PersonErased.v1': 'The name of person 7c1e5a90-3b7d-8f21-9a64-d2c8e0f4b613 was erased',
  'ProjectArchived.v1': 'Project default was archived',
  'ProjectCreated.v1': 'Project default was created',
  'ProjectRenamed.v1': 'Project default was renamed to "Online shop"',
  'ProjectRestored.v1': 'Project default was restored',
  'ProjectSlugReserved.v1': 'The slug default was reserved for a project',
  'ResolutionPolicySet.v1':
    'Without an environment, flows of project default now resolve to their latest versions',
  'SessionClosed.v1': 'A session was ended by signing out',
  'SessionOpened.v1': 'Somebody signed in with API key CI of the shop until 2026-03-02T22:10:00.000Z',
  'SessionOpened.v1.of-a-person':
    'A person signed in (promoter in default, auditor) until 2026-03-02T22:11:00.000Z',
  'SigningKeyAnnounced.v1': 'The signing key switchyard+96a86c7f was announced',
  'VersionActivated.v1': 'support-chat version 1 was activated in eu-prod, release 1',
  'VersionDeactivated.v1': 'support-chat version 1 was deactivated in eu-prod, release 6',
  'VersionDrafted.v1': 'support-chat version 1 was drafted',
  'VersionEdited.v1': 'support-chat version 1 was edited',
  'VersionLocked.v1': 'support-chat version 1 was locked',
  'VersionsPromoted.v1': 'Promoted ranker none → 1 from staging (release 41) to eu-prod, release 2',
  'VersionsPromoted.v1.part-1-of-2':
    'Promoted ranker 1 → 3 from staging (release 42) to eu-prod, release 3 (part 1 of 2, not complete yet)',
  'VersionsPromoted.v1.part-2-of-2':
    'Promoted translator none → 1 from staging (release 42) to eu-prod, release 3 (part 2 of 2, which completes it)',
  'WorkspaceArchived.v1': 'Workspace default was archived',
  'WorkspaceCreated.v1': 'Workspace default was created',
  'WorkspaceRenamed.v1': 'Workspace default was renamed to "Shop GmbH"',
  'WorkspaceRestored.v1': 'Workspace default was restored',
  'WorkspaceSlugReserved.v1': 'The slug default was reserved for a workspace',
};

describe('An event is worded', () => {
  const entries = goldenEntries();

  it('whatever its type, with the names that things had then', () => {
    const worded = Object.entries(entries).map(([name, entry]) => [name, entry?.summary]);
    expect(Object.fromEntries(worded)).toEqual(GOLDEN_SUMMARIES);
    const types = new Set(Object.keys(GOLDEN_SUMMARIES).map((name) => name.split('.')[0]));
    expect(EVENT_TYPES.filter((type) => !types.has(type))).toEqual([]);
  });

  it('with who did it, where, why and by which request', () => {
    const golden = goldens.find(([name]) => name === 'VersionDeactivated.v1')?.[1];
    expect(entries['VersionDeactivated.v1']).toEqual({
      ...{ position: expect.any(String), time: golden?.meta.time, type: 'VersionDeactivated' },
      ...{ actorType: 'api-key', actorId: '0198c5a2-1002-7c03-8e33-6d9fa4cb2f03' },
      workspace: '0198c5a2-1000-7a01-8c11-4b7de2a90f01',
      project: '0198c5a2-1001-7b02-9d22-5c8ef3ba1f02',
      ...{ environmentId: '0198c5a2-2000-7d04-9f44-7ea0b5dc3f04', environmentSlug: 'eu-prod' },
      ...{ flowId: '0198c5a2-3000-7f06-9b66-90c2d7fe5f06', flowSlug: 'support-chat' },
      ...{ versionId: '0198c5a2-4000-7b08-9d88-b2e4f9107f08', versionNumber: 1, release: 6 },
      ...{ summary: GOLDEN_SUMMARIES['VersionDeactivated.v1'], comment: 'Too slow' },
      before: '{"flows":[{"slug":"support-chat","version":1}]}',
      after: '{"flows":[{"slug":"support-chat","version":null}]}',
      ...{ requestId: '0198c5b0-5016-7e0b-8abb-e5172c43af0b' },
      ...{ correlationId: '0198c5b0-5016-7e0b-8abb-e5172c43af0b' },
      ...{ causationId: '0198c5b0-5016-7e0b-8abb-e5172c43af0b' },
      ...{ ip: '203.0.113.7', userAgent: 'curl/8.5.0', alsoNames: null, summaryAlone: null },
    });
  });

  it('with the smallest states that show the change, and the comment that it carries', () => {
    const states = (name: string) => {
      const { before = null, after = null, comment = null } = entries[name] ?? {};
      return [before, after].map((state) => state && (JSON.parse(state) as unknown)).concat(comment);
    };
    expect(states('EnvironmentRenamed.v1')).toEqual([
      ...[{ slug: 'production', name: 'Production' }, { slug: 'eu-prod', name: 'Produktion Zürich' }, null],
    ]);
    expect(states('EnvironmentArchived.v1')).toEqual([{ archived: false }, { archived: true }, null]);
    const drafted = goldens.find(([name]) => name === 'VersionDrafted.v1')?.[1].data;
    expect(states('VersionEdited.v1')).toEqual([
      { digest: (drafted as { digest?: string }).digest, label: null, comment: 'A first attempt' },
      { digest: expect.stringMatching(/^aae37154/), label: 'v1.0', comment: 'Friendlier' },
      'Friendlier',
    ]);
    expect(states('ProjectRenamed.v1').slice(0, 2)).toEqual([{ name: 'default' }, { name: 'Online shop' }]);
    expect(states('AttemptDenied.v1')).toEqual([null, null, null]);
    expect(states('LogRestored.v1')[2]).toContain('restored from the backup');
  });

  it('without what is secret or long', () => {
    const texts = Object.values(entries).map((entry) => JSON.stringify(entry));
    expect(
      texts.filter((text) => /"(hash|keyHash|requestHash|content|body)"|help customers/.test(text)),
    ).toEqual([]);
    const issued = goldens.find(([name]) => name === 'ApiKeyIssued.v1')?.[1].data as { hash: string };
    expect(texts.join()).not.toContain(issued.hash);
  });

  it('also where a newer version wrote it, under whatever it was written of', () => {
    const newer = [
      factOf(0, 'flow-f1', 'FlowTeleported', { to: 'mars' }, META),
      factOf(1, 'environment-e1', 'VersionActivated', { what: 'else' }, { ...META, schema: 2 }),
      factOf(2, 'dream-d1', 'Dreamt', {}, { workspace: 'w1', schema: 3, actor: 'me' }),
    ];
    const tables = trailOf(newer);
    const entryOf = (index: number) => entryAt(tables, newer[index]?.position ?? 0n);
    const said = (type: string) => `An event of a newer version, ${type}, was recorded`;
    expect(entryOf(0)).toMatchObject({ summary: said('FlowTeleported'), flowId: 'f1', before: null });
    expect(entryOf(1)).toMatchObject({ summary: said('VersionActivated'), environmentId: 'e1' });
    expect(entryOf(2)).toMatchObject({ summary: said('Dreamt'), requestId: 'e2' });
  });

  it('in a release of thousands with a hundred flows and how many more there are', () => {
    const changes = Array.from({ length: 2_000 }, (_, flow) => ({
      ...{ flowId: `f${flow}`, from: null, fromSince: 0, toSince: 1 },
      to: { versionId: `v${flow}`, number: 1, digest: 'd' },
    }));
    const source = { environmentId: 'e2', release: 7 };
    const release = { release: 12, comment: null, changes, source, part: { number: 2, of: 3 } };
    const event = { type: 'VersionsPromoted', ...release } as const;
    const known = (id: string) => ({ slug: id, name: id });
    const told = toldOf(event, 'e1', { known, draft: () => null });
    expect(told.summary).toBe(
      'Promoted 2000 flows from e2 (release 7) to e1, release 12 (part 2 of 3, not complete yet)',
    );
    expect(told.after).toMatchObject({ more: 1_900 });
    expect((told.after as { flows: unknown[] }).flows).toHaveLength(100);
    const tables = trailOf([factOf(0, 'environment-e1', event.type, release, META)]);
    expect(pagesOf(tables, searchFor(tables, { flowId: 'f1999' }))[0]?.positions).toHaveLength(1);
  });
});

describe('The trail', () => {
  const random = new Random(seed);
  const past = new AuditHistory(random);
  const facts = past.grow(4 * WINDOW_ENTRIES + 1_000);
  const tables = trailOf(facts);
  const sentences = "SELECT summary || ' ' || coalesce(comment, '') AS text FROM audit_entries ORDER BY nr";
  const wordsAt = tables.all<{ text: string }>(sentences).map(({ text }) => plainWords(text));
  const naive = (asked: Asked): string[] =>
    past.happened
      .filter((one, index) => holds(asked, one, wordsAt[index] ?? []))
      .map(({ fact }) => String(fact.position));

  it(`finds by any filters what a look at every entry finds (TEST_SEED=${seed})`, () => {
    let found = 0;
    for (let question = 0; question < 80; question += 1) {
      const asked = randomQuestion(random, past.happened);
      const newestFirst = random.next() < 0.5;
      const limit = random.pick([50, 500]);
      const pages = pagesOf(tables, searchFor(tables, asked, { newestFirst, limit }));
      const expected = newestFirst ? naive(asked).reverse() : naive(asked);
      expect({ asked, found: pages.flatMap(({ positions }) => positions) }).toEqual({
        asked,
        found: expected,
      });
      expect(pages.every(({ positions }) => positions.length <= limit)).toBe(true);
      found += Math.sign(expected.length);
    }
    expect(found).toBeGreaterThan(25);
  });

  it('finds the entry at or after any position', () => {
    for (let round = 0; round < 50; round += 1) {
      const index = random.below(facts.length);
      const position = facts[index]?.position ?? 0n;
      expect(firstAt(tables, position)).toBe(1 + index);
      expect(firstAt(tables, position + 1n)).toBe(2 + index);
      expect(entryAt(tables, position)?.position).toBe(String(position));
    }
    const gap = facts.findIndex((fact, at) => (facts[at + 1]?.position ?? 0n) > fact.position + 1n);
    expect(entryAt(tables, (facts[gap]?.position ?? 0n) + 1n)).toBeUndefined();
    expect(firstAt(tables, (facts.at(-1)?.position ?? 0n) + 1n)).toBe(facts.length + 1);
  });

  it('is the same however its events came together', () => {
    const some = facts.slice(0, 2_000);
    const read = (trail: Tables) =>
      ['audit_entries', 'audit_things', 'audit_drafts', 'audit_spans'].map((table) =>
        trail.all(`SELECT * FROM ${table}`),
      );
    const [whole, single] = [trailOf(some, 2_000), trailOf(some, 1)];
    expect(read(single)).toEqual(read(whole));
    const asked = { environmentId: 'e1', q: 'release' };
    const pages = (trail: Tables) => pagesOf(trail, searchFor(trail, asked));
    expect(pages(single)).toEqual(pages(whole));
    expect(pages(single).length).toBeGreaterThan(1);
  });

  it('is paged through without gap or repeat while it grows', () => {
    const growing = trailOf(facts.slice(0, 500));
    const seen: string[] = [];
    let last = LAST;
    for (let added = 500; ; added += 100) {
      const { entries, next } = searchTrail(growing, searchFor(growing, {}, { last, limit: 7 }));
      seen.push(...entries.map(({ position }) => position));
      if (next === null) break;
      take(growing, facts.slice(added, added + 100));
      last = firstAt(growing, BigInt(next)) - 1;
    }
    const then = past.happened.slice(0, 500).filter(({ meta }) => meta.workspace === 'w1');
    expect(seen).toEqual(then.map(({ fact }) => String(fact.position)).reverse());
  });

  it('is not looked through to its end for entries that are not there, and leads on all the same', () => {
    const renamed = ['flow-f1', 'FlowRenamed', { name: 'F' }] as const;
    const described = ['project-p1', 'EnvironmentDescribed', { environmentId: 'e1' }] as const;
    const two = [renamed, described].map(([stream, type, data]) => factOf(0, stream, type, data, META));
    const many = Array.from({ length: 10 * WINDOW_ENTRIES }, (_, at): StoredFact => ({
      ...(two[at % 2] as StoredFact),
      position: BigInt(at + 1),
    }));
    const long = trailOf(many);
    const asked = { environmentId: 'e1', type: 'FlowRenamed' };
    for (const newestFirst of [true, false]) {
      const pages = pagesOf(long, searchFor(long, asked, { newestFirst }));
      expect(pages.flatMap(({ positions }) => positions)).toEqual([]);
      expect(pages.length).toBeGreaterThanOrEqual(5);
    }
  });
});
