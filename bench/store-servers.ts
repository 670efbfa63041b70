// The stores that the rows of `stores` are measured on, each begun with the log of a seed: a file, a real PostgreSQL of
// this machine, and the in-process double of EventStoreDB in a process of its own.
import { join } from 'node:path';
import { copyBetween } from '../cli/copy.js';
import type { EventStoreAddress } from '../src/store-address.js';
import { PostgresServer, missing } from '../test/support/postgres-server.js';
import type { Bench } from './bench.js';
import { startBeside } from './processes.js';
import type { Seed } from './seed.js';

export interface StoreServer {
  readonly name: string;
  readonly address: EventStoreAddress;
  /** As SWITCHYARD_EVENT_STORE has it. */
  readonly setting: string;
  stop(): Promise<void>;
}

export async function sqlite(bench: Bench, seed: Seed): Promise<StoreServer> {
  const path = join(await bench.copy(seed), 'events.db');
  return {
    name: 'SQLite',
    address: { kind: 'sqlite', path },
    setting: `sqlite:${path}`,
    stop: async () => {},
  };
}

/** Undefined where no PostgreSQL can be run. It keeps its own defaults: every commit waits for its fsync. */
export async function postgres(bench: Bench, seed: Seed): Promise<StoreServer | undefined> {
  if (missing !== '') return undefined;
  const server = await PostgresServer.start();
  const url = await server.newDatabase();
  const address = { kind: 'postgres', url } as const;
  await copyBetween((await sqlite(bench, seed)).address, address);
  return { name: 'PostgreSQL', address, setting: url, stop: () => server.remove() };
}

export async function eventStoreDb(bench: Bench, seed: Seed): Promise<StoreServer> {
  const { ready: url, stop } = await startBeside<object, string>('./double-process.js', {});
  const address = { kind: 'kurrentdb', url } as const;
  await copyBetween((await sqlite(bench, seed)).address, address);
  return { name: 'EventStoreDB (double)', address, setting: url, stop };
}
