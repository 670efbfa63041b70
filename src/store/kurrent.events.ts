// Events on their way to the server and back, byte for byte. The client parses and writes JSON by itself, so
// that only text which comes out of that unchanged may go as JSON; other text goes as plain bytes.

import type { EventData, RecordedEvent } from '@eventstore/db-client';
import {
  AppendTooLarge,
  RevisionConflict,
  type ExpectedRevision,
  type NewEvent,
  type Position,
  type StoredEvent,
} from './event-store.js';

/** Holds metadata which the client would not give back as it was. What we write ourselves never needs it. */
const VERBATIM = 'switchyard.verbatim';
/** What a server says that does not know where an event of a stream stands in the whole log. */
const NOWHERE = 2n ** 64n - 1n;

/** A server takes a record of 16 MiB, with name, type and its own fields in it. */
const EVENT_BYTES_MAX = 16 * 1024 * 1024 - 64 * 1024;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What the server would not refuse, or not in words that a caller understands. */
export function checkEvents(stream: string, events: readonly NewEvent[], expected: ExpectedRevision): void {
  for (const { id, data, meta } of events) {
    if (!UUID.test(id)) throw new Error(`An append to ${stream} holds an id that is no UUID in lower case`);
    const bytes = Buffer.byteLength(data) + Buffer.byteLength(meta);
    if (bytes > EVENT_BYTES_MAX) throw new AppendTooLarge(bytes, EVENT_BYTES_MAX);
  }
  const ids = new Set(events.map(({ id }) => id));
  if (ids.size < events.length) {
    throw new RevisionConflict(stream, expected, expected === 'no-stream' ? null : expected);
  }
}

/** JSON wherever that is exact, which the server's own pages and projections can then show. */
export function toEventData({ id, type, data, meta }: NewEvent): EventData {
  const parsed = parsedExactly(data);
  const metadata = metadataOf(meta);
  return parsed === undefined
    ? { id, type, contentType: 'application/octet-stream', data: utf8(data), metadata }
    : { id, type, contentType: 'application/json', data: parsed, metadata };
}

export function toStoredEvent(recorded: RecordedEvent, stream: string): StoredEvent {
  return {
    id: recorded.id,
    type: recorded.type,
    data: textOf(recorded.data),
    meta: metaOf(recorded.metadata),
    stream,
    revision: Number(recorded.revision),
    position: positionOf(recorded),
  };
}

/**
 * Every event that is appended as one call has a commit position of its own, equal to its prepare position.
 * Only a transaction over several calls, which nobody here makes, shares one among its events: such an event
 * has no place that one number could name, and leaving it out in silence would be a lie.
 */
export function positionOf({ streamId, revision, position }: RecordedEvent): Position {
  if (position === undefined || position.commit === NOWHERE) {
    throw new Error(`The server does not say where ${streamId}@${revision} stands; 22.6 and later do`);
  }
  if (position.commit !== position.prepare) {
    throw new Error(
      `${streamId}@${revision} was written in a transaction of several calls, which has no place`,
    );
  }
  return position.commit;
}

function metadataOf(meta: string): Uint8Array {
  const parsed = parsedExactly(meta);
  return utf8(parsed !== undefined && !(VERBATIM in parsed) ? meta : JSON.stringify({ [VERBATIM]: meta }));
}

function metaOf(metadata: unknown): string {
  if (metadata === undefined) return '';
  if (typeof metadata === 'object' && metadata !== null && VERBATIM in metadata) {
    return String(metadata[VERBATIM]);
  }
  return textOf(metadata);
}

function textOf(content: unknown): string {
  if (content instanceof Uint8Array) return Buffer.from(content).toString('utf8');
  return typeof content === 'string' ? content : JSON.stringify(content);
}

function parsedExactly(text: string): Record<string, unknown> | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    const parsed = JSON.parse(text) as Record<string, unknown>;
    return JSON.stringify(parsed) === text ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** A plain array of bytes: the client takes a Buffer of Node for an object and would write that as JSON. */
function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
