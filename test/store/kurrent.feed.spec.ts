// How a log on EventStoreDB is followed: nothing missed, nothing twice, whatever becomes of the subscription.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { START, StoreUnavailable, type StoredEvent } from '../../src/store/event-store.js';
import { DEFAULTS, KurrentEventStore, type KurrentOptions } from '../../src/store/kurrent.event-store.js';
import { OUR_PREFIXES } from '../../src/store/kurrent.streams.js';
import { EventStoreDouble } from '../support/event-store-double.js';
import { REFUSALS } from '../support/event-store-double.wire.js';
import { event, everything, until } from './event-store.contract.js';

const HASTY = { attemptMs: 300, settleMs: 2_000, deliveryMs: 5_000, readMs: 500, openMs: 500, watchMs: 50 };

let double: EventStoreDouble;
const opened: KurrentEventStore[] = [];

async function open(options: KurrentOptions = {}): Promise<KurrentEventStore> {
  const store = await KurrentEventStore.open(double.url, { ...HASTY, ...options });
  opened.push(store);
  return store;
}

function follow(store: KurrentEventStore): StoredEvent[] {
  const seen: StoredEvent[] = [];
  const onError = (error: unknown): void => {
    throw error;
  };
  store.subscribe({ after: START, onEvents: (events) => void seen.push(...events), onError });
  return seen;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Past every adapter, as another application or another server would. */
function appendElsewhere(stream: string, count = 1): void {
  for (let i = 0; i < count; i += 1) {
    const { id, type, data, meta } = event();
    const proposed = { id, type, contentType: 'application/json', data: bytes(data), meta: bytes(meta) };
    double.log.append(stream, 'any', [proposed]);
  }
}

const ours = (): string[] =>
  double.log.records
    .filter(({ stream, type }) => /^(flow|environment)-/.test(stream) && !type.startsWith('$'))
    .map(({ id }) => id);
const ids = (events: readonly StoredEvent[]): string[] => events.map(({ id }) => id);

beforeEach(async () => {
  double = await EventStoreDouble.start();
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
  await double.stop();
});

describe('A follower of a log on EventStoreDB', () => {
  it('sees what other servers append, in the one order of all', async () => {
    const [one, two] = [await open(), await open()];
    const followers = [follow(one), follow(two)];
    await Promise.all(
      [one, two].map(async (store, i) => {
        for (let n = 0; n < 30; n += 1)
          await store.append(`flow-${i}`, [event()], n === 0 ? 'no-stream' : n - 1);
      }),
    );
    for (const seen of followers) {
      await until(() => seen.length >= 60);
      expect(ids(seen)).toEqual(ours());
    }
  });

  it('sees exactly the events of its own streams, among any number of others', async () => {
    const store = await open();
    const seen = follow(store);
    for (let round = 0; round < 5; round += 1) {
      appendElsewhere('invoice-7', 200);
      appendElsewhere('$projections-master', 100);
      appendElsewhere('flows', 10);
      await store.append(`flow-${round}`, [event(), event()], 'no-stream');
    }
    double.log.tombstone('flow-0');
    appendElsewhere('environment-1', 3);
    await until(() => seen.length >= 13);
    expect(ids(seen)).toEqual(ours());
    expect(ids(await everything(store, START, 2))).toEqual(ours());
    const kinds = ['access', 'project', 'slug', 'flow', 'environment', 'command', 'record', 'attempt'];
    expect(OUR_PREFIXES).toEqual([...kinds, 'session', 'person'].map((kind) => `${kind}-`));
  });

  it('is told the end of the log as it is, behind or before events of others', async () => {
    const store = await open({ watchMs: 60_000 });
    appendElsewhere('invoice-7', 700);
    expect(await store.head()).toBe(START);
    const before = double.reads.eventsRead;
    expect(await store.head()).toBe(START);
    // It does not go through all the others' events again.
    expect(double.reads.eventsRead - before).toBe(1);
    const { position } = await store.append('flow-1', [event()], 'no-stream');
    appendElsewhere('invoice-7', 700);
    expect(await store.head()).toBe(position);
    appendElsewhere('environment-1');
    const [newest] = double.log.records.slice(-1);
    expect(await store.head()).toBe(newest?.position);
    const late = await open();
    expect(await late.head()).toBe(newest?.position);
  });

  const disturbances: readonly [string, () => void | Promise<void>][] = [
    ['breaks off with an error', () => double.reads.drop(REFUSALS.notReady())],
    ['ends in good order', () => double.reads.endSubscriptions()],
    ['loses its connection', () => double.cut()],
    ['falls silent without a sign', () => double.reads.silence()],
    ['delivers again what it has delivered', () => double.reads.repeat()],
    [
      'loses its server for a while',
      async () => {
        await double.stop();
        await double.start();
      },
    ],
  ];

  it.each(disturbances)(
    'misses nothing and sees nothing twice when its subscription %s',
    async (_, disturb) => {
      const store = await open();
      const seen = follow(store);
      for (let round = 0; round < 3; round += 1) {
        await store.append(`flow-${round}`, [event()], 'no-stream');
        await until(() => seen.length === round * 3 + 1);
        await disturb();
        // Nobody here appends, so that nothing but the end of the log could give the silence away.
        appendElsewhere('environment-1', 2);
        await until(() => seen.length >= (round + 1) * 3);
      }
      expect(ids(seen)).toEqual(ours());
      // Whoever comes later is handed what lies in memory, which must be the log as well.
      const late = follow(store);
      await until(() => late.length >= 9);
      expect(ids(late)).toEqual(ours());
      await until(() => store.failing === undefined);
    },
  );

  it('hears nothing of an outage while it still reads what is old', async () => {
    appendElsewhere('flow-1', 1_500);
    const store = await open();
    await double.stop();
    const seen = follow(store);
    await until(() => store.failing !== undefined);
    await double.start();
    await until(() => seen.length >= 1_500);
    expect(ids(seen)).toEqual(ours());
  });

  it('notices a silence within thirty seconds unless told otherwise', () => {
    expect(DEFAULTS.watchMs * 2 + DEFAULTS.readMs).toBeLessThan(30_000);
  });

  it('has an own append, late, when its subscription had died meanwhile', async () => {
    const store = await open({ deliveryMs: 100, watchMs: 60_000 });
    const seen = follow(store);
    await store.append('flow-1', [event()], 'no-stream');
    double.reads.silence();
    const { position } = await store.append('flow-1', [event()], 0);
    await until(() => seen.length >= 2);
    expect(seen[1]?.position).toBe(position);
  });

  it('is not led past an event that has no place of its own', async () => {
    const store = await open();
    const seen = follow(store);
    await store.append('flow-1', [event()], 'no-stream');
    double.reads.inTransactions = true;
    appendElsewhere('environment-1');
    await until(() => store.failing !== undefined);
    expect(store.failing).toMatch(/environment-1@0 was written in a transaction/);
    await expect(store.readAll()).rejects.toBeInstanceOf(StoreUnavailable);
    expect(seen).toHaveLength(1);
  });
});

describe('A process that writes to an EventStoreDB in trouble', () => {
  /** With Node's own default: a rejection that nobody handles ends the process. */
  async function run(name: string): Promise<string> {
    const program = new URL(`../support/event-store-double.${name}.js`, import.meta.url).pathname;
    const env = { PATH: process.env['PATH'] ?? '' };
    const options = { env, timeout: 50_000, maxBuffer: 64 * 1024 * 1024 };
    return (await promisify(execFile)(process.execPath, [program], options)).stdout;
  }

  it('lives on, and has every acknowledged event once in the log and once in every view', async () => {
    const result: unknown = JSON.parse(await run('trouble'));
    const { acknowledged, stored, seen } = result as Record<'acknowledged' | 'stored', string[]> & {
      seen: string[][];
    };
    expect(stored.length).toBeGreaterThanOrEqual(12);
    expect(new Set(stored).size).toBe(stored.length);
    expect([...acknowledged].sort()).toEqual([...stored].sort());
    for (const view of seen) expect(view).toEqual(stored);
  });

  it.each(['same-turn', 'no-nodes'])(
    'lives on when the client replaces its connection (%s)',
    async (scene) => {
      expect(await run(`reconnect.${scene}`)).toBe('alive');
    },
  );
});
