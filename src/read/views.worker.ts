// The thread that keeps the view database: it folds the events it is sent into rows. The file is disposable: one that
// is missing, damaged or made by other folds is begun again from nothing, and so is one whose views are not all at
// one place, which is how a view that had stopped goes on once the software was mended.
import { existsSync, rmSync, statSync } from 'node:fs';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import type { StoredFact } from '../domain/recorded.js';
import { Comparison } from './compare-views.js';
import type { Halt } from './halt.js';
import { RowViews, type Checkpoint } from './row-views.js';

/** What the main thread sends: events to fold in, or a word. */
export type ToViews =
  | { readonly events: readonly StoredFact[] }
  | { readonly say: 'reset' | 'close' }
  /** Compare all rows with those of another such file, once both are at one place. */
  | { readonly compareWith: string };

/** What the views answer: where they stand, which have stopped, and why the disk keeps them from going on. */
export type FromViews =
  | { readonly checkpoint: Checkpoint | null; readonly halts: readonly Halt[] }
  | { readonly stalled: string }
  | { readonly equal: boolean }
  | { readonly notCompared: string }
  | { readonly closed: true };

/** A small file is always looked through at the start; a large one only when the last stop was not a clean one. */
const SMALL_BYTES_MAX = 32 * 1024 * 1024;
const RETRY_MS = 500;

const { path } = workerData as { readonly path: string };
const port = parentPort;
if (port === null) throw new Error('Broken promise: the views run in a worker thread');

/** What could not be written yet. Whoever sends more is held back by the main thread. */
let waiting: StoredFact[] = [];
let retry: NodeJS.Timeout | undefined;
let { database, views, checkpoint } = openOrBegin();
say({ checkpoint, halts: [] });
port.on('message', (message: ToViews) => {
  take(message);
});

/** Everything that has arrived by now goes into one transaction. */
function take(first: ToViews): void {
  let next: ToViews | undefined = first;
  while (next !== undefined && 'events' in next) {
    for (const event of next.events) waiting.push(event);
    next = port === null ? undefined : (receiveMessageOnPort(port)?.message as ToViews | undefined);
  }
  if (retry === undefined) foldWaiting();
  if (next === undefined || 'events' in next) return;
  if ('compareWith' in next) void compare(next.compareWith);
  else if (next.say === 'reset') reset();
  else close();
}

function foldWaiting(): void {
  retry = undefined;
  const last = waiting.at(-1);
  if (last === undefined) return;
  try {
    views.fold(waiting);
    waiting = [];
    checkpoint = { position: last.position, eventId: last.id };
    say({ checkpoint, halts: views.halts });
  } catch (error) {
    say({ stalled: error instanceof Error ? error.message : String(error) });
    retry = setTimeout(foldWaiting, RETRY_MS);
  }
}

async function compare(other: string): Promise<void> {
  try {
    say({ equal: await new Comparison(path, other).equal() });
  } catch (error) {
    say({ notCompared: error instanceof Error ? error.message : String(error) });
  }
}

function openOrBegin() {
  if (existsSync(path)) {
    const doubtful = existsSync(`${path}-wal`) || statSync(path).size <= SMALL_BYTES_MAX;
    try {
      const known = configured(new Database(path));
      const whole = !doubtful || known.pragma('quick_check(1)', { simple: true }) === 'ok';
      const kept = new RowViews(known);
      if (whole) return { database: known, views: kept, checkpoint: kept.checkpoint() };
      known.close();
    } catch {
      // Damaged or of another make: what is in it can be computed again, so there is nothing to save.
    }
  }
  return begin();
}

function begin() {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
  const fresh = configured(new Database(path));
  const empty = new RowViews(fresh);
  empty.begin();
  return { database: fresh, views: empty, checkpoint: null as Checkpoint | null };
}

/** A power cut may take back the newest rows but leaves a whole file; the log brings the rows again. */
function configured(opened: Database.Database): Database.Database {
  opened.pragma('journal_mode = WAL');
  opened.pragma('synchronous = NORMAL');
  opened.pragma('wal_autocheckpoint = 8000');
  opened.pragma('cache_size = -65536');
  return opened;
}

function reset(): void {
  database.close();
  waiting = [];
  ({ database, views, checkpoint } = begin());
  say({ checkpoint, halts: [] });
}

function close(): void {
  clearTimeout(retry);
  try {
    database.pragma('wal_checkpoint(TRUNCATE)');
  } catch {
    // A full disk: the rows stay in the write-ahead log, or are folded again.
  }
  database.close();
  say({ closed: true });
  port?.close();
}

function say(message: FromViews): void {
  port?.postMessage(message);
}
