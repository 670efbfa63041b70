// A cold start after a clean stop: from the start of the process to the line that says where it listens. A thousand
// times as many events in the log must not be felt, because nothing is folded again.
import { interleaved, type Bench } from './bench.js';
import { figure, readable, type Figure } from './table.js';

export async function measureColdStart(bench: Bench): Promise<Figure[]> {
  const small = await bench.seed({ flows: 200, rounds: 1, lanes: 0 });
  const large = await bench.seed(
    bench.quick ? { flows: 500, rounds: 20, lanes: 0 } : { flows: 10_000, rounds: 20, lanes: 0 },
  );
  const smallFolder = await bench.copy(small);
  const largeFolder = await bench.copy(large);
  const start = async (folder: string): Promise<number> => {
    const server = await bench.server(folder);
    await server.stop();
    return server.startMs;
  };
  // The files come from the disk the first time only.
  await start(smallFolder);
  await start(largeFolder);
  const taken = await interleaved(
    bench.quick ? 1 : 7,
    () => start(largeFolder),
    () => start(smallFolder),
  );
  return [
    figure({
      row: `cold start, ${readable(large.events)} events`,
      unit: 'ms',
      rounds: taken,
      bar: { atMost: 2, of: 'ratio' },
      notes: [
        `${readable(large.plan.flows)} flows × 3 environments, ${large.plan.rounds} versions each`,
        `limit: with ${readable(small.events)} events over ${small.plan.flows} flows × 3 environments`,
      ],
    }),
  ];
}
