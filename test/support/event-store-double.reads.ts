// How the event store double is read and subscribed to, and how it fails at that: subscriptions that break off,
// fall silent or deliver again what they delivered before.

import type { ServerWritableStream } from '@grpc/grpc-js';
import type streams from '@eventstore/db-client/generated/streams_pb.js';
import type { DoubleLog, LogRecord } from './event-store-double.log.js';
import {
  REFUSALS,
  asError,
  caughtUp,
  checkpoint,
  confirmation,
  eventResponse,
  filterIn,
  nameIn,
  streamNotFound,
  type Refusal,
} from './event-store-double.wire.js';

type Reading = ServerWritableStream<streams.ReadReq, streams.ReadResp>;
/** As the real server: at least one for so many events that were filtered out. */
const CHECKPOINT_EVENTS = 32;

interface Subscribed {
  readonly call: Reading;
  silent: boolean;
  pump(): void;
  /** Delivers the newest event it has delivered, once more. */
  repeat(): void;
}

export class DoubleReads {
  /** How many events were read, of one stream or of all. */
  eventsRead = 0;
  /** Takes reads and never answers. */
  deaf = false;
  /** Shows each event at a place that only a transaction over several calls gives it. */
  inTransactions = false;
  private readonly current = new Set<Subscribed>();

  constructor(private readonly log: DoubleLog) {}

  serve(call: Reading): void {
    if (this.deaf) return;
    const options = call.request.getOptions();
    if (options === undefined) return;
    if (options.hasSubscription()) return this.subscribe(call, options);
    const { stream } = options.toObject();
    if (stream === undefined) this.readAll(call, options);
    else this.readStream(call, options);
  }

  /** Without a word: the connection stays, and nothing more comes. */
  silence(): void {
    for (const subscribed of this.current) subscribed.silent = true;
  }

  drop(refusal: Refusal): void {
    for (const { call } of [...this.current]) call.emit('error', asError(refusal));
  }

  /** In good order, though there was no reason to. */
  endSubscriptions(): void {
    for (const { call } of [...this.current]) call.end();
  }

  repeat(): void {
    for (const subscribed of this.current) subscribed.repeat();
  }

  forget(): void {
    this.current.clear();
  }

  private readStream(call: Reading, options: streams.ReadReq.Options): void {
    const of = options.getStream();
    const name = nameIn(of?.getStreamIdentifier());
    if (this.log.isTombstoned(name)) return void call.emit('error', asError(REFUSALS.deleted(name)));
    const records = this.log.stream(name);
    if (records === undefined) {
      call.write(streamNotFound(name));
      return void call.end();
    }
    const last = records.at(-1)?.revision ?? 0n;
    const from = of?.hasRevision() === true ? BigInt(of.getRevision()) : undefined;
    const count = Number(options.getCount());
    if (isForwards(options)) {
      const seen = records.filter(({ revision }) => revision >= (from ?? 0n)).slice(0, count);
      return this.answer(call, seen);
    }
    // It looks for `count` revisions down from where it was told to begin, whether they are there or not.
    const end = from ?? last;
    const seen = records.filter(({ revision }) => revision <= end && revision > end - BigInt(count));
    this.answer(call, seen.reverse());
  }

  private readAll(call: Reading, options: streams.ReadReq.Options): void {
    const { records } = this.log;
    const all = options.getAll();
    const forwards = isForwards(options);
    const count = Number(options.getCount());
    const given = all?.getPosition();
    const at = given === undefined ? undefined : BigInt(given.getCommitPosition());
    const end = records.at(-1)?.position ?? 0n;
    if (at !== undefined && at <= end && !records.some(({ position }) => position === at)) {
      return void call.emit('error', asError(REFUSALS.invalidPosition()));
    }
    // Forwards the start is included, backwards it is not.
    const seen = forwards
      ? records.filter(({ position }) => position >= (at ?? 0n)).slice(0, count)
      : records
          .filter(({ position }) => at === undefined || position < at)
          .slice(-count)
          .reverse();
    this.answer(call, seen);
  }

  private answer(call: Reading, records: readonly LogRecord[]): void {
    this.eventsRead += records.length;
    for (const record of records) call.write(this.response(record));
    call.end();
  }

  private response(record: LogRecord): streams.ReadResp {
    return eventResponse(record, this.inTransactions ? record.position - 1n : record.position);
  }

  private subscribe(call: Reading, options: streams.ReadReq.Options): void {
    const matches = filterIn(options);
    const given = options.getAll()?.getPosition();
    // Unlike a read, a subscription begins behind its start.
    let reached = given === undefined ? -1n : BigInt(given.getCommitPosition());
    let next = this.log.records.findIndex(({ position }) => position > reached);
    if (next < 0) next = this.log.records.length;
    let filteredOut = 0;
    let newest: LogRecord | undefined;
    const subscribed: Subscribed = {
      call,
      silent: false,
      pump: () => {
        if (subscribed.silent) return;
        for (; next < this.log.records.length; next += 1) {
          const record = this.log.records[next] as LogRecord;
          reached = record.position;
          if (matches(record)) {
            newest = record;
            call.write(this.response(record));
          } else if (++filteredOut % CHECKPOINT_EVENTS === 0) call.write(checkpoint(reached));
        }
      },
      repeat: () => {
        if (newest !== undefined) call.write(this.response(newest));
      },
    };
    call.write(confirmation());
    subscribed.pump();
    call.write(caughtUp());
    this.current.add(subscribed);
    const leave = this.log.follow(() => subscribed.pump());
    const end = (): void => {
      leave();
      this.current.delete(subscribed);
    };
    for (const event of ['cancelled', 'close', 'error', 'finish']) call.on(event, end);
  }
}

function isForwards(options: streams.ReadReq.Options): boolean {
  return Number(options.getReadDirection()) === 0;
}
