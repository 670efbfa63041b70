// What ran in an environment after each of its releases: one row for each change, in the order of the log. So what ran
// of one flow after any release is one look, and a whole environment one look for each flow, however long the history
// is. Environments and pointers go by numbers here, which keeps the indexes small enough to stay in memory. A release
// of several parts counts once `releases` knows its position.
import { idInStream } from '../src/domain/events.js';
import type { EnvironmentEvent, VersionRef } from '../src/domain/environment.events.js';
import type { Placement } from '../src/domain/environment-state.js';
import type { Recorded } from '../src/domain/recorded.js';
import type { Projection, Rows, Tables } from './projection.js';

interface Row {
  /** The same on every server: the changes of a log are numbered in its order. */
  readonly id: number;
  readonly flow_id: string;
  readonly release: number;
  readonly version_id: string | null;
  readonly number: number | null;
  readonly digest: string | null;
  readonly since: number;
}

const OF_FLOW = `SELECT changes.*, flow_id FROM numbered_environments AS environments
  CROSS JOIN pointers ON pointers.environment = environments.id AND flow_id = ?
  CROSS JOIN environment_history AS changes ON changes.pointer = pointers.id
  WHERE environment_id = ?`;

/** One flow after a release of an environment; undefined where it had never been active by then. */
export function placementAfter(
  rows: Rows,
  environmentId: string,
  flowId: string,
  release: number,
): Placement | undefined {
  const [row] = rowsOfFlow(rows, environmentId, flowId, release, 1);
  return row && placementIn(row);
}

/** Every flow that had ever been active after a release. */
export function placementsAfter(rows: Rows, environmentId: string, release: number): Map<string, Placement> {
  const found = rows.all<Row>(
    `SELECT changes.*, flow_id FROM numbered_environments AS environments
     CROSS JOIN pointers ON pointers.environment = environments.id
     CROSS JOIN environment_history AS changes ON changes.id = (
       SELECT id FROM environment_history WHERE pointer = pointers.id AND release <= ?
       ORDER BY release DESC LIMIT 1)
     WHERE environment_id = ?`,
    ...[release, environmentId],
  );
  return new Map(found.map((row) => [row.flow_id, placementIn(row)]));
}

/** The release by which a flow was active in an environment for the first time. */
export function firstReleaseWith(rows: Rows, environmentId: string, flowId: string): number | undefined {
  return rows.get<Row>(`${OF_FLOW} ORDER BY release LIMIT 1`, flowId, environmentId)?.release;
}

/** A change of one pointer. */
export interface PointerMove {
  readonly flowId: string;
  readonly release: number;
  readonly to: VersionRef | null;
}

/** Of all flows up to a release, newest first and below a change; nothing where that one never was. */
export function movesBelow(
  rows: Rows,
  environmentId: string,
  upTo: number,
  below: Pick<PointerMove, 'flowId' | 'release'> | undefined,
  limit: number,
): PointerMove[] {
  const id = below === undefined ? Number.MAX_SAFE_INTEGER : idOf(rows, environmentId, below);
  const found = rows.all<Row>(
    `SELECT changes.*, flow_id FROM numbered_environments AS environments
     CROSS JOIN environment_history AS changes ON changes.environment = environments.id
     CROSS JOIN pointers ON pointers.id = changes.pointer
     WHERE environment_id = ? AND changes.release <= ? AND changes.id < ? ORDER BY changes.id DESC LIMIT ?`,
    ...[environmentId, upTo, id, limit],
  );
  return found.map(moveIn);
}

function idOf(
  rows: Rows,
  environmentId: string,
  { flowId, release }: Pick<PointerMove, 'flowId' | 'release'>,
): number {
  return rows.get<Row>(`${OF_FLOW} AND release = ?`, flowId, environmentId, release)?.id ?? 0;
}

/** Of one flow, newest first, up to a release. */
export function movesOfFlow(
  rows: Rows,
  environmentId: string,
  flowId: string,
  upTo: number,
  limit: number,
): PointerMove[] {
  return rowsOfFlow(rows, environmentId, flowId, upTo, limit).map(moveIn);
}

export const environmentHistory: Projection = {
  name: 'environment_history',
  version: 2,
  streams: ['environment'],
  schema: `CREATE TABLE numbered_environments (id INTEGER PRIMARY KEY, environment_id TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE pointers (id INTEGER PRIMARY KEY, environment INTEGER NOT NULL, flow_id TEXT NOT NULL,
      UNIQUE (environment, flow_id)) STRICT;
    CREATE TABLE environment_history (id INTEGER PRIMARY KEY, environment INTEGER NOT NULL,
      pointer INTEGER NOT NULL, release INTEGER NOT NULL, version_id TEXT, number INTEGER, digest TEXT,
      since INTEGER NOT NULL) STRICT;
    CREATE INDEX environment_history_by_environment ON environment_history (environment);
    CREATE UNIQUE INDEX environment_history_by_pointer ON environment_history (pointer, release)`,
  on: {
    VersionActivated: take,
    VersionDeactivated: take,
    VersionsPromoted: take,
    EnvironmentRolledBack: take,
  },
};

function take(tables: Tables, { release, changes }: EnvironmentEvent, { stream }: Recorded): void {
  const environment = environmentNumber(tables, idInStream(stream));
  for (const { flowId, to, toSince } of changes) {
    tables.run(
      `INSERT INTO environment_history (environment, pointer, release, version_id, number, digest, since)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      ...[environment, pointerNumber(tables, environment, flowId), release],
      ...[to?.versionId ?? null, to?.number ?? null, to?.digest ?? null, toSince],
    );
  }
}

function environmentNumber(tables: Tables, environmentId: string): number {
  const sql = 'SELECT id FROM numbered_environments WHERE environment_id = ?';
  const known = tables.get<{ id: number }>(sql, environmentId);
  if (known !== undefined) return known.id;
  tables.run('INSERT INTO numbered_environments (environment_id) VALUES (?)', environmentId);
  return environmentNumber(tables, environmentId);
}

function pointerNumber(tables: Tables, environment: number, flowId: string): number {
  const sql = 'SELECT id FROM pointers WHERE environment = ? AND flow_id = ?';
  const known = tables.get<{ id: number }>(sql, environment, flowId);
  if (known !== undefined) return known.id;
  tables.run('INSERT INTO pointers (environment, flow_id) VALUES (?, ?)', environment, flowId);
  return pointerNumber(tables, environment, flowId);
}

/** Newest first, up to a release. */
function rowsOfFlow(rows: Rows, environmentId: string, flowId: string, upTo: number, limit: number): Row[] {
  const sql = `${OF_FLOW} AND release <= ? ORDER BY release DESC LIMIT ?`;
  return rows.all<Row>(sql, flowId, environmentId, upTo, limit);
}

function moveIn(row: Row): PointerMove {
  return { flowId: row.flow_id, release: row.release, to: placementIn(row).version };
}

function placementIn({ version_id, number, digest, since }: Row): Placement {
  if (version_id === null || number === null || digest === null) return { version: null, since };
  return { version: { versionId: version_id, number, digest }, since };
}
