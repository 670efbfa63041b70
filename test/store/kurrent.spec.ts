// What an append to EventStoreDB may answer when the server, or the wire to it, fails: that the events are there,
// that they are not, or that nobody knows. Whatever it was, a retry with the same ids leaves one effect.
import {
  AppendTooLarge,
  OutcomeUnknown,
  RevisionConflict,
  START,
  StoreRefused,
  StoreUnavailable,
  type NewEvent,
  type StoredEvent,
} from '../../src/store/event-store.js';
import { KurrentEventStore, type KurrentOptions } from '../../src/store/kurrent.event-store.js';
import { OUR_PREFIXES } from '../../src/store/kurrent.streams.js';
import { EventStoreDouble, type AppendFault } from '../support/event-store-double.js';
import { REFUSALS } from '../support/event-store-double.wire.js';
import { event, everything, until } from './event-store.contract.js';

const HASTY = { attemptMs: 150, settleMs: 2_000, deliveryMs: 300, readMs: 500, openMs: 500, watchMs: 50 };
/** The double's log holds events of others too. */
const OURS = ['s', 'environment-'];

let double: EventStoreDouble;
const opened: KurrentEventStore[] = [];

async function open(options: KurrentOptions = {}): Promise<KurrentEventStore> {
  const store = await KurrentEventStore.open(double.url, { ...HASTY, prefixes: OURS, ...options });
  opened.push(store);
  return store;
}

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'it went well',
    (error: unknown) => error,
  );

function contents(stream: string): { type: string; contentType: string; data: string; meta: string }[] {
  return (double.log.stream(stream) ?? []).map(({ type, contentType, data, meta }) => ({
    type,
    contentType,
    data: Buffer.from(data).toString(),
    meta: Buffer.from(meta).toString(),
  }));
}

beforeEach(async () => {
  double = await EventStoreDouble.start();
});

afterEach(async () => {
  double.reads.deaf = false;
  await Promise.all(opened.splice(0).map((store) => store.close()));
  // Every append names its caller, which keeps it off the path that one late answer can end the process on.
  expect(double.batchAppends).toBe(0);
  await double.stop();
});

describe('An append to EventStoreDB that is disturbed once', () => {
  const faults: readonly [string, AppendFault][] = [
    ['answered late', { stored: true, answer: { afterMs: 400 } }],
    ['stored and never answered', { stored: true, answer: 'none' }],
    ['lost by the server', { stored: false, answer: 'none' }],
    ['cut off before it is stored', { stored: false, answer: 'cut' }],
    ['cut off after it is stored', { stored: true, answer: 'cut' }],
    ['answered twice', { stored: true, answer: 'twice' }],
    ['answered with nothing', { stored: true, answer: 'empty' }],
    ['refused by a server that is not ready', { stored: false, answer: REFUSALS.notReady() }],
    ['refused by a server that is busy', { stored: false, answer: REFUSALS.busy() }],
    ['timed out at the server, and stored', { stored: true, answer: REFUSALS.timeout() }],
  ];

  it.each(faults)('and %s has one effect, by the same ids at the same revision', async (_, fault) => {
    const store = await open();
    const seen: StoredEvent[] = [];
    store.subscribe({
      after: START,
      onEvents: (events) => void seen.push(...events),
      onError: () => undefined,
    });
    const first = await store.append('s', [event()], 'no-stream');
    double.faults.push(fault);
    const events = [event(), event()];
    const appended = await store.append('s', events, 0);
    expect(appended.revision).toBe(2);
    const log = await everything(store);
    expect(log.map(({ id }) => id).slice(1)).toEqual(events.map(({ id }) => id));
    expect([first.position, appended.position]).toEqual([log[0]?.position, log[2]?.position]);
    const [, ...attempts] = double.attempts;
    expect(attempts.length).toBeGreaterThanOrEqual(fault.answer === 'twice' ? 1 : 2);
    for (const attempt of attempts) {
      expect(attempt).toEqual({ stream: 's', ids: events.map(({ id }) => id), expected: '0' });
    }
    await until(() => seen.length >= 3);
    expect(seen.map(({ position }) => position)).toEqual(log.map(({ position }) => position));
    await until(() => store.failing === undefined);
  });
});

