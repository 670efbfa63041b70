// What every row is given: seeds that rows share, copies of them to work on, servers over those copies, and a folder
// that is gone in the end.
import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer, stopAll, type Placing, type Server } from './processes.js';
import { plant, type Seed, type SeedPlan } from './seed.js';
import type { Figure } from './table.js';

/** One row of the table or a few that are taken together. */
export type Row = (bench: Bench) => Promise<Figure[]>;

export class Bench {
  private readonly key = randomBytes(32).toString('base64url');
  private readonly seeds = new Map<string, Promise<Seed>>();
  private copies = 0;

  private constructor(
    readonly folder: string,
    /** Small numbers, to see that a row runs; its figures say little. */
    readonly quick: boolean,
    /** Where servers leave a CPU profile when they stop. */
    private readonly profiles: string | undefined,
  ) {}

  static async open(options: {
    readonly quick: boolean;
    readonly profiles?: string | undefined;
  }): Promise<Bench> {
    const folder = await mkdtemp(join(tmpdir(), 'switchyard-bench-'));
    return new Bench(folder, options.quick, options.profiles);
  }

  seed(plan: SeedPlan): Promise<Seed> {
    const name = `${plan.flows}-${plan.rounds}-${plan.lanes}`;
    const seed = this.seeds.get(name) ?? this.plant(name, plan);
    this.seeds.set(name, seed);
    return seed;
  }

  /** A row may write to its copy, and no other row ever sees it. */
  async copy(seed: Seed): Promise<string> {
    const folder = join(this.folder, `copy-${(this.copies += 1)}`);
    await cp(seed.folder, folder, { recursive: true });
    return folder;
  }

  /** Stops the servers that are left and makes room on the disk. */
  async tidyUp(): Promise<void> {
    await stopAll();
    for (; this.copies > 0; this.copies -= 1) await this.remove(`copy-${this.copies}`);
  }

  /** `store` is the address of its log, where that is not in the folder. */
  server(folder: string, placing: Placing = {}, store?: string): Promise<Server> {
    if (this.profiles === undefined) return startServer(folder, placing, store);
    const nodeArguments = ['--cpu-prof', `--cpu-prof-dir=${this.profiles}`];
    return startServer(folder, { ...placing, nodeArguments }, store);
  }

  async close(): Promise<void> {
    await stopAll();
    await this.remove('.');
  }

  private async plant(name: string, plan: SeedPlan): Promise<Seed> {
    const started = performance.now();
    const seed = await plant(join(this.folder, name), this.key, plan);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.error(`  seeded ${plan.flows} flows, ${seed.events} events in ${seconds} s`);
    return seed;
  }

  private remove(name: string): Promise<void> {
    return rm(join(this.folder, name), { recursive: true, force: true });
  }
}

/** A B, then B A, and so on: what drifts on the machine meets both alike. */
export async function interleaved<A, B>(
  rounds: number,
  one: (round: number) => Promise<A>,
  other: (round: number) => Promise<B>,
): Promise<{ readonly measured: A; readonly limit: B }[]> {
  const taken = [];
  for (let round = 0; round < rounds; round += 1) {
    if (round % 2 === 0) {
      const measured = await one(round);
      taken.push({ measured, limit: await other(round) });
    } else {
      const limit = await other(round);
      taken.push({ measured: await one(round), limit });
    }
  }
  return taken;
}
