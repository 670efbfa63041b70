// Which position a time stands for. The clocks of servers differ, so the moment of an event is the latest time that
// any event up to it bears; each moment is kept once, with the last event that has it.
import type { StoredFact } from '../src/domain/recorded.js';
import type { LogProjection, Rows, Tables } from './projection.js';

/** The last position whose moment is not after a time; undefined before the first event. */
export function positionAt(rows: Rows, timeMs: number): bigint | undefined {
  const sql = 'SELECT position FROM moments WHERE at_ms <= ? ORDER BY at_ms DESC LIMIT 1';
  const found = rows.get<{ position: number }>(sql, timeMs);
  return found && BigInt(found.position);
}

/** In milliseconds since 1970; undefined before the first event. */
export function newestMoment(rows: Rows): number | undefined {
  return rows.get<{ at_ms: number }>('SELECT at_ms FROM moments ORDER BY at_ms DESC LIMIT 1')?.at_ms;
}

export const moments: LogProjection = {
  name: 'moments',
  version: 1,
  schema: 'CREATE TABLE moments (at_ms INTEGER PRIMARY KEY, position INTEGER NOT NULL) STRICT',
  take(tables, events) {
    let atMs = newestMoment(tables) ?? Number.MIN_SAFE_INTEGER;
    let position: bigint | undefined;
    for (const stored of events) {
      const timeMs = momentOf(stored);
      if (timeMs > atMs) {
        keep(tables, atMs, position);
        atMs = timeMs;
      }
      position = stored.position;
    }
    keep(tables, atMs, position);
  },
};

function keep(tables: Tables, atMs: number, position: bigint | undefined): void {
  if (position === undefined || atMs === Number.MIN_SAFE_INTEGER) return;
  tables.run('INSERT OR REPLACE INTO moments (at_ms, position) VALUES (?, ?)', atMs, position);
}

/** NaN, which is after no moment, where there is none. Quotes in a value are escaped: this is the member itself. */
export function momentOf({ meta }: Pick<StoredFact, 'meta'>): number {
  return Date.parse(/"time":"([^"]*)"/.exec(meta)?.[1] ?? '');
}
