// What ran in an environment after each of its releases: one row for each change.
// So what ran of one flow after any release is one look, and a whole environment one look for each flow, however long
// the history is. A release of several parts counts once `releases` knows its position.
import { idInStream } from '../src/domain/events.js';
import type { EnvironmentEvent, VersionRef } from '../src/domain/environment.events.js';
import type { Placement } from '../src/domain/environment-state.js';
import type { Recorded } from '../src/domain/recorded.js';
import type { Projection, Rows, Tables } from './projection.js';

interface Row {
  readonly flow_id: string;
  readonly release: number;
  readonly version_id: string | null;
  readonly number: number | null;
  readonly digest: string | null;
  readonly since: number;
}

/** One flow after a release of an environment; undefined where it had never been active by then. */
export function placementAfter(
  rows: Rows,
  environmentId: string,
  flowId: string,
  release: number,
): Placement | undefined {
  const row = rows.get<Row>(
    `SELECT * FROM environment_history WHERE environment_id = ? AND flow_id = ? AND release <= ?
     ORDER BY release DESC LIMIT 1`,
    ...[environmentId, flowId, release],
  );
  return row && placementIn(row);
}

/** Every flow that had ever been active after a release. */
export function placementsAfter(rows: Rows, environmentId: string, release: number): Map<string, Placement> {
  const found = rows.all<Row>(
    `SELECT history.* FROM placements
     JOIN environment_history AS history USING (environment_id, flow_id)
     WHERE placements.environment_id = ? AND history.release = (
       SELECT max(release) FROM environment_history
       WHERE environment_id = placements.environment_id AND flow_id = placements.flow_id AND release <= ?)`,
    ...[environmentId, release],
  );
  return new Map(found.map((row) => [row.flow_id, placementIn(row)]));
}

/** The release by which a flow was active in an environment for the first time. */
export function firstReleaseWith(rows: Rows, environmentId: string, flowId: string): number | undefined {
  const sql = `SELECT release FROM environment_history WHERE environment_id = ? AND flow_id = ?
    ORDER BY release LIMIT 1`;
  return rows.get<{ release: number }>(sql, environmentId, flowId)?.release;
}

/** A change of one pointer. */
export interface PointerMove {
  readonly flowId: string;
  readonly release: number;
  readonly to: VersionRef | null;
}

/** Of all flows, newest first and below a place: the changes of one release by flow id, the largest first. */
export function movesBelow(
  rows: Rows,
  environmentId: string,
  below: { readonly release: number; readonly flowId: string },
  limit: number,
): PointerMove[] {
  const found = rows.all<Row>(
    `SELECT * FROM environment_history WHERE environment_id = ? AND (release, flow_id) < (?, ?)
     ORDER BY release DESC, flow_id DESC LIMIT ?`,
    ...[environmentId, below.release, below.flowId, limit],
  );
  return found.map(moveIn);
}

/** Of one flow, newest first, up to a release. */
export function movesOfFlow(
  rows: Rows,
  environmentId: string,
  flowId: string,
  upTo: number,
  limit: number,
): PointerMove[] {
  const found = rows.all<Row>(
    `SELECT * FROM environment_history WHERE environment_id = ? AND flow_id = ? AND release <= ?
     ORDER BY release DESC LIMIT ?`,
    ...[environmentId, flowId, upTo, limit],
  );
  return found.map(moveIn);
}

export const environmentHistory: Projection = {
  name: 'environment_history',
  version: 1,
  streams: ['environment'],
  schema: `CREATE TABLE environment_history (environment_id TEXT NOT NULL, flow_id TEXT NOT NULL,
      release INTEGER NOT NULL, version_id TEXT, number INTEGER, digest TEXT, since INTEGER NOT NULL,
      PRIMARY KEY (environment_id, release, flow_id)) STRICT, WITHOUT ROWID;
    CREATE INDEX environment_history_by_flow ON environment_history (environment_id, flow_id, release)`,
  on: {
    VersionActivated: take,
    VersionDeactivated: take,
    VersionsPromoted: take,
    EnvironmentRolledBack: take,
  },
};

function take(tables: Tables, { release, changes }: EnvironmentEvent, { stream }: Recorded): void {
  const environmentId = idInStream(stream);
  for (const { flowId, to, toSince } of changes) {
    tables.run(
      `INSERT INTO environment_history (environment_id, flow_id, release, version_id, number, digest, since)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      ...[
        environmentId,
        flowId,
        release,
        to?.versionId ?? null,
        to?.number ?? null,
        to?.digest ?? null,
        toSince,
      ],
    );
  }
}

function moveIn(row: Row): PointerMove {
  return { flowId: row.flow_id, release: row.release, to: placementIn(row).version };
}

function placementIn({ version_id, number, digest, since }: Row): Placement {
  if (version_id === null || number === null || digest === null) return { version: null, since };
  return { version: { versionId: version_id, number, digest }, since };
}
