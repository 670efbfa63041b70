// The rig `fold`: random histories in a log, and every answer about every moment of them held against a plain fold,
// over rows that were followed live, made anew, and read again after a restart.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Found } from '../support/past-travels.js';
import { missing, PostgresServer } from '../support/postgres-server.js';
import { faultsFrom, type Outcome, type Part, type Rig } from './rig.js';

const TRAVELS = fileURLToPath(new URL('../support/past-travels.js', import.meta.url));
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

export const foldOfLog: Rig = {
  about: 'random histories: live rows, rows made anew and every moment of the past equal a fold of the log',
  unit: 'histories',
  usual: 80,
  full: 1_000,
  part: 20,
  missing: '',
  run: (part) => travel(part),
};

/** Parts with an odd seed are on PostgreSQL, where there is one. */
async function travel(part: Part): Promise<Outcome> {
  if (part.seed % 2 === 0 || missing !== '') return travelOn('sqlite:', part);
  const postgres = await PostgresServer.start();
  try {
    return await travelOn(await postgres.newDatabase(), part);
  } finally {
    await postgres.remove();
  }
}

async function travelOn(address: string, { seed, count }: Part): Promise<Outcome> {
  const env = { ...process.env, TEST_SEED: String(seed) };
  const travels = [TRAVELS, address, String(count)];
  const { stdout } = await promisify(execFile)(process.execPath, travels, {
    env,
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  const { asked, askedAgain, faults } = JSON.parse(stdout) as Found;
  const figures = { questions: asked, 'asked again later': askedAgain, 'wrong answers': faults.length };
  return { count, figures, faults: faultsFrom(faults) };
}
