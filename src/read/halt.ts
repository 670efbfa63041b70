// A view that has met an event which it cannot take stops there, alone: what it holds stays as it was, and nobody is
// shown what it does not hold.
import { kindOf, type StreamKind } from '../domain/events.js';

/** The event at which a view stopped. */
export interface Halt {
  readonly view: string;
  readonly type: string;
  readonly position: bigint;
  readonly reason: string;
}

export class ViewHalted extends Error {
  constructor({ view, type, position }: Halt) {
    super(`View ${view} has stopped at ${type}, position ${position}.`);
    this.name = 'ViewHalted';
  }
}

export function haltAt(
  view: string,
  { type, position }: { readonly type: string; readonly position: bigint },
  error: unknown,
): Halt {
  return { view, type, position, reason: error instanceof Error ? error.message : String(error) };
}

/** An event that nobody knows concerns the views of its kind of stream; of an unknown kind of stream, every view. */
export function isConcerned(view: { readonly streams: readonly StreamKind[] }, stream: string): boolean {
  const kind = kindOf(stream);
  return kind === undefined || view.streams.includes(kind);
}
