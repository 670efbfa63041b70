// The tables of flows and of their versions.
import type { DomainEvent } from '../../src/domain/events.js';
import type { FlowKind } from '../../src/domain/flow.events.js';
import type { Tables } from '../../projections/projection.js';
import { allFlows, flowIdsBySlug, flows, type FlowFilter } from '../../projections/flows.js';
import { versionById, versionByNumber, versions, versionsBelow } from '../../projections/versions.js';
import { folded, Log, timeOf } from '../support/log.js';

const filter: FlowFilter = { archived: false, after: '', limit: 50 };

describe('The table of flows', () => {
  it('has a row for each flow, with its latest version, draft or not', () => {
    const tables = tablesOf(
      ['f1', created('chat')],
      ['f1', drafted('a', 1)],
      ['f1', { type: 'VersionLocked', versionId: 'a', number: 1, digest: 'digest of a' }],
      ['f1', drafted('b', 2)],
      ['f2', created('search', 'tool')],
    );
    expect([...allFlows(tables)]).toEqual([
      {
        ...{ id: 'f1', projectId: 'p1', slug: 'chat', name: 'chat', kind: 'prompt', createdAt: timeOf(0) },
        ...{ archivedAt: null, latestId: 'b', latestNumber: 2 },
      },
      {
        ...{ id: 'f2', projectId: 'p1', slug: 'search', name: 'search', kind: 'tool', createdAt: timeOf(4) },
        ...{ archivedAt: null, latestId: null, latestNumber: 0 },
      },
    ]);
  });

  it('shows a new name and the time of archiving', () => {
    const tables = tablesOf(
      ['f1', created('chat')],
      ['f2', created('search')],
      ['f1', { type: 'FlowRenamed', name: 'Talk' }],
      ['f1', { type: 'FlowArchived' }],
    );
    expect([...allFlows(tables)]).toEqual([
      expect.objectContaining({ id: 'f1', slug: 'chat', name: 'Talk', archivedAt: timeOf(3) }),
      expect.objectContaining({ id: 'f2', name: 'search', archivedAt: null }),
    ]);
  });

  it('lists the flows of one project in the order of their slugs, page by page', () => {
    const log = new Log();
    for (const slug of ['search', 'chat', 'tools']) log.append(`flow-${slug}`, created(slug));
    log.append('flow-other', created('agent'), { project: 'p2' });
    const tables = folded([flows], log.recorded);
    expect(flowIdsBySlug(tables, 'p1', filter)).toEqual(['chat', 'search', 'tools']);
    expect(flowIdsBySlug(tables, 'p1', { ...filter, limit: 2 })).toEqual(['chat', 'search']);
    expect(flowIdsBySlug(tables, 'p1', { ...filter, limit: 2, after: 'search' })).toEqual(['tools']);
    expect(flowIdsBySlug(tables, 'p2', filter)).toEqual(['other']);
  });

  it('lists by kind, and archived flows apart', () => {
    const tables = tablesOf(
      ['f1', created('chat')],
      ['f2', created('search', 'tool')],
      ['f3', created('old', 'tool')],
      ['f3', { type: 'FlowArchived' }],
    );
    expect(flowIdsBySlug(tables, 'p1', { ...filter, kind: 'tool' })).toEqual(['f2']);
    expect(flowIdsBySlug(tables, 'p1', { ...filter, archived: true })).toEqual(['f3']);
    expect(flowIdsBySlug(tables, 'p1', { ...filter, archived: true, kind: 'prompt' })).toEqual([]);
  });
});

