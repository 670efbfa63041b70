// Every adapter is enrolled here with the one contract that holds them all.

import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KurrentEventStore } from '../../src/store/kurrent.event-store.js';
import { MemoryEventStore } from '../../src/store/memory.event-store.js';
import { PostgresEventStore } from '../../src/store/postgres.event-store.js';
import { SqliteEventStore } from '../../src/store/sqlite.event-store.js';
import { EventStoreDouble } from '../support/event-store-double.js';
import { PostgresServer, missing } from '../support/postgres-server.js';
import { eventStoreContract } from './event-store.contract.js';

eventStoreContract({ name: 'memory', open: async () => new MemoryEventStore() });

const folder = mkdtempSync(join(tmpdir(), 'switchyard-store-'));
let files = 0;
const newest = (): string => join(folder, `events-${files}.db`);

afterAll(() => rmSync(folder, { recursive: true }));

eventStoreContract({
  name: 'SQLite',
  open: () => {
    files += 1;
    return SqliteEventStore.open(newest());
  },
  reopen: () => SqliteEventStore.open(newest()),
});

if (missing === '') {
  let server: PostgresServer;
  let url = '';
  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server.remove());

  eventStoreContract({
    name: 'PostgreSQL',
    open: async () => {
      url = await server.newDatabase();
      return PostgresEventStore.open(url);
    },
    reopen: () => PostgresEventStore.open(url),
    openSecond: () => PostgresEventStore.open(url),
    openOverWire: async () => {
      const { address, proxy } = await server.behindProxy(await server.newDatabase());
      return { store: await PostgresEventStore.open(address), wire: proxy };
    },
  });
} else {
  it.skip(`The PostgreSQL event store (${missing})`, () => undefined);
}

const double = new EventStoreDouble();
let logs = 0;

beforeAll(() => double.start());
afterAll(() => double.stop());

/** Ids are random, so that none comes twice by chance; nobody here appends one twice on purpose. */
const idsPerStream = 'the server looks for an id only where a retry would find it';
const deviations = {
  'appends all events or none, whatever else is being appended': idsPerStream,
  'has an id once in the whole log': idsPerStream,
  'answers a retry that comes to the other store with one effect': idsPerStream,
};

let lastOpened: KurrentEventStore | undefined;
const onDouble = async (): Promise<KurrentEventStore> => {
  lastOpened = await KurrentEventStore.open(double.url, { namespace: `log${logs}.`, prefixes: undefined });
  return lastOpened;
};

eventStoreContract({
  name: 'EventStoreDB (double)',
  open: () => {
    logs += 1;
    // Going through what earlier cases left would take longer than the cases.
    if (lastOpened?.failing !== undefined) double.log.clear();
    return onDouble();
  },
  reopen: async () => {
    await double.stop();
    await double.start();
    return onDouble();
  },
  openSecond: onDouble,
  openOverWire: async () => {
    logs += 1;
    const loseNextAnswer = (): void => void double.faults.push({ stored: true, answer: 'cut' });
    return { store: await onDouble(), wire: { loseNextAnswer, close: async () => undefined } };
  },
  deviations,
});

const realServer = process.env['SWITCHYARD_TEST_ESDB'];
process.stdout.write(
  realServer === undefined
    ? 'EventStoreDB: tested against the double of test/support; SWITCHYARD_TEST_ESDB can name a real server\n'
    : 'EventStoreDB: tested against the real server that SWITCHYARD_TEST_ESDB names, and against the double\n',
);
if (realServer !== undefined) {
  const run = randomUUID();
  const onServer = (): Promise<KurrentEventStore> =>
    KurrentEventStore.open(realServer, { namespace: `${run}.${logs}.`, prefixes: undefined });
  eventStoreContract({
    name: 'EventStoreDB (real server)',
    open: () => {
      logs += 1;
      return onServer();
    },
    reopen: onServer,
    openSecond: onServer,
    deviations,
  });
}
