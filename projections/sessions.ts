// Who is signed in, in memory and in rows. A projection has no clock, so sessions that have expired are dropped when
// the next one opens; and of one holder the newest hundred are kept, so that nobody fills the memory by signing in.
import { Access } from '../src/domain/permissions.js';
import { idInStream } from '../src/domain/events.js';
import type { Recorded } from '../src/domain/recorded.js';
import type { PersonErased, SessionEvent, SessionOpened } from '../src/domain/session.events.js';
import type { SessionHolder } from '../src/domain/session-holder.js';
import type { Projection, Rows, Tables } from './projection.js';

export const SESSIONS_OF_HOLDER_MAX = 100;

export interface Session {
  readonly id: string;
  readonly workspaceId: string;
  readonly hash: string;
  readonly holder: SessionHolder;
  /** Of a person, who is somebody only by it. */
  readonly access: Access;
  readonly expiresAt: string;
}

/** A person who has ever signed in. */
export interface KnownPerson {
  readonly workspaceId: string;
  /** When the name was erased last; null where it never was. */
  readonly erasedAt: string | null;
  /** How often it was erased. */
  readonly erasures: number;
}

interface Row {
  readonly id: string;
  readonly workspace_id: string;
  readonly hash: string;
  readonly holder: string;
  readonly expires_at: string;
}

interface PersonRow {
  readonly id: string;
  readonly workspace_id: string;
  readonly erased_at: string | null;
  readonly erasures: number;
}

export class Sessions {
  private readonly byId = new Map<string, Session>();
  private readonly byHash = new Map<string, Session>();
  /** Ids of the sessions of each holder, the oldest first. */
  private readonly ofHolder = new Map<string, Set<string>>();
  /** And of those that end in each minute, so that nobody has to look at all of them for the ones that have ended. */
  private readonly endingIn = new Map<string, Set<string>>();
  private readonly people = new Map<string, KnownPerson>();

  find(hash: string): Session | undefined {
    return this.byHash.get(hash);
  }

  isOpen(id: string): boolean {
    return this.byId.has(id);
  }

  /** Of a key or a person, the oldest first. */
  of(holderId: string): Session[] {
    return [...(this.ofHolder.get(holderId) ?? [])].flatMap((id) => this.byId.get(id) ?? []);
  }

  person(id: string): KnownPerson | undefined {
    return this.people.get(id);
  }

  /** Ids of those whose names were erased, and when. */
  *erased(): Iterable<readonly [personId: string, erasedAt: string]> {
    for (const [id, { erasedAt }] of this.people) if (erasedAt !== null) yield [id, erasedAt];
  }

  take(event: SessionEvent | PersonErased, recorded: Recorded): void {
    const id = idInStream(recorded.stream);
    const { time, workspace: workspaceId } = recorded.meta;
    if (event.type === 'SessionClosed') return this.drop(id);
    if (event.type === 'PersonErased') {
      for (const sessionId of this.ofHolder.get(id) ?? []) this.drop(sessionId);
      const erasures = (this.people.get(id)?.erasures ?? 0) + 1;
      this.people.set(id, { workspaceId, erasedAt: time, erasures });
      return;
    }
    this.dropEnded(time);
    this.keep(sessionFrom(id, workspaceId, event));
    const [oldest = '', ...others] = this.ofHolder.get(holderOf(event)) ?? [];
    if (others.length >= SESSIONS_OF_HOLDER_MAX) this.drop(oldest);
    const { holder } = event;
    if (holder.type !== 'person' || this.people.has(holder.personId)) return;
    this.people.set(holder.personId, { workspaceId, erasedAt: null, erasures: 0 });
  }

  load(rows: Rows): void {
    const found = rows.all<Row>('SELECT * FROM sessions ORDER BY position');
    for (const { id, workspace_id: workspaceId, hash, holder, expires_at: expiresAt } of found) {
      const opened = { hash, holder: JSON.parse(holder) as SessionHolder, expiresAt };
      this.keep(sessionFrom(id, workspaceId, opened));
    }
    for (const { id, workspace_id, erased_at, erasures } of rows.all<PersonRow>('SELECT * FROM people')) {
      this.people.set(id, { workspaceId: workspace_id, erasedAt: erased_at, erasures });
    }
  }

