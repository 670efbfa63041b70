// Many seeds, one after another, as many as are asked for or as there is time for.
import { run } from './run.js';
import type { Planting } from './server.js';

export interface SimulateOptions {
  readonly seeds: number;
  /** The first one. */
  readonly from?: number;
  /** No seed is begun after so many. */
  readonly seconds?: number;
  /** Stops after so many faults. */
  readonly faultsMax?: number;
  /** Called after each seed. */
  readonly onProgress?: (report: Report) => void;
  /** A bug that is to be found. */
  readonly planting?: Planting;
}

export interface Report {
  seedsRun: number;
  operations: number;
  crashes: number;
  /** What was asked and what came of it, and how often. */
  readonly met: Map<string, number>;
  /** What cannot be, and the seed that brings it again. */
  readonly faults: { readonly seed: number; readonly what: string }[];
}

/** Between seeds others get a turn of the event loop. */
const SEEDS_PER_TURN = 20;
const FAULTS_MAX = 20;

export async function simulate(options: SimulateOptions): Promise<Report> {
  const { seeds, from = 1, seconds = Infinity, faultsMax = FAULTS_MAX, onProgress, planting } = options;
  const report: Report = { seedsRun: 0, operations: 0, crashes: 0, met: new Map(), faults: [] };
  const deadline = performance.now() + seconds * 1_000;
  for (let seed = from; seed < from + seeds; seed += 1) {
    if (performance.now() > deadline || report.faults.length >= faultsMax) break;
    const { fault, operations, crashes, met } = await run(seed, planting);
    report.seedsRun += 1;
    report.operations += operations;
    report.crashes += crashes;
    for (const what of met) report.met.set(what, (report.met.get(what) ?? 0) + 1);
    if (fault !== undefined) report.faults.push({ seed, what: fault });
    onProgress?.(report);
    if (report.seedsRun % SEEDS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return report;
}