describe('The table of versions', () => {
  it('has a draft as it was written, with who wrote it and when', () => {
    const tables = tablesOf(
      ['f1', created('chat')],
      ['f1', drafted('a', 1, { label: 'v1', comment: 'First' })],
    );
    expect(versionById(tables, 'a')).toEqual({
      ...{
        id: 'a',
        flowId: 'f1',
        number: 1,
        state: 'draft',
        digest: 'digest of a',
        label: 'v1',
        comment: 'First',
      },
      ...{ forkedFrom: null, createdAt: timeOf(1), actor: { type: 'api-key', id: 'key-ada' } },
      ...{ content: '{"text":"a"}', position: 20 },
    });
  });

  it('has a draft as it was last edited, and still its first time and its number', () => {
    const tables = tablesOf(
      ['f1', created('chat')],
      ['f1', drafted('a', 1, { label: 'v1', comment: 'First' })],
      ['f1', { type: 'VersionEdited', versionId: 'a', number: 1, ...written('better') }],
    );
    expect(versionById(tables, 'a')).toMatchObject({
      ...{ number: 1, state: 'draft', digest: 'digest of better', label: null, comment: null },
      ...{ content: '{"text":"better"}', createdAt: timeOf(1), position: 30 },
    });
  });

  it('shows when a version is locked and where a fork came from', () => {
    const tables = tablesOf(
      ['f1', created('chat')],
      ['f1', drafted('a', 1)],
      ['f1', { type: 'VersionLocked', versionId: 'a', number: 1, digest: 'digest of a' }],
      ['f1', drafted('b', 2, { forkedFrom: 'a' })],
    );
    expect(versionById(tables, 'a')).toMatchObject({ state: 'locked', position: 30 });
    expect(versionById(tables, 'b')).toMatchObject({ state: 'draft', forkedFrom: 'a' });
  });

  it('finds a version by its number within its flow, and none that is not there', () => {
    const tables = tablesOf(
      ['f1', created('chat')],
      ['f1', drafted('a', 1)],
      ['f2', created('search')],
      ['f2', drafted('x', 1)],
    );
    expect(versionByNumber(tables, 'f1', 1)?.id).toBe('a');
    expect(versionByNumber(tables, 'f2', 1)?.id).toBe('x');
    expect(versionByNumber(tables, 'f1', 2)).toBeUndefined();
    expect(versionById(tables, 'y')).toBeUndefined();
  });

  it('lists the versions of a flow, newest first, page by page', () => {
    const tables = tablesOf(
      ['f1', created('chat')],
      ...['a', 'b', 'c'].map((id, index): [string, DomainEvent] => ['f1', drafted(id, index + 1)]),
      ['f2', created('search')],
      ['f2', drafted('x', 1)],
    );
    const page = (below: number, limit: number) =>
      versionsBelow(tables, 'f1', below, limit).map(({ id }) => id);
    expect(page(Number.MAX_SAFE_INTEGER, 2)).toEqual(['c', 'b']);
    expect(page(2, 2)).toEqual(['a']);
    expect(page(1, 2)).toEqual([]);
  });

  it('keeps content byte for byte as JSON has it', () => {
    const content = { ключ: '🚀 "quoted" \\ \n', nested: [1, 0.1, -0, 1e21, null, true, { '': [] }] };
    const tables = tablesOf(['f1', created('chat')], ['f1', { ...drafted('a', 1), content }]);
    expect(versionById(tables, 'a')?.content).toBe(JSON.stringify(content));
  });
});

function tablesOf(...events: readonly (readonly [flowId: string, event: DomainEvent])[]): Tables {
  const log = new Log();
  for (const [flowId, event] of events) log.append(`flow-${flowId}`, event);
  return folded([flows, versions], log.recorded);
}

function created(slug: string, kind: FlowKind = 'prompt'): DomainEvent {
  return { type: 'FlowCreated', slug, name: slug, kind };
}

interface More {
  readonly label?: string;
  readonly comment?: string;
  readonly forkedFrom?: string;
}

function drafted(versionId: string, number: number, more: More = {}) {
  return {
    type: 'VersionDrafted',
    versionId,
    number,
    ...written(versionId),
    forkedFrom: null,
    ...more,
  } as const;
}

function written(word: string) {
  return { content: { text: word }, digest: `digest of ${word}`, label: null, comment: null };
}
