// Makes load in a process of its own: a number of connections, each asking its next thing as soon as it was answered.
import { HttpConnection, requestText } from './http-connection.js';
import type { Load, LoadResult } from './load.js';
import { answerOneTask } from './one-task.js';

const WARM_UP_SECONDS = 1;

answerOneTask(run);

async function run({ port, key, connections, seconds, asks, order }: Load): Promise<LoadResult> {
  const texts = asks.map((list) => list.map((asked) => requestText(asked, key)));
  const latencies: number[] = [];
  const from = performance.now() + WARM_UP_SECONDS * 1000;
  const until = from + seconds * 1000;
  const cpuBefore = cpuAfter(WARM_UP_SECONDS * 1000);
  const next = order === 'random' ? randomNumbers() : undefined;
  await Promise.all(
    Array.from({ length: connections }, async (_, index) => {
      const own = texts[index % texts.length] ?? [];
      const connection = await HttpConnection.open(port, key);
      await keepAsking(connection, own, { from, until, next, latencies });
      connection.close();
    }),
  );
  const { user, system } = process.cpuUsage(await cpuBefore);
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor((latencies.length - 1) * share)] ?? Number.NaN;
  return {
    perSecond: latencies.length / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
    clientCpu: (user + system) / 1e6 / seconds,
  };
}

function keepAsking(
  connection: HttpConnection,
  texts: readonly string[],
  {
    from,
    until,
    next,
    latencies,
  }: { from: number; until: number; next?: (() => number) | undefined; latencies: number[] },
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
