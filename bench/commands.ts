// Commands over HTTP, each answered once it is on the disk: one client after another beside raw transactions, many
// clients at once beside one, and what resolving feels of them.
import { interleaved, type Bench } from './bench.js';
import type { Ask } from './http-connection.js';
import { load, type Load } from './load.js';
import { eventsAfter, headOf, RawLog } from './raw-log.js';
import { resolveAsk } from './resolve.js';
import { laneOf, slugOf } from './seed.js';
import { figure, type Figure } from './table.js';

const LANES = 64;
const FLOWS = 200;
const CLIENT_CORE = 1;

export async function measureCommands(bench: Bench): Promise<Figure[]> {
  const seed = await bench.seed({ flows: FLOWS, rounds: 2, lanes: LANES });
  const folder = await bench.copy(seed);
  const server = await bench.server(folder);
  const seconds = bench.quick ? 1 : 3;
  const rounds = bench.quick ? 1 : 5;
  const run = (
    connections: number,
    asks: Load['asks'],
    order: Load['order'] = 'in turn',
    probe: Load['probe'] = undefined,
  ) => {
    const task = { port: server.port, key: seed.key, connections, seconds, asks, order };
    return load(probe === undefined ? task : { ...task, probe }, { core: CLIENT_CORE });
  };
  const lanes = Array.from({ length: LANES }, (_, lane) => activations(lane));
  const resolves = [Array.from({ length: FLOWS }, (_, number) => resolveAsk(number, 'production'))];

  const one = () => run(1, lanes.slice(0, 1));
  // The probe shares the clients' process: two processes on one core would measure the scheduler.
  const many = () => run(LANES, lanes, 'in turn', resolves[0]);
  const idle = () => run(1, resolves, 'random');

  await one();
  const [event] = eventsAfter(folder, headOf(folder) - 1);
  if (event === undefined) throw new Error('The log ends with the event of the last command');
  const raw = new RawLog(folder);
  const single = await interleaved(rounds, one, async () => raw.ratePerSecond(event, seconds));
  raw.close();
  const crowd = await interleaved(rounds, many, async () => ({ one: await one(), idle: await idle() }));
  await server.stop();
  return [
    figure({
      row: 'one command over HTTP, 1 client',
      unit: '/s',
      rounds: single.map(({ measured, limit }) => ({ measured: measured.perSecond, limit })),
      bar: { atLeast: 0.4, of: 'ratio' },
      notes: [
        'activate two locked versions by turns in one environment',
        'limit: transactions of better-sqlite3 alone with the event of one such command, WAL, synchronous FULL',
      ],
    }),
    figure({
      row: `commands over HTTP, ${LANES} clients`,
      unit: '/s',
      rounds: crowd.map(({ measured, limit }) => ({
        ...{ measured: measured.perSecond, limit: limit.one.perSecond },
      })),
      bar: { atLeast: 3, of: 'ratio' },
      notes: [`${LANES} environments, one client on each; limit: the rate of 1 client`],
    }),
    figure({
      row: `resolve p99 beside ${LANES} clients' commands`,
      unit: 'ms',
      rounds: crowd.map(({ measured, limit }) => ({
        ...{ measured: measured.probeP99Ms, limit: limit.idle.p99Ms },
      })),
      bar: { atMost: 3, of: 'ratio' },
      notes: ['one connection that resolves without a pause; limit: its p99 while nothing else is asked'],
    }),
  ];
}

/** Versions 1 and 2 of the lane's own flow by turns, so that every command makes a release. */
export function activations(lane: number): Ask[] {
  const body = JSON.stringify({ environment: laneOf(lane) });
  return [1, 2].map((version) => ({
    ...{ method: 'POST', path: `/api/v1/flows/${slugOf(lane)}/versions/${version}/environments`, body },
  }));
}
