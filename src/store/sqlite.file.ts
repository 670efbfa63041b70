// The file behind the SQLite adapter: made whole or not at all, held by one process, and looked at before
// anything is written to it. Whatever is wrong with it ends in one line, and the file stays as it was.

import { randomUUID } from 'node:crypto';
import { accessSync, closeSync, constants, existsSync, fsyncSync, openSync, readSync } from 'node:fs';
import { realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { StoreRefused } from './event-store.js';

/** 'SWYD' in ASCII, at byte 68 of the file. */
const APPLICATION_ID = 0x53575944;
/** Kept in `user_version`. Raise it with every change that an older Switchyard must not write to. */
const FORMAT = 1;
/** The first SQLite whose checkpoints cannot race a writer into corrupting the file. */
const SQLITE_MIN = [3, 51, 3] as const;
const SYNCHRONOUS_FULL = 2;
const BUSY_MS = 1_500;
/** Reading all of it at every start takes no time up to here. */
const SMALL_BYTES = 32 * 1024 * 1024;
const HEADER_BYTES = 100;

const SCHEMA = `
  CREATE TABLE log (id TEXT NOT NULL, openings INTEGER NOT NULL) STRICT;
  CREATE TABLE events (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL,
    revision INTEGER NOT NULL,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    data TEXT NOT NULL,
    meta TEXT NOT NULL,
    UNIQUE (stream, revision)
  ) STRICT;
`;

export interface OpenedLog {
  readonly db: Database.Database;
  /** Keeps every other process out until it is closed, or until this process has ended in whatever way. */
  readonly lock: Database.Database;
}

/** Throws `StoreRefused`. A file that does not exist is made. */
export function openLog(path: string): OpenedLog {
  checkFolder(path);
  // Two names of one file have to meet at one lock.
  const file = existsSync(path) ? realpathSync(path) : path;
  const lock = lockFile(file);
  try {
    if (existsSync(file)) checkLog(file);
    else createLog(file);
    return { db: openForWriting(file), lock };
  } catch (error) {
    lock.close();
    throw asRefused(file, error);
  }
}

/** A driver may fall back to NORMAL quietly with the first write, and then a power cut loses what was answered. */
export function assertDurable(db: Database.Database): void {
  const synchronous = db.pragma('synchronous', { simple: true });
  if (synchronous !== SYNCHRONOUS_FULL) {
    throw new StoreRefused(
      `${db.name} would lose events in a power cut: synchronous is ${String(synchronous)}, not 2`,
    );
  }
}

function checkFolder(path: string): void {
  const folder = dirname(path);
  if (!existsSync(folder)) throw new StoreRefused(`The folder ${folder} for the log does not exist`);
  try {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    if (existsSync(path)) accessSync(path, constants.R_OK | constants.W_OK);
  } catch {
    throw new StoreRefused(`${path} or its folder cannot be written to by this user`);
  }
  if (existsSync(path) && !statSync(path).isFile()) throw new StoreRefused(`${path} is not a file`);
}

/**
 * Keeps every other process from a file until the lock is closed. It is a lock of the operating system: it goes with
 * the process, so that none is ever left behind. Throws `StoreRefused`.
 */
export function lockFile(file: string): Database.Database {
  let lock: Database.Database | undefined;
  try {
    lock = new Database(`${file}.lock`, { timeout: BUSY_MS });
    lock.pragma('journal_mode = MEMORY');
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock?.close();
    if (codeOf(error).startsWith('SQLITE_BUSY')) {
      throw new StoreRefused(`${file} is in use: another process has it open`);
    }
    throw new StoreRefused(`${file}.lock cannot be locked: ${messageOf(error)}`);
  }
}

function createLog(file: string): void {
  if (walBytes(file) > 0) {
    throw new StoreRefused(`${file} is missing, but ${file}-wal with events of it is there`);
  }
  // A crash on the way leaves only the draft behind, never a log without its tables.
  const draft = `${file}.new`;
  for (const left of [draft, `${draft}-journal`, `${draft}-wal`, `${draft}-shm`])
    rmSync(left, { force: true });
  const db = new Database(draft);
  db.pragma('synchronous = FULL');
  db.transaction(() => {
    db.exec(SCHEMA);
    db.prepare('INSERT INTO log (id, openings) VALUES (?, 0)').run(randomUUID());
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.pragma(`user_version = ${FORMAT}`);
  })();
  db.pragma('journal_mode = WAL');
  db.close();
  renameSync(draft, file);
  const folder = openSync(dirname(file), 'r');
  fsyncSync(folder);
  closeSync(folder);
}

export function checkLog(file: string): void {
  // The last connection takes the -wal away when it closes, so events in it mean a crash.
  const stoppedCleanly = walBytes(file) === 0;
  const { size } = statSync(file);
  checkHeader(file, size, stoppedCleanly);
  const db = new Database(file, { readonly: true, fileMustExist: true, timeout: BUSY_MS });
  try {
    if (size <= SMALL_BYTES || !stoppedCleanly) {
      const found = db.pragma('quick_check(1)', { simple: true });
      if (found !== 'ok') throw new StoreRefused(`${file} is damaged: ${oneLine(String(found))}`);
    }
    const last = Number(db.prepare('SELECT max(position) FROM events').pluck().get() ?? 0);
    const sequence = db.prepare(`SELECT seq FROM sqlite_sequence WHERE name = 'events'`).pluck();
    const written = Number(sequence.get() ?? 0);
    if (last !== written) {
      throw new StoreRefused(
        `${file} has lost its newest events: ${written} were written, the last is ${last}`,
      );
    }
  } finally {
    db.close();
  }
}

function walBytes(file: string): number {
  return statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}

function checkHeader(file: string, size: number, stoppedCleanly: boolean): void {
  if (size === 0) {
    throw new StoreRefused(`${file} is empty: restore the log, or delete this file to begin a new one`);
  }
  const header = Buffer.alloc(HEADER_BYTES);
  const descriptor = openSync(file, 'r');
  const read = readSync(descriptor, header, 0, HEADER_BYTES, 0);
  closeSync(descriptor);
  if (read < HEADER_BYTES || header.toString('latin1', 0, 16) !== 'SQLite format 3\0') {
    throw new StoreRefused(`${file} is not a log of Switchyard: it is no SQLite file`);
  }
  if (header.readUInt32BE(68) !== APPLICATION_ID) {
    throw new StoreRefused(`${file} is not a log of Switchyard: another program made it`);
  }
  const format = header.readUInt32BE(60);
  if (format !== FORMAT) {
    throw new StoreRefused(`${file} has format ${format}, this Switchyard knows format ${FORMAT}`);
  }
  // With events still in the -wal, pages that the header counts may be there and nowhere else.
  const pageBytes = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16);
  const wanted = pageBytes * header.readUInt32BE(28);
  if (stoppedCleanly && size < wanted) {
    throw new StoreRefused(`${file} is cut off: ${size} of ${wanted} bytes are there`);
  }
}

