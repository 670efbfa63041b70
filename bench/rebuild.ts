// Rebuilding every view from the log, beside only reading and parsing that log; and whether the memory that it takes
// grows with the number of events.
import { interleaved, type Bench } from './bench.js';
import { runBeside } from './processes.js';
import type { RebuildResult, RebuildTask } from './rebuild-process.js';
import { figure, readable, type Figure, type Round } from './table.js';

export async function measureRebuild(bench: Bench): Promise<Figure[]> {
  const flows = bench.quick ? 500 : 10_000;
  const few = await rebuilds(bench, flows, 4, bench.quick ? 1 : 3);
  const many = await rebuilds(bench, flows, 20, 1);
  const notes = (taken: typeof few): string[] => [
    `${readable(taken.events)} events over ${readable(flows)} flows × 3 environments, memory and rows at the head`,
    'limit: reading the same log with better-sqlite3 alone and parsing data and meta of every event',
  ];
  const speed = (taken: typeof few): Figure =>
    figure({
      row: `rebuild of every view, ${readable(taken.events)} events`,
      unit: 'events/s',
      rounds: taken.rates,
      bar: { atLeast: 0.3, of: 'ratio' },
      notes: notes(taken),
    });
  return [
    speed(few),
    speed(many),
    figure({
      row: 'memory of a rebuild',
      unit: 'MB',
      rounds: [{ measured: many.peakMegabytes, limit: few.peakMegabytes }],
      bar: { atMost: 1.25, of: 'ratio' },
      notes: [
        `the largest resident set with ${readable(many.events)} events; limit: with ${readable(few.events)} events`,
      ],
    }),
  ];
}

async function rebuilds(bench: Bench, flows: number, versions: number, rounds: number) {
  const seed = await bench.seed({ flows, rounds: versions, lanes: 0 });
  const folder = await bench.copy(seed);
  const run = (task: RebuildTask['work']) =>
    runBeside<RebuildTask, RebuildResult>('./rebuild-process.js', { folder, work: task });
  const taken = await interleaved(
    rounds,
    () => run('rebuild'),
    () => run('read'),
  );
  const rates = taken.map(({ measured, limit }): Round => ({
    measured: measured.events / measured.seconds,
    limit: limit.events / limit.seconds,
  }));
  const peakMegabytes = Math.max(...taken.map(({ measured }) => measured.peakMegabytes));
  return { events: seed.events, rates, peakMegabytes };
}
