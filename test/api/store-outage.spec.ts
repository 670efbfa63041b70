// The store goes away under load and comes back, again and again: what is answered holds, what is unknown is called
// unknown and settled by the same command with the same key, reads go on, and the servers mend by themselves.
import { setTimeout as pause } from 'node:timers/promises';
import { EventStoreDouble } from '../support/event-store-double.js';
import { everythingOn, Histories } from '../support/environment-histories.js';
import { missing, PostgresServer } from '../support/postgres-server.js';
import { seed } from '../support/random.js';
import { unless, until } from '../support/spec.js';
import { disturbedBy, Servers } from '../support/servers.js';

const HISTORIES = Number(process.env['TEST_OUTAGE_HISTORIES'] ?? 6);
const EVERY_MS = 400;
const AWAY_MS = 300;
const WAIT_MS_MAX = 30_000;
/** What a server may say instead of yes or no. */
const PROBLEMS = ['not-caught-up', 'outcome-unknown', 'store-unavailable'];

interface Store {
  readonly address: string;
  /** One of several things that may go wrong. */
  disturb(turn: number): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
}

const stores: readonly [string, string, () => Promise<Store>][] = [
  ['PostgreSQL', missing, postgres],
  ['EventStoreDB (double)', '', eventStoreDb],
];

describe.each(stores)('Two servers on %s', (_, without, open) => {
  const rule = unless(without);
  let store: Store;
  let two: Servers;

  beforeAll(async () => {
    if (without !== '') return;
    store = await open();
    two = await Servers.start(store.address);
  });
  afterAll(async () => {
    if (without !== '') return;
    await two.stop();
    await store.remove();
  });

  rule(
    `lose and repeat nothing while it is cut off, stopped and started (seed ${seed})`,
    async () => {
      const histories = await Histories.over(two);
      let turn = 0;
      const work = histories.recordAll(HISTORIES, 2);
      const recorded = await disturbedBy(
        () => store.disturb((turn += 1)),
        () => EVERY_MS,
        work,
      );
      expect(turn).toBeGreaterThan(2);
      expect([...two.problems].filter((code) => !PROBLEMS.includes(code))).toEqual([]);
      for (const history of recorded) expect(await histories.faultsOf(history)).toEqual([]);
      const one = await everythingOn(two.http(0));
      expect(await everythingOn(two.http(1))).toEqual(one);
      expect(await two.fresh(everythingOn)).toEqual(one);
    },
    180_000,
  );

  rule('go on answering reads while it is away, say that they are not ready, and mend', async () => {
    const http = two.http(0);
    const before = await http.get('/environments');
    await store.stop();
    await until(async () => (await http.send('GET', '/health/ready')).status === 503, WAIT_MS_MAX);
    const ready = await http.send<{ failures: string[] }>('GET', '/health/ready');
    expect(ready.body.failures.join()).toMatch(/The log cannot be (reached|written)/);
    expect((await http.get('/environments')).text).toBe(before.text);
    const refused = await http.post<{ code: string }>('/environments', { name: 'during' });
    expect({ status: refused.status, code: refused.body.code }).toMatchObject({ status: 503 });
    expect(refused.headers.get('retry-after')).not.toBeNull();
    expect((await http.send('GET', '/health/live')).status).toBe(200);
    await store.start();
    await until(async () => (await http.send('GET', '/health/ready')).status === 200, WAIT_MS_MAX);
    expect((await http.post('/environments', { name: 'afterwards' })).status).toBe(201);
  });
});

async function postgres(): Promise<Store> {
  const server = await PostgresServer.start();
  return {
    address: await server.newDatabase(),
    async disturb(turn) {
      if (turn % 3 === 0) {
        await server.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()`,
        );
        return;
      }
      await server.stop(turn % 3 === 1 ? 'fast' : 'immediate');
      await pause(AWAY_MS);
      await server.start();
    },
    stop: () => server.stop('fast'),
    start: () => server.start(),
    remove: () => server.remove(),
  };
}

async function eventStoreDb(): Promise<Store> {
  const double = await EventStoreDouble.start();
  return {
    address: double.url,
    async disturb(turn) {
      if (turn % 4 === 0) double.cut();
      else if (turn % 4 === 1) double.faults.push({ stored: true, answer: 'cut' });
      else if (turn % 4 === 2) double.faults.push({ stored: false, answer: 'cut' });
      else {
        await double.stop();
        await pause(AWAY_MS);
        await double.start();
      }
    },
    stop: () => double.stop(),
    start: () => double.start(),
    remove: () => double.stop(),
  };
}
