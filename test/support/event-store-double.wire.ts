// The messages of the event store double, to and from the classes that the client itself is built on.

import { Metadata, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { AppendAnswer, Expected, LogRecord, Proposed } from './event-store-double.log.js';

/** 100 nanoseconds since 1970, as .NET counts. */
const CREATED = String(BigInt(Date.UTC(2026, 0, 1)) * 10_000n);

export type Refusal = Pick<StatusObject, 'code' | 'details'> & { readonly metadata: Metadata };

export function refusal(code: number, details: string, trailers: Record<string, string> = {}): Refusal {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(trailers)) metadata.set(key, value);
  return { code, details, metadata };
}

export function asError(given: Refusal): ServiceError {
  return Object.assign(new Error(given.details), { name: 'ServiceError' }, given);
}

export const REFUSALS = {
  notReady: () => refusal(14, 'Server Is Not Ready'),
  busy: () => refusal(2, 'Server Is Too Busy'),
  timeout: () => refusal(10, 'Operation timed out: Prepare phase timeout'),
  denied: () => refusal(7, 'Access Denied', { exception: 'access-denied' }),
  notLeader: (host: string, port: number) =>
    refusal(5, 'Leader info available', {
      exception: 'not-leader',
      'leader-endpoint-host': host,
      'leader-endpoint-port': String(port),
    }),
  deleted: (stream: string) =>
    refusal(9, `Event stream '${stream}' is deleted.`, {
      exception: 'stream-deleted',
      'stream-name': stream,
    }),
  appendTooLarge: (limit: number) =>
    refusal(3, `Maximum Append Size of ${limit} Exceeded.`, {
      exception: 'maximum-append-size-exceeded',
      'maximum-append-size': String(limit),
    }),
  eventTooLarge: (limit: number) =>
    refusal(3, `Event exceeds Maximum Append Event Size of ${limit}.`, {
      exception: 'maximum-append-event-size-exceeded',
      'maximum-append-event-size': String(limit),
    }),
  invalidPosition: () => refusal(3, 'Trying to read from an invalid position.'),
};

export function nameIn(identifier: shared.StreamIdentifier | undefined): string {
  return Buffer.from(identifier?.getStreamName_asU8() ?? []).toString('utf8');
}

export function expectedIn(options: streams.AppendReq.Options): Expected {
  if (options.hasNoStream()) return 'no-stream';
  if (options.hasRevision()) return BigInt(options.getRevision());
  return options.hasStreamExists() ? 'stream-exists' : 'any';
}

export function proposedIn(message: streams.AppendReq.ProposedMessage): Proposed {
  const metadata = message.getMetadataMap();
  return {
    id: message.getId()?.getString() ?? '',
    type: metadata.get('type') ?? '',
    contentType: metadata.get('content-type') ?? '',
    data: message.getData_asU8(),
    meta: message.getCustomMetadata_asU8(),
  };
}

export function appendResponse(answer: Exclude<AppendAnswer, { kind: 'deleted' }>): streams.AppendResp {
  const response = new streams.AppendResp();
  if (answer.kind === 'stored') {
    const position = new streams.AppendResp.Position();
    position.setCommitPosition(String(answer.position));
    position.setPreparePosition(String(answer.position));
    const success = new streams.AppendResp.Success();
    success.setCurrentRevision(String(answer.revision));
    success.setPosition(position);
    return response.setSuccess(success);
  }
  const wrong = new streams.AppendResp.WrongExpectedVersion();
  if (answer.actual === undefined) wrong.setCurrentNoStream(new shared.Empty());
  else wrong.setCurrentRevision(String(answer.actual));
  return response.setWrongExpectedVersion(wrong);
}

export function eventResponse(record: LogRecord, prepare = record.position): streams.ReadResp {
  const event = new streams.ReadResp.ReadEvent.RecordedEvent();
  event.setId(new shared.UUID().setString(record.id));
  event.setStreamIdentifier(new shared.StreamIdentifier().setStreamName(Buffer.from(record.stream)));
  event.setStreamRevision(String(record.revision));
  event.setCommitPosition(String(record.position));
  event.setPreparePosition(String(prepare));
  event.setData(record.data);
  event.setCustomMetadata(record.meta);
  event
    .getMetadataMap()
    .set('type', record.type)
    .set('content-type', record.contentType)
    .set('created', CREATED);
  const read = new streams.ReadResp.ReadEvent().setEvent(event).setCommitPosition(String(record.position));
  return new streams.ReadResp().setEvent(read);
}

export function streamNotFound(name: string): streams.ReadResp {
  const identifier = new shared.StreamIdentifier().setStreamName(Buffer.from(name));
  const missing = new streams.ReadResp.StreamNotFound().setStreamIdentifier(identifier);
  return new streams.ReadResp().setStreamNotFound(missing);
}

export function confirmation(): streams.ReadResp {
  const confirmed = new streams.ReadResp.SubscriptionConfirmation().setSubscriptionId('double');
  return new streams.ReadResp().setConfirmation(confirmed);
}

export function caughtUp(): streams.ReadResp {
  return new streams.ReadResp().setCaughtUp(new streams.ReadResp.CaughtUp());
}

export function checkpoint(position: bigint): streams.ReadResp {
  const reached = new streams.ReadResp.Checkpoint();
  reached.setCommitPosition(String(position)).setPreparePosition(String(position));
  return new streams.ReadResp().setCheckpoint(reached);
}

/** Whether the filter of a subscription lets an event through. */
export function filterIn(options: streams.ReadReq.Options): (record: LogRecord) => boolean {
  const filter = options.getFilter();
  if (filter === undefined) return () => true;
  const expression = filter.getStreamIdentifier() ?? filter.getEventType();
  const subject = filter.hasStreamIdentifier() ? 'stream' : 'type';
  const prefixes = expression?.getPrefixList() ?? [];
  const regex = new RegExp(expression?.getRegex() ?? '');
  return (record) =>
    prefixes.length > 0
      ? prefixes.some((prefix) => record[subject].startsWith(prefix))
      : regex.test(record[subject]);
}
