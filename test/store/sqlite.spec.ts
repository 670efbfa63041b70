// What is SQLite's own: which files are refused, what a commit is worth, and what is left after a crash.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { chmodSync, chownSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { OutcomeUnknown, START, StoreRefused, StoreUnavailable } from '../../src/store/event-store.js';
import { SqliteEventStore } from '../../src/store/sqlite.event-store.js';
import { assertDurable, openLog } from '../../src/store/sqlite.file.js';
import { LogWriter } from '../../src/store/sqlite.log-writer.js';
import { event, everything, until } from './event-store.contract.js';

let folder: string;
let path: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-sqlite-'));
  path = join(folder, 'events.db');
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

describe('Opening a log', () => {
  it('makes the file when there is none, and leaves nothing beside it but its lock', async () => {
    await logOf(3);
    expect(readdirSync(folder).sort()).toEqual(['events.db', 'events.db.lock']);
  });

  it('refuses a file that is no SQLite file', async () => {
    writeFileSync(path, 'these are my notes\n'.repeat(100));
    await refused('is no SQLite file');
  });

  it('refuses a file of another program', async () => {
    const foreign = new Database(path);
    foreign.exec('CREATE TABLE events (position INTEGER); CREATE TABLE log (openings INTEGER)');
    foreign.close();
    await refused('another program made it');
  });

  it('refuses a file of a newer Switchyard', async () => {
    await logOf(1);
    const bytes = readFileSync(path);
    bytes.writeUInt32BE(2, 60);
    writeFileSync(path, bytes);
    await refused('has format 2, this Switchyard knows format 1');
  });

  it('refuses an empty file instead of taking it for a new log', async () => {
    writeFileSync(path, '');
    await refused('is empty');
  });

  it('refuses a file that is missing while its write-ahead log is there', async () => {
    writeFileSync(`${path}-wal`, 'events');
    await expect(SqliteEventStore.open(path)).rejects.toThrow('is missing');
    expect(existsSync(path)).toBe(false);
  });

  it('refuses a file of which half is gone', async () => {
    await logOf(400);
    truncateSync(path, Math.floor(statSync(path).size / 2));
    await refused('is cut off');
  });

  it('refuses a damaged file', async () => {
    await logOf(400);
    const bytes = readFileSync(path);
    bytes.fill(0xff, 8 * 4096, 9 * 4096);
    writeFileSync(path, bytes);
    await refused('is damaged');
  });

  it('refuses a damaged file after a crash, when part of the log is in the write-ahead log', async () => {
    await logOf(400);
    const held = new Database(path);
    held.exec('UPDATE log SET openings = openings + 1');
    const crashed = join(folder, 'crashed.db');
    for (const part of ['', '-wal']) copyFileSync(`${path}${part}`, `${crashed}${part}`);
    held.close();
    path = crashed;
    truncateSync(path, Math.floor(statSync(path).size / 2));
    await refused('is damaged');
  });

  it('refuses a log whose newest events were deleted', async () => {
    await logOf(5);
    const other = new Database(path);
    other.exec('DELETE FROM events WHERE position > 3');
    other.close();
    await refused('5 were written, the last is 3');
  });

  it('refuses a folder that does not exist, and a folder in place of the file', async () => {
    const missing = join(folder, 'missing', 'events.db');
    await expect(SqliteEventStore.open(missing)).rejects.toThrow('does not exist');
    await expect(SqliteEventStore.open(folder)).rejects.toThrow('is not a file');
  });

  it('refuses a file that it may not write to', async () => {
    await logOf(1);
    chmodSync(path, 0o444);
    chmodSync(folder, 0o755);
    // The superuser may write to anything, so there another user has to try.
    const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    if (nobody.uid !== undefined) chownSync(folder, nobody.uid, nobody.gid);
    const child = run(
      `await SqliteEventStore.open(path).catch((e) => say(e.name + ': ' + e.message))`,
      nobody,
    );
    await once(child.process, 'exit');
    expect(child.lines.join('\n')).toMatch(/^StoreRefused: .* cannot be written to by this user$/);
  });

  it('refuses a log that another process has open, and has it at once when that process is killed', async () => {
    const child = run(`
      const store = await SqliteEventStore.open(path);
      await store.append('s', [{ id: 'a', type: 'T', data: '{}', meta: '{}' }], 'no-stream');
      say('open');
      setInterval(() => {}, 1000);
    `);
    await until(() => child.lines.includes('open'));
    await refused('another process has it open');
    child.process.kill('SIGKILL');
    await once(child.process, 'exit');
    const store = await SqliteEventStore.open(path);
    expect(await everything(store)).toHaveLength(1);
    await store.close();
  });

  it('refuses a log that is open in the same process already', async () => {
    const store = await SqliteEventStore.open(path);
    await refused('has it open');
    await store.append('s', [event()], 'no-stream');
    await store.close();
  });

  it('refuses a log that another program is writing to, within three seconds', async () => {
    await logOf(1);
    const other = new Database(path);
    other.exec('BEGIN IMMEDIATE');
    const started = performance.now();
    await refused('another program is writing to it');
    expect(performance.now() - started).toBeLessThan(3_500);
    other.close();
    await (await SqliteEventStore.open(path)).close();
  });
});

