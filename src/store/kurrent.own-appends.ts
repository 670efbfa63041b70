// The appends of this store that are on their way. When the feed brings their events, it hands on the very
// objects that were appended, with whatever was attached to them, and the append learns where they stand.

import type { NewEvent, Position, StoredEvent } from './event-store.js';

export interface OwnAppend {
  /** Resolves once subscribers have been handed the last event. */
  readonly delivered: Promise<Position>;
  /** To be called in any case. */
  forget(): void;
}

interface Awaited {
  readonly event: NewEvent;
  readonly stream: string;
  readonly onDelivered: ((position: Position) => void) | undefined;
}

export class OwnAppends {
  /** By event id; more than one where a retry overtakes its first attempt. */
  private readonly awaited = new Map<string, Set<Awaited>>();

  expect(stream: string, events: readonly NewEvent[]): OwnAppend {
    let onDelivered: (position: Position) => void = () => undefined;
    const delivered = new Promise<Position>((resolve) => (onDelivered = resolve));
    const last = events.at(-1);
    const all = events.map((event) => ({
      event,
      stream,
      onDelivered: event === last ? onDelivered : undefined,
    }));
    for (const one of all) {
      const same = this.awaited.get(one.event.id);
      if (same === undefined) this.awaited.set(one.event.id, new Set([one]));
      else same.add(one);
    }
    return { delivered, forget: () => this.remove(all) };
  }

  /** The event as it was appended here, if it was; what the log holds decides whether it is the same. */
  recognise(stored: StoredEvent): StoredEvent {
    for (const { event, stream } of this.awaited.get(stored.id) ?? []) {
      if (stream === stored.stream && isSame(event, stored)) {
        return { ...event, stream, revision: stored.revision, position: stored.position };
      }
    }
    return stored;
  }

  delivered(events: readonly StoredEvent[]): void {
    for (const { id, stream, position } of events) {
      for (const awaited of this.awaited.get(id) ?? []) {
        if (awaited.stream === stream) awaited.onDelivered?.(position);
      }
    }
  }

  private remove(all: readonly Awaited[]): void {
    for (const one of all) {
      const same = this.awaited.get(one.event.id);
      same?.delete(one);
      if (same?.size === 0) this.awaited.delete(one.event.id);
    }
  }
}

function isSame(event: NewEvent, stored: StoredEvent): boolean {
  return event.type === stored.type && event.data === stored.data && event.meta === stored.meta;
}
