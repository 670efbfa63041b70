// The stream of changes: how long a change takes from its command's answer until every one of very many clients that
// follow has it.
import type { Bench } from './bench.js';
import { activations } from './commands.js';
import type { Arrivals, Following } from './events-process.js';
import { runBeside } from './processes.js';
import { figure, median, readable, type Figure } from './table.js';

const ROUNDS = 3;
const CLIENT_CORE = 1;

export async function measureEvents(bench: Bench): Promise<Figure[]> {
  const [clients, changes] = bench.quick ? [100, 20] : [1_000, 100];
  const seed = await bench.seed({ flows: 200, rounds: 2, lanes: 64 });
  const server = await bench.server(await bench.copy(seed));
  const task: Following = { port: server.port, key: seed.key, clients, changes, asks: activations(0) };
  const rounds: Arrivals[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    rounds.push(await runBeside<Following, Arrivals>('./events-process.js', task, { core: CLIENT_CORE }));
  }
  await server.stop();
  const say = (share: number, of: (round: Arrivals) => readonly number[]): string =>
    `${readable(median(rounds.map((round) => at(share, of(round)))))} ms`;
  const sinceSent = ({ sinceSentMs }: Arrivals) => sinceSentMs;
  const sinceAnswered = ({ sinceAnsweredMs }: Arrivals) => sinceAnsweredMs;
  return [
    figure({
      row: `a change at ${readable(clients)} clients, p99`,
      unit: 'ms',
      rounds: rounds.map((round) => ({ measured: at(0.99, round.sinceAnsweredMs), limit: null })),
      bar: { atMost: 250, of: 'figure' },
      notes: [
        `from the command's answer to the arrival at each client, ${changes} changes one after another`,
        `p50 ${say(0.5, sinceAnswered)}; from its sending p50 ${say(0.5, sinceSent)}, p99 ${say(0.99, sinceSent)}`,
      ],
    }),
  ];
}

function at(share: number, sorted: readonly number[]): number {
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
}
