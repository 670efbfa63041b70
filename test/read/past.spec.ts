// Time travel against a plain model: whatever a server answers about a moment is what a fold of the log up to there
// gives, at every position and at times between, and never changes again, not after a restart that makes the rows
// anew either. TEST_HISTORIES says how many histories of some forty events there are on each store.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Found } from '../support/past-travels.js';
import { missing, PostgresServer } from '../support/postgres-server.js';
import { seed } from '../support/random.js';
import { unless } from '../support/spec.js';

const HISTORIES = Number(process.env['TEST_HISTORIES'] ?? 8);
const TIMEOUT_MS = 60_000 + HISTORIES * 5_000;
const TRAVELS = fileURLToPath(new URL('../support/past-travels.js', import.meta.url));

async function travel(address: string): Promise<void> {
  const env = { ...process.env, TEST_SEED: String(seed) };
  const { stdout } = await promisify(execFile)(process.execPath, [TRAVELS, address, String(HISTORIES)], {
    env,
  });
  const { asked, askedAgain, faults } = JSON.parse(stdout) as Found;
  expect(faults).toEqual([]);
  expect(asked).toBeGreaterThan(HISTORIES * 100);
  expect(askedAgain).toBeGreaterThan(HISTORIES * 10);
}

describe(`An answer about a moment is a fold of the log up to there, and stays (seed ${seed})`, () => {
  it('on SQLite', () => travel('sqlite:'), TIMEOUT_MS);

  unless(missing)(
    'on PostgreSQL',
    async () => {
      const postgres = await PostgresServer.start();
      try {
        await travel(await postgres.newDatabase());
      } finally {
        await postgres.remove();
      }
    },
    TIMEOUT_MS,
  );
});
