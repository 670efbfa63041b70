// Workspaces and the API keys that work in them.
import { access, type AccessState, type ApiKey } from '../src/domain/access.js';
import type { AccessEvent } from '../src/domain/access.events.js';
import { fold } from '../src/domain/decider.js';
import { idInStream } from '../src/domain/events.js';
import type { Recorded } from '../src/domain/recorded.js';
import type { Projection, Rows, Tables } from './projection.js';

export interface Workspace {
  readonly id: string;
  revision: number;
  readonly state: AccessState;
  /** Hashes of the keys that no longer work, with their ids: who tries one is known. */
  readonly revoked: Map<string, string>;
}

interface Row {
  readonly id: string;
  readonly revision: number;
  readonly slug: string;
  readonly name: string;
  readonly keys: string;
  readonly revoked: string;
}

/** Takes one event into a workspace, which begins with its first one. */
export function evolveWorkspace(
  workspace: Workspace | undefined,
  event: AccessEvent,
  recorded: Recorded,
): Workspace {
  const evolved = workspace ?? {
    ...{ id: idInStream(recorded.stream), revision: -1, state: access.initial(), revoked: new Map() },
  };
  const revoked = event.type === 'ApiKeyRevoked' ? evolved.state.keys.get(event.keyId) : undefined;
  if (revoked !== undefined) evolved.revoked.set(revoked.hash, revoked.id);
  fold(access, [event], evolved.state);
  evolved.revision = recorded.revision;
  return evolved;
}

/** What a key was called at a position; undefined where it did not work then. */
export function keyNameAt(
  rows: Rows,
  workspaceId: string,
  keyId: string,
  position: bigint,
): string | undefined {
  return rows.get<{ name: string }>(
    'SELECT name FROM api_keys WHERE workspace_id = ? AND key_id = ? AND ifnull(revoked > ?, TRUE)',
    ...[workspaceId, keyId, position],
  )?.name;
}

export function allWorkspaces(rows: Rows): Workspace[] {
  return rows.all<Row>('SELECT * FROM workspaces').map(fromRow);
}

export const workspaces: Projection = {
  name: 'workspaces',
  version: 3,
  streams: ['access'],
  schema: `CREATE TABLE workspaces (id TEXT PRIMARY KEY, revision INTEGER NOT NULL, slug TEXT NOT NULL,
    name TEXT NOT NULL, keys TEXT NOT NULL, revoked TEXT NOT NULL) STRICT;
    CREATE TABLE api_keys (workspace_id TEXT NOT NULL, key_id TEXT NOT NULL, name TEXT NOT NULL,
      revoked INTEGER, PRIMARY KEY (workspace_id, key_id)) STRICT, WITHOUT ROWID`,
  on: { WorkspaceCreated: take, ApiKeyIssued: take, ApiKeyRevoked: take },
};

function take(tables: Tables, event: AccessEvent, recorded: Recorded): void {
  const id = idInStream(recorded.stream);
  const row = tables.get<Row>('SELECT * FROM workspaces WHERE id = ?', id);
  const { revision, state, revoked } = evolveWorkspace(row && fromRow(row), event, recorded);
  const keys = JSON.stringify([...state.keys.values()]);
  tables.run(
    `INSERT OR REPLACE INTO workspaces (id, revision, slug, name, keys, revoked)
     VALUES (?, ?, ?, ?, ?, ?)`,
    ...[id, revision, state.slug, state.name, keys, JSON.stringify([...revoked])],
  );
  keepKey(tables, id, event, recorded.position);
}

function keepKey(tables: Tables, workspaceId: string, event: AccessEvent, position: bigint): void {
  if (event.type === 'ApiKeyIssued') {
    tables.run(
      'INSERT OR REPLACE INTO api_keys (workspace_id, key_id, name) VALUES (?, ?, ?)',
      ...[workspaceId, event.keyId, event.name],
    );
  } else if (event.type === 'ApiKeyRevoked') {
    tables.run(
      'UPDATE api_keys SET revoked = ? WHERE workspace_id = ? AND key_id = ?',
      ...[position, workspaceId, event.keyId],
    );
  }
}

function fromRow({ id, revision, slug, name, keys, revoked }: Row): Workspace {
  const byId = (JSON.parse(keys) as ApiKey[]).map((key): [string, ApiKey] => [key.id, key]);
  const state = { exists: true, slug, name, keys: new Map(byId) };
  return { id, revision, state, revoked: new Map(JSON.parse(revoked) as [string, string][]) };
}
