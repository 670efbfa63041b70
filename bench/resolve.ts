// Resolving: over HTTP beside a bare Fastify that serves the same bytes, and within the process, where only the
// views are left.
import type { BareReady, BareTask } from './bare-fastify.js';
import { interleaved, type Bench } from './bench.js';
import type { Ask } from './http-connection.js';
import { load, type LoadResult } from './load.js';
import { runBeside, startBeside } from './processes.js';
import type { InProcessResult, InProcessTask } from './resolve-in-process.js';
import { ENVIRONMENTS, slugOf, type Seed } from './seed.js';
import { figure, readable, type Figure, type Round } from './table.js';

const CONNECTIONS = 50;
const SERVER_CORE = 0;
const CLIENT_CORE = 1;

export async function measureResolve(bench: Bench): Promise<Figure[]> {
  const seed = await bench.seed({ flows: bench.quick ? 2_000 : 100_000, rounds: 1, lanes: 5 });
  return [...(await overHttp(bench, seed)), ...(await inProcess(seed))];
}

export function resolveAsk(flowNumber: number, environment: string): Ask {
  return { method: 'GET', path: `/api/v1/flows/${slugOf(flowNumber)}/resolve?environment=${environment}` };
}

async function overHttp(bench: Bench, seed: Seed): Promise<Figure[]> {
  const { plan, key } = seed;
  const asks = Array.from({ length: plan.flows }, (_, number) =>
    ENVIRONMENTS.map((environment) => resolveAsk(number, environment)),
  ).flat();
  const product = await bench.server(await bench.copy(seed), { core: SERVER_CORE });
  const bare = await startBeside<BareTask, BareReady>(
    './bare-fastify.js',
    { port: product.port, key, asks },
    { core: SERVER_CORE },
  );
  const seconds = bench.quick ? 1 : 3;
  const ask = (port: number): Promise<LoadResult> =>
    load(
      { port, key, connections: CONNECTIONS, seconds, asks: [asks], order: 'random' },
      { core: CLIENT_CORE },
    );
  const taken = await interleaved(
    bench.quick ? 1 : 5,
    () => ask(product.port),
    () => ask(bare.ready.port),
  );
  await product.stop();
  await bare.stop();
  const busiest = Math.max(...taken.flatMap(({ measured, limit }) => [measured.clientCpu, limit.clientCpu]));
  const notes = [
    `${plan.flows} flows × ${ENVIRONMENTS.length} environments, ${CONNECTIONS} connections, random flows and ` +
      `environments, bodies of ${bare.ready.bodyBytes} bytes, ${seconds} s each`,
    `server on core ${SERVER_CORE}, client on core ${CLIENT_CORE}, which it used up to ${busiest.toFixed(2)} of`,
  ];
  return [
    figure({
      row: 'resolve over HTTP',
      unit: '/s',
      rounds: taken.map(({ measured, limit }) => ({ measured: measured.perSecond, limit: limit.perSecond })),
      bar: { atLeast: 0.7, of: 'ratio' },
      notes: ['limit: bare Fastify serving the same bytes', ...notes],
    }),
    figure({
      row: 'resolve over HTTP, p99',
      unit: 'ms',
      rounds: taken.map(({ measured, limit }) => ({ measured: measured.p99Ms, limit: limit.p99Ms })),
      bar: { atMost: 3, of: 'ratio' },
      notes: ['limit: the p99 of that bare Fastify'],
    }),
  ];
}

async function inProcess(seed: Seed): Promise<Figure[]> {
  const task: InProcessTask = { folder: seed.folder, flows: seed.plan.flows };
  const placing = { nodeArguments: ['--expose-gc'] };
  const taken = await runBeside<InProcessTask, InProcessResult>('./resolve-in-process.js', task, placing);
  const row = (what: string, rounds: readonly Round[]): Figure =>
    figure({
      row: `resolve in process, ${what}`,
      unit: '/s',
      rounds,
      bar: { atLeast: 5_000_000, of: 'figure' },
      notes: [
        'Directory.findFlow by slug and Resolution.resolve in one environment, random flows',
        'limit: one look into a bare Map of the slugs and one into a bare Map of the ids it gives',
      ],
    });
  return [
    row('interned slugs', taken.interned),
    row('fresh strings', taken.fresh),
    figure({
      row: 'memory per active version',
      unit: 'bytes',
      rounds: [{ measured: taken.bytesIdsAside, limit: null }],
      bar: { atMost: 200, of: 'figure' },
      notes: [
        `heap that ActiveVersions takes for ${taken.activeVersions} active versions, the strings of flow ids, ` +
          'version ids and digests aside: they are made before, and the events hold those very strings',
        `with every string of its own, as a start from the log has them: ${readable(taken.bytesAllIn)} bytes`,
      ],
    }),
  ];
}
