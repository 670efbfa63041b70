// The shape of a view that is kept in tables: its schema and one small write per event it cares about. Views are
// disposable: never migrated, only rebuilt from the log. Rows and checkpoint are committed together by the
// runner, so a fold need not try to be idempotent.
import type { DomainEvent, StreamKind } from '../src/domain/events.js';
import type { Recorded, StoredFact } from '../src/domain/recorded.js';

export type Value = string | number | bigint | Uint8Array | null;

/** Reading rows; statements are prepared once per text. */
export interface Rows {
  get<Row>(sql: string, ...values: Value[]): Row | undefined;
  all<Row>(sql: string, ...values: Value[]): Row[];
  iterate<Row>(sql: string, ...values: Value[]): IterableIterator<Row>;
}

export interface Tables extends Rows {
  run(sql: string, ...values: Value[]): void;
}

type EventOf<Type extends DomainEvent['type']> = Extract<DomainEvent, { readonly type: Type }>;

interface View {
  readonly name: string;
  /** Raise it whenever the schema or a fold changes: the views are then rebuilt from the start. */
  readonly version: number;
  readonly schema: string;
}

export interface Projection extends View {
  /** Of which kinds: an event there that nobody knows might have meant a row. */
  readonly streams: readonly StreamKind[];
  readonly on: {
    readonly [Type in DomainEvent['type']]?: (
      tables: Tables,
      event: EventOf<Type>,
      recorded: Recorded,
    ) => void;
  };
}

/** A view of the log itself: it takes every event as it is stored, known or not, a batch at a time. */
export interface LogProjection extends View {
  take(tables: Tables, events: readonly StoredFact[]): void;
}
