// Pages of the audit trail: with a hundred times as many entries a page must not cost more, whatever it is filtered by,
// because it is paid for by what is on it.
import { interleaved, type Bench } from './bench.js';
import { load } from './load.js';
import type { Server } from './processes.js';
import { slugOf, type Seed } from './seed.js';
import { figure, readable, type Figure } from './table.js';

/** Every flow gets as many entries in both trails: the rare one is as rare as it can be. */
const ROUNDS = 20;
const PAGES: Readonly<Record<string, string>> = {
  'the newest': '',
  'one environment': '?environment=production',
  'one flow': `?flow=${slugOf(7)}`,
  'what hardly ever meets': '?type=VersionDrafted&q=locked',
  'two words': '?q=version%207%20was%20locked',
  'the beginning of a word': '?q=produc',
};

interface Trail {
  readonly seed: Seed;
  readonly server: Server;
}

export async function measureAudit(bench: Bench): Promise<Figure[]> {
  const [few, many] = bench.quick ? [10, 100] : [100, 10_000];
  const small = await trailOf(bench, few);
  const large = await trailOf(bench, many);
  const figures: Figure[] = [];
  for (const [name, query] of Object.entries(PAGES)) {
    const ask = ({ seed: { key }, server: { port } }: Trail) => {
      const asks = [[{ method: 'GET' as const, path: `/api/v1/audit${query}` }]];
      return load({ port, key, connections: 1, seconds: bench.quick ? 1 : 2, asks, order: 'in turn' });
    };
    const taken = await interleaved(
      bench.quick ? 1 : 3,
      () => ask(large),
      () => ask(small),
    );
    figures.push(
      figure({
        row: `audit trail, ${readable(large.seed.events)} entries: ${name}`,
        unit: 'ms',
        rounds: taken.map(({ measured, limit }) => ({ measured: measured.p50Ms, limit: limit.p50Ms })),
        bar: { atMost: 3, of: 'ratio' },
        notes: [`limit: the same with ${readable(small.seed.events)} entries; medians of one connection`],
      }),
    );
  }
  await small.server.stop();
  await large.server.stop();
  return figures;
}

async function trailOf(bench: Bench, flows: number): Promise<Trail> {
  const seed = await bench.seed({ flows, rounds: ROUNDS, lanes: 0 });
  return { seed, server: await bench.server(await bench.copy(seed)) };
}
