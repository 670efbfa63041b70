// Idempotency keys: which events of the log are the effect of a command that came with a key. A key belongs to who
// sent it. Kept for ever, since the log is.
import { STREAM_KINDS, type DomainEvent } from '../src/domain/events.js';
import { EVENT_TYPES, type Recorded } from '../src/domain/recorded.js';
import type { Projection, Rows, Tables } from './projection.js';

/** Where the effect begins: the events of one append, on one stream. */
export interface KeyedEffect {
  readonly requestHash: string;
  readonly stream: string;
  readonly revision: number;
}

export interface KeyOwner {
  readonly workspaceId: string;
  readonly actorId: string;
}

/** The keys of the newest events, for as long as the rows do not hold them. */
export class RecentKeys {
  private readonly effects = new Map<string, KeyedEffect & { readonly position: bigint }>();

  get size(): number {
    return this.effects.size;
  }

  /** Forgets what the rows hold by now: everything up to `rowsPosition`. */
  take(recorded: Recorded, rowsPosition: bigint): void {
    const { idempotencyKey } = recorded;
    if (idempotencyKey === undefined) return;
    this.forget(rowsPosition);
    const { stream, revision, position, meta } = recorded;
    const place = placeOf({ workspaceId: meta.workspace, actorId: meta.actor.id }, idempotencyKey);
    if (this.effects.has(place)) return;
    this.effects.set(place, { requestHash: meta.requestHash ?? '', stream, revision, position });
  }

  private forget(position: bigint): void {
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
    `SELECT request_hash AS requestHash, stream, revision FROM idempotency_keys
     WHERE workspace_id = ? AND actor_id = ? AND key = ?`,
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
    'INSERT OR IGNORE INTO idempotency_keys VALUES (?, ?, ?, ?, ?, ?)',
    ...[meta.workspace, meta.actor.id, idempotencyKey, meta.requestHash ?? '', stream, revision],
  );
}

export const idempotencyKeys: Projection = {
  name: 'idempotency_keys',
  version: 1,
  schema: `CREATE TABLE idempotency_keys (workspace_id TEXT NOT NULL, actor_id TEXT NOT NULL, key TEXT NOT NULL,
      request_hash TEXT NOT NULL, stream TEXT NOT NULL, revision INTEGER NOT NULL,
      PRIMARY KEY (workspace_id, actor_id, key)) STRICT, WITHOUT ROWID`,
  streams: STREAM_KINDS,
  // Any event may be the effect of a command with a key.
  on: Object.fromEntries(EVENT_TYPES.map((type) => [type, keep])),
};
