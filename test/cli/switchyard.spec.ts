// The `switchyard` command as an operator runs it: backups under load that open and serve, and logs that move from
// store to store without the change of a byte.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { good, Http } from '../support/http.js';
import { EventStoreDouble } from '../support/event-store-double.js';
import { everythingOn } from '../support/environment-histories.js';
import { missing, PostgresServer } from '../support/postgres-server.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';
import { unless } from '../support/spec.js';

const MAIN = fileURLToPath(new URL('../../cli/main.js', import.meta.url));
const BACKUPS = 20;
const FLOWS = 60;
const suite = serversOfSuite();

function launch(args: readonly string[], settings: Record<string, string> = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('SWITCHYARD_'));
  const env = { ...Object.fromEntries(inherited), ...settings };
  return spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function switchyard(args: readonly string[], settings: Record<string, string> = {}) {
  const child = launch(args, settings);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number];
  return { code, stdout, stderr };
}

/** A log with a history in it, of a server that has been stopped. */
async function seeded(): Promise<{ folder: string; log: string; shown: unknown }> {
  const folder = suite.newFolder();
  const server = suite.kept(await ServerProcess.start(folder));
  const http = new Http(server.url, ADMIN_KEY);
  for (const name of ['staging', 'production']) await good(http.post('/environments', { name }));
  for (let number = 1; number <= FLOWS; number += 1) {
    await good(http.post('/flows', { name: `flow-${number}`, content: { number, text: 'ünïcode 🚀' } }));
    const path = `/flows/flow-${number}/versions/1/environments`;
    await good(http.post(path, { environment: 'staging' }));
  }
  const pair = { sourceEnvironment: 'staging', targetEnvironment: 'production' };
  await good(http.post('/environments/promote', pair));
  const shown = await everythingOn(http);
  await server.kill('SIGTERM');
  return { folder, log: `sqlite:${join(folder, 'events.db')}`, shown };
}

const rowsOf = (file: string): unknown[] => {
  const log = new Database(file, { readonly: true });
  const rows = log.prepare('SELECT * FROM events ORDER BY position').all();
  log.close();
  return rows;
};

describe('switchyard', () => {
  it('explains itself, and every command with its options and exit codes', async () => {
    const { code, stdout } = await switchyard(['--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('Exit codes:');
    for (const command of ['backup', 'copy', 'serve']) {
      expect(stdout).toContain(command);
      expect(await switchyard([command, '--help'])).toMatchObject({ code: 0, stderr: '' });
    }
  });

  it.each([
    { args: ['fly'], code: 64 },
    { args: ['copy', 'sqlite:only-one'], code: 64 },
    { args: ['copy', 'paper:x', 'sqlite:y'], code: 64 },
    { args: ['backup', '/nowhere/x', '--from', 'postgres://u:hunter2@h/d'], code: 64 },
    { args: ['backup', '/nowhere/x', '--from', 'sqlite:/nowhere/events.db'], code: 1 },
    { args: ['copy', 'sqlite:/nowhere/a/events.db', 'sqlite:/nowhere/b/events.db'], code: 78 },
  ])('ends $args with exit code $code and one line', async ({ args, code }) => {
    const ended = await switchyard(args);
    expect(ended.code).toBe(code);
    expect(ended.stdout).toBe('');
    expect(ended.stderr.trim().split('\n')).toHaveLength(1);
    expect(ended.stderr).not.toContain('hunter2');
  });

  it('serves, as npm start does', async () => {
    const child = launch(['serve'], { SWITCHYARD_DATA: suite.newFolder(), PORT: '0' });
    const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
    expect(chunk.toString()).toContain('Switchyard is listening on');
    child.kill('SIGTERM');
    expect(((await once(child, 'close')) as [number])[0]).toBe(0);
  });
});

describe('switchyard backup', () => {
  it(`copies a log whole ${BACKUPS} times while a server writes to it, which does not mind`, async () => {
    const folder = suite.newFolder();
    const server = suite.kept(await ServerProcess.start(folder));
    const http = new Http(server.url, ADMIN_KEY);
    await good(http.post('/flows', { name: 'busy', content: { text: 'x'.repeat(2_000) } }));
    let writing = true;
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let turn = 0; writing; turn += 1) {
        await good(http.post('/flows/busy/versions', { content: { writer, turn, text: 'x'.repeat(2_000) } }));
      }
    });
    const backups = suite.newFolder();
    let last = 0;
    for (let number = 1; number <= BACKUPS; number += 1) {
      const file = join(backups, `${number}.db`);
      const { code, stdout, stderr } = await switchyard(['backup', file, '--json'], {
        SWITCHYARD_DATA: folder,
      });
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const { events, position } = JSON.parse(stdout) as { events: number; position: number };
      expect(rowsOf(file)).toHaveLength(events);
      expect(position).toBeGreaterThan(last);
      last = position;
    }
    writing = false;
    await Promise.all(writers);
    expect((await http.send('GET', '/health/ready')).status).toBe(200);
    expect(readdirSync(backups)).toHaveLength(BACKUPS);
  }, 120_000);

  it('makes a file that a server starts on, and shows what was there', async () => {
    const { folder, shown } = await seeded();
    const restored = join(suite.newFolder(), 'data');
    mkdirSync(restored);
    const done = await switchyard(['backup', join(restored, 'events.db')], { SWITCHYARD_DATA: folder });
    expect(done.code).toBe(0);
    expect(done.stdout).toContain('events, up to position');
    const server = await suite.start(restored);
    expect(await everythingOn(new Http(server.url, ADMIN_KEY))).toEqual(shown);
  });

  it('leaves alone what is there, and nothing half behind', async () => {
    const { folder } = await seeded();
    const file = join(suite.newFolder(), 'b.db');
    const settings = { SWITCHYARD_DATA: folder };
    expect((await switchyard(['backup', file], settings)).code).toBe(0);
    const again = await switchyard(['backup', file], settings);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('is left as it is') });
    const nowhere = join(folder, 'no', 'such', 'folder.db');
    expect((await switchyard(['backup', nowhere], settings)).code).toBe(1);
    expect(existsSync(`${nowhere}.partial`)).toBe(false);
  });
});