describe('A commit', () => {
  it('is refused by a driver that does not wait for the disk', () => {
    const { db, lock } = openLog(path);
    const writer = new LogWriter(db);
    writer.commit([request(1, 's', -1)]);
    expect(() => assertDurable(db)).not.toThrow();
    db.pragma('synchronous = NORMAL');
    expect(() => assertDurable(db)).toThrow(StoreRefused);
    db.close();
    lock.close();
  });

  it('is shared by appends that arrive together', async () => {
    const store = await SqliteEventStore.open(path);
    await Promise.all(Array.from({ length: 64 }, (_, i) => store.append(`s${i}`, [event()], 'no-stream')));
    const { appends, commits } = store.statistics();
    expect(appends).toBe(64);
    expect(commits).toBeLessThan(20);
    await store.close();
  });

  it('that finds the disk full appends nothing, and the next one works when there is room', () => {
    const { db, lock } = openLog(path);
    const writer = new LogWriter(db);
    writer.commit([request(1, 's', -1)]);
    db.pragma(`max_page_count = ${Number(db.pragma('page_count', { simple: true })) + 4}`);
    const answers = writer.commit([request(2, 'small', -1), request(3, 'large', -1, 'x'.repeat(100_000))]);
    expect(answers.map(({ kind }) => kind)).toEqual(['full', 'full']);
    expect(db.prepare('SELECT count(*) FROM events').pluck().get()).toBe(1);
    db.pragma('max_page_count = 1000000');
    expect(writer.commit([request(4, 'small', -1), request(5, 's', 0)])).toEqual([
      { number: 4, kind: 'appended', position: 2 },
      { number: 5, kind: 'appended', position: 3 },
    ]);
    db.close();
    lock.close();
  });

  it('that the disk fails is of unknown outcome: nothing follows, reads go on, and a retry settles it', async () => {
    await logOf(1);
    // The system refuses to let the write-ahead log grow further, which SQLite meets in the middle of a commit.
    const child = run(
      `
      const store = await SqliteEventStore.open(path);
      const large = (id) => [{ id, type: 'T', data: JSON.stringify('x'.repeat(100_000)), meta: '{}' }];
      for (let i = 0; ; i++) {
        const expected = i === 0 ? 'no-stream' : i - 1;
        const outcome = await store.append('large', large('id-' + i), expected).catch((e) => e.name);
        say(typeof outcome === 'string' ? outcome + ' ' + i : 'appended');
        if (typeof outcome === 'string') break;
      }
      await store.append('other', large('other'), 'no-stream').catch((e) => say(e.name + ' ' + e.message));
      say('read ' + (await store.readAll()).length);
      await store.close();
      `,
      {},
      'ulimit -f 2000 &&',
    );
    await once(child.process, 'exit');
    const acknowledged = child.lines.filter((line) => line === 'appended').length;
    expect(acknowledged).toBeGreaterThan(0);
    expect(child.lines.slice(acknowledged)).toEqual([
      `OutcomeUnknown ${acknowledged}`,
      expect.stringMatching(/^StoreUnavailable .*restart/),
      `read ${acknowledged + 1}`,
    ]);
    const store = await SqliteEventStore.open(path);
    const unknown = { id: `id-${acknowledged}`, type: 'T', data: '{}', meta: '{}' };
    await store.append('large', [unknown], acknowledged - 1);
    expect(await store.readStream('large')).toHaveLength(acknowledged + 1);
    await store.close();
  });

  it('survives the death of the process as soon as it was acknowledged', async () => {
    const child = run(`
      const store = await SqliteEventStore.open(path);
      const write = async (stream) => {
        for (let i = 0; ; i++) {
          const events = ['a', 'b'].map((part) => ({ id: stream + i + part, type: 'T', data: '{}', meta: '{}' }));
          await store.append(stream, events, i === 0 ? 'no-stream' : 2 * i - 1);
          say(stream + i);
        }
      };
      await Promise.all(['w', 'x', 'y', 'z'].map(write));
    `);
    await until(() => child.lines.length > 200);
    child.process.kill('SIGKILL');
    await once(child.process, 'close');
    const store = await SqliteEventStore.open(path);
    const log = await everything(store);
    const ids = new Set(log.map(({ id }) => id));
    const lost = child.lines.filter((line) => !ids.has(`${line}a`) || !ids.has(`${line}b`));
    expect(lost).toEqual([]);
    expect(log.length % 2).toBe(0);
    expect(log.map(({ position }) => position)).toEqual(log.map((_, i) => BigInt(i + 1)));
    await store.close();
  });

  it('does not follow that of another program, of which nobody here knows', async () => {
    const store = await SqliteEventStore.open(path);
    await store.append('s', [event()], 'no-stream');
    const other = new Database(path);
    other.exec(
      `INSERT INTO events (stream, revision, id, type, data, meta) VALUES ('s', 1, 'x', 'T', '{}', '{}')`,
    );
    other.close();
    await expect(store.append('s', [event()], 0)).rejects.toThrow(/Another program wrote to .*; restart/);
    await expect(store.append('t', [event()], 'no-stream')).rejects.toBeInstanceOf(StoreUnavailable);
    expect(await everything(store)).toHaveLength(2);
    await store.close();
  });

  it('waits for the write lock of another program without holding up reads, and fails when it stays', async () => {
    const store = await SqliteEventStore.open(path);
    await store.append('s', [event()], 'no-stream');
    const other = new Database(path);
    other.exec('BEGIN IMMEDIATE');
    const waiting = store.append('s', [event()], 0).catch((error: unknown) => error);
    expect(await everything(store)).toHaveLength(1);
    expect(await waiting).toBeInstanceOf(StoreUnavailable);
    other.exec('ROLLBACK');
    other.close();
    await store.append('s', [event()], 0);
    await store.close();
  });
});

