// Flows: what a flow is called and which version is its latest. Listed from a table; found by slug or id in memory.
// Each name is kept with the position from which it was the flow's.
import { idInStream } from '../src/domain/events.js';
import type { DomainEvent } from '../src/domain/events.js';
import type { FlowKind } from '../src/domain/flow.events.js';
import type { Recorded } from '../src/domain/recorded.js';
import type { Projection, Rows, Tables } from './projection.js';

export interface Flow {
  readonly id: string;
  readonly projectId: string;
  readonly slug: string;
  name: string;
  readonly kind: FlowKind;
  readonly createdAt: string;
  archivedAt: string | null;
  /** The highest-numbered version, draft or not; null before the first. */
  latestId: string | null;
  latestNumber: number;
}

interface Row {
  readonly id: string;
  readonly project_id: string;
  readonly slug: string;
  readonly name: string;
  readonly kind: FlowKind;
  readonly created_at: string;
  readonly archived_at: string | null;
  readonly latest_id: string | null;
  readonly latest_number: number;
}

/** The flow after an event of its stream; undefined for an event that does not begin or change a flow's row. */
export function evolveFlow(
  known: Flow | undefined,
  event: DomainEvent,
  recorded: Recorded,
): Flow | undefined {
  if (event.type === 'FlowCreated') {
    const { slug, name, kind } = event;
    return {
      id: idInStream(recorded.stream),
      projectId: recorded.meta.project ?? '',
      ...{
        slug,
        name,
        kind,
        createdAt: recorded.meta.time,
        archivedAt: null,
        latestId: null,
        latestNumber: 0,
      },
    };
  }
  if (known === undefined) return undefined;
  if (event.type === 'FlowRenamed') known.name = event.name;
  else if (event.type === 'FlowArchived') known.archivedAt = recorded.meta.time;
  else if (event.type === 'VersionDrafted') {
    known.latestId = event.versionId;
    known.latestNumber = event.number;
  }
  return known;
}

export interface FlowFilter {
  readonly kind?: FlowKind;
  readonly archived: boolean;
  /** Flows after this slug. */
  readonly after: string;
  readonly limit: number;
}

/** Ids of the flows of a project, in the order of their slugs. */
export function flowIdsBySlug(rows: Rows, projectId: string, filter: FlowFilter): string[] {
  const found = rows.all<{ id: string }>(
    `SELECT id FROM flows WHERE project_id = ? AND slug > ? AND (archived_at IS NOT NULL) = ?
     AND (? IS NULL OR kind = ?) ORDER BY slug LIMIT ?`,
    ...[
      projectId,
      filter.after,
      filter.archived ? 1 : 0,
      filter.kind ?? null,
      filter.kind ?? null,
      filter.limit,
    ],
  );
  return found.map(({ id }) => id);
}

/** What a flow was called at a position; undefined before it was created. */
export function flowNameAt(rows: Rows, flowId: string, position: bigint): string | undefined {
  const sql =
    'SELECT name FROM flow_names WHERE flow_id = ? AND position <= ? ORDER BY position DESC LIMIT 1';
  return rows.get<{ name: string }>(sql, flowId, position)?.name;
}

/** When a flow had been archived by a position; null while it was not. */
export function flowArchivedAt(rows: Rows, flowId: string, position: bigint): string | null {
  const sql = 'SELECT archived_at FROM flows WHERE id = ? AND archived_position <= ?';
  return rows.get<{ archived_at: string }>(sql, flowId, position)?.archived_at ?? null;
}

/** In the order of their creation. */
export function* allFlows(rows: Rows): IterableIterator<Flow> {
  for (const row of rows.iterate<Row>('SELECT * FROM flows ORDER BY rowid')) {
    yield {
      id: row.id,
      projectId: row.project_id,
      slug: row.slug,
      name: row.name,
      kind: row.kind,
      createdAt: row.created_at,
      archivedAt: row.archived_at,
      latestId: row.latest_id,
      latestNumber: row.latest_number,
    };
  }
}

export const flows: Projection = {
  name: 'flows',
  version: 3,
  streams: ['flow'],
  schema: `CREATE TABLE flows (id TEXT NOT NULL UNIQUE, project_id TEXT NOT NULL, slug TEXT NOT NULL,
      name TEXT NOT NULL, kind TEXT NOT NULL, created_at TEXT NOT NULL, archived_at TEXT,
      archived_position INTEGER, latest_id TEXT, latest_number INTEGER NOT NULL DEFAULT 0) STRICT;
    CREATE UNIQUE INDEX flows_by_slug ON flows (project_id, slug);
    CREATE TABLE flow_names (flow_id TEXT NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL,
      PRIMARY KEY (flow_id, position)) STRICT, WITHOUT ROWID`,
  on: {
    FlowCreated: (tables, { slug, name, kind }, { stream, meta, position }) => {
      tables.run(
        'INSERT INTO flows (id, project_id, slug, name, kind, created_at) VALUES (?, ?, ?, ?, ?, ?)',
        ...[idInStream(stream), meta.project, slug, name, kind, meta.time],
      );
      keepName(tables, idInStream(stream), position, name);
    },
    FlowRenamed: (tables, { name }, { stream, position }) => {
      tables.run('UPDATE flows SET name = ? WHERE id = ?', name, idInStream(stream));
      keepName(tables, idInStream(stream), position, name);
    },
    FlowArchived: (tables, _, { stream, meta, position }) =>
      tables.run(
        'UPDATE flows SET archived_at = ?, archived_position = ? WHERE id = ?',
        ...[meta.time, position, idInStream(stream)],
      ),
    VersionDrafted: (tables, { versionId, number }, { stream }) =>
      tables.run(
        'UPDATE flows SET latest_id = ?, latest_number = ? WHERE id = ?',
        ...[versionId, number, idInStream(stream)],
      ),
  },
};

function keepName(tables: Tables, flowId: string, position: bigint, name: string): void {
  tables.run('INSERT INTO flow_names (flow_id, position, name) VALUES (?, ?, ?)', flowId, position, name);
}
