// The connection to the server: the client of EventStoreDB, one for each store, with guards around the places
// where it would end the process or leave a call without an answer.

import {
  EventStoreDBClient,
  NO_STREAM,
  type AllStreamSubscription,
  type AppendResult,
  type EventData,
  type Filter,
  type ReadAllOptions,
  type ReadStreamOptions,
  type StreamingRead,
  type ResolvedEvent,
} from '@eventstore/db-client';
import { StoreRefused, type ExpectedRevision, type Position } from './event-store.js';
import type { KurrentAddress } from './kurrent.address.js';
import { CallTimeout } from './kurrent.outcome.js';

const SUBSCRIBED_AHEAD_MAX = 256;

/** What the client keeps to itself, as version 6.2.1 has it. */
interface Internals {
  handleError: (grpcClient: unknown, error: Error) => Promise<void>;
  createChannel: () => Promise<{ close(): void }>;
  readonly getChannel: () => Promise<{ close(): void }>;
}

export class KurrentClient {
  private readonly client: EventStoreDBClient;
  private readonly internals: Internals;
  /**
   * Named in every call. It keeps appends off the client's shared batch stream, where a late or second answer
   * ends the process and a fault of one connection fails the appends of all others.
   */
  private readonly caller: { credentials: { username: string; password: string }; requiresLeader: true };

  constructor(address: KurrentAddress) {
    try {
      this.client = EventStoreDBClient.connectionString(address.connection);
    } catch (error) {
      const reason = error instanceof Error ? error.message.split('\n', 1)[0] : 'it cannot be read';
      throw new StoreRefused(`The address of the event store ${address.shown} is refused: ${reason}`);
    }
    this.internals = this.client as unknown as Internals;
    const { user: username, password } = address;
    this.caller = { credentials: { username, password }, requiresLeader: true };
    this.guardReconnecting();
  }

  /** Settles in any case, soon after `ms`; what comes later is nobody's concern. */
  async append(
    stream: string,
    events: EventData[],
    expected: ExpectedRevision,
    ms: number,
  ): Promise<AppendResult> {
    const expectedRevision = expected === 'no-stream' ? NO_STREAM : BigInt(expected);
    const call = this.client.appendToStream(stream, events, {
      ...this.caller,
      expectedRevision,
      // The server hears of this one; ours is for a call that the client never settles.
      deadline: ms,
    });
    return within(call, ms + 250);
  }

  readStream(stream: string, options: ReadStreamOptions): StreamingRead<ResolvedEvent> {
    return this.client.readStream(stream, { ...this.caller, ...options });
  }

  readAll(options: ReadAllOptions): StreamingRead<ResolvedEvent> {
    return this.client.readAll({ ...this.caller, ...options });
  }

  subscribeToAll(after: Position, filter: Filter): AllStreamSubscription {
    const fromPosition = after === 0n ? ('start' as const) : { commit: after, prepare: after };
    return this.client.subscribeToAll(
      { ...this.caller, fromPosition, filter },
      { highWaterMark: SUBSCRIBED_AHEAD_MAX },
    );
  }

  /** Only where there are users: who may write, delete and change these rules. */
  async restrict(stream: string, writers: string[], administrators: string[], ms: number): Promise<void> {
    const acl = { writeRoles: writers, deleteRoles: administrators, metaWriteRoles: administrators };
    const call = this.client.setStreamMetadata(
      stream,
      { acl },
      { ...this.caller, expectedRevision: NO_STREAM, deadline: ms },
    );
    await within(call, ms + 250);
  }

  async close(): Promise<void> {
    this.internals.createChannel = () => Promise.reject(new Error('Channel has been shut down'));
    await this.client.dispose();
    // The client leaves its channel open, and with it the socket.
    await this.internals.getChannel().then(
      (channel) => channel.close(),
      () => undefined,
    );
  }

  /**
   * When a call fails the client replaces its channel, in a promise that nobody watches: it is rejected while
   * no node of a cluster answers. And a call that starts in the very same turn finds the channel closed under
   * its hands and throws where nobody catches. A turn of its own for the replacement settles both.
   */
  private guardReconnecting(): void {
    const reconnect = this.internals.handleError;
    this.internals.handleError = async (grpcClient, error) => {
      setImmediate(() => void reconnect(grpcClient, error).catch(() => undefined));
    };
  }
}

function within<T>(call: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new CallTimeout(`No answer within ${ms} ms`)), ms);
    call.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
