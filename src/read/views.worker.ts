// The thread that keeps the view database: it folds the events it is sent into rows, and commits rows and
// checkpoint together, so that a crash leaves the views at one place of the log. The file is disposable: one that
// is missing, damaged or made by other folds is begun again from nothing.
import { existsSync, rmSync, statSync } from 'node:fs';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { Recorded, type StoredFact } from '../domain/recorded.js';
import { activeVersions } from '../../projections/active-versions.js';
import { flows } from '../../projections/flows.js';
import type { Projection } from '../../projections/projection.js';
import { projects } from '../../projections/projects.js';
import { releases } from '../../projections/releases.js';
import { versions } from '../../projections/versions.js';
import { workspaces } from '../../projections/workspaces.js';
import { SqliteTables } from './sqlite-tables.js';

/** What the main thread sends: events to fold in, or a word. */
export type ToViews = { readonly events: readonly StoredFact[] } | { readonly say: 'reset' | 'close' };

/** The last event that is in the rows. */
export interface Checkpoint {
  readonly position: bigint;
  readonly eventId: string;
}

/** What the views answer: where they stand, or why they stopped. */
export type FromViews =
  { readonly checkpoint: Checkpoint | null } | { readonly failed: string } | { readonly closed: true };

const PROJECTIONS: readonly Projection[] = [workspaces, projects, flows, versions, activeVersions, releases];
const FOLDS = PROJECTIONS.map(({ name, version }) => `${name} ${version}`).join(', ');

/** A small file is always looked through at the start; a large one only when the last stop was not a clean one. */
const SMALL_BYTES_MAX = 32 * 1024 * 1024;

const { path } = workerData as { readonly path: string };
const port = parentPort;
if (port === null) throw new Error('Broken promise: the views run in a worker thread');

let database = openOrBegin();
let tables = new SqliteTables(database);
say({ checkpoint: storedCheckpoint() });
port.on('message', (message: ToViews) => {
  take(message);
});

/** Everything that has arrived by now goes into one transaction. */
function take(first: ToViews): void {
  const batch: StoredFact[] = [];
  let next: ToViews | undefined = first;
  while (next !== undefined && 'events' in next) {
    for (const event of next.events) batch.push(event);
    next = port === null ? undefined : (receiveMessageOnPort(port)?.message as ToViews | undefined);
  }
  if (batch.length > 0) foldIn(batch);
  if (next === undefined || 'events' in next) return;
  if (next.say === 'reset') reset();
  else close();
}

function foldIn(batch: readonly StoredFact[]): void {
  const last = batch.at(-1);
  if (last === undefined) return;
  try {
    database.transaction(() => {
      for (const event of batch) foldOne(event);
      tables.run('UPDATE checkpoint SET position = ?, event_id = ?', last.position, last.id);
    })();
    say({ checkpoint: { position: last.position, eventId: last.id } });
  } catch (error) {
    say({ failed: error instanceof Error ? error.message : String(error) });
  }
}

function foldOne(stored: StoredFact): void {
  const recorded = new Recorded(stored);
  for (const { name, on } of PROJECTIONS) {
    // The event's own type picked the fold, which TypeScript cannot follow.
    const fold = on[recorded.event.type] as
      ((t: SqliteTables, e: Recorded['event'], r: Recorded) => void) | undefined;
    try {
      fold?.(tables, recorded.event, recorded);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`View ${name} stopped at ${stored.type}, position ${stored.position}: ${why}`);
    }
  }
}

function openOrBegin(): Database.Database {
  if (existsSync(path)) {
    const doubtful = existsSync(`${path}-wal`) || statSync(path).size <= SMALL_BYTES_MAX;
    try {
      const known = configured(new Database(path));
      const folds = known.prepare('SELECT folds FROM checkpoint').pluck().get();
      const whole = !doubtful || known.pragma('quick_check(1)', { simple: true }) === 'ok';
      if (folds === FOLDS && whole) return known;
      known.close();
    } catch {
      // Damaged or of another make: what is in it can be computed again, so there is nothing to save.
    }
  }
  return begin();
}

function begin(): Database.Database {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
  const fresh = configured(new Database(path));
  fresh.exec('CREATE TABLE checkpoint (folds TEXT NOT NULL, position INTEGER, event_id TEXT) STRICT');
  fresh.prepare('INSERT INTO checkpoint (folds) VALUES (?)').run(FOLDS);
  for (const { schema } of PROJECTIONS) fresh.exec(schema);
  return fresh;
}

/** A power cut may take back the newest rows but leaves a whole file; the log brings the rows again. */
function configured(opened: Database.Database): Database.Database {
  opened.pragma('journal_mode = WAL');
  opened.pragma('synchronous = NORMAL');
  opened.pragma('wal_autocheckpoint = 8000');
  opened.pragma('cache_size = -65536');
  return opened;
}

function storedCheckpoint(): Checkpoint | null {
  const row = tables.get<{ position: number | null; event_id: string }>(
    'SELECT position, event_id FROM checkpoint',
  );
  if (row === undefined || row.position === null) return null;
  return { position: BigInt(row.position), eventId: row.event_id };
}

function reset(): void {
  database.close();
  database = begin();
  tables = new SqliteTables(database);
  say({ checkpoint: null });
}

function close(): void {
  database.pragma('wal_checkpoint(TRUNCATE)');
  database.close();
  say({ closed: true });
  port?.close();
}

function say(message: FromViews): void {
  port?.postMessage(message);
}