  private dropEnded(time: string): void {
    const ended = [...this.endingIn].filter(([minute]) => minute <= minuteOf(time));
    for (const id of ended.flatMap(([, ids]) => [...ids])) {
      if ((this.byId.get(id)?.expiresAt ?? '') <= time) this.drop(id);
    }
  }

  private keep(session: Session): void {
    this.byId.set(session.id, session);
    this.byHash.set(session.hash, session);
    add(this.ofHolder, holderOf(session), session.id);
    add(this.endingIn, minuteOf(session.expiresAt), session.id);
  }

  private drop(id: string): void {
    const session = this.byId.get(id);
    if (session === undefined) return;
    this.byId.delete(id);
    this.byHash.delete(session.hash);
    remove(this.ofHolder, holderOf(session), id);
    remove(this.endingIn, minuteOf(session.expiresAt), id);
  }
}

function add(sets: Map<string, Set<string>>, name: string, id: string): void {
  const ids = sets.get(name);
  if (ids === undefined) sets.set(name, new Set([id]));
  else ids.add(id);
}

function remove(sets: Map<string, Set<string>>, name: string, id: string): void {
  const ids = sets.get(name);
  ids?.delete(id);
  if (ids?.size === 0) sets.delete(name);
}

/** As `2026-03-02T08:16`. */
function minuteOf(time: string): string {
  return time.slice(0, 16);
}

export const sessions: Projection = {
  name: 'sessions',
  version: 1,
  streams: ['session', 'person'],
  schema: `CREATE TABLE sessions (id TEXT PRIMARY KEY, workspace_id TEXT NOT NULL, hash TEXT NOT NULL,
      holder_id TEXT NOT NULL, holder TEXT NOT NULL, expires_at TEXT NOT NULL, position INTEGER NOT NULL) STRICT;
    CREATE INDEX sessions_by_holder ON sessions (holder_id, position);
    CREATE INDEX sessions_by_end ON sessions (expires_at);
    CREATE TABLE people (id TEXT PRIMARY KEY, workspace_id TEXT NOT NULL, erased_at TEXT,
      erasures INTEGER NOT NULL) STRICT, WITHOUT ROWID`,
  on: {
    SessionOpened: open,
    SessionClosed: (tables, _, { stream }) =>
      tables.run('DELETE FROM sessions WHERE id = ?', idInStream(stream)),
    PersonErased: (tables, _, { stream, meta }) => {
      const id = idInStream(stream);
      tables.run('DELETE FROM sessions WHERE holder_id = ?', id);
      tables.run(
        `INSERT INTO people VALUES (?, ?, ?, 1)
         ON CONFLICT DO UPDATE SET erased_at = excluded.erased_at, erasures = erasures + 1`,
        ...[id, meta.workspace, meta.time],
      );
    },
  },
};

function open(tables: Tables, event: SessionOpened, { stream, meta, position }: Recorded): void {
  const holderId = holderOf(event);
  tables.run('DELETE FROM sessions WHERE expires_at <= ?', meta.time);
  tables.run(
    'INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)',
    ...[idInStream(stream), meta.workspace, event.hash, holderId, JSON.stringify(event.holder)],
    ...[event.expiresAt, position],
  );
  tables.run(
    `DELETE FROM sessions WHERE id IN
       (SELECT id FROM sessions WHERE holder_id = ? ORDER BY position DESC LIMIT -1 OFFSET ?)`,
    ...[holderId, SESSIONS_OF_HOLDER_MAX],
  );
  if (event.holder.type === 'person') {
    const { personId } = event.holder;
    tables.run('INSERT OR IGNORE INTO people VALUES (?, ?, NULL, 0)', personId, meta.workspace);
  }
}

function sessionFrom(id: string, workspaceId: string, opened: Omit<SessionOpened, 'type'>): Session {
  const { hash, holder, expiresAt } = opened;
  const access = new Access(holder.type === 'person' ? holder.grants : []);
  return { id, workspaceId, hash, holder, access, expiresAt };
}

/** Ids of keys and of people are never the same. */
function holderOf({ holder }: Pick<Session, 'holder'>): string {
  return holder.type === 'person' ? holder.personId : holder.keyId;
}
