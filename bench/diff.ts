// The diff of two environments that differ in ten flows: with a hundred times as many flows in them it must not cost
// more, because it is paid for by the difference.
import { Client, type Diff } from '../scripts/client.js';
import { interleaved, type Bench } from './bench.js';
import { HttpConnection } from './http-connection.js';
import { load } from './load.js';
import type { Server } from './processes.js';
import { contentOf, slugOf, type Seed } from './seed.js';
import { figure, readable, type Figure } from './table.js';

const DIFFERENCES = 10;
const PATH = '/environments/diff?sourceEnvironment=staging&targetEnvironment=production';

interface Differing {
  readonly seed: Seed;
  readonly server: Server;
  /** The first diff of a pair compares the two environments whole. */
  readonly firstMs: number;
}

export async function measureDiff(bench: Bench): Promise<Figure[]> {
  const [few, many] = bench.quick ? [100, 1_000] : [1_000, 100_000];
  const small = await differing(bench, few);
  const large = await differing(bench, many);
  const ask = ({ seed: { key }, server: { port } }: Differing) => {
    const asks = [[{ method: 'GET' as const, path: `/api/v1${PATH}` }]];
    return load({ port, key, connections: 1, seconds: bench.quick ? 1 : 2, asks, order: 'in turn' });
  };
  const taken = await interleaved(
    bench.quick ? 1 : 5,
    () => ask(large),
    () => ask(small),
  );
  await small.server.stop();
  await large.server.stop();
  return [
    figure({
      row: `diff, ${readable(many)} flows, ${DIFFERENCES} differences`,
      unit: 'ms',
      rounds: taken.map(({ measured, limit }) => ({ measured: measured.p50Ms, limit: limit.p50Ms })),
      bar: { atMost: 2, of: 'ratio' },
      notes: [
        `limit: the same with ${readable(few)} flows; medians of one connection that asks without a pause`,
        `the first diff of the pair after a start: ${readable(large.firstMs)} ms and ${readable(small.firstMs)} ms`,
      ],
    }),
  ];
}

async function differing(bench: Bench, flows: number): Promise<Differing> {
  const seed = await bench.seed({ flows, rounds: 1, lanes: 5 });
  const server = await bench.server(await bench.copy(seed));
  const client = new Client(`http://127.0.0.1:${server.port}`, seed.key);
  for (let number = 0; number < DIFFERENCES; number += 1) {
    const flow = slugOf(number * Math.floor(flows / DIFFERENCES));
    await client.post(`/flows/${flow}/versions`, { content: contentOf(flow, 2) });
    await client.post(`/flows/${flow}/versions/2/environments`, { environment: 'staging' });
  }
  const connection = await HttpConnection.open(server.port, seed.key);
  const started = performance.now();
  const answer = await connection.ask({ method: 'GET', path: `/api/v1${PATH}` });
  const firstMs = performance.now() - started;
  connection.close();
  const { items } = JSON.parse(answer.body()) as Diff;
  if (items.length !== DIFFERENCES) throw new Error(`${DIFFERENCES} flows differ, not ${items.length}`);
  return { seed, server, firstMs };
}
