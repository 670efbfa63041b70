// `switchyard copy`: a log in another store is the same log, byte for byte, and a copy that is not is found out.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { begin, countIn, makeLog, rowsIn, run, until, type Ran } from '../support/command-line.js';
import { EventStoreDouble } from '../support/event-store-double.js';
import { missing, PostgresServer } from '../support/postgres-server.js';
import { everythingOn } from '../support/environment-histories.js';
import { good, Http } from '../support/http.js';
import { ADMIN_KEY, overwritePage, ServerProcess, serversOfSuite } from '../support/server-process.js';

const APPENDS = 100;
/** Every fifth append holds five. */
const EVENTS = 180;

const addEvent = `INSERT INTO events (stream, revision, id, type, data, meta)
  VALUES ('flow-8', 0, 'one-more', 'FlowCreated', '{}', '{}')`;

const swap = `
  UPDATE events SET position = 1000 WHERE position = 90;
  UPDATE events SET position = 90 WHERE position = 91;
  UPDATE events SET position = 91 WHERE position = 1000`;

const suite = serversOfSuite();
let log: string;
let target: string;
const copy = (from: string, to: string, ...options: string[]): Promise<Ran> =>
  run(['copy', `sqlite:${from}`, `sqlite:${to}`, ...options]);

beforeAll(async () => {
  log = join(suite.newFolder(), 'events.db');
  await makeLog(log, APPENDS);
});

beforeEach(() => {
  target = join(suite.newFolder(), 'events.db');
});

describe('a copy from file to file', () => {
  it('has every event as it was, at its position, and says so', async () => {
    const ran = await copy(log, target);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout).toBe(
      `Copied 180 events to ${target}\nThe two are the same in all 180 events, SHA-256 ${hashIn(ran)}\n`,
    );
    expect(rowsIn(target)).toEqual(rowsIn(log));
  });

  it('done again copies nothing, compares all the same, and reports in JSON', async () => {
    const first = await copy(log, target, '--json');
    const again = await copy(log, target, '--json');
    const outcome = { events: EVENTS, copied: EVENTS, position: '180' };
    expect(JSON.parse(first.stdout)).toEqual({ ...outcome, sha256: hashIn(first) });
    expect(JSON.parse(again.stdout)).toEqual({ ...outcome, copied: 0, sha256: hashIn(first) });
  });

  it('goes on with what has been added since', async () => {
    const source = join(suite.newFolder(), 'events.db');
    await copy(log, source);
    await copy(source, target);
    onTable(source, addEvent);
    const ran = await copy(source, target);
    expect(ran.stdout).toMatch(/^Copied 1 event to .*, 180 were there already\n/);
    expect(rowsIn(target)).toEqual(rowsIn(source));
  });

  it('of an empty log is an empty log', async () => {
    const empty = join(suite.newFolder(), 'events.db');
    await makeLog(empty, 0);
    expect(await copy(empty, target)).toMatchObject({ code: 0, stderr: '' });
    expect(rowsIn(target)).toEqual([]);
  });

  it('goes on where it was killed, however often', async () => {
    const long = join(suite.newFolder(), 'events.db');
    await makeLog(long, 2_000);
    for (let kills = 0; kills < 3; kills += 1) {
      const before = countIn(target);
      const { child, ended } = begin(['copy', `sqlite:${long}`, `sqlite:${target}`]);
      await until('the copy has got on', () => countIn(target) > before + 50 || child.exitCode !== null);
      child.kill('SIGKILL');
      expect((await ended).signal).toBe('SIGKILL');
      expect(rowsIn(target)).toEqual(rowsIn(long).slice(0, countIn(target)));
    }
    const ran = await copy(long, target);
    expect(ran).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/, \d{3},?\d* were there already\n/),
    });
    expect(rowsIn(target)).toEqual(rowsIn(long));
  });
});

describe('a copy is found out', () => {
  const spoiled: readonly (readonly [what: string, sql: string, said: RegExp])[] = [
    [
      'one byte of data',
      set(`data = replace(data, '1.50', '1.5')`),
      /event 90: data is not the same from byte 2\d\d /,
    ],
    ['one byte of metadata', set(`meta = meta || ' '`), /event 90: meta is not the same from byte \d+ /],
    ['a type', set(`type = 'Forged'`), /event 90: type is Unknown\d in FROM, Forged in TO/],
    ['an id', set(`id = 'forged'`), /event 90: id is \S+ in FROM, forged in TO/],
    ['a stream', set(`stream = 'flow-9', revision = 0`), /event 90: stream is flow-\d in FROM, flow-9 in TO/],
    ['a revision', set('revision = 1000'), /event 90: revision is \d+ in FROM, 1000 in TO/],
    ['an event in between is gone', 'DELETE FROM events WHERE position = 90', /event 90: /],
    ['the order of two', swap, /event 90: stream is /],
    [
      'a position',
      'UPDATE events SET position = 181 WHERE position = 180',
      /event 180: position is 180 in FROM/,
    ],
    ['one event more', addEvent, /event 181: FROM ends before it, TO goes on/],
  ];

  it.each(spoiled)('that differs in %s, with exit code 2', async (_, sql, said) => {
    await copy(log, target);
    onTable(target, `${sql}; UPDATE sqlite_sequence SET seq = (SELECT max(position) FROM events)`);
    const { code, stdout, stderr } = await copy(log, target, '--json');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^The logs differ at .+\n$/);
    expect(stderr).toMatch(said);
  });

  it('before anything is added to what another log began', async () => {
    await makeLog(target, 10);
    const before = rowsIn(target);
    expect((await copy(log, target)).code).toBe(2);
    expect(rowsIn(target)).toEqual(before);
  });
});

