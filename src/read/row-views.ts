// The views that are kept in rows, folded from the log in batches: the rows of a batch and the places that the views
// have reached are one transaction. A view that cannot take an event stops before it, and the others go on.
import Database from 'better-sqlite3';
import { Recorded, UnknownEvent, type StoredFact } from '../domain/recorded.js';
import { activeVersions } from '../../projections/active-versions.js';
import { flows } from '../../projections/flows.js';
import { idempotencyKeys } from '../../projections/idempotency-keys.js';
import type { Projection } from '../../projections/projection.js';
import { projects } from '../../projections/projects.js';
import { releases } from '../../projections/releases.js';
import { versions } from '../../projections/versions.js';
import { workspaces } from '../../projections/workspaces.js';
import { haltAt, isConcerned, type Halt } from './halt.js';
import { SqliteTables } from './sqlite-tables.js';

export const PROJECTIONS: readonly Projection[] = [
  ...[workspaces, projects, flows, versions, activeVersions, releases, idempotencyKeys],
];

/** The last event that is in the rows. */
export interface Checkpoint {
  readonly position: bigint;
  readonly eventId: string;
}

interface CheckpointRow {
  readonly view: string;
  readonly version: number;
  readonly position: number | null;
  readonly event_id: string | null;
}

type Fold = (tables: SqliteTables, event: Recorded['event'], recorded: Recorded) => void;

export class RowViews {
  readonly halts: Halt[] = [];
  private readonly tables: SqliteTables;

  constructor(
    private readonly database: Database.Database,
    private readonly projections: readonly Projection[] = PROJECTIONS,
  ) {
    this.tables = new SqliteTables(database);
  }

  /** Makes the tables, all of them empty. */
  begin(): void {
    this.database.exec(`CREATE TABLE checkpoints (view TEXT PRIMARY KEY, version INTEGER NOT NULL,
      position INTEGER, event_id TEXT) STRICT`);
    for (const { name, version, schema } of this.projections) {
      this.database.exec(schema);
      this.tables.run('INSERT INTO checkpoints (view, version) VALUES (?, ?)', name, version);
    }
  }

  /** Null before the first event. Throws where the views are not all at one place, or other folds made them. */
  checkpoint(): Checkpoint | null {
    const rows = this.tables.all<CheckpointRow>('SELECT * FROM checkpoints');
    const byName = new Map(rows.map((row) => [row.view, row]));
    const [first] = rows;
    for (const { name, version } of this.projections) {
      const row = byName.get(name);
      if (row?.version !== version || row.position !== first?.position) {
        throw new Error(`View ${name} has to be made anew`);
      }
    }
    if (first === undefined || first.position === null) return null;
    return { position: BigInt(first.position), eventId: first.event_id ?? '' };
  }

  /** Throws only what is wrong with the disk; then nothing of the batch has happened. */
  fold(batch: readonly StoredFact[]): void {
    const last = batch.at(-1);
    if (last === undefined) return;
    const halted: Halt[] = [];
    const entries = batch.map((stored) => new Entry(stored));
    this.database.transaction(() => {
      for (const projection of this.running()) {
        const halt = this.foldInto(projection, entries);
        if (halt === undefined) this.reach(projection, last);
        else halted.push(halt);
      }
    })();
    this.halts.push(...halted);
  }

  private running(): Projection[] {
    return this.projections.filter(({ name }) => !this.halts.some(({ view }) => view === name));
  }

  private foldInto(projection: Projection, entries: readonly Entry[]): Halt | undefined {
    this.database.exec('SAVEPOINT view');
    const failure = this.firstFailure(projection, entries);
    if (failure !== undefined) {
      this.database.exec('ROLLBACK TO view');
      const before = entries.slice(0, failure.index);
      this.firstFailure(projection, before);
      const reached = before.at(-1);
      if (reached !== undefined) this.reach(projection, reached.stored);
    }
    this.database.exec('RELEASE view');
    return failure && haltAt(projection.name, failure.at.stored, failure.error);
  }

  private firstFailure(projection: Projection, entries: readonly Entry[]) {
    for (const [index, at] of entries.entries()) {
      try {
        at.foldInto(projection, this.tables);
      } catch (error) {
        if (isOfTheDisk(error)) throw error;
        return { index, at, error };
      }
    }
    return undefined;
  }

  private reach({ name }: Projection, { position, id }: StoredFact): void {
    const sql = 'UPDATE checkpoints SET position = ?, event_id = ? WHERE view = ?';
    this.tables.run(sql, position, id, name);
  }
}

/** An event of a batch, read once for all views. */
class Entry {
  private readonly recorded: Recorded | UnknownEvent;

  constructor(readonly stored: StoredFact) {
    this.recorded = read(stored);
  }

  foldInto(projection: Projection, tables: SqliteTables): void {
    if (this.recorded instanceof UnknownEvent) {
      if (isConcerned(projection, this.stored.stream)) throw this.recorded;
      return;
    }
    // The event's own type picked the fold, which TypeScript cannot follow.
    const fold = projection.on[this.recorded.event.type] as Fold | undefined;
    fold?.(tables, this.recorded.event, this.recorded);
  }
}

function read(stored: StoredFact): Recorded | UnknownEvent {
  try {
    return new Recorded(stored);
  } catch (error) {
    if (error instanceof UnknownEvent) return error;
    throw error;
  }
}

/** A full or failing disk says nothing about the event: the batch is folded again later. */
function isOfTheDisk(error: unknown): boolean {
  return (
    error instanceof Database.SqliteError &&
    /^SQLITE_(FULL|IOERR|CANTOPEN|READONLY|CORRUPT|NOTADB|BUSY|NOMEM)/.test(error.code)
  );
}