describe('The threads of a log', () => {
  it('let the process end by itself once the log is closed', async () => {
    const child = run(`
      const store = await SqliteEventStore.open(path);
      store.subscribe({ after: 0n, onEvents: () => {}, onError: () => {} });
      await store.append('s', [{ id: 'a', type: 'T', data: '{}', meta: '{}' }], 'no-stream');
      await store.close();
      say('closed');
    `);
    const [code] = (await once(child.process, 'exit')) as [number];
    expect([code, child.lines]).toEqual([0, ['closed']]);
    expect(readdirSync(folder).sort()).toEqual(['events.db', 'events.db.lock', 'script.mjs']);
  });

  it('leave the outcome of what they were doing unknown when they die', async () => {
    const store = await SqliteEventStore.open(path);
    await store.append('s', [event()], 'no-stream');
    const running = store.append('s', [event()], 0).catch((error: unknown) => error);
    await (store as unknown as { writer: Worker }).writer.terminate();
    expect(await running).toBeInstanceOf(OutcomeUnknown);
    await expect(store.append('s', [event()], 1)).rejects.toBeInstanceOf(StoreUnavailable);
    await store.close();
  });

  it('send large events in pages of a few megabytes, at least one at a time', async () => {
    const store = await SqliteEventStore.open(path);
    const large = (megabytes: number) => event({ data: JSON.stringify('x'.repeat(megabytes * 1024 * 1024)) });
    await store.append(
      's',
      [large(1), large(1), large(1), large(1), large(1), large(9), large(1)],
      'no-stream',
    );
    const sizes: number[] = [];
    for (let after = START; ;) {
      const page = await store.readAll({ after });
      const last = page[page.length - 1];
      if (last === undefined) break;
      sizes.push(page.length);
      after = last.position;
    }
    expect(sizes).toEqual([4, 2, 1]);
    await store.close();
  });
});

async function logOf(events: number): Promise<void> {
  const store = await SqliteEventStore.open(path);
  await store.append('s', Array.from({ length: events }, () => event()), 'no-stream'); // prettier-ignore
  await store.close();
}

/** In one line, and with the file as it was. */
async function refused(reason: string): Promise<void> {
  const bytes = existsSync(path) ? readFileSync(path) : undefined;
  const outcome = await SqliteEventStore.open(path).catch((caught: unknown) => caught);
  expect(outcome).toBeInstanceOf(StoreRefused);
  const { message } = outcome as StoreRefused;
  expect(message).toContain(reason);
  expect(message).not.toContain('\n');
  if (bytes !== undefined) expect(readFileSync(path).equals(bytes)).toBe(true);
}

function request(number: number, stream: string, expected: number, data = '{}') {
  return { number, stream, expected, events: [`id-${number}`, 'T', data, '{}'] };
}

/** Another process, with the store's class, the path and a way to answer at hand. */
function run(
  code: string,
  user: { uid?: number; gid?: number } = {},
  shell = '',
): { process: ChildProcess; lines: string[] } {
  const module = new URL('../../src/store/sqlite.event-store.js', import.meta.url).href;
  const script = join(folder, 'script.mjs');
  writeFileSync(
    script,
    `import { SqliteEventStore } from ${JSON.stringify(module)};
     const path = ${JSON.stringify(path)};
     const say = (line) => process.stdout.write(line + '\\n');
     ${code}`,
  );
  const child = spawn('sh', ['-c', `${shell} exec "$0" "$1"`, process.execPath, script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...user,
  });
  children.push(child);
  const lines: string[] = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
  });
  return { process: child, lines };
}
