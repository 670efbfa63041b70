// Versions with their content: what GET /flows/{flow}/versions shows and what resolving hands out. Of a draft that was
// edited, where its earlier texts stand in the log.
import { idInStream, type Actor } from '../src/domain/events.js';
import type { VersionDrafted, VersionEdited } from '../src/domain/flow.events.js';
import { newestSuch } from './newest-such.js';
import type { Projection, Rows } from './projection.js';

export interface Version {
  readonly id: string;
  readonly flowId: string;
  readonly number: number;
  readonly state: 'draft' | 'locked';
  readonly digest: string;
  readonly label: string | null;
  readonly comment: string | null;
  readonly forkedFrom: string | null;
  readonly createdAt: string;
  readonly actor: Actor;
  /** JSON text of the content. */
  readonly content: string;
  /** Where the version last changed. */
  readonly position: number;
}

type Row = Omit<Version, 'actor'> & { readonly actor: string };

const COLUMNS = `id, flow_id AS flowId, number, state, digest, label, comment, forked_from AS forkedFrom,
  created_at AS createdAt, actor, content, position`;

export function versionById(rows: Rows, id: string): Version | undefined {
  return fromRow(rows.get<Row>(`SELECT ${COLUMNS} FROM versions WHERE id = ?`, id));
}

export function versionByNumber(rows: Rows, flowId: string, number: number): Version | undefined {
  return fromRow(
    rows.get<Row>(`SELECT ${COLUMNS} FROM versions WHERE flow_id = ? AND number = ?`, flowId, number),
  );
}

/** Of a flow with so many versions now: the one that had the highest number at a position. */
export function latestAt(
  rows: Rows,
  flowId: string,
  versionsNow: number,
  position: bigint,
): { readonly id: string; readonly number: number } | undefined {
  const sql = 'SELECT id, number FROM versions WHERE flow_id = ? AND number = ? AND drafted <= ?';
  const found = (number: number) => rows.get<{ id: string; number: number }>(sql, flowId, number, position);
  return found(newestSuch(versionsNow, (number) => found(number) !== undefined));
}

/** What of a version was otherwise at a position. */
export interface VersionThen {
  readonly state: Version['state'];
  /** Revision of the event in the flow's stream that holds its text then; null where it is that of now. */
  readonly textRevision: number | null;
}

/** Undefined for a version that was not there yet. */
export function versionThen(rows: Rows, id: string, position: bigint): VersionThen | undefined {
  return rows.get<VersionThen>(
    `SELECT iif(locked <= ?, 'locked', 'draft') AS state, (SELECT revision FROM replaced_texts
       WHERE version_id = versions.id AND until > ? ORDER BY until LIMIT 1) AS textRevision
     FROM versions WHERE id = ? AND drafted <= ?`,
    ...[position, position, id, position],
  );
}

/** Newest first, below a number. */
export function versionsBelow(rows: Rows, flowId: string, below: number, limit: number): Version[] {
  const found = rows.all<Row>(
    `SELECT ${COLUMNS} FROM versions WHERE flow_id = ? AND number < ? ORDER BY number DESC LIMIT ?`,
    ...[flowId, below, limit],
  );
  return found.flatMap((row) => fromRow(row) ?? []);
}

function fromRow(row: Row | undefined): Version | undefined {
  return row && { ...row, actor: JSON.parse(row.actor) as Actor };
}

export const versions: Projection = {
  name: 'versions',
  version: 2,
  streams: ['flow'],
  schema: `CREATE TABLE versions (id TEXT PRIMARY KEY, flow_id TEXT NOT NULL, number INTEGER NOT NULL,
      state TEXT NOT NULL, digest TEXT NOT NULL, label TEXT, comment TEXT, forked_from TEXT,
      created_at TEXT NOT NULL, actor TEXT NOT NULL, content TEXT NOT NULL, position INTEGER NOT NULL,
      drafted INTEGER NOT NULL, locked INTEGER, text_revision INTEGER NOT NULL) STRICT;
    CREATE UNIQUE INDEX versions_by_number ON versions (flow_id, number);
    CREATE TABLE replaced_texts (version_id TEXT NOT NULL, until INTEGER NOT NULL, revision INTEGER NOT NULL,
      PRIMARY KEY (version_id, until)) STRICT, WITHOUT ROWID`,
  on: {
    VersionDrafted: (tables, event: VersionDrafted, { stream, meta, position, revision }) => {
      const { versionId, number, digest, label, comment, forkedFrom, content } = event;
      tables.run(
        `INSERT INTO versions (id, flow_id, number, state, digest, label, comment, forked_from, created_at,
         actor, content, position, drafted, text_revision)
         VALUES (?, ?, ?, 'draft', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[versionId, idInStream(stream), number, digest, label, comment, forkedFrom, meta.time],
        ...[JSON.stringify(meta.actor), JSON.stringify(content), position, position, revision],
      );
    },
    VersionEdited: (tables, event: VersionEdited, { position, revision }) => {
      const { versionId, digest, label, comment, content } = event;
      tables.run(
        `INSERT INTO replaced_texts (version_id, until, revision)
         SELECT id, ?, text_revision FROM versions WHERE id = ?`,
        ...[position, versionId],
      );
      tables.run(
        `UPDATE versions SET digest = ?, label = ?, comment = ?, content = ?, position = ?, text_revision = ?
         WHERE id = ?`,
        ...[digest, label, comment, JSON.stringify(content), position, revision, versionId],
      );
    },
    VersionLocked: (tables, { versionId }, { position }) =>
      tables.run(
        `UPDATE versions SET state = 'locked', position = ?, locked = ? WHERE id = ?`,
        ...[position, position, versionId],
      ),
  },
};
