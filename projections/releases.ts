// Where each release of an environment stands in the log. The release itself is read from there: it is a fact
// that never changes, and a bulk promotion is too large to keep twice.
import { idInStream } from '../src/domain/events.js';
import type { EnvironmentEvent } from '../src/domain/environment.events.js';
import type { Recorded } from '../src/domain/recorded.js';
import type { Projection, Rows, Tables } from './projection.js';

export interface ReleasePlace {
  readonly number: number;
  /** Revision of its first event in the environment's stream, and how many events it has. */
  readonly revision: number;
  readonly events: number;
  readonly changes: number;
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

export const releases: Projection = {
  name: 'releases',
  version: 1,
  streams: ['environment'],
  schema: `CREATE TABLE releases (environment_id TEXT NOT NULL, number INTEGER NOT NULL,
    revision INTEGER NOT NULL, events INTEGER NOT NULL, changes INTEGER NOT NULL,
    PRIMARY KEY (environment_id, number)) STRICT, WITHOUT ROWID`,
  on: {
    VersionActivated: take,
    VersionDeactivated: take,
    VersionsPromoted: take,
    EnvironmentRolledBack: take,
  },
};

function take(tables: Tables, event: EnvironmentEvent, { stream, revision }: Recorded): void {
  if (event.part === undefined || event.part.number === 1) {
    tables.run(
      'INSERT INTO releases (environment_id, number, revision, events, changes) VALUES (?, ?, ?, ?, ?)',
      ...[idInStream(stream), event.release, revision, event.part?.of ?? 1, event.changes.length],
    );
  } else {
    tables.run(
      'UPDATE releases SET changes = changes + ? WHERE environment_id = ? AND number = ?',
      ...[event.changes.length, idInStream(stream), event.release],
    );
  }
}