function openForWriting(file: string): Database.Database {
  const db = new Database(file, { fileMustExist: true, timeout: BUSY_MS });
  try {
    checkSqliteVersion(db);
    const mode = db.pragma('journal_mode = WAL', { simple: true });
    if (mode !== 'wal')
      throw new StoreRefused(`${file} cannot have a write-ahead log, it stays in mode ${String(mode)}`);
    db.pragma('synchronous = FULL');
    db.pragma('cache_size = -32000');
    // One big append would otherwise leave a -wal of its size for good.
    db.pragma('journal_size_limit = 67108864');
    db.exec('BEGIN IMMEDIATE; UPDATE log SET openings = openings + 1; COMMIT');
    assertDurable(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function checkSqliteVersion(db: Database.Database): void {
  const version = String(db.prepare('SELECT sqlite_version()').pluck().get());
  const parts = version.split('.').map(Number);
  const differing = SQLITE_MIN.findIndex((min, i) => parts[i] !== min);
  if (differing >= 0 && (parts[differing] ?? 0) < (SQLITE_MIN[differing] ?? 0)) {
    throw new StoreRefused(`SQLite ${version} is too old, the log needs ${SQLITE_MIN.join('.')}`);
  }
}

function asRefused(file: string, error: unknown): StoreRefused {
  if (error instanceof StoreRefused) return error;
  const code = codeOf(error);
  if (code.startsWith('SQLITE_BUSY')) {
    return new StoreRefused(`${file} is in use: another program is writing to it`);
  }
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') {
    return new StoreRefused(`${file} is damaged: ${messageOf(error)}`);
  }
  return new StoreRefused(`${file} cannot be opened: ${messageOf(error)}`);
}

/** By its shape: the driver's errors may come from another realm, whose `Error` is not the one here. */
export function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}

export function messageOf(error: unknown): string {
  return oneLine(error instanceof Error ? error.message : String(error));
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
