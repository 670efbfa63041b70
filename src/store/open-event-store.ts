// Which adapter an address asks for. The clients of the servers are large, so each is loaded only where it is used.
import type { EventStoreAddress } from '../store-address.js';
import type { EventStore } from './event-store.js';

/** Throws `StoreRefused` when the log cannot be opened; it is left as it was. */
export async function openEventStore(address: EventStoreAddress): Promise<EventStore> {
  switch (address.kind) {
    case 'sqlite': {
      const { SqliteEventStore } = await import('./sqlite.event-store.js');
      return SqliteEventStore.open(address.path);
    }
    case 'postgres': {
      const { PostgresEventStore } = await import('./postgres.event-store.js');
      return PostgresEventStore.open(address.url);
    }
    case 'kurrentdb': {
      const { KurrentEventStore } = await import('./kurrent.event-store.js');
      return KurrentEventStore.open(address.url);
    }
  }
}
