// An EventStoreDB of the test's own, in this process: a gRPC server over the client's own generated code, with
// a wire in front of it that can be cut. It does on demand what a real server does once in a bad night. It
// shows that the adapter keeps its promises as long as the server is as described here, and no more than that.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server as Wire, type Socket } from 'node:net';
import gossip from '@eventstore/db-client/generated/gossip_pb.js';
import gossipService from '@eventstore/db-client/generated/gossip_grpc_pb.js';
import featuresService from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import features from '@eventstore/db-client/generated/serverfeatures_pb.js';
import streamsService from '@eventstore/db-client/generated/streams_grpc_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import {
  Server,
  ServerCredentials,
  type Metadata,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { DoubleLog, type Proposed } from './event-store-double.log.js';
import { DoubleReads } from './event-store-double.reads.js';
import {
  REFUSALS,
  appendResponse,
  asError,
  expectedIn,
  nameIn,
  proposedIn,
  type Refusal,
} from './event-store-double.wire.js';

/** What happens to one append of an application: is it stored, and what does the client get to hear. */
export interface AppendFault {
  readonly stored: boolean;
  readonly answer: 'none' | 'twice' | 'cut' | 'empty' | { readonly afterMs: number } | Refusal;
}

type Appending = ServerDuplexStream<streams.AppendReq, streams.AppendResp>;

export class EventStoreDouble {
  /** One is taken by each append to a stream whose name begins with no dollar sign. */
  readonly faults: AppendFault[] = [];
  readonly reads: DoubleReads;
  /** Every append that arrived, as its event ids and what it expected. */
  readonly attempts: { readonly stream: string; readonly ids: string[]; readonly expected: string }[] = [];
  batchAppends = 0;
  appendBytesMax = 256 * 1024 * 1024;
  eventBytesMax = 16 * 1024 * 1024;
  /** Answers everything with where the leader is, as any other node of a cluster. */
  leader: { readonly host: string; readonly port: number } | undefined;
  /** Refuses everything, appends and reads alike. */
  refusing: Refusal | undefined;
  /** Answers, and knows of no node that a client could use: a cluster that is just starting. */
  alone = false;
  /** Lets nobody give a stream rules of access. */
  rulesLocked = false;
  private readonly sockets = new Set<Socket>();
  private wire: Wire | undefined;
  private server: Server | undefined;
  private serverPort = 0;
  private port = 0;

  constructor(readonly log = new DoubleLog()) {
    this.reads = new DoubleReads(log);
  }

