// Workspaces and their API keys: the ones that work, and of the others what they were called and how to know them when
// somebody tries one.
import { access, type AccessState, type ApiKey } from '../src/domain/access.js';
import type { AccessEvent } from '../src/domain/access.events.js';
import { fold } from '../src/domain/decider.js';
import { idInStream } from '../src/domain/events.js';
import type { Recorded } from '../src/domain/recorded.js';
import type { Projection, Rows, Tables } from './projection.js';

export interface Workspace {
  readonly id: string;
  readonly createdAt: string;
  revision: number;
  readonly state: AccessState;
  /** Every key that there ever was, by id. */
  readonly issued: Map<string, IssuedKey>;
}

export interface IssuedKey {
  /** As it is, or was when it was revoked. */
  readonly key: ApiKey;
  readonly issuedAt: string;
  /** Hashes that work no more. */
  readonly former: readonly string[];
}

interface Row {
  readonly id: string;
  readonly created_at: string;
  readonly revision: number;
  readonly slug: string;
  readonly name: string;
  readonly archived: number;
}

interface KeyRow {
  readonly key_id: string;
  readonly works: number;
  /** An `IssuedKey`. */
  readonly issued: string;
}

/** Takes one event into a workspace, which begins with its first one. */
export function evolveWorkspace(
  workspace: Workspace | undefined,
  event: AccessEvent,
  { stream, revision, meta: { time } }: Recorded,
): Workspace {
  const evolved = workspace ?? {
    ...{ id: idInStream(stream), createdAt: time, revision: -1 },
    ...{ state: access.initial(), issued: new Map<string, IssuedKey>() },
  };
  const { state, issued } = evolved;
  const before = 'keyId' in event ? state.keys.get(event.keyId) : undefined;
  fold(access, [event], state);
  if ('keyId' in event) {
    const key = state.keys.get(event.keyId) ?? before;
    const known = issued.get(event.keyId);
    const former = [...(known?.former ?? []), ...endedBy(event, before)];
    if (key !== undefined) issued.set(key.id, { key, issuedAt: known?.issuedAt ?? time, former });
  }
  evolved.revision = revision;
  return evolved;
}

/** Hashes that work no more from now on. */
function endedBy({ type }: AccessEvent, before: ApiKey | undefined): string[] {
  if (before === undefined || (type !== 'ApiKeyRotated' && type !== 'ApiKeyRevoked')) return [];
  const previous = before.previous === null ? [] : [before.previous.hash];
  return type === 'ApiKeyRevoked' ? [...previous, before.hash] : previous;
}

/** What a key was called, if there was one at a position: whether it still works does not matter. */
export function keyNameAt(
  rows: Rows,
  workspaceId: string,
  keyId: string,
  position: bigint,
): string | undefined {
  return rows.get<{ name: string }>(
    'SELECT name FROM api_keys WHERE workspace_id = ? AND key_id = ? AND position <= ?',
    ...[workspaceId, keyId, position],
  )?.name;
}

/** In the order of the log: the first one is the one that the installation is looked after from. */
export function allWorkspaces(rows: Rows): Workspace[] {
  return rows.all<Row>('SELECT * FROM workspaces ORDER BY position').map((row) => fromRow(rows, row));
}

export const workspaces: Projection = {
  name: 'workspaces',
  version: 5,
  streams: ['access'],
  schema: `CREATE TABLE workspaces (id TEXT PRIMARY KEY, created_at TEXT NOT NULL, position INTEGER NOT NULL,
      revision INTEGER NOT NULL, slug TEXT NOT NULL, name TEXT NOT NULL, archived INTEGER NOT NULL) STRICT;
    CREATE TABLE api_keys (workspace_id TEXT NOT NULL, key_id TEXT NOT NULL, position INTEGER NOT NULL,
      name TEXT NOT NULL, works INTEGER NOT NULL, issued TEXT NOT NULL,
      PRIMARY KEY (workspace_id, key_id)) STRICT, WITHOUT ROWID`,
  on: {
    WorkspaceCreated: take,
    WorkspaceRenamed: take,
    WorkspaceArchived: take,
    WorkspaceRestored: take,
    ApiKeyIssued: take,
    ApiKeyRotated: take,
    ApiKeyRevoked: take,
    ApiKeyUsed: take,
  },
};

function take(tables: Tables, event: AccessEvent, recorded: Recorded): void {
  const id = idInStream(recorded.stream);
  const row = tables.get<Row>('SELECT * FROM workspaces WHERE id = ?', id);
  const keyId = 'keyId' in event ? event.keyId : undefined;
  const workspace = evolveWorkspace(row && fromRow(tables, row, keyId ?? null), event, recorded);
  const { createdAt, revision, state } = workspace;
  tables.run(
    `INSERT INTO workspaces (id, created_at, position, revision, slug, name, archived) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET revision = excluded.revision, name = excluded.name, archived = excluded.archived`,
    ...[id, createdAt, recorded.position, revision, state.slug, state.name, state.archived ? 1 : 0],
  );
  if (keyId !== undefined) keepKey(tables, workspace, keyId, recorded.position);
}

function keepKey(tables: Tables, { id, state, issued }: Workspace, keyId: string, position: bigint): void {
  const known = issued.get(keyId);
  if (known === undefined) return;
  tables.run(
    `INSERT INTO api_keys (workspace_id, key_id, position, name, works, issued) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET works = excluded.works, issued = excluded.issued`,
    ...[id, keyId, position, known.key.name, state.keys.has(keyId) ? 1 : 0, JSON.stringify(known)],
  );
}

/** With all keys, or with the one that an event is about: a workspace may have thousands. */
function fromRow(rows: Rows, row: Row, onlyKey?: string | null): Workspace {
  const { id, created_at: createdAt, revision, slug, name, archived } = row;
  const found = rows.all<KeyRow>(
    `SELECT key_id, works, issued FROM api_keys WHERE workspace_id = ? AND (? OR key_id = ?)
     ORDER BY position, key_id`,
    ...[id, onlyKey === undefined ? 1 : 0, onlyKey ?? null],
  );
  const issued = new Map(found.map((one) => [one.key_id, JSON.parse(one.issued) as IssuedKey]));
  const working = found.flatMap(({ key_id: keyId, works }) => {
    const known = issued.get(keyId);
    return works === 1 && known !== undefined ? [[keyId, known.key] as const] : [];
  });
  const state = { exists: true, slug, name, archived: archived === 1, keys: new Map(working) };
  return { id, createdAt, revision, state, issued };
}
