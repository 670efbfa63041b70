// Every adapter is enrolled here with the one contract that holds them all.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryEventStore } from '../../src/store/memory.event-store.js';
import { SqliteEventStore } from '../../src/store/sqlite.event-store.js';
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
