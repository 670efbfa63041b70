// A program of its own: a call starts in the very turn in which the client gives up the connection because of
// another call. Prints "alive" at the end, if it gets there.

import { randomUUID } from 'node:crypto';
import { Metadata } from '@grpc/grpc-js';
import service from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { readKurrentAddress } from '../../src/store/kurrent.address.js';
import { KurrentClient } from '../../src/store/kurrent.client.js';
import { toEventData } from '../../src/store/kurrent.events.js';
import { EventStoreDouble } from './event-store-double.js';

/** The inside of the client, where the other call's failure arrives. */
interface Inside {
  getGRPCClient(kind: unknown, name: string): Promise<unknown>;
  handleError(grpcClient: unknown, error: Error): Promise<void>;
}

const double = await EventStoreDouble.start();
const client = new KurrentClient(readKurrentAddress(double.url));
const inside = (client as unknown as { client: Inside }).client;
const append = (stream: string) =>
  client.append(
    stream,
    [toEventData({ id: randomUUID(), type: 'Written', data: '{}', meta: '{}' })],
    'no-stream',
    500,
  );

await append('s');
for (let steps = 0; steps < 6; steps += 1) {
  const grpcClient = await inside.getGRPCClient(service.StreamsClient, 'read');
  const appending = append(`s${steps}`).catch(() => undefined);
  for (let step = 0; step < steps; step += 1) await Promise.resolve();
  const gone = { code: 14, details: 'Connection dropped', metadata: new Metadata() };
  void inside.handleError(grpcClient, Object.assign(new Error('Connection dropped'), gone));
  await appending;
}
await client.close();
await double.stop();
process.stdout.write('alive');
