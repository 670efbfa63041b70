// Idempotency keys: which events of the log are the effect of a command that came with a key. A key belongs to who
// sent it. Kept for ever, since the log is.
import { STREAM_KINDS, type DomainEvent } from '../src/domain/events.js';
import { EVENT_TYPES, type Recorded } from '../src/domain/recorded.js';
import type { Projection, Rows, Tables } from './projection.js';

/** One append, on one stream. */
export interface KeyedEffect {
  readonly requestHash: string;
  readonly stream: string;
  readonly firstRevision: number;
  readonly lastRevision: number;
}

export interface KeyOwner {
  readonly workspaceId: string;
  readonly actorId: string;
}

/** The keys of the newest events, for as long as the rows do not hold them. */
export class RecentKeys {
  private readonly effects = new Map<string, KeyedEffect & { readonly position: bigint }>();

  take(recorded: Recorded): void {
    const { idempotencyKey } = recorded;
    if (idempotencyKey === undefined) return;
    const { stream, revision, position, meta } = recorded;
    const place = placeOf({ workspaceId: meta.workspace, actorId: meta.actor.id }, idempotencyKey);
    const firstRevision = this.effects.get(place)?.firstRevision ?? revision;
    const requestHash = meta.requestHash ?? '';
    // Taken out first, so that the newest stands last.
    this.effects.delete(place);
    this.effects.set(place, { requestHash, stream, firstRevision, lastRevision: revision, position });
  }

  /** The rows hold everything up to here. */
  forget(position: bigint): void {
    for (const [place, effect] of this.effects) {
      if (effect.position > position) return;
      this.effects.delete(place);
    }
  }

  find(owner: KeyOwner, key: string): KeyedEffect | undefined {
    return this.effects.get(placeOf(owner, key));
  }
}

export function keyedEffect(rows: Rows, owner: KeyOwner, key: string): KeyedEffect | undefined {
  return rows.get<KeyedEffect>(
    `SELECT request_hash AS requestHash, stream, first_revision AS firstRevision, last_revision AS lastRevision
     FROM idempotency_keys WHERE workspace_id = ? AND actor_id = ? AND key = ?`,
    ...[owner.workspaceId, owner.actorId, key],
  );
}

function placeOf({ workspaceId, actorId }: KeyOwner, key: string): string {
  return `${workspaceId} ${actorId} ${key}`;
}

function keep(tables: Tables, _: DomainEvent, recorded: Recorded): void {
  const { idempotencyKey } = recorded;
  if (idempotencyKey === undefined) return;
  const { stream, revision, meta } = recorded;
  tables.run(
    `INSERT INTO idempotency_keys VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET last_revision = excluded.last_revision`,
    ...[meta.workspace, meta.actor.id, idempotencyKey, meta.requestHash ?? '', stream, revision, revision],
  );
}

export const idempotencyKeys: Projection = {
  name: 'idempotency_keys',
  version: 1,
  schema: `CREATE TABLE idempotency_keys (workspace_id TEXT NOT NULL, actor_id TEXT NOT NULL, key TEXT NOT NULL,
      request_hash TEXT NOT NULL, stream TEXT NOT NULL, first_revision INTEGER NOT NULL,
      last_revision INTEGER NOT NULL, PRIMARY KEY (workspace_id, actor_id, key)) STRICT, WITHOUT ROWID`,
  streams: STREAM_KINDS,
  // Any event may be the effect of a command with a key.
  on: Object.fromEntries(EVENT_TYPES.map((type) => [type, keep])),
};
