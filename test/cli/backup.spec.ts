// `switchyard backup`: whatever the server does meanwhile, what bears the name of a backup is whole, and a failed
// one leaves neither a file nor a server that has noticed.
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { SqliteEventStore } from '../../src/store/sqlite.event-store.js';
import { begin, countIn, makeLog, rowsIn, run, until } from '../support/command-line.js';
import { Http } from '../support/http.js';
import { ADMIN_KEY, overwritePage, serversOfSuite } from '../support/server-process.js';

const BACKUPS = 20;
const CLIENTS = 4;

describe('a backup of a log that nobody has open', () => {
  const suite = serversOfSuite();
  let folder: string;
  let log: string;
  let file: string;
  const from = (path: string): string[] => ['backup', file, '--from', `sqlite:${path}`];

  beforeEach(async () => {
    folder = suite.newFolder();
    log = join(folder, 'events.db');
    file = join(folder, 'backup.db');
    await makeLog(log, 100);
  });

  it('holds every event as it was, for the owner alone, and nothing else is left', async () => {
    const before = rowsIn(log);
    const ran = await run(from(log));
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout).toMatch(/^Backed up 180 events to .*backup\.db: [\d.]+ kB in [\d.]+ s, checked\n$/);
    expect(rowsIn(file)).toEqual(before);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).filter((name) => name.startsWith('backup'))).toEqual(['backup.db']);
  });

  it('reports in JSON', async () => {
    const { code, stdout } = await run([...from(log), '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      file,
      events: 180,
      position: '180',
      bytes: statSync(file).size,
      seconds: expect.any(Number),
    });
  });

  it('finds the log by the settings of the server', async () => {
    expect((await run(['backup', file], { SWITCHYARD_DATA: folder })).code).toBe(0);
    expect(countIn(file)).toBe(180);
  });

  it('has the events of a server that was killed before it could fold them into its file', async () => {
    const data = suite.newFolder();
    const server = await suite.start(data);
    await new Http(server.url, ADMIN_KEY).post('/environments', { name: 'staging' });
    await server.kill('SIGKILL');
    expect(statSync(join(data, 'events.db-wal')).size).toBeGreaterThan(0);
    expect((await run(['backup', file], { SWITCHYARD_DATA: data })).code).toBe(0);
    expect(rowsIn(file).map(({ type }) => type)).toContain('EnvironmentCreated');
  });

  it('leaves a file that is there already as it is', async () => {
    writeFileSync(file, 'mine');
    expect(await run(from(log))).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^.+\n$/),
    });
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  it.each([
    ['there is no log', (path: string) => rmSync(path)],
    ['the file is no database', (path: string) => writeFileSync(path, 'x'.repeat(5_000))],
    ['another program made it', (path: string) => onTable(path, 'DROP TABLE events')],
  ])('refuses with exit code 78 where %s, and makes nothing', async (_, spoil) => {
    spoil(log);
    expect(await run(from(log))).toMatchObject({
      code: 78,
      stdout: '',
      stderr: expect.stringMatching(/^.+\n$/),
    });
    expect(existsSync(log) && statSync(log).size === 0).toBe(false);
    expect(readdirSync(folder).filter((name) => name.startsWith('backup'))).toEqual([]);
  });

  it.each([
    ['is damaged', (path: string) => overwritePage(path, 5)],
    ['has lost an event', (path: string) => onTable(path, 'DELETE FROM events WHERE position = 90')],
    [
      'has lost its newest events',
      (path: string) => onTable(path, 'DELETE FROM events WHERE position > 170'),
    ],
    ['bears the mark of another program', (path: string) => onTable(path, 'PRAGMA application_id = 1')],
  ])('fails with exit code 1 where the log %s, and leaves nothing', async (_, spoil) => {
    spoil(log);
    const ran = await run(from(log));
    expect(ran).toMatchObject({ code: 1, stdout: '' });
    expect(ran.stderr).toMatch(/^There is no backup: .+\n$/);
    expect(readdirSync(folder).filter((name) => name.startsWith('backup'))).toEqual([]);
  });

  it('fails with exit code 1 where there is no room for it, and leaves nothing', async () => {
    const big = join(folder, 'big.db');
    await makeLog(big, 100, 5_000);
    // No file of the command may grow beyond 64 kB; the shell keeps the signal about it from ending the command.
    const noRoom = ['sh', '-c', 'trap "" XFSZ; ulimit -f 128; exec "$@"', 'sh'];
    const ran = await begin(from(big), {}, noRoom).ended;
    expect(ran).toMatchObject({ code: 1, stdout: '' });
    expect(ran.stderr).toMatch(/^There is no backup: .+\n$/);
    expect(readdirSync(folder).filter((name) => name.startsWith('backup'))).toEqual([]);
    expect((await run(from(big))).code).toBe(0);
  });

  it('leaves nothing where it is interrupted; where it is killed, the next one clears up', async () => {
    const big = join(folder, 'big.db');
    await makeLog(big, 40, 500_000);
    const partial = `${file}.partial`;
    const underWay = () => (statSync(partial, { throwIfNoEntry: false })?.size ?? 0) > 0;

    const interrupted = begin(from(big));
    await until('the backup is under way', underWay);
    interrupted.child.kill('SIGINT');
    expect(await interrupted.ended).toMatchObject({ signal: 'SIGINT', stdout: '' });
    expect(readdirSync(folder).filter((name) => name.startsWith('backup'))).toEqual([]);

    const killed = begin(from(big));
    await until('the backup is under way', underWay);
    killed.child.kill('SIGKILL');
    await killed.ended;
    expect(existsSync(partial)).toBe(true);
    expect(existsSync(file)).toBe(false);
    expect((await run(from(big))).code).toBe(0);
    expect(readdirSync(folder).filter((name) => name.startsWith('backup'))).toEqual(['backup.db']);
  });
});

