// Makes load in a process of its own: a number of connections, each asking its next thing as soon as it was answered.
import { HttpConnection, requestText } from './http-connection.js';
import type { Load, LoadResult } from './load.js';
import { answerOneTask } from './one-task.js';

const WARM_UP_SECONDS = 1;

answerOneTask(run);

async function run({ port, key, connections, seconds, asks, order, probe }: Load): Promise<LoadResult> {
  const texts = asks.map((list) => list.map((asked) => requestText(asked, key)));
  const latencies: number[] = [];
  const probed: number[] = [];
  const from = performance.now() + WARM_UP_SECONDS * 1000;
  const until = from + seconds * 1000;
  const cpuBefore = cpuAfter(WARM_UP_SECONDS * 1000);
  const next = order === 'random' ? randomNumbers() : undefined;
  const ask = async (own: readonly string[], how: Pick<Asking, 'next' | 'latencies'>): Promise<void> => {
    const connection = await HttpConnection.open(port, key);
    await keepAsking(connection, own, { from, until, ...how });
    connection.close();
  };
  const running = Array.from({ length: connections }, (_, index) =>
    ask(texts[index % texts.length] ?? [], { next, latencies }),
  );
  if (probe !== undefined) {
    const own = probe.map((asked) => requestText(asked, key));
    running.push(ask(own, { next: randomNumbers(), latencies: probed }));
  }
  await Promise.all(running);
  const { user, system } = process.cpuUsage(await cpuBefore);
  const at = (share: number, of = latencies): number => of[Math.floor((of.length - 1) * share)] ?? Number.NaN;
  for (const list of [latencies, probed]) list.sort((a, b) => a - b);
  return {
    perSecond: latencies.length / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
    probeP99Ms: at(0.99, probed),
    clientCpu: (user + system) / 1e6 / seconds,
  };
}

interface Asking {
  readonly from: number;
  readonly until: number;
  readonly next: (() => number) | undefined;
  readonly latencies: number[];
}

function keepAsking(
  connection: HttpConnection,
  texts: readonly string[],
  { from, until, next, latencies }: Asking,
): Promise<void> {
  let turn = 0;
  return new Promise((resolve, reject) => {
    const askNext = (): void => {
      const text = texts[(next === undefined ? turn++ : next()) % texts.length] ?? '';
      const sent = performance.now();
      connection.send(text, (answer) => {
        const now = performance.now();
        if (answer.status !== 200) {
          reject(new Error(`${text.split('\r\n', 1)[0]}: ${answer.head}\n${answer.body()}`));
          return;
        }
        if (now >= from && now < until) latencies.push(now - sent);
        if (now < until) askNext();
        else resolve();
      });
    };
    askNext();
  });
}

function cpuAfter(ms: number): Promise<NodeJS.CpuUsage> {
  return new Promise((resolve) => setTimeout(() => resolve(process.cpuUsage()), ms));
}

/** Xorshift: the same numbers in every run, and next to nothing to compute. */
function randomNumbers(): () => number {
  let state = 0x9e3779b9;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
