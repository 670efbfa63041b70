// The `switchyard` command as a process of its own, and logs to try it on.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { v7 as uuidv7 } from 'uuid';
import type { ExpectedRevision, NewEvent, StoredEvent } from '../../src/store/event-store.js';
import { SqliteEventStore } from '../../src/store/sqlite.event-store.js';

const MAIN = fileURLToPath(new URL('../../cli/main.js', import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ran>;
}

type Settings = Readonly<Record<string, string>>;

/** Only what is given here reaches the command: settings meant for another one must not. */
export function begin(
  args: readonly string[],
  settings: Settings = {},
  via: readonly string[] = [],
): Running {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('SWITCHYARD_'));
  const env = { ...Object.fromEntries(inherited), ...settings };
  const [command = process.execPath, ...rest] = [...via, process.execPath, MAIN, ...args];
  const child = spawn(command, rest, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = once(child, 'close').then(([code, signal]) => {
    return { code: code as number | null, signal: signal as NodeJS.Signals | null, stdout, stderr };
  });
  return { child, ended };
}

export function run(args: readonly string[], settings: Settings = {}): Promise<Ran> {
  return begin(args, settings).ended;
}

/** A log of so many appends over a few streams, each of one event or, every fifth, of five. */
export async function makeLog(path: string, appends: number, dataBytes = 200): Promise<void> {
  const store = await SqliteEventStore.open(path);
  const next = new Map<string, number>();
  const all = Array.from({ length: appends }, (_, number) => {
    const stream = `flow-${number % 7}`;
    const revision = next.get(stream) ?? 0;
    const events = eventsOf(number, number % 5 === 0 ? 5 : 1, dataBytes);
    next.set(stream, revision + events.length);
    const expected: ExpectedRevision = revision === 0 ? 'no-stream' : revision - 1;
    return store.append(stream, events, expected);
  });
  await Promise.all(all);
  await store.close();
}

/** Types that no version knows, and text that a parser would not give back as it was. */
function eventsOf(append: number, number: number, dataBytes: number): NewEvent[] {
  const meta = `{"requestId":"request-${append}", "schema":1}`;
  return Array.from({ length: number }, (_, i) => ({
    id: uuidv7(),
    type: `Unknown${append % 3}`,
    data: `{ "b":${i}, "a":"é€😀${'x'.repeat(dataBytes)}" , "n":1.50 }`,
    meta,
  }));
}

export type Row = Omit<StoredEvent, 'position'> & { readonly position: number };

/** All events of a SQLite log, read without any code of ours. */
export function rowsIn(path: string): Row[] {
  const db = new Database(path, { readonly: true });
  try {
    return db.prepare('SELECT * FROM events ORDER BY position').all() as Row[];
  } finally {
    db.close();
  }
}

export function countIn(path: string): number {
  if (!existsSync(path)) return 0;
  const db = new Database(path, { readonly: true });
  try {
    return db.prepare('SELECT count(*) FROM events').pluck().get() as number;
  } catch {
    return 0;
  } finally {
    db.close();
  }
}

/** Looks again and again until it holds; fails when it never does. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`It never came to pass that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
