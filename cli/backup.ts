// `switchyard backup`: a whole and checked copy of a SQLite log, also while a server writes to it. The copy is made by
// SQLite itself from one moment of the log, is on the disk when the command ends, and never half there under its name.
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import Database from 'better-sqlite3';
import { Command } from 'commander';
import { readConfig, readAddress } from '../src/config.js';
import { exitCodes, Failed, report, type OutputOptions } from './outcome.js';

interface Options extends OutputOptions {
  readonly from?: string;
}

export function backupCommand(): Command {
  return new Command('backup')
    .argument('<file>', 'where the copy goes; it must not exist yet')
    .description('copies a SQLite log, whole and checked, also while a server writes to it')
    .option('--from <address>', 'the log, as SWITCHYARD_EVENT_STORE names it (default: that setting)')
    .option('--json', 'says what was done as JSON')
    .addHelpText('after', '\nExample:\n  switchyard backup /backups/events-monday.db')
    .action((file: string, options: Options) => {
      const backup = makeBackup(sourceOf(options), resolve(file));
      const sentence = `${backup.file}: ${backup.events} events, up to position ${backup.position}`;
      report(options, backup, sentence);
    });
}

export interface Backup {
  readonly file: string;
  readonly events: number;
  readonly position: number;
  readonly bytes: number;
}

/** Throws `Failed`, and leaves nothing behind. */
export function makeBackup(path: string, file: string): Backup {
  if (!existsSync(path)) throw new Failed(`There is no log at ${path}`);
  if (existsSync(file)) throw new Failed(`${file} exists, and is left as it is`);
  const partial = `${file}.partial`;
  rmSync(partial, { force: true });
  try {
    const headBefore = vacuumInto(path, partial);
    const backup = { file, ...checked(partial, headBefore), bytes: statSync(partial).size };
    fsync(partial);
    renameSync(partial, file);
    fsync(dirname(file));
    return backup;
  } catch (error) {
    rmSync(partial, { force: true });
    rmSync(`${partial}-journal`, { force: true });
    if (error instanceof Failed) throw error;
    throw new Failed(`The copy failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function sourceOf({ from }: Options): string {
  const { dataFolder, eventStore } = readConfig();
  const address = from === undefined ? eventStore : readAddress(from, dataFolder);
  if (typeof address === 'string') throw new Failed(`--from ${address}`, exitCodes.usage);
  if (address.kind === 'sqlite') return address.path;
  const tool = address.kind === 'postgres' ? 'pg_dump' : 'the backup of its server';
  throw new Failed(
    `A ${address.kind} log is backed up by ${tool}, or copied by \`switchyard copy\``,
    exitCodes.usage,
  );
}

/** Answers the newest position that was there before the copy began. The log is only read. */
function vacuumInto(path: string, partial: string): number {
  const log = new Database(path, { readonly: true, fileMustExist: true, timeout: 10_000 });
  try {
    const head = Number(log.prepare('SELECT max(position) FROM events').pluck().get() ?? 0);
    log.prepare('VACUUM INTO ?').run(partial);
    return head;
  } finally {
    log.close();
  }
}

function checked(partial: string, headBefore: number): { events: number; position: number } {
  const copy = new Database(partial, { readonly: true, fileMustExist: true });
  try {
    const found = copy.pragma('integrity_check(1)', { simple: true });
    if (found !== 'ok') throw new Failed(`The copy is damaged: ${String(found)}`);
    const [events = 0, position = 0] = copy
      .prepare('SELECT count(*), coalesce(max(position), 0) FROM events')
      .raw()
      .get() as number[];
    if (position < headBefore || events !== position) {
      throw new Failed(`The copy has ${events} events up to ${position}; the log was at ${headBefore}`);
    }
    return { events, position };
  } finally {
    copy.close();
  }
}

function fsync(path: string): void {
  const descriptor = openSync(path, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}
