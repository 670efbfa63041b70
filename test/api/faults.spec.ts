// Disks that fail, fill up or are held by others, and clocks that go wrong, against the real server: nothing that was
// not done is called done, nothing that may have been done is called failed, and reads go on.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'better-sqlite3';
import type { Environment, Page } from '../../scripts/client.js';
import { FaultyDisk, missingDisk } from '../support/faulty-disk.js';
import { good, Http, refused } from '../support/http.js';
import { Random, seed } from '../support/random.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';
import { unless, until } from '../support/spec.js';
import { COMMANDS } from '../torture/disk-fault-commands.js';
import { failDisks } from '../torture/disk-faults.js';

const suite = serversOfSuite();
const disks: FaultyDisk[] = [];
const onDisk = unless(missingDisk);
const CLOCK = pathToFileURL(fileURLToPath(new URL('../support/another-clock.js', import.meta.url))).href;
const DISK_FAULTS = 4;
const KEYED = { 'idempotency-key': 'once' };

afterAll(() => {
  for (const disk of disks) disk.remove();
});

async function start(folder: string, settings: Record<string, string> = {}) {
  const server = suite.kept(
    await ServerProcess.start(folder, { SWITCHYARD_LOG_LEVEL: 'silent', ...settings }),
  );
  return { server, http: new Http(server.url, ADMIN_KEY) };
}

async function startOnDisk() {
  const folder = suite.newFolder();
  const disk = new FaultyDisk(folder);
  disks.push(disk);
  return { folder, disk, ...(await start(folder, disk.environment)) };
}

const namesOf = async (http: Http): Promise<string[]> =>
  (await good(http.get<Page<Environment>>('/environments'))).items.map(({ name }) => name);
const ready = (http: Http) => http.send<{ failures: string[] }>('GET', '/health/ready');

describe('A failing disk', () => {
  onDisk(
    'leaves an append unknown whose fsync failed; nothing is written any more, and reads go on',
    async () => {
      const { folder, disk, server, http } = await startOnDisk();
      await good(http.post('/environments', { name: 'before' }));
      disk.fail('wal-fsync-eio');
      const unknown = await refused(
        http.post('/environments', { name: 'during' }, KEYED),
        503,
        'outcome-unknown',
      );
      expect(unknown.outcome).toBe('unknown');
      disk.mend();
      await refused(http.post('/environments', { name: 'after' }), 503, 'store-unavailable');
      expect((await namesOf(http)).includes('before')).toBe(true);
      const { status, body } = await ready(http);
      expect({ status, failures: body.failures.join() }).toEqual({
        status: 503,
        failures: expect.stringContaining('restart'),
      });
      await server.kill('SIGKILL');

      const again = await start(folder);
      const made = await good(again.http.post<Environment>('/environments', { name: 'during' }, KEYED));
      expect(await namesOf(again.http)).toEqual(['before', 'during']);
      expect(await good(again.http.post('/environments', { name: 'during' }, KEYED))).toEqual(made);
    },
  );

  onDisk(
    'that is full refuses what it cannot hold, changes nothing, and goes on once there is room',
    async () => {
      const { disk, http } = await startOnDisk();
      await good(http.post('/environments', { name: 'before' }));
      disk.fail('write-enospc');
      const full = await http.post('/environments', { name: 'during' }, KEYED);
      expect(full.headers.get('retry-after')).toBe('1');
      await refused(Promise.resolve(full), 503, 'storage-full');
      expect(await namesOf(http)).toEqual(['before']);
      expect((await ready(http)).status).toBe(503);
      disk.mend();
      // No command has to come for the server to find out.
      await until(async () => (await ready(http)).status === 200);
      await good(http.post('/environments', { name: 'during' }, KEYED));
      expect(await namesOf(http)).toEqual(['before', 'during']);
    },
  );
});

describe('A disk that fails at any write or fsync of a command', () => {
  onDisk(
    `leaves nothing done that is called failed, and nothing undone that is called done (seed ${seed})`,
    async () => {
      const command = new Random(seed).pick(COMMANDS);
      const part = { seed, count: DISK_FAULTS, until: Infinity };
      const { faults, figures } = await failDisks(part, {
        commands: [command],
        isTried: ({ file }) => file.startsWith('events'),
      });
      expect(faults).toEqual([]);
      expect(figures['calls that failed']).toBeGreaterThan(0);
    },
    120_000,
  );
});

describe('A log that another program holds', () => {
  it('keeps commands waiting and then refuses them, and nobody else', async () => {
    const folder = suite.newFolder();
    const { http } = await start(folder);
    await good(http.post('/environments', { name: 'before' }));
    const other = new Database(join(folder, 'events.db'));
    other.exec('BEGIN IMMEDIATE');
    const commands = [1, 2, 3].map((n) => http.post('/environments', { name: `during-${n}` }));
    const slowest = { ms: 0 };
    for (let look = 0; look < 50; look += 1) {
      const asked = performance.now();
      await good(http.send('GET', '/health/live'));
      slowest.ms = Math.max(slowest.ms, performance.now() - asked);
      await pause(20);
    }
    for (const command of commands) {
      const answer = await command;
      expect(answer.headers.get('retry-after')).toBe('1');
      await refused(Promise.resolve(answer), 503, 'store-unavailable');
    }
    expect(slowest.ms).toBeLessThan(250);
    other.exec('ROLLBACK');
    other.close();
    await until(async () => (await ready(http)).status === 200);
    await good(http.post('/environments', { name: 'after' }));
    expect(await namesOf(http)).toEqual(['before', 'after']);
  });
});

describe('A clock', () => {
  it('that goes wrong makes no later event look earlier, whatever it says after a restart', async () => {
    const folder = suite.newFolder();
    const year = 365 * 24 * 3_600_000;
    const clocks = ['0', '-3600000', 'frozen', String(10 * year), '0', '-3600000'];
    for (const [turn, clock] of clocks.entries()) {
      const settings = { NODE_OPTIONS: `--import ${CLOCK}`, ANOTHER_CLOCK_MS: clock };
      const { server, http } = await start(folder, settings);
      for (const number of [1, 2]) await good(http.post('/environments', { name: `${turn}-${number}` }));
      await server.kill(turn % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
    }
    const log = new Database(join(folder, 'events.db'), { readonly: true });
    const times = log
      .prepare<[], string>(`SELECT meta ->> 'time' FROM events ORDER BY position`)
      .pluck()
      .all();
    log.close();
    expect(times).toEqual([...times].sort());
    expect(new Set(times.map((time) => time.slice(0, 4))).size).toBe(2);
  });
});
