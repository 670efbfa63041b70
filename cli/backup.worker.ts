// The thread that makes a backup and checks it. It only ever reads from the log, on a connection that cannot write:
// a server that has the log open would take no more commands once it found that somebody else had written to it.
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { StoreRefused } from '../src/store/event-store.js';
import { checkLog, codeOf, lockFile, messageOf } from '../src/store/sqlite.file.js';

const BUSY_MS = 5_000;

export interface BackupTask {
  readonly log: string;
  readonly file: string;
  readonly partial: string;
}

export interface BackupReport {
  readonly events: number;
  readonly bytes: number;
  /** Why there is no backup: the log cannot be read, or the copy cannot be made. */
  readonly refused?: string;
  readonly failed?: string;
}

function backUp({ log, file, partial }: BackupTask): BackupReport {
  // Two backups into one file would each spoil the other's.
  const lock = lockFile(partial);
  try {
    removePartial(partial);
    const eventsBefore = copyInto(log, partial);
    const events = checked(partial, eventsBefore);
    const { size: bytes } = statSync(partial);
    sync(partial);
    // Another program may have been quicker; what it wrote is not ours to replace.
    if (existsSync(file)) throw new Error(`${file} has come into being meanwhile, and is left alone`);
    renameSync(partial, file);
    sync(dirname(file));
    return { events, bytes };
  } catch (error) {
    removePartial(partial);
    throw error;
  } finally {
    lock.close();
    rmSync(`${partial}.lock`, { force: true });
  }
}

/** Answers how many events there were when it began. */
function copyInto(log: string, partial: string): number {
  const db = openToRead(log);
  try {
    const eventsBefore = newestIn(db, log);
    // A log is for its owner alone, and so is its backup: SQLite fills an empty file that is there.
    closeSync(openSync(partial, 'wx', 0o600));
    db.prepare('VACUUM INTO ?').run(partial);
    return eventsBefore;
  } finally {
    db.close();
  }
}

function openToRead(file: string): Database.Database {
  try {
    return new Database(file, { readonly: true, fileMustExist: true, timeout: BUSY_MS });
  } catch (error) {
    throw new StoreRefused(`${file} cannot be read: ${messageOf(error)}`);
  }
}

function newestIn(db: Database.Database, log: string): number {
  try {
    return Number(db.prepare('SELECT max(position) FROM events').pluck().get() ?? 0);
  } catch (error) {
    throw new StoreRefused(`${log} is not a log of Switchyard that can be read: ${messageOf(error)}`);
  }
}

/** As a server would look at it, and more closely: every page, every index, and no position missing. */
function checked(copy: string, eventsBefore: number): number {
  try {
    checkLog(copy);
  } catch (error) {
    // It is the copy that is refused, and not the log.
    throw new Error(messageOf(error));
  }
  const db = openToRead(copy);
  try {
    const found = db.pragma('integrity_check(1)', { simple: true });
    if (found !== 'ok') throw new Error(`The copy is damaged: ${String(found)}`);
    const [events = 0, newest] = db
      .prepare('SELECT count(*), max(position) FROM events')
      .raw()
      .get() as number[];
    const last = newest ?? 0;
    if (events !== last) throw new Error(`The copy has ${events} events, but the last is ${last}`);
    if (last < eventsBefore)
      throw new Error(`The copy ends at ${last}, the log was at ${eventsBefore} before`);
    return events;
  } finally {
    db.close();
  }
}

function removePartial(partial: string): void {
  for (const suffix of ['', '-journal']) rmSync(partial + suffix, { force: true });
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}

function reportOn(task: BackupTask): BackupReport {
  try {
    return backUp(task);
  } catch (error) {
    const none = { events: 0, bytes: 0 };
    if (error instanceof StoreRefused) return { ...none, refused: error.message };
    const reason = codeOf(error) === 'SQLITE_FULL' ? 'the disk is full' : messageOf(error);
    return { ...none, failed: `There is no backup: ${reason}` };
  }
}

if (parentPort === null) throw new Error('The backup worker runs as a worker thread only');
parentPort.postMessage(reportOn(workerData as BackupTask));