describe('An append to EventStoreDB that cannot be settled', () => {
  it.each([true, false])('is of unknown outcome, and a retry settles it (stored: %s)', async (stored) => {
    const store = await open({ settleMs: 600 });
    for (let i = 0; i < 20; i += 1) double.faults.push({ stored: stored && i === 0, answer: 'none' });
    const events = [event()];
    expect(await rejection(store.append('s', events, 'no-stream'))).toBeInstanceOf(OutcomeUnknown);
    double.faults.length = 0;
    expect((await store.append('s', events, 'no-stream')).revision).toBe(0);
    expect(await everything(store)).toHaveLength(1);
  });

  it('is refused while nobody is there, says so meanwhile, and works again afterwards', async () => {
    const store = await open();
    await store.append('s', [event()], 'no-stream');
    await double.stop();
    await until(() => store.failing !== undefined);
    const events = [event()];
    const started = performance.now();
    expect(await rejection(store.append('s', events, 0))).toBeInstanceOf(StoreUnavailable);
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(store.failing).toMatch(/^The (event store|log) /);
    for (const read of [store.readStream('s'), store.readAll(), store.head()]) {
      expect(await rejection(read)).toBeInstanceOf(StoreUnavailable);
    }
    await double.start();
    await until(() => store.failing === undefined);
    expect((await store.append('s', events, 0)).revision).toBe(1);
    expect(await everything(store)).toHaveLength(2);
  });

  it('says no conflict of its own making when an earlier attempt got through', async () => {
    const store = await open();
    double.faults.push({ stored: true, answer: 'none' }, { stored: false, answer: REFUSALS.busy() });
    const other = await open();
    const events = [event()];
    const appending = store.append('s', events, 'no-stream');
    await until(() => double.log.stream('s') !== undefined);
    await other.append('s', [event()], 0);
    expect((await appending).revision).toBe(0);
  });
});

describe('An append that EventStoreDB refuses', () => {
  it('for its size is refused with the number of that server', async () => {
    const store = await open();
    double.appendBytesMax = 1_000;
    const large = event({ data: JSON.stringify('x'.repeat(1_200)) });
    const error = await rejection(store.append('s', [large], 'no-stream'));
    expect(error).toBeInstanceOf(AppendTooLarge);
    expect(error).toMatchObject({ bytesMax: 1_000, bytes: large.data.length + large.meta.length });
    double.appendBytesMax = 10_000;
    double.eventBytesMax = 800;
    expect(await rejection(store.append('s', [large], 'no-stream'))).toMatchObject({ bytesMax: 800 });
    expect(double.attempts).toEqual([]);
  });

  it('for one event beyond what any server takes is refused before it is sent', async () => {
    const store = await open();
    const error = await rejection(
      store.append('s', [event({ data: `"${'x'.repeat(16 * 1024 * 1024)}"` })], 'no-stream'),
    );
    expect(error).toBeInstanceOf(AppendTooLarge);
    expect(store.failing).toBeUndefined();
  });

  it('because the stream was deleted names the stream', async () => {
    const store = await open();
    await store.append('environment-1', [event()], 'no-stream');
    double.log.tombstone('environment-1');
    const refused = [store.append('environment-1', [event()], 0), store.readStream('environment-1')];
    for (const error of await Promise.all(refused.map(rejection))) {
      expect(error).toBeInstanceOf(StoreUnavailable);
      expect(String(error)).toContain('Stream environment-1 has been deleted');
    }
    // What the server writes about that is no event of the log.
    expect(await everything(store)).toHaveLength(1);
  });

  it('is not confused with one to a stream that was deleted softly and begins anew elsewhere', async () => {
    const store = await open();
    await store.append('s', [event(), event()], 'no-stream');
    double.log.softDelete('s');
    expect(String(await rejection(store.append('s', [event()], 'no-stream')))).toContain('ends at 2');
  });

  it('because we may not is unavailable, and refuses a start', async () => {
    const store = await open();
    double.refusing = REFUSALS.denied();
    const error = await rejection(store.append('s', [event()], 'no-stream'));
    expect(error).toBeInstanceOf(StoreUnavailable);
    expect(String(error)).toContain('does not let us write to s');
    const refused = await rejection(open());
    expect(refused).toBeInstanceOf(StoreRefused);
    expect(String(refused)).toMatch(/does not let the user nobody read its whole log \(\$all\)/);
    double.refusing = undefined;
    await until(() => store.failing === undefined);
  });
});

describe('Before EventStoreDB sees it, an append', () => {
  it('needs UUIDs as ids, each once', async () => {
    const store = await open();
    for (const id of ['', 'one', '0188F0D0-0000-7000-8000-000000000000']) {
      await expect(store.append('s', [event({ id })], 'no-stream')).rejects.toThrow('no UUID');
    }
    const twice = event();
    expect(await rejection(store.append('s', [twice, twice], 'no-stream'))).toBeInstanceOf(RevisionConflict);
    expect(double.attempts).toEqual([]);
  });

  it('needs a stream that the log is made of, or it would never be read again', async () => {
    const store = await open({ prefixes: OUR_PREFIXES });
    await expect(store.append('invoice-1', [event()], 'no-stream')).rejects.toThrow('is not a stream');
    await expect(store.append('$stats', [event()], 'no-stream')).rejects.toThrow('is not a stream');
    for (const prefix of OUR_PREFIXES) await store.append(`${prefix}1`, [event()], 'no-stream');
    expect(await everything(store)).toHaveLength(OUR_PREFIXES.length);
  });
});

