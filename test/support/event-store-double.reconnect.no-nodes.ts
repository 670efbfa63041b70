// A program of its own: a cluster refuses one call and knows no node to go to instead. While the client is still
// looking for one, its subscription breaks off as well. Prints "alive" at the end, if it gets there.

import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { KurrentEventStore } from '../../src/store/kurrent.event-store.js';
import { EventStoreDouble } from './event-store-double.js';
import { REFUSALS } from './event-store-double.wire.js';

const double = await EventStoreDouble.start();
const store = await KurrentEventStore.open(`esdb+discover://${double.host}?tls=false&maxDiscoverAttempts=3`, {
  prefixes: undefined,
  attemptMs: 400,
  settleMs: 800,
});
double.alone = true;
double.faults.push({ stored: false, answer: REFUSALS.notReady() });
const event = { id: randomUUID(), type: 'Written', data: '{}', meta: '{}' };
const appending = store.append('s', [event], 'no-stream').catch(() => undefined);
await pause(120);
double.reads.drop(REFUSALS.notReady());
// The search for a node is over by then, and has found none.
await appending;
await pause(600);
double.alone = false;
await store.append('s', [event], 'no-stream');
await store.close();
await double.stop();
process.stdout.write('alive');
