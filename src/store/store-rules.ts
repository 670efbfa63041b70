// What every adapter refuses and bounds alike, before its backend sees anything of it.

import { AppendTooLarge, PAGE_EVENTS_MAX, type ExpectedRevision, type NewEvent } from './event-store.js';

/** Throws `AppendTooLarge`, or a plain `Error` for what only a bug of the caller can bring about. */
export function checkAppend(
  stream: string,
  events: readonly NewEvent[],
  expected: ExpectedRevision,
  bytesMax: number,
): void {
  if (events.length === 0) throw new Error(`An append to ${stream} holds no event`);
  if (expected !== 'no-stream' && !(Number.isSafeInteger(expected) && expected >= 0)) {
    throw new Error(`An append to ${stream} expects ${expected}, which is no revision`);
  }
  checkText(stream, 'a stream name', stream);
  for (const { id, type, data, meta } of events) {
    checkText(stream, 'an id', id);
    checkText(stream, 'a type', type);
    checkText(stream, 'data', data);
    checkText(stream, 'meta', meta);
  }
  checkBytes(events, bytesMax);
}

export function pageLimit(limit: number = PAGE_EVENTS_MAX): number {
  if (!(limit >= 1)) throw new Error(`A page of ${limit} events would look like the end of the log`);
  return Math.min(limit, PAGE_EVENTS_MAX);
}

function checkText(stream: string, what: string, text: unknown): void {
  if (typeof text !== 'string') throw new Error(`An append to ${stream} holds ${what} that is no text`);
  // Half of a character has no UTF-8 form: a backend would store something else, or nothing at all.
  if (!text.isWellFormed()) {
    throw new Error(`An append to ${stream} holds ${what} that is not well-formed Unicode`);
  }
}

function checkBytes(events: readonly NewEvent[], bytesMax: number): void {
  // One UTF-16 unit makes one to three bytes of UTF-8, so that hardly any append has to be counted.
  let units = 0;
  for (const { data, meta } of events) units += data.length + meta.length;
  if (units * 3 <= bytesMax) return;
  let bytes = 0;
  for (const { data, meta } of events) bytes += Buffer.byteLength(data) + Buffer.byteLength(meta);
  if (bytes > bytesMax) throw new AppendTooLarge(bytes, bytesMax);
}