describe('What EventStoreDB keeps', () => {
  it('is JSON wherever that is exact, and plain bytes elsewhere, always the very same', async () => {
    const store = await open();
    const meta = '{"actor":"ana","$correlationId":"c","$causationId":"d"}';
    const events: NewEvent[] = [
      event({ data: '{"a":1,"b":["ж",null]}', meta }),
      event({ data: '{"a":1.0}', meta }),
      event({ data: '"text"', meta: '{ "spaces":true}' }),
      event({ data: '{"__proto__":{"a":1}}', meta: '{"switchyard.verbatim":"{}"}' }),
    ];
    await store.append('s', events, 'no-stream');
    const kept = contents('s');
    expect(kept.map(({ data }) => data)).toEqual(events.map(({ data }) => data));
    const kinds = ['application/json', 'application/octet-stream'];
    expect(kept.map(({ contentType }) => kinds.indexOf(contentType))).toEqual([0, 1, 1, 0]);
    expect(kept.slice(0, 2).map((one) => one.meta)).toEqual([meta, meta]);
    const read = await store.readStream('s');
    expect(read.map(({ data, meta: given }) => [data, given])).toEqual(
      events.map(({ data, meta: given }) => [data, given]),
    );
  });

  it('is closed to other users, stream by stream, where there are users', async () => {
    const store = await open({ restricted: true });
    await store.append('s', [event()], 'no-stream');
    await store.append('s', [event()], 0);
    await until(() => double.log.stream('$$s') !== undefined);
    const rules = { $w: ['nobody', '$admins'], $d: ['$admins'], $mw: ['$admins'] };
    const [only, ...more] = contents('$$s');
    expect([JSON.parse(only?.data ?? '{}'), more]).toEqual([{ $acl: rules }, []]);
  });

  it('stays open where the rules may not be set, which is said once and hinders nothing', async () => {
    const lines: string[] = [];
    double.rulesLocked = true;
    const store = await open({ restricted: true, warn: (line) => void lines.push(line) });
    for (const stream of ['s1', 's2', 's3']) await store.append(stream, [event()], 'no-stream');
    await store.close();
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('cannot be restricted to the user nobody');
  });

  it('has no such rules where there are no users', async () => {
    const store = await open();
    await store.append('s', [event()], 'no-stream');
    await store.close();
    expect(double.log.stream('$$s')).toBeUndefined();
  });
});

describe('A store on EventStoreDB', () => {
  it('finds the leader when the node that it was given is not', async () => {
    const leader = await EventStoreDouble.start(double.log);
    const [host = '', port] = leader.host.split(':');
    double.leader = { host, port: Number(port) };
    const store = await open();
    const { position } = await store.append('s', [event()], 'no-stream');
    expect(await store.head()).toBe(position);
    expect([double.attempts.length, leader.attempts.length]).toEqual([0, 1]);
    await store.close();
    await leader.stop();
  });

  it('finds a cluster by its name', async () => {
    const store = await KurrentEventStore.open(`kurrentdb+discover://${double.host}?tls=false`, {
      ...HASTY,
      prefixes: OURS,
    });
    opened.push(store);
    await store.append('s', [event()], 'no-stream');
    expect(await everything(store)).toHaveLength(1);
  });

  it('counts appends that wrote something', async () => {
    const store = await open();
    const events = [event()];
    await store.append('s', events, 'no-stream');
    await store.append('s', events, 'no-stream');
    await rejection(store.append('s', [event()], 'no-stream'));
    expect(store.statistics()).toEqual({ appends: 1, commits: 1 });
  });

  it('lets go of its connection when it is closed', async () => {
    const store = await open();
    await store.append('s', [event()], 'no-stream');
    expect(double.connections).toBeGreaterThan(0);
    await store.close();
    await until(() => double.connections === 0);
  });

  it('gives up on a read that gets no answer', async () => {
    const store = await open();
    double.reads.deaf = true;
    expect(await rejection(store.readStream('s'))).toBeInstanceOf(StoreUnavailable);
    await until(() => store.failing !== undefined);
    double.reads.deaf = false;
    await until(() => store.failing === undefined);
  });
});
