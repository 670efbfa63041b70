// The rig `simulation`: several servers on a clock, a store and a network that are made up, a whole life for each seed.
import { simulate } from '../simulation/simulate.js';
import type { Outcome, Part, Rig } from './rig.js';

/** The first few say what is wrong. */
const FAULTS_MAX = 5;

export const simulation: Rig = {
  about: 'servers on a made-up clock, store and network, one life a seed: the promises hold in each',
  unit: 'seeds',
  usual: 4_000,
  full: 100_000,
  part: 1_000,
  seedsEach: true,
  missing: '',
  run: (part) => live(part),
};

async function live({ seed, count, until }: Part): Promise<Outcome> {
  const seconds = (until - performance.now()) / 1_000;
  const { seedsRun, operations, crashes, faults } = await simulate({
    ...{ seeds: count, from: seed, seconds, faultsMax: FAULTS_MAX },
  });
  return {
    count: seedsRun,
    figures: { operations, crashes, faults: faults.length },
    faults: faults.map((fault) => ({ what: fault.what, again: { seed: fault.seed, count: 1 } })),
  };
}
