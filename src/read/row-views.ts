// The views that are kept in rows, folded from the log in batches: the rows of a batch and the places that the views
// have reached are one transaction. A view that cannot take an event stops before it, and the others go on.
import Database from 'better-sqlite3';
import { Recorded, UnknownEvent, type StoredFact } from '../domain/recorded.js';
import { activeVersions } from '../../projections/active-versions.js';
import { auditTrail } from '../../projections/audit-trail.js';
import { environmentHistory } from '../../projections/environment-history.js';
import { flows } from '../../projections/flows.js';
import { idempotencyKeys } from '../../projections/idempotency-keys.js';
import { ledger } from '../../projections/ledger.js';
import { moments } from '../../projections/moments.js';
import type { LogProjection, Projection } from '../../projections/projection.js';
import { projects } from '../../projections/projects.js';
import { releases } from '../../projections/releases.js';
import { sessions } from '../../projections/sessions.js';
import { versions } from '../../projections/versions.js';
import { workspaces } from '../../projections/workspaces.js';
import { haltAt, isConcerned, type Halt } from './halt.js';
import { SqliteTables } from './sqlite-tables.js';

type RowView = Projection | LogProjection;

export const PROJECTIONS: readonly RowView[] = [
  ...[workspaces, projects, flows, versions, activeVersions, releases, idempotencyKeys, ledger],
  ...[auditTrail, environmentHistory, moments, sessions],
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
    private readonly projections: readonly RowView[] = PROJECTIONS,
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
    if (batch.length === 0) return;
    const halted: Halt[] = [];
    const entries = batch.map((stored) => new Entry(stored));
    this.database.transaction(() => {
      for (const projection of this.running()) {
        const halt = this.foldInto(projection, entries);
        if (halt !== undefined) halted.push(halt);
      }
    })();
    this.halts.push(...halted);
  }

  private running(): RowView[] {
    return this.projections.filter(({ name }) => !this.halts.some(({ view }) => view === name));
  }

  /** Undefined when it took them all. */
  private foldInto(view: RowView, entries: readonly Entry[]): Halt | undefined {
    this.database.exec('SAVEPOINT view');
    let halt: Halt | undefined;
    if (this.failureOf(view, entries) === undefined) this.reach(view, entries);
    else {
      this.database.exec('ROLLBACK TO view');
      halt = this.foldOneByOne(view, entries);
    }
    this.database.exec('RELEASE view');
    return halt;
  }

  /** As far as they go. */
  private foldOneByOne(view: RowView, entries: readonly Entry[]): Halt | undefined {
    for (const entry of entries) {
      this.database.exec('SAVEPOINT entry');
      const error = this.failureOf(view, [entry]);
      if (error !== undefined) this.database.exec('ROLLBACK TO entry');
      this.database.exec('RELEASE entry');
      if (error !== undefined) return haltAt(view.name, entry.stored, error);
      this.reach(view, [entry]);
    }
    return undefined;
  }

  private failureOf(view: RowView, entries: readonly Entry[]): Error | undefined {
    try {
      if ('take' in view) {
        view.take(
          this.tables,
          entries.map(({ stored }) => stored),
        );
      } else for (const entry of entries) entry.foldInto(view, this.tables);
      return undefined;
    } catch (error) {
      if (isOfTheDisk(error)) throw error;
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  private reach({ name }: RowView, entries: readonly Entry[]): void {
    const last = entries.at(-1)?.stored;
    if (last === undefined) return;
    const sql = 'UPDATE checkpoints SET position = ?, event_id = ? WHERE view = ?';
    this.tables.run(sql, last.position, last.id, name);
  }
}

/** An event of a batch, read once for all views. */
class Entry {
  readonly stored: StoredFact;
  private readonly recorded: Recorded | UnknownEvent;

  constructor(stored: StoredFact) {
    this.recorded = read(stored);
    // A view of the log itself need not parse again what the others were given.
    this.stored = this.recorded instanceof Recorded ? { ...stored, decided: this.recorded.event } : stored;
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
