// A log in memory for the tests of views: events go through their stored bytes, with metadata, revisions and
// positions as a store would give them, and views fold them into real tables.
import Database from 'better-sqlite3';
import { SCHEMA, type DomainEvent, type EventMetadata } from '../../src/domain/events.js';
import { encode, Recorded } from '../../src/domain/recorded.js';
import { LiveViews } from '../../src/read/live-views.js';
import { SqliteTables } from '../../src/read/sqlite-tables.js';
import type { Projection, Tables } from '../../projections/projection.js';

const BEGIN_MS = Date.parse('2026-03-01T09:00:00.000Z');
/** Stores may leave gaps between positions, so this log does. */
const POSITIONS_APART = 10n;

export class Log {
  readonly recorded: Recorded[] = [];
  private readonly revisions = new Map<string, number>();

  append(stream: string, event: DomainEvent, meta: Partial<EventMetadata> = {}): Recorded {
    const revision = (this.revisions.get(stream) ?? -1) + 1;
    this.revisions.set(stream, revision);
    const recorded = new Recorded({
      id: `event-${this.recorded.length}`,
      type: event.type,
      data: encode(event),
      meta: JSON.stringify({ ...metadata(this.recorded.length), ...meta }),
      stream,
      revision,
      position: BigInt(this.recorded.length + 1) * POSITIONS_APART,
    });
    this.recorded.push(recorded);
    return recorded;
  }
}

/** The time of the nth event of a log, the first being 0. */
export function timeOf(nth: number): string {
  return new Date(BEGIN_MS + nth * 1_000).toISOString();
}

/** Tables of some views, begun empty, that the events have been folded into. */
export function folded(projections: readonly Projection[], events: readonly Recorded[]): Tables {
  const database = new Database(':memory:');
  for (const { schema } of projections) database.exec(schema);
  const tables = new SqliteTables(database);
  foldInto(tables, projections, events);
  return tables;
}

export function foldInto(
  tables: Tables,
  projections: readonly Projection[],
  events: readonly Recorded[],
): void {
  for (const recorded of events) {
    for (const { on } of projections) {
      const fold = on[recorded.event.type] as
        ((tables: Tables, event: DomainEvent, recorded: Recorded) => void) | undefined;
      fold?.(tables, recorded.event, recorded);
    }
  }
}

export function liveViews(events: readonly Recorded[]): LiveViews {
  const live = new LiveViews();
  for (const recorded of events) live.take(recorded);
  return live;
}

function metadata(nth: number): EventMetadata {
  const requestId = `request-${nth}`;
  return {
    actor: { type: 'api-key', id: 'key-ada' },
    workspace: 'w1',
    project: 'p1',
    time: timeOf(nth),
    schema: SCHEMA,
    requestId,
    $correlationId: requestId,
    $causationId: requestId,
  };
}