describe('a backup of a log that a server writes to', () => {
  const suite = serversOfSuite();

  it('is whole every time, opens, and the server does not notice', async () => {
    const folder = suite.newFolder();
    const server = await suite.start(folder);
    const http = new Http(server.url, ADMIN_KEY);
    let newest = 0;
    let stopped = false;
    const statuses = new Set<number>();
    const clients = Array.from({ length: CLIENTS }, async (_, client) => {
      for (let number = 0; !stopped; number += 1) {
        const content = { prompt: `${client}-${number}`.repeat(50) };
        const body = { name: `Flow ${client}-${number}`, kind: 'prompt', content };
        const { status, body: answer } = await http.post<{ position: string }>('/flows', body);
        statuses.add(status);
        newest = Math.max(newest, Number(answer.position));
      }
    });
    const files = Array.from({ length: BACKUPS }, (_, number) => join(folder, `backup-${number}.db`));
    try {
      for (const file of files) {
        const newestBefore = newest;
        const { code, stdout, stderr } = await run(['backup', file, '--json'], { SWITCHYARD_DATA: folder });
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
        const { events } = JSON.parse(stdout) as { events: number };
        expect(events).toBeGreaterThanOrEqual(newestBefore);
        expect(rowsIn(file).map(({ position }) => position)).toEqual(upTo(events));
      }
    } finally {
      stopped = true;
      await Promise.all(clients);
    }
    expect([...statuses]).toEqual([201]);
    expect((await http.send('GET', '/health/ready')).status).toBe(200);
    const all = rowsIn(join(folder, 'events.db'));
    for (const file of files) {
      const rows = rowsIn(file);
      expect(sha256(rows)).toBe(sha256(all.slice(0, rows.length)));
      const store = await SqliteEventStore.open(file);
      expect(await store.head()).toBe(BigInt(rows.length));
      await store.close();
    }
  }, 180_000);

  it('can be put in the place of the log, and once that was accepted the server answers as it did then', async () => {
    const folder = suite.newFolder();
    const log = join(folder, 'events.db');
    const file = join(folder, 'backup.db');
    const before = await suite.start(folder);
    await new Http(before.url, ADMIN_KEY).post('/environments', { name: 'staging' });
    const wanted = (await new Http(before.url, ADMIN_KEY).get('/environments')).body;
    expect((await run(['backup', file], { SWITCHYARD_DATA: folder })).code).toBe(0);
    await new Http(before.url, ADMIN_KEY).post('/environments', { name: 'production' });
    await before.kill('SIGTERM');

    copyFileSync(file, log);
    for (const suffix of ['-wal', '-shm']) rmSync(log + suffix, { force: true });
    const why = ['--comment', 'A test of the backup'];
    expect((await run(['accept-restored', ...why], { SWITCHYARD_DATA: folder })).code).toBe(0);
    const after = await suite.start(folder);
    const http = new Http(after.url, ADMIN_KEY);
    expect((await http.get('/environments')).body).toEqual(wanted);
    expect((await http.post('/environments', { name: 'production' })).status).toBe(201);
  });
});

function onTable(path: string, sql: string): void {
  const db = new Database(path);
  db.exec(sql);
  db.close();
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, i) => i + 1);
}

function sha256(rows: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(rows)).digest('hex');
}
