// Commands and rebuilds on each store, beside SQLite in the same run; and what more servers on one PostgreSQL bring.
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { LogFollower } from '../src/read/log-follower.js';
import { openEventStore } from '../src/store/open-event-store.js';
import { type Bench } from './bench.js';
import { activations } from './commands.js';
import { load } from './load.js';
import type { Server } from './processes.js';
import { eventStoreDb, postgres, sqlite, type StoreServer } from './store-servers.js';
import { figure, readable, type Figure } from './table.js';

const LANES = 64;
const SERVERS = [1, 2, 4];
const WAIT_MS_MAX = 600_000;

export async function measureStores(bench: Bench): Promise<Figure[]> {
  const seed = await bench.seed({ flows: bench.quick ? 200 : 2_000, rounds: 2, lanes: LANES });
  const figures: Figure[] = [];
  let file: Measured | undefined;
  for (const open of [sqlite, postgres, eventStoreDb]) {
    const store = await open(bench, seed);
    if (store === undefined) continue;
    const measured = await measureStore(bench, store, seed.key);
    file ??= measured;
    figures.push(...figuresOf(store, measured, file));
    if (store.name === 'PostgreSQL') figures.push(...(await severalServers(bench, store, seed.key)));
    await store.stop();
  }
  return figures;
}

interface Measured {
  readonly one: number;
  readonly many: number;
  readonly rebuilt: number;
  readonly read: number;
  readonly events: number;
  readonly raw: number | null;
}

async function measureStore(bench: Bench, store: StoreServer, key: string): Promise<Measured> {
  const rebuilt = await rebuild(store);
  const server = await bench.server(await ownFolder(bench), {}, store.setting);
  const run = (connections: number) => commands(bench, [server], key, connections);
  await run(1);
  const measured = { one: await run(1), many: await run(LANES), ...rebuilt };
  await server.stop();
  const raw = store.address.kind === 'postgres' ? await rawTransactions(bench, store.address.url) : null;
  return { ...measured, raw };
}

function figuresOf(
  store: StoreServer,
  { one, many, rebuilt, read, events, raw }: Measured,
  file: Measured,
): Figure[] {
  const bar = { atLeast: 0, of: 'ratio' } as const;
  const limitOfOne = raw ?? file.one;
  const whose =
    raw === null ? 'the same on SQLite' : 'one INSERT and COMMIT of the same event with `pg` alone';
  return [
    figure({
      row: `${store.name}: one command, 1 client`,
      unit: '/s',
      rounds: [{ measured: one, limit: limitOfOne }],
      bar,
      notes: [`limit: ${whose}`],
    }),
    figure({
      row: `${store.name}: commands, ${LANES} clients`,
      unit: '/s',
      rounds: [{ measured: many, limit: one }],
      bar: { atLeast: 3, of: 'ratio' },
      notes: [`${LANES} environments; limit: the rate of 1 client`],
    }),
    figure({
      row: `${store.name}: rebuild of every view`,
      unit: 'events/s',
      rounds: [{ measured: rebuilt, limit: read }],
      bar: { atLeast: 0.3, of: 'ratio' },
      notes: [`${readable(events)} events; limit: reading the same log through the adapter and parsing it`],
    }),
  ];
}

/** Servers with data folders of their own, the clients spread over them evenly. */
async function severalServers(bench: Bench, store: StoreServer, key: string): Promise<Figure[]> {
  const figures: Figure[] = [];
  let alone = 0;
  for (const count of SERVERS) {
    const servers: Server[] = [];
    while (servers.length < count) {
      servers.push(await bench.server(await ownFolder(bench), {}, store.setting));
    }
    const rate = await commands(bench, servers, key, LANES);
    if (count === 1) alone = rate;
    await Promise.all(servers.map((server) => server.stop()));
    figures.push(
      figure({
        row: `${store.name}: ${LANES} clients over ${count} ${count === 1 ? 'server' : 'servers'}`,
        unit: '/s',
        rounds: [{ measured: rate, limit: alone }],
        bar: { atLeast: 0, of: 'ratio' },
        notes: ['limit: 1 server; clients, servers and PostgreSQL share the cores of this machine'],
      }),
    );
  }
  return figures;
}

/** Commands per second of all clients together. */
async function commands(
  bench: Bench,
  servers: readonly Server[],
  key: string,
  clients: number,
): Promise<number> {
  const lanes = Array.from({ length: LANES }, (_, lane) => activations(lane));
  const seconds = bench.quick ? 1 : 4;
  const share = clients / servers.length;
  const rates = await Promise.all(
    servers.map(({ port }, index) => {
      const asks = lanes.slice(index * share, (index + 1) * share);
      return load({ port, key, connections: share, seconds, asks, order: 'in turn' });
    }),
  );
  return rates.reduce((sum, { perSecond }) => sum + perSecond, 0);
}

async function rebuild({ address }: StoreServer) {
  const folder = await mkdtemp(join(tmpdir(), 'switchyard-rebuild-'));
  const store = await openEventStore(address);
  const startedReading = performance.now();
  let events = 0;
  for (let after = 0n; ;) {
    const page = await store.readAll({ after });
    for (const { data, meta } of page) {
      if (typeof JSON.parse(data) !== 'object' || typeof JSON.parse(meta) !== 'object') throw new Error(data);
    }
    const last = page.at(-1);
    if (last === undefined) break;
    events += page.length;
    after = last.position;
  }
  const read = (events * 1_000) / (performance.now() - startedReading);
  const started = performance.now();
  const follower = await LogFollower.start(store, join(folder, 'views.db'));
  await follower.views.progress.reached(follower.live.progress.position, WAIT_MS_MAX);
  const rebuilt = (events * 1_000) / (performance.now() - started);
  await follower.close();
  await store.close();
  await rm(folder, { recursive: true });
  return { rebuilt, read, events };
}

/** What a bare table with the same columns takes, one event in each transaction, from one client. */
async function rawTransactions(bench: Bench, url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('CREATE TABLE raw (LIKE switchyard.events INCLUDING ALL)');
  const { rows } = await client.query<Record<string, unknown>>(
    'SELECT * FROM switchyard.events ORDER BY position DESC LIMIT 1',
  );
  const columns = Object.keys(rows[0] ?? {});
  const values = Object.values(rows[0] ?? {});
  const text = `INSERT INTO raw (${columns.join()}) VALUES (${columns.map((_, i) => `$${i + 1}`).join()})`;
  const until = performance.now() + (bench.quick ? 1_000 : 4_000);
  const started = performance.now();
  let done = 0;
  for (; performance.now() < until; done += 1) {
    const own = { position: done + 1, revision: done, id: randomUUID() } as Record<string, unknown>;
    await client.query({ name: 'raw', text, values: columns.map((name, i) => own[name] ?? values[i]) });
  }
  const rate = (done * 1_000) / (performance.now() - started);
  await client.query('DROP TABLE raw');
  await client.end();
  return rate;
}

function ownFolder(bench: Bench): Promise<string> {
  return mkdtemp(join(bench.folder, 'server-'));
}
