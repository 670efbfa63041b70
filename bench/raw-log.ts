// The limit of everything that writes or reads the log: better-sqlite3 alone, on a table of the same shape, on the
// same disk, with strings that lie ready in memory.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';

export interface RawEvent {
  readonly stream: string;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  readonly data: string;
  readonly meta: string;
}

/** What a data folder holds after a position; a running server does not mind. */
export function eventsAfter(folder: string, position: number): RawEvent[] {
  const database = new Database(join(folder, 'events.db'), { readonly: true });
  try {
    const select =
      'SELECT stream, revision, id, type, data, meta FROM events WHERE position > ? ORDER BY position';
    return database.prepare<[number], RawEvent>(select).all(position);
  } finally {
    database.close();
  }
}

export function headOf(folder: string): number {
  const database = new Database(join(folder, 'events.db'), { readonly: true });
  try {
    return Number(database.prepare('SELECT max(position) FROM events').pluck().get());
  } finally {
    database.close();
  }
}

export class RawLog {
  private readonly path: string;
  private readonly database: Database.Database;
  private appended = 0;
  private readonly insertAll: (events: readonly RawEvent[]) => void;

  /** A fresh and empty log beside the one of a data folder, which it copies the table from. */
  constructor(folder: string) {
    this.path = join(folder, 'raw.db');
    this.remove();
    const like = new Database(join(folder, 'events.db'), { readonly: true });
    const schema = String(like.prepare(`SELECT sql FROM sqlite_master WHERE name = 'events'`).pluck().get());
    like.close();
    this.database = new Database(this.path);
    this.database.pragma('journal_mode = WAL');
    this.database.pragma('synchronous = FULL');
    this.database.exec(schema);
    const insert = this.database.prepare(
      'INSERT INTO events (stream, revision, id, type, data, meta) VALUES (?, ?, ?, ?, ?, ?)',
    );
    const all = this.database.transaction((events: readonly RawEvent[]) => {
      for (const { stream, revision, id, type, data, meta } of events) {
        insert.run(stream, revision, id, type, data, meta);
      }
    });
    this.insertAll = (events) => all.immediate(events);
  }

  /** One transaction, on the disk when it returns. Answers how many milliseconds it took. */
  append(events: readonly RawEvent[]): number {
    const started = performance.now();
    this.insertAll(events);
    return performance.now() - started;
  }

  /** Transactions per second of events like this one, one event in each. */
  ratePerSecond(event: RawEvent, seconds: number): number {
    const started = performance.now();
    const until = started + seconds * 1000;
    const before = this.appended;
    let now = started;
    while (now < until) {
      this.appended += 1;
      const revision = this.appended;
      this.insertAll([{ ...event, revision, id: `${event.id.slice(0, 24)}${padded(revision)}` }]);
      now = performance.now();
    }
    return ((this.appended - before) * 1000) / (now - started);
  }

  close(): void {
    this.database.close();
    this.remove();
  }

  private remove(): void {
    for (const suffix of ['', '-wal', '-shm']) rmSync(this.path + suffix, { force: true });
  }
}

/** The last part of a UUID. */
function padded(number: number): string {
  return number.toString(16).padStart(12, '0');
}
