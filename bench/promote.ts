// Promotion in bulk: one command that brings every flow of an environment to an empty one, until its whole answer
// has been read, beside writing the very events that it made.
import type { Bench } from './bench.js';
import { HttpConnection } from './http-connection.js';
import { eventsAfter, headOf, RawLog } from './raw-log.js';
import { laneOf } from './seed.js';
import { figure, median, readable, type Figure } from './table.js';

interface Promotion {
  readonly ms: number;
  readonly rawMs: number;
  readonly eventBytes: number;
  readonly answerBytes: number;
}

const PATH = '/api/v1/environments/promote';
/** The first promotion only warms up. */
const LANES = 5;

export async function measurePromote(bench: Bench): Promise<Figure[]> {
  const [few, many] = bench.quick ? [500, 2_000] : [10_000, 100_000];
  const small = await promotions(bench, few);
  const large = await promotions(bench, many);
  const smallMs = median(small.map(({ ms }) => ms));
  return [
    figure({
      row: `promote ${readable(few)} flows`,
      unit: 'ms',
      rounds: small.map(({ ms, rawMs }) => ({ measured: ms, limit: rawMs })),
      bar: { atMost: 3, of: 'ratio' },
      notes: [
        'limit: the same events in one transaction of better-sqlite3 alone, fsync included',
        sizes(small),
      ],
    }),
    figure({
      row: `promote ${readable(many)} flows`,
      unit: 'ms',
      rounds: large.map(({ ms }) => ({ measured: ms, limit: smallMs })),
      bar: { atMost: (12 * many) / few / 10, of: 'ratio' },
      notes: [
        `limit: the time of ${readable(few)} flows`,
        `its own events written raw: ${readable(median(large.map(({ rawMs }) => rawMs)))} ms`,
        sizes(large),
      ],
    }),
  ];
}

async function promotions(bench: Bench, flows: number): Promise<Promotion[]> {
  const seed = await bench.seed({ flows, rounds: 1, lanes: LANES });
  const folder = await bench.copy(seed);
  const server = await bench.server(folder);
  const connection = await HttpConnection.open(server.port, seed.key);
  const raw = new RawLog(folder);
  const taken: Promotion[] = [];
  for (let lane = 0; lane < LANES; lane += 1) {
    const before = headOf(folder);
    const asked = { sourceEnvironment: 'development', targetEnvironment: laneOf(lane) };
    const body = JSON.stringify(asked);
    const started = performance.now();
    const answer = await connection.ask({ method: 'POST', path: PATH, body });
    const ms = performance.now() - started;
    const { changed, release } = JSON.parse(answer.body()) as { changed: boolean; release: { changes: [] } };
    if (!changed || release.changes.length !== flows) throw new Error(`${flows} flows are promoted`);
    const events = eventsAfter(folder, before);
    const rawMs = raw.append(events);
    const eventBytes = events.reduce((sum, { data, meta }) => sum + data.length + meta.length, 0);
    taken.push({ ms, rawMs, eventBytes, answerBytes: answer.body().length });
  }
  raw.close();
  connection.close();
  await server.stop();
  return taken.slice(1);
}

function sizes(taken: readonly Promotion[]): string {
  const [first] = taken;
  const megabytes = (bytes = 0): string => `${(bytes / 1e6).toFixed(1)} MB`;
  return `${megabytes(first?.eventBytes)} of events, ${megabytes(first?.answerBytes)} of answer`;
}