  static async start(log?: DoubleLog): Promise<EventStoreDouble> {
    const double = new EventStoreDouble(log);
    await double.start();
    return double;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  get url(): string {
    return `esdb://${this.host}?tls=false`;
  }

  get connections(): number {
    return this.sockets.size;
  }

  /** At the same address each time, with the log as it is. */
  async start(): Promise<void> {
    const server = this.services();
    this.server = server;
    this.serverPort = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    this.wire = createServer((socket) => this.forward(socket)).listen(this.port, '127.0.0.1');
    await once(this.wire, 'listening');
    this.port = (this.wire.address() as AddressInfo).port;
  }

  /** As when the machine is switched off. */
  async stop(): Promise<void> {
    const { wire, server } = this;
    if (wire === undefined || server === undefined) return;
    this.wire = undefined;
    const closed = once(wire, 'close');
    wire.close();
    this.cut();
    server.forceShutdown();
    this.reads.forget();
    await closed;
  }

  /** Every connection there is breaks off; the next one is taken. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  private forward(socket: Socket): void {
    const inner = connect(this.serverPort, '127.0.0.1');
    for (const end of [socket, inner]) {
      this.sockets.add(end);
      end.setNoDelay(true);
      // A broken wire is what this is for.
      end.on('error', () => undefined);
      end.on('close', () => {
        this.sockets.delete(end);
        socket.destroy();
        inner.destroy();
      });
    }
    socket.pipe(inner).pipe(socket);
  }

  private services(): Server {
    const server = new Server({ 'grpc.max_receive_message_length': 16 * 1024 * 1024 - 10_000 });
    const { StreamsService } = streamsService;
    // Declared as a stream of answers, which looks the same on the wire and allows for two of them.
    const append = { ...StreamsService.append, responseStream: true as const };
    server.addService(
      { ...StreamsService, append },
      {
        append: (call: Appending) => this.append(call),
        read: (call: ServerWritableStream<streams.ReadReq, streams.ReadResp>) => {
          const refused = this.refusalOf(call.metadata);
          if (refused !== undefined) call.emit('error', asError(refused));
          else this.reads.serve(call);
        },
        batchAppend: (call: ServerDuplexStream<streams.BatchAppendReq, streams.BatchAppendResp>) => {
          this.batchAppends += 1;
          call.on('data', () => undefined);
        },
        delete: (
          call: ServerUnaryCall<streams.DeleteReq, streams.DeleteResp>,
          answer: sendUnaryData<unknown>,
        ) => {
          this.log.softDelete(nameIn(call.request.getOptions()?.getStreamIdentifier()));
          answer(null, new streams.DeleteResp());
        },
        tombstone: (
          call: ServerUnaryCall<streams.TombstoneReq, streams.TombstoneResp>,
          answer: sendUnaryData<unknown>,
        ) => {
          this.log.tombstone(nameIn(call.request.getOptions()?.getStreamIdentifier()));
          answer(null, new streams.TombstoneResp());
        },
      },
    );
    server.addService(featuresService.ServerFeaturesService, {
      getSupportedMethods: (_: unknown, answer: sendUnaryData<unknown>) => answer(null, supportedMethods()),
    });
    server.addService(gossipService.GossipService, {
      read: (_: unknown, answer: sendUnaryData<unknown>) => answer(null, this.cluster()),
    });
    return server;
  }

  private refusalOf(metadata: Metadata): Refusal | undefined {
    if (this.leader !== undefined && metadata.get('requires-leader').length > 0) {
      return REFUSALS.notLeader(this.leader.host, this.leader.port);
    }
    return this.refusing;
  }

  private append(call: Appending): void {
    let options: streams.AppendReq.Options | undefined;
    const events: Proposed[] = [];
    call.on('data', (request: streams.AppendReq) => {
      options ??= request.getOptions();
      const message = request.getProposedMessage();
      if (message !== undefined) events.push(proposedIn(message));
    });
    // A wire that is cut looks like the end of the events at first: half of them must not be taken for all.
    call.on('end', () =>
      setImmediate(() => {
        if (options !== undefined && !call.cancelled) this.settle(call, options, events);
      }),
    );
  }

  private settle(call: Appending, options: streams.AppendReq.Options, events: readonly Proposed[]): void {
    const stream = nameIn(options.getStreamIdentifier());
    const expected = expectedIn(options);
    const refuse = (given: Refusal): void => void call.emit('error', asError(given));
    const locked = this.rulesLocked && stream.startsWith('$$') ? REFUSALS.denied() : undefined;
    const refused = this.refusalOf(call.metadata) ?? this.tooLarge(events) ?? locked;
    if (refused !== undefined) return refuse(refused);
    if (!stream.startsWith('$')) {
      this.attempts.push({ stream, ids: events.map(({ id }) => id), expected: String(expected) });
    }
    const fault = stream.startsWith('$') ? undefined : this.faults.shift();
    if (fault?.stored === false) return this.answerFaultily(call, fault.answer, new streams.AppendResp());
    const answer = this.log.append(stream, expected, events);
    if (answer.kind === 'deleted') return refuse(REFUSALS.deleted(stream));
    const response = appendResponse(answer);
    if (fault !== undefined) return this.answerFaultily(call, fault.answer, response);
    call.write(response);
    call.end();
  }

  private answerFaultily(call: Appending, answer: AppendFault['answer'], response: streams.AppendResp): void {
    if (answer === 'none') return;
    if (answer === 'cut') return this.cut();
    if (typeof answer === 'object' && 'code' in answer) return void call.emit('error', asError(answer));
    const respond = (): void => {
      call.write(answer === 'empty' ? new streams.AppendResp() : response);
      if (answer === 'twice') call.write(response);
      call.end();
    };
    if (typeof answer === 'object') setTimeout(respond, answer.afterMs);
    else respond();
  }

  private tooLarge(events: readonly Proposed[]): Refusal | undefined {
    const sizes = events.map(({ data, meta }) => data.length + meta.length);
    if (Math.max(...sizes) > this.eventBytesMax) return REFUSALS.eventTooLarge(this.eventBytesMax);
    const whole = sizes.reduce((sum, size) => sum + size, 0);
    return whole > this.appendBytesMax ? REFUSALS.appendTooLarge(this.appendBytesMax) : undefined;
  }

  /** A cluster of this node alone, or of the leader it points to. */
  private cluster(): gossip.ClusterInfo {
    const { host, port } = this.leader ?? { host: '127.0.0.1', port: this.port };
    const member = new gossip.MemberInfo();
    member.setState(gossip.MemberInfo.VNodeState.LEADER).setIsAlive(true).setTimeStamp('0');
    member.setHttpEndPoint(new gossip.EndPoint().setAddress(host).setPort(port));
    return new gossip.ClusterInfo().setMembersList(this.alone ? [] : [member]);
  }
}

function supportedMethods(): features.SupportedMethods {
  const methods = ['read', 'append', 'batchappend', 'delete', 'tombstone'].map((name) =>
    new features.SupportedMethod().setServiceName('event_store.client.streams.streams').setMethodName(name),
  );
  return new features.SupportedMethods().setMethodsList(methods).setEventStoreServerVersion('26.1.0');
}
