// A program of its own: writers on an EventStoreDB double that is cut, stopped and disturbed all the while. It
// ends well only if nothing ended the process, and prints what was acknowledged, stored and delivered.

import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { OutcomeUnknown, START, StoreUnavailable, type StoredEvent } from '../../src/store/event-store.js';
import { KurrentEventStore } from '../../src/store/kurrent.event-store.js';
import { EventStoreDouble } from './event-store-double.js';
import { REFUSALS } from './event-store-double.wire.js';

const WRITERS = 6;
const HASTY = { attemptMs: 150, settleMs: 500, deliveryMs: 200, readMs: 300, watchMs: 50 };
const OURS = { prefixes: ['writer-'] };

const double = await EventStoreDouble.start();
const addresses = [double.url, `esdb+discover://${double.host}?tls=false&maxDiscoverAttempts=2`];
const stores = await Promise.all(
  addresses.map((address) => KurrentEventStore.open(address, { ...HASTY, ...OURS })),
);
const seen: StoredEvent[][] = stores.map(() => []);
stores.forEach((store, i) =>
  store.subscribe({
    after: START,
    onEvents: (events) => void seen[i]?.push(...events),
    onError: (error) => {
      throw error;
    },
  }),
);

let disturbing = true;
const disturbances: (() => void | Promise<void>)[] = [
  () => double.cut(),
  async () => {
    await double.stop();
    await pause(120);
    await double.start();
  },
  () => void double.faults.push({ stored: true, answer: 'none' }, { stored: false, answer: 'cut' }),
  () => void double.faults.push({ stored: true, answer: 'cut' }, { stored: true, answer: 'twice' }),
  () =>
    void double.faults.push(
      { stored: false, answer: REFUSALS.busy() },
      { stored: true, answer: { afterMs: 300 } },
    ),
  () => double.reads.drop(REFUSALS.notReady()),
  () => double.reads.silence(),
  () => double.reads.repeat(),
];

/** The very same append until its outcome is known. */
async function settle(
  store: KurrentEventStore,
  stream: string,
  revision: number,
): Promise<readonly string[]> {
  const events = [1, 2].map((n) => ({ id: randomUUID(), type: 'Written', data: `{"n":${n}}`, meta: '{}' }));
  for (;;) {
    try {
      await store.append(stream, events, revision < 0 ? 'no-stream' : revision);
      return events.map(({ id }) => id);
    } catch (error) {
      if (!(error instanceof OutcomeUnknown || error instanceof StoreUnavailable)) throw error;
    }
    await pause(5);
  }
}

async function write(writer: number): Promise<readonly string[]> {
  const store = stores[writer % stores.length] as KurrentEventStore;
  const acknowledged: string[] = [];
  for (let revision = -1; disturbing; revision += 2) {
    acknowledged.push(...(await settle(store, `writer-${writer}`, revision)));
  }
  return acknowledged;
}

const writing = Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
for (let round = 0; round < 3; round += 1) {
  for (const disturb of disturbances) {
    await disturb();
    await pause(60);
  }
}
disturbing = false;
const acknowledged = (await writing).flat();
const stored = double.log.records.filter(({ stream }) => stream.startsWith('writer-')).map(({ id }) => id);
const deadline = performance.now() + 20_000;
while (seen.some((events) => events.length < stored.length) && performance.now() < deadline) await pause(10);
await Promise.all(stores.map((store) => store.close()));
await double.stop();
process.stdout.write(
  JSON.stringify({ acknowledged, stored, seen: seen.map((events) => events.map(({ id }) => id)) }),
);
