// The past at random moments: a hundred times as many events over the same flows must not be felt, because no history
// is folded again.
import { Client } from '../scripts/client.js';
import { interleaved, type Bench } from './bench.js';
import { load } from './load.js';
import type { Server } from './processes.js';
import { ENVIRONMENTS, slugOf, type Seed } from './seed.js';
import { figure, readable, type Figure } from './table.js';

const FLOWS = 200;
const MOMENTS = 2_000;

interface Past {
  readonly seed: Seed;
  readonly server: Server;
  /** When the flows were there, by time, and when the newest event was. */
  readonly times: readonly [number, number];
}

type Question = (moment: string, number: number) => string;

const environmentOf = (number: number): string => ENVIRONMENTS[number % ENVIRONMENTS.length] ?? '';

const QUESTIONS: Readonly<Record<string, Question>> = {
  'state of an environment': (moment, number) => `/environments/${environmentOf(number)}/active?at=${moment}`,
  resolve: (moment, number) =>
    `/flows/${slugOf(number % FLOWS)}/resolve?environment=${environmentOf(number)}&at=${moment}`,
};

export async function measureTimeTravel(bench: Bench): Promise<Figure[]> {
  const [few, many] = bench.quick ? [10, 40] : [10, 1_000];
  const short = await opened(bench, few);
  const long = await opened(bench, many);
  const figures: Figure[] = [];
  for (const [name, question] of Object.entries(QUESTIONS)) {
    const ask = async ({ seed, server: { port }, times: [from, to] }: Past) => {
      const asks = Array.from({ length: MOMENTS }, (_, number) => {
        // Half of the moments are positions, half times, spread evenly and asked in any order.
        const part = (number * 0.618_034) % 1;
        const position = Math.round(seed.events * (0.2 + 0.8 * part));
        const moment =
          number % 2 === 0 ? String(position) : new Date(from + (to - from) * part).toISOString();
        return [{ method: 'GET' as const, path: `/api/v1${question(moment, number)}` }];
      }).flat();
      const seconds = bench.quick ? 1 : 4;
      return load({ port, key: seed.key, connections: 1, seconds, asks: [asks], order: 'in turn' });
    };
    const taken = await interleaved(
      bench.quick ? 1 : 5,
      () => ask(long),
      () => ask(short),
    );
    figures.push(
      figure({
        row: `${name} at a random moment, ${readable(long.seed.events)} events`,
        unit: 'ms',
        rounds: taken.map(({ measured, limit }) => ({ measured: measured.p50Ms, limit: limit.p50Ms })),
        bar: { atMost: 2, of: 'ratio' },
        notes: [
          `limit: the same with ${readable(short.seed.events)} events over the same ${FLOWS} flows × 3 environments`,
          'medians of one connection that asks without a pause, half by position and half by time',
        ],
      }),
    );
  }
  await short.server.stop();
  await long.server.stop();
  return figures;
}

async function opened(bench: Bench, rounds: number): Promise<Past> {
  const seed = await bench.seed({ flows: FLOWS, rounds, lanes: 0 });
  const server = await bench.server(await bench.copy(seed));
  const url = `http://127.0.0.1:${server.port}`;
  // After a start the log is read again in the background until it is signed, which would be measured, too.
  await fetch(`${url}/api/v1/audit/checkpoint`, { headers: { authorization: `Bearer ${seed.key}` } });
  const client = new Client(url, seed.key);
  const timeOf = async (number: number): Promise<number> => {
    const { createdAt } = await client.get<{ createdAt: string }>(
      `/environments/production/releases/${number}`,
    );
    return Date.parse(createdAt);
  };
  const { release } = await client.get<{ release: number }>('/environments/production');
  return { seed, server, times: [await timeOf(1), await timeOf(release)] };
}