describe('switchyard copy', () => {
  it('copies a log byte for byte, and does nothing the second time', async () => {
    const { folder, log, shown } = await seeded();
    const target = suite.newFolder();
    const to = `sqlite:${join(target, 'events.db')}`;
    const first = await switchyard(['copy', log, to, '--json']);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(rowsOf(join(target, 'events.db'))).toEqual(rowsOf(join(folder, 'events.db')));
    const again = JSON.parse((await switchyard(['copy', log, to, '--json'])).stdout) as object;
    expect(again).toEqual({ ...(JSON.parse(first.stdout) as object), copied: 0 });
    const server = await suite.start(target);
    expect(await everythingOn(new Http(server.url, ADMIN_KEY))).toEqual(shown);
  });

  it('goes on where it was killed', async () => {
    const { folder, log } = await seeded();
    const file = join(suite.newFolder(), 'events.db');
    for (let turn = 0; turn < 5; turn += 1) {
      const child = launch(['copy', log, `sqlite:${file}`]);
      const closed = once(child, 'close');
      await pause(120 + turn * 40);
      child.kill('SIGKILL');
      await closed;
    }
    expect((await switchyard(['copy', log, `sqlite:${file}`])).code).toBe(0);
    expect(rowsOf(file)).toEqual(rowsOf(join(folder, 'events.db')));
  });

  it.each([
    ['an altered event', `UPDATE events SET data = data || ' ' WHERE position = 7`],
    [
      'an event too many',
      `INSERT INTO events SELECT position + 1, 'x-1', 0, 'id', type, data, meta FROM events
        ORDER BY position DESC LIMIT 1`,
    ],
  ])('finds %s', async (_, spoil) => {
    const { log } = await seeded();
    const file = join(suite.newFolder(), 'events.db');
    await switchyard(['copy', log, `sqlite:${file}`]);
    const spoiled = new Database(file);
    spoiled.exec(spoil);
    spoiled.close();
    expect(await switchyard(['copy', log, `sqlite:${file}`])).toMatchObject({ code: 2, stdout: '' });
  });

  it('refuses a log that a server has open', async () => {
    const folder = suite.newFolder();
    await suite.start(folder);
    const to = `sqlite:${join(suite.newFolder(), 'events.db')}`;
    const ended = await switchyard(['copy', `sqlite:${join(folder, 'events.db')}`, to]);
    expect(ended).toMatchObject({ code: 78, stderr: expect.stringContaining('is in use') });
  });

  unless(missing)('moves a log through PostgreSQL and EventStoreDB and back, byte for byte', async () => {
    const { folder, log, shown } = await seeded();
    const postgres = await PostgresServer.start();
    const double = await EventStoreDouble.start();
    try {
      const POSTGRES = await postgres.newDatabase();
      const file = join(suite.newFolder(), 'events.db');
      const route = [log, 'env:POSTGRES', double.url, `sqlite:${file}`];
      for (const [index, to] of route.slice(1).entries()) {
        const { code, stderr } = await switchyard(['copy', route[index] ?? '', to], { POSTGRES });
        expect({ to, code, stderr }).toEqual({ to, code: 0, stderr: '' });
      }
      expect(rowsOf(file)).toEqual(rowsOf(join(folder, 'events.db')));
      const settings = { SWITCHYARD_EVENT_STORE: POSTGRES };
      const server = suite.kept(await ServerProcess.start(suite.newFolder(), settings));
      expect(await everythingOn(new Http(server.url, ADMIN_KEY))).toEqual(shown);
      await server.kill('SIGTERM');
    } finally {
      await double.stop();
      await postgres.remove();
    }
  });
});