describe('a copy is refused', () => {
  it.each([
    ['FROM', (used: string): [string, string] => [used, target]],
    ['TO', (used: string): [string, string] => [log, used]],
  ])('with exit code 78 while a server has %s open, which does not notice', async (name, between) => {
    const folder = suite.newFolder();
    const server = await suite.start(folder);
    const { code, stderr } = await copy(...between(join(folder, 'events.db')));
    expect({ code, stderr }).toEqual({
      code: 78,
      stderr: `${name}: ${join(folder, 'events.db')} is in use: another process has it open\n`,
    });
    expect((await new Http(server.url, ADMIN_KEY).post('/environments', { name: 'staging' })).status).toBe(
      201,
    );
  });

  it('with exit code 78 where there is no FROM, and begins no log there', async () => {
    const nowhere = join(suite.newFolder(), 'events.db');
    expect(await copy(nowhere, target)).toMatchObject({ code: 78, stdout: '' });
    expect([nowhere, target].filter(existsSync)).toEqual([]);
  });

  it('with exit code 78 where FROM is damaged', async () => {
    const damaged = join(suite.newFolder(), 'events.db');
    await copy(log, damaged);
    overwritePage(damaged, 5);
    expect(await copy(damaged, target)).toMatchObject({ code: 78, stdout: '' });
  });

  it('with exit code 78 where the server of TO is not there, without a word of the password', async () => {
    const settings = { NEW_STORE: 'postgres://me:secret@127.0.0.1:1/db' };
    const { code, stderr } = await run(['copy', `sqlite:${log}`, 'env:NEW_STORE'], settings);
    expect(code).toBe(78);
    expect(stderr).toMatch(/^TO: PostgreSQL at 127\.0\.0\.1:1\/db .+\n$/);
    expect(stderr).not.toContain('secret');
  });
});

describe('a copy from store to store', () => {
  it('to an EventStoreDB and back is the same log', async () => {
    const double = await EventStoreDouble.start();
    const settings = { KURRENT: double.url };
    const there = await run(['copy', `sqlite:${log}`, 'env:KURRENT', '--json'], settings);
    const back = await run(['copy', 'env:KURRENT', `sqlite:${target}`, '--json'], settings);
    const again = await run(['copy', 'env:KURRENT', `sqlite:${target}`, '--json'], settings);
    await double.stop();
    expect([there, back, again].map(({ code, stderr }) => ({ code, stderr }))).toEqual(
      [1, 2, 3].map(() => ({ code: 0, stderr: '' })),
    );
    expect(new Set([there, back, again].map(hashIn)).size).toBe(1);
    expect(rowsIn(target)).toEqual(rowsIn(log));
    // One call for each append of the log, and not one for each event.
    expect(double.attempts.filter(({ stream }) => !stream.startsWith('$'))).toHaveLength(APPENDS);
  });

  if (missing !== '') {
    it.skip(`to PostgreSQL and back is the same log (${missing})`, () => undefined);
    return;
  }

  it('to PostgreSQL and back is the same log, in which each append is one transaction', async () => {
    const postgres = await PostgresServer.start();
    const url = await postgres.newDatabase();
    const there = await run(['copy', `sqlite:${log}`, 'env:NEW'], { NEW: url });
    const back = await run(['copy', 'env:OLD', `sqlite:${target}`], { OLD: url });
    const rows = await postgres.query<{ xmin: string; n: number }>(
      'SELECT xmin::text, count(*)::integer AS n FROM switchyard.events GROUP BY xmin::text',
      url,
    );
    await postgres.remove();
    expect([there, back]).toMatchObject([1, 2].map(() => ({ code: 0, stderr: '' })));
    expect(there.stdout).toMatch(/^Copied 180 events to PostgreSQL\n/);
    expect(hashIn(back)).toBe(hashIn(there));
    expect(rowsIn(target)).toEqual(rowsIn(log));
    expect(rows.map(({ n }) => n).sort()).toEqual([
      ...Array<number>(80).fill(1),
      ...Array<number>(20).fill(5),
    ]);
  });

  it('gives the same answers there, with the views that the server had before', async () => {
    const folder = suite.newFolder();
    const before = await suite.start(folder);
    const http = new Http(before.url, ADMIN_KEY);
    for (const name of ['staging', 'production']) await good(http.post('/environments', { name }));
    for (const name of ['first', 'second']) {
      await good(http.post('/flows', { name, content: { text: name } }));
      await good(http.post(`/flows/${name}/versions/1/environments`, { environment: 'staging' }));
    }
    const pair = { sourceEnvironment: 'staging', targetEnvironment: 'production' };
    await good(http.post('/environments/promote', pair));
    const wanted = await everythingOn(http);
    await before.kill('SIGTERM');

    const postgres = await PostgresServer.start();
    const url = await postgres.newDatabase();
    const { code } = await run(['copy', `sqlite:${join(folder, 'events.db')}`, 'env:NEW'], { NEW: url });
    const after = await ServerProcess.start(folder, { SWITCHYARD_EVENT_STORE: url });
    const answers = await everythingOn(new Http(after.url, ADMIN_KEY));
    await after.kill('SIGTERM');
    await postgres.remove();
    expect(code).toBe(0);
    expect(answers).toEqual(wanted);
  });
});

function set(change: string): string {
  return `UPDATE events SET ${change} WHERE position = 90`;
}

function onTable(path: string, sql: string): void {
  const db = new Database(path);
  db.exec(sql);
  db.close();
}

function hashIn({ stdout }: Ran): string {
  return /\b[0-9a-f]{64}\b/.exec(stdout)?.[0] ?? 'no hash';
}
