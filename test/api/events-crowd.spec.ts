// Many clients that follow the changes at once: whoever drops and comes back sees each change once and in order, and
// whoever never reads costs little and is cut off. TEST_STREAM_CLIENTS and TEST_STREAM_CHANGES say how many.
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Changed } from '../../scripts/client.js';
import { EventClient } from '../support/event-client.js';
import { good, Http } from '../support/http.js';
import { Random, seed } from '../support/random.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';
import { unless } from '../support/spec.js';

const CLIENTS = Number(process.env['TEST_STREAM_CLIENTS'] ?? 60);
const CHANGES = Number(process.env['TEST_STREAM_CHANGES'] ?? 500);
const WRITERS = 8;
const CONNECTED_MS_MAX = 800;
const AWAY_MS_MAX = 200;
const SILENT = 200;
const SILENT_BYTES_MAX = 250 * 1024 * 1024;
const FLOWS = 100;
const RELEASES_BEFORE = 100;
const RELEASES_MAX = 2_000;
const TEST_MS_MAX = 600_000;

const suite = serversOfSuite();
let server: ServerProcess;
let http: Http;

beforeAll(async () => {
  // With room to spare, how large the heap becomes would say more about its collector than about what is held.
  const settings = { NODE_OPTIONS: '--max-old-space-size=128' };
  server = suite.kept(await ServerProcess.start(suite.newFolder(), settings));
  http = new Http(server.url, ADMIN_KEY);
});

async function figure(name: string): Promise<number> {
  const { text } = await http.send('GET', '/metrics');
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

/** A client that drops its connection every now and then, and comes back with the id that it had. */
async function restless(random: Random, isOver: (lastId: bigint) => boolean): Promise<number[]> {
  const seen: number[] = [];
  let lastId = '0';
  while (!isOver(BigInt(lastId))) {
    const client = await EventClient.openAfter(http, lastId, '/events', ({ id, event }) => {
      if (event.startsWith('io.switchyard.')) seen.push(Number(id));
    });
    const untilMs = performance.now() + random.below(CONNECTED_MS_MAX);
    while (performance.now() < untilMs && !isOver(BigInt(client.lastId || '0'))) await pause(10);
    client.close();
    lastId = client.lastId === '' ? lastId : client.lastId;
    await pause(random.below(AWAY_MS_MAX));
  }
  return seen;
}

it(
  `${CLIENTS} clients that drop and come back see each of ${CHANGES} changes once and in order (seed ${seed})`,
  async () => {
    for (let writer = 0; writer < WRITERS; writer += 1) {
      await good(http.post('/environments', { name: `lane-${writer}` }));
      await good(http.post('/flows', { name: `flow-${writer}`, content: { version: 1 } }));
      await good(http.post(`/flows/flow-${writer}/versions`, { content: { version: 2 } }));
    }
    const made: number[] = [];
    /** Until it is known. */
    let end = 2n ** 63n;
    const random = new Random(seed);
    const clients = Array.from({ length: CLIENTS }, () => {
      const own = new Random(random.below(2 ** 31));
      return restless(own, (lastId) => lastId >= end);
    });
    const started = performance.now();
    let left = CHANGES;
    const write = async (_: unknown, writer: number): Promise<void> => {
      for (let turn = 1; left > 0; turn += 1) {
        left -= 1;
        const path = `/flows/flow-${writer}/versions/${1 + (turn % 2)}/environments`;
        const { release } = await good(http.post<Changed>(path, { environment: `lane-${writer}` }));
        made.push(Number(release?.position));
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, write));
    const writtenMs = performance.now() - started;
    end = BigInt(Math.max(...made));
    const seen = await Promise.all(clients);
    const seconds = (ms: number): string => (ms / 1_000).toFixed(1);
    const deliveries = seen.reduce((sum, { length }) => sum + length, 0);
    process.stdout.write(
      `${CHANGES} changes in ${seconds(writtenMs)} s, ${deliveries} messages by ` +
        `${seconds(performance.now() - started)} s\n`,
    );
    const whole = await EventClient.openAfter(http, '0');
    await whole.untilId(String(end));
    const expected = whole.ids.map(Number);
    whole.close();
    expect(expected).toEqual([...new Set(expected)].sort((a, b) => a - b));
    const known = new Set(expected);
    expect(made.filter((position) => !known.has(position))).toEqual([]);
    expect(made).toHaveLength(CHANGES);
    for (const positions of seen) expect(positions).toEqual(expected);
  },
  TEST_MS_MAX,
);

const rule = unless(process.platform === 'linux' ? '' : 'the memory of a process is read from /proc');

function memoryOf({ child }: ServerProcess): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

rule(
  `${SILENT} clients that never read cost at most ${SILENT_BYTES_MAX >> 20} MiB, and who falls behind is cut off`,
  async () => {
    const release = await largeReleases();
    const cut = () => figure('switchyard_event_streams_cut_total');
    const cutBefore = await cut();
    let usual = 0;
    for (let made = 0; made < RELEASES_BEFORE; made += 1) {
      await release();
      usual = Math.max(usual, memoryOf(server));
    }
    // Half of them begin with what has been, the other half with what comes.
    const silent = await Promise.all(
      Array.from({ length: SILENT }, async (_, number) => {
        const client = await (number % 2 === 0 ? EventClient.open(http) : EventClient.openAfter(http, '0'));
        client.answer.pause();
        return client;
      }),
    );
    let heard = 0;
    const reader = await EventClient.open(http, '/events', {}, ({ event }) => {
      heard += event.startsWith('io.switchyard.') ? 1 : 0;
    });
    let most = 0;
    let made = 0;
    for (; made < RELEASES_MAX && (await cut()) - cutBefore < SILENT / 2; made += 1) {
      await release();
      most = Math.max(most, memoryOf(server));
    }
    const cutOff = (await cut()) - cutBefore;
    const more = ((most - usual) / 2 ** 20).toFixed(0);
    process.stdout.write(
      `${made} releases, ${cutOff} of ${SILENT} cut, ${more} MiB more than the usual ${usual >> 20} MiB\n`,
    );
    expect(cutOff).toBeGreaterThanOrEqual(SILENT / 2);
    expect(most - usual).toBeLessThanOrEqual(SILENT_BYTES_MAX);
    // Whoever reads has missed nothing meanwhile.
    await reader.until(() => heard === made);
    expect(server.stderr).toContain('a client that follows the changes was cut off');
    for (const client of [...silent, reader]) client.close();
  },
  TEST_MS_MAX,
);

/** What makes one release of many changes, each time that it is called. */
async function largeReleases(): Promise<() => Promise<unknown>> {
  for (const name of ['source', 'target']) await good(http.post('/environments', { name }));
  for (let number = 0; number < FLOWS; number += 1) {
    await good(http.post('/flows', { name: `large-${number}`, content: { number } }));
    await good(http.post(`/flows/large-${number}/versions/1/environments`, { environment: 'source' }));
  }
  let turn = 0;
  return () => {
    turn += 1;
    if (turn % 2 === 0) return good(http.post('/environments/target/rollback', { toRelease: 0 }));
    const pair = { sourceEnvironment: 'source', targetEnvironment: 'target' };
    return good(http.post('/environments/promote', pair));
  };
}
