// Where each release of an environment stands in the log, who made it and when. Its changes are read from there: they
// are facts that never change, and a bulk promotion is too large to keep twice.
import { idInStream, type Actor } from '../src/domain/events.js';
import type { EnvironmentEvent } from '../src/domain/environment.events.js';
import type { Recorded } from '../src/domain/recorded.js';
import { newestSuch } from './newest-such.js';
import type { Projection, Rows, Tables } from './projection.js';

export interface ReleasePlace {
  readonly number: number;
  /** Revision of its first event in the environment's stream, and how many events it has. */
  readonly revision: number;
  readonly events: number;
  readonly changes: number;
}

/** A release apart from its changes. */
export interface ReleaseHead {
  readonly number: number;
  /** Where it was complete. */
  readonly position: number;
  readonly type: EnvironmentEvent['type'];
  readonly time: string;
  readonly actor: Actor;
  readonly comment: string | null;
}

export function placeOfRelease(rows: Rows, environmentId: string, number: number): ReleasePlace | undefined {
  return rows.get<ReleasePlace>(
    'SELECT number, revision, events, changes FROM releases WHERE environment_id = ? AND number = ?',
    ...[environmentId, number],
  );
}

/** Newest first, below a number. */
export function placesBelow(rows: Rows, environmentId: string, below: number, limit: number): ReleasePlace[] {
  return rows.all<ReleasePlace>(
    `SELECT number, revision, events, changes FROM releases WHERE environment_id = ? AND number < ?
     ORDER BY number DESC LIMIT ?`,
    ...[environmentId, below, limit],
  );
}

/** Undefined for a release that is not, or not yet complete. */
export function releaseHead(rows: Rows, environmentId: string, number: number): ReleaseHead | undefined {
  const row = rows.get<Omit<ReleaseHead, 'actor'> & { readonly actor: string }>(
    `SELECT number, position, type, time, actor, comment FROM releases
     WHERE environment_id = ? AND number = ? AND position IS NOT NULL`,
    ...[environmentId, number],
  );
  return row && { ...row, actor: JSON.parse(row.actor) as Actor };
}

/** The newest release that was complete at a position; 0 before the first. */
export function releaseAt(rows: Rows, environmentId: string, position: bigint): number {
  const [newest] = placesBelow(rows, environmentId, Number.MAX_SAFE_INTEGER, 1);
  const sql = 'SELECT 1 FROM releases WHERE environment_id = ? AND number = ? AND position <= ?';
  return newestSuch(
    newest?.number ?? 0,
    (number) => rows.get(sql, environmentId, number, position) !== undefined,
  );
}

export const releases: Projection = {
  name: 'releases',
  version: 2,
  streams: ['environment'],
  schema: `CREATE TABLE releases (environment_id TEXT NOT NULL, number INTEGER NOT NULL,
      revision INTEGER NOT NULL, events INTEGER NOT NULL, changes INTEGER NOT NULL, position INTEGER,
      type TEXT NOT NULL, time TEXT NOT NULL, actor TEXT NOT NULL, comment TEXT,
      PRIMARY KEY (environment_id, number)) STRICT, WITHOUT ROWID`,
  on: {
    VersionActivated: take,
    VersionDeactivated: take,
    VersionsPromoted: take,
    EnvironmentRolledBack: take,
  },
};

function take(tables: Tables, event: EnvironmentEvent, { stream, revision, position, meta }: Recorded): void {
  const { number: part, of } = event.part ?? { number: 1, of: 1 };
  const completeAt = part === of ? position : null;
  if (part === 1) {
    tables.run(
      `INSERT INTO releases (environment_id, number, revision, events, changes, position, type, time, actor,
       comment) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[idInStream(stream), event.release, revision, of, event.changes.length, completeAt],
      ...[event.type, meta.time, JSON.stringify(meta.actor), event.comment],
    );
  } else {
    tables.run(
      'UPDATE releases SET changes = changes + ?, position = ? WHERE environment_id = ? AND number = ?',
      ...[event.changes.length, completeAt, idInStream(stream), event.release],
    );
  }
}
