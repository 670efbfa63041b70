// Versions with their content: what GET /flows/{flow}/versions shows and what resolving hands out.
import { idInStream, type Actor } from '../src/domain/events.js';
import type { VersionDrafted, VersionEdited } from '../src/domain/flow.events.js';
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
  version: 1,
  streams: ['flow'],
  schema: `CREATE TABLE versions (id TEXT PRIMARY KEY, flow_id TEXT NOT NULL, number INTEGER NOT NULL,
      state TEXT NOT NULL, digest TEXT NOT NULL, label TEXT, comment TEXT, forked_from TEXT,
      created_at TEXT NOT NULL, actor TEXT NOT NULL, content TEXT NOT NULL, position INTEGER NOT NULL) STRICT;
    CREATE UNIQUE INDEX versions_by_number ON versions (flow_id, number)`,
  on: {
    VersionDrafted: (tables, event: VersionDrafted, { stream, meta, position }) => {
      const { versionId, number, digest, label, comment, forkedFrom, content } = event;
      tables.run(
        `INSERT INTO versions (id, flow_id, number, state, digest, label, comment, forked_from, created_at,
         actor, content, position) VALUES (?, ?, ?, 'draft', ?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[versionId, idInStream(stream), number, digest, label, comment, forkedFrom, meta.time],
        ...[JSON.stringify(meta.actor), JSON.stringify(content), position],
      );
    },
    VersionEdited: (tables, event: VersionEdited, { position }) => {
      const { versionId, digest, label, comment, content } = event;
      tables.run(
        'UPDATE versions SET digest = ?, label = ?, comment = ?, content = ?, position = ? WHERE id = ?',
        ...[digest, label, comment, JSON.stringify(content), position, versionId],
      );
    },
    VersionLocked: (tables, { versionId }, { position }) =>
      tables.run(`UPDATE versions SET state = 'locked', position = ? WHERE id = ?`, position, versionId),
  },
};
