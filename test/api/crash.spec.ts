// The server is killed without warning while it works, or the machine loses power: then what it had written and not
// fsynced is gone, all of it or some, and a sector may be there without the next one. TEST_KILLS and TEST_POWER_LOSSES
// say how often.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { crash, FLOWS, type Crashes } from '../support/crash-rig.js';
import { FaultyDisk, missingDisk } from '../support/faulty-disk.js';
import { seed } from '../support/random.js';

const KILLS = Number(process.env['TEST_KILLS'] ?? 10);
const LOSSES = Number(process.env['TEST_POWER_LOSSES'] ?? 8);
const BARE_LOSSES = 5;
const BARE_LOG = fileURLToPath(new URL('../support/bare-log.js', import.meta.url));

losesNothing('kills', { count: KILLS });

if (missingDisk === '') {
  let disk: FaultyDisk | undefined;
  losesNothing('power losses', {
    count: LOSSES,
    environment: (folder) => (disk ??= new FaultyDisk(folder)).environment,
    afterKill: (random) => disk?.losePower(random.next() < 0.5 ? undefined : random),
  });
  afterAll(() => {
    if (disk !== undefined) process.stdout.write(`Power losses took ${disk.lostBytes} bytes back\n`);
    disk?.remove();
  });

  describe('The disk of this test', () => {
    it('loses nothing of a log that waits for it', async () => {
      const { acknowledged, kept } = await bareLosses('FULL');
      expect(acknowledged).toBeGreaterThan(100);
      expect(kept).toBeGreaterThanOrEqual(acknowledged);
    }, 60_000);

    it('loses what was acknowledged of a log that does not', async () => {
      const { acknowledged, kept } = await bareLosses('NORMAL');
      expect(kept).toBeLessThan(acknowledged);
    }, 60_000);
  });
} else {
  it.skip(`Nothing that was acknowledged is lost in power losses (${missingDisk})`, () => undefined);
}

function losesNothing(what: string, crashes: Omit<Crashes, 'seed'>): void {
  const { count } = crashes;
  it(`Nothing acknowledged is lost in ${count} ${what}, and nothing is half there (seed ${seed})`, async () => {
    const crashed = await crash({ ...crashes, seed });
    expect(crashed.faults).toEqual([]);
    expect(crashed.kills).toBe(count);
    expect(crashed.releases).toBeGreaterThan(FLOWS + count);
    expect(crashed.promotions).toBeGreaterThan(0);
    expect(crashed.unanswered).toBeGreaterThan(0);
  }, 600_000);
}

/** Rows that a bare SQLite log had acknowledged before each power loss, and those that were there afterwards. */
async function bareLosses(synchronous: 'FULL' | 'NORMAL') {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-bare-'));
  const disk = new FaultyDisk(folder);
  const file = join(folder, 'bare.db');
  const sum = { acknowledged: 0, kept: 0 };
  for (let loss = 0; loss < BARE_LOSSES; loss += 1) {
    const child = spawn(process.execPath, [BARE_LOG, file, synchronous], {
      env: { ...process.env, ...disk.environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    while (said.split('\n').length < 100) await pause(10);
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
    disk.losePower(undefined);
    const database = new Database(file);
    sum.acknowledged += Number(said.trimEnd().split('\n').at(-2) ?? 0);
    // The table itself may be gone.
    const isThere = database.prepare(`SELECT 1 FROM sqlite_schema WHERE name = 'rows'`).get() !== undefined;
    if (isThere) sum.kept += Number(database.prepare('SELECT max(number) FROM rows').pluck().get() ?? 0);
    database.close();
  }
  disk.remove();
  rmSync(folder, { recursive: true });
  return sum;
}
