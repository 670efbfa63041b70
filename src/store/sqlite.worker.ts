// The threads in which SQLite works, so that no fsync, lock or long read ever stops the event loop: one
// writes, another reads, each asked with plain messages in the order in which they come.

import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { StoreRefused } from './event-store.js';
import { messageOf, openLog } from './sqlite.file.js';
import { LogReader, type Page, type ReadRequest } from './sqlite.log-reader.js';
import { LogWriter, type AppendAnswer, type AppendRequest } from './sqlite.log-writer.js';

/** A group that waits for one fsync may grow to this, so that nobody in it waits for ever. */
const GROUP_APPENDS_MAX = 1_000;
const PROBE_MS = 1_000;
const GROUP_UNITS_MAX = 64 * 1024 * 1024;

export interface WorkerTask {
  readonly path: string;
  readonly role: 'writer' | 'reader';
}

/** The first message of a worker: how far the log goes, or why it is not opened. */
export type Opened = { readonly head: number } | { readonly refused: string };

export type ReadAnswer = { readonly number: number } & (
  { readonly page: Page } | { readonly failed: string }
);

export type WriterRequest = AppendRequest | 'close';
export type ReaderRequest = ReadRequest | 'close';
/** What became of the appends of a group, or that writing is possible again. */
export type WriterAnswer = readonly AppendAnswer[] | 'recovered';

function write(port: MessagePort, path: string): void {
  const { db, lock } = openLog(path);
  const writer = new LogWriter(db);
  let probe: NodeJS.Timeout | undefined;
  // A server that says it cannot write is sent no commands, so that no command would find out that it can again.
  const tryAgain = (): void => {
    if (!writer.canWrite()) return;
    clearInterval(probe);
    probe = undefined;
    port.postMessage('recovered' satisfies WriterAnswer);
  };
  port.on('message', (first: WriterRequest) => {
    const group: AppendRequest[] = [];
    let units = 0;
    let next: WriterRequest | undefined = first;
    while (next !== undefined && next !== 'close') {
      group.push(next);
      for (const text of next.events) units += text.length;
      if (group.length >= GROUP_APPENDS_MAX || units >= GROUP_UNITS_MAX) break;
      next = receiveMessageOnPort(port)?.message as WriterRequest | undefined;
    }
    if (group.length > 0) {
      const answers = writer.commit(group);
      port.postMessage(answers satisfies WriterAnswer);
      if (answers.some((answer) => 'reason' in answer)) probe ??= setInterval(tryAgain, PROBE_MS);
    }
    if (next !== 'close') return;
    clearInterval(probe);
    try {
      db.pragma('wal_checkpoint(TRUNCATE)');
    } finally {
      db.close();
      lock.close();
      port.close();
    }
  });
  port.postMessage({ head: writer.head } satisfies Opened);
}

function read(port: MessagePort, path: string): void {
  const db = new Database(path, { readonly: true, fileMustExist: true, timeout: 1_500 });
  const reader = new LogReader(db);
  port.on('message', (request: ReaderRequest) => {
    if (request === 'close') {
      db.close();
      port.close();
      return;
    }
    const { number } = request;
    try {
      port.postMessage({ number, page: reader.read(request) } satisfies ReadAnswer);
    } catch (error) {
      port.postMessage({ number, failed: messageOf(error) } satisfies ReadAnswer);
    }
  });
  port.postMessage({ head: 0 } satisfies Opened);
}

if (parentPort === null) throw new Error('The SQLite worker runs as a worker thread only');
const { path, role } = workerData as WorkerTask;
try {
  if (role === 'writer') write(parentPort, path);
  else read(parentPort, path);
} catch (error) {
  const refused =
    error instanceof StoreRefused ? error.message : `${path} cannot be opened: ${messageOf(error)}`;
  parentPort.postMessage({ refused } satisfies Opened);
}
