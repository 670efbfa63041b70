// The one writer of a SQLite log. Appends that arrive together share one transaction and one fsync, and yet
// each of them holds or fails by itself.

import type Database from 'better-sqlite3';
import { codeOf, messageOf } from './sqlite.file.js';

const STREAMS_REMEMBERED_MAX = 100_000;
const NO_STREAM = -1;

export interface AppendRequest {
  readonly number: number;
  readonly stream: string;
  /** -1 when the stream must not exist yet. */
  readonly expected: number;
  /** id, type, data and meta of each event, one after the other: the flat form is the quickest to send. */
  readonly events: readonly string[];
}

export type AppendAnswer = { readonly number: number } & (
  | { readonly kind: 'appended' | 'standing'; readonly position: number }
  | { readonly kind: 'conflict'; readonly actual: number | null }
  | { readonly kind: 'unavailable' | 'full' | 'unknown'; readonly reason: string }
);

export class LogWriter {
  /** The position of the newest event. */
  head: number;
  /** Why nothing is written any more. */
  private fence: string | undefined;
  private readonly revisions = new Map<string, number>();
  private readonly sql: ReturnType<typeof statements>;
  private dataVersion: unknown;

  constructor(private readonly db: Database.Database) {
    this.sql = statements(db);
    this.head = Number(this.sql.head.get() ?? 0);
    this.dataVersion = this.sql.dataVersion.get();
  }

  /** Answers every request, and not before all that it says is on the disk. */
  commit(group: readonly AppendRequest[]): AppendAnswer[] {
    const all = (kind: 'unavailable' | 'full' | 'unknown', reason: string): AppendAnswer[] =>
      group.map(({ number }) => ({ number, kind, reason }));
    if (this.fence !== undefined) return all('unavailable', this.fence);
    const headBefore = this.head;
    let answers: AppendAnswer[];
    try {
      this.sql.begin.run();
      this.checkAlone();
      answers = group.map((request) => this.append(request));
    } catch (error) {
      this.undo(headBefore);
      return all(kindOf(error), this.fence ?? messageOf(error));
    }
    try {
      this.sql.commit.run();
      return answers;
    } catch (error) {
      this.undo(headBefore);
      if (kindOf(error) === 'full') return all('full', this.fence ?? messageOf(error));
      // A failed fsync says nothing about what the disk will hold after a restart, so nothing may follow it.
      this.fence = `The disk failed at an earlier append (${messageOf(error)}); restart to find out what it holds`;
      return all('unknown', messageOf(error));
    }
  }

  /** Whether the disk takes a write at the moment, tried with one that changes nothing. */
  canWrite(): boolean {
    if (this.fence !== undefined) return false;
    try {
      this.sql.touch.run();
      return true;
    } catch {
      return false;
    }
  }

  private append({ number, stream, expected, events }: AppendRequest): AppendAnswer {
    const actual = this.revisionOf(stream);
    if (actual !== expected) {
      const position = this.standing(stream, expected, events);
      return position === undefined ? conflict(number, actual) : { number, kind: 'standing', position };
    }
    const headBefore = this.head;
    const several = events.length > 4;
    if (several) this.sql.savepoint.run();
    let revision = actual;
    try {
      for (let i = 0; i < events.length; i += 4) {
        revision += 1;
        this.sql.insert.run(
          this.head + 1,
          stream,
          revision,
          events[i],
          events[i + 1],
          events[i + 2],
          events[i + 3],
        );
        this.head += 1;
      }
    } catch (error) {
      if (codeOf(error) !== 'SQLITE_CONSTRAINT_UNIQUE') throw error;
      // An id that stands in the log already: this append goes, those before it in the group stay.
      if (several) {
        this.sql.rollbackToSavepoint.run();
        this.sql.release.run();
      }
      this.head = headBefore;
      return conflict(number, actual);
    }
    if (several) this.sql.release.run();
    this.remember(stream, revision);
    return { number, kind: 'appended', position: this.head };
  }

  /** The position that a retry had the first time, when exactly its ids follow the revision it expected. */
  private standing(stream: string, expected: number, events: readonly string[]): number | undefined {
    let position: number | undefined;
    for (let i = 0; i < events.length; i += 4) {
      const row = this.sql.at.get(stream, expected + 1 + i / 4) as [number, string] | undefined;
      if (row?.[1] !== events[i]) return undefined;
      position = row?.[0];
    }
    return position;
  }

  private revisionOf(stream: string): number {
    const remembered = this.revisions.get(stream);
    if (remembered !== undefined) return remembered;
    const revision = Number(this.sql.revision.get(stream) ?? NO_STREAM);
    this.remember(stream, revision);
    return revision;
  }

  private remember(stream: string, revision: number): void {
    if (this.revisions.size >= STREAMS_REMEMBERED_MAX) this.revisions.clear();
    this.revisions.set(stream, revision);
  }

  /** What is remembered here and what followers were given hold only as long as nobody else writes. */
  private checkAlone(): void {
    if (this.sql.dataVersion.get() === this.dataVersion) return;
    this.fence = `Another program wrote to ${this.db.name}; restart to go on`;
    throw new Error(this.fence);
  }

  private undo(head: number): void {
    this.head = head;
    this.revisions.clear();
    try {
      // After some errors SQLite has rolled back already.
      if (this.db.inTransaction) this.sql.rollback.run();
    } catch (error) {
      this.fence = `A failed append could not be taken back (${messageOf(error)}); restart to go on`;
    }
  }
}

function kindOf(error: unknown): 'full' | 'unavailable' {
  return codeOf(error) === 'SQLITE_FULL' ? 'full' : 'unavailable';
}

function conflict(number: number, actual: number): AppendAnswer {
  return { number, kind: 'conflict', actual: actual === NO_STREAM ? null : actual };
}

function statements(db: Database.Database) {
  return {
    begin: db.prepare('BEGIN IMMEDIATE'),
    commit: db.prepare('COMMIT'),
    rollback: db.prepare('ROLLBACK'),
    savepoint: db.prepare('SAVEPOINT append'),
    release: db.prepare('RELEASE append'),
    rollbackToSavepoint: db.prepare('ROLLBACK TO append'),
    touch: db.prepare('UPDATE log SET openings = openings'),
    dataVersion: db.prepare('PRAGMA data_version').pluck(),
    head: db.prepare(`SELECT seq FROM sqlite_sequence WHERE name = 'events'`).pluck(),
    revision: db
      .prepare('SELECT revision FROM events WHERE stream = ? ORDER BY revision DESC LIMIT 1')
      .pluck(),
    at: db.prepare('SELECT position, id FROM events WHERE stream = ? AND revision = ?').raw(),
    insert: db.prepare(
      'INSERT INTO events (position, stream, revision, id, type, data, meta) VALUES (?, ?, ?, ?, ?, ?, ?)',
    ),
  };
}
