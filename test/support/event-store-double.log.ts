// The log of the event store double: what the real server keeps on disk, with its rules for appending. It
// outlives the double that serves it, so that a test can stop one and start another on the same log.

export interface Proposed {
  readonly id: string;
  readonly type: string;
  readonly contentType: string;
  readonly data: Uint8Array;
  readonly meta: Uint8Array;
}

export interface LogRecord extends Proposed {
  readonly stream: string;
  readonly revision: bigint;
  /** Where it begins in the file of the log: it grows by the size of what came before. */
  readonly position: bigint;
}

export type Expected = bigint | 'no-stream' | 'any' | 'stream-exists';

export type AppendAnswer =
  | { readonly kind: 'stored'; readonly revision: bigint; readonly position: bigint }
  | { readonly kind: 'conflict'; readonly actual: bigint | undefined }
  | { readonly kind: 'deleted' };

const DELETED = 2n ** 63n - 1n;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

interface History {
  readonly records: LogRecord[];
  /** Revisions below are gone from sight: how the server deletes a stream softly. */
  truncatedBefore: bigint;
  tombstoned: boolean;
}

export class DoubleLog {
  readonly records: LogRecord[] = [];
  private readonly histories = new Map<string, History>();
  private readonly followers = new Set<() => void>();
  private end = 0n;
  private systemEvents = 0;

  constructor() {
    this.addSystemEvent();
  }

  /** As the server decides it for one append: all events, or none and why. */
  append(stream: string, expected: Expected, events: readonly Proposed[]): AppendAnswer {
    const history = this.histories.get(stream);
    if (history?.tombstoned === true) return { kind: 'deleted' };
    const current = BigInt((history?.records.length ?? 0) - 1);
    const hidden = history !== undefined && history.truncatedBefore > current;
    if (typeof expected === 'bigint' || expected === 'no-stream') {
      const wanted = expected === 'no-stream' ? -1n : expected;
      if (wanted < current && !(wanted === -1n && hidden)) {
        return this.repeated(history?.records ?? [], wanted, events, current);
      }
      if (wanted > current) return conflictAt(current);
    }
    // Its own events come between those of the applications, never within one append.
    if (!stream.startsWith('$') && this.records.length % 3 === 0) this.addSystemEvent();
    const stored = this.store(stream, events);
    for (const follower of [...this.followers]) follower();
    return answerFor(stored);
  }

  tombstone(stream: string): void {
    this.historyOf(stream).tombstoned = true;
    const record = { id: systemId(this.records.length), type: '$streamDeleted', contentType: '' };
    this.add({ ...record, data: bytes(''), meta: bytes(''), stream, revision: DELETED });
  }

  /** Hides what there is; the next append goes on behind it. */
  softDelete(stream: string): void {
    const history = this.historyOf(stream);
    history.truncatedBefore = BigInt(history.records.length);
  }

  isTombstoned(stream: string): boolean {
    return this.histories.get(stream)?.tombstoned === true;
  }

  /** Undefined when there is no such stream, or none that can be seen. */
  stream(name: string): readonly LogRecord[] | undefined {
    const history = this.histories.get(name);
    const seen = history?.records.filter(({ revision }) => revision >= history.truncatedBefore);
    return seen === undefined || seen.length === 0 ? undefined : seen;
  }

  follow(onAppend: () => void): () => void {
    this.followers.add(onAppend);
    return () => this.followers.delete(onAppend);
  }

  /** A log of its own for the next test. */
  clear(): void {
    this.records.length = 0;
    this.histories.clear();
    this.end = 0n;
    this.addSystemEvent();
  }

  /** Idempotent only when exactly these ids stand where they are expected to. */
  private repeated(
    records: readonly LogRecord[],
    expected: bigint,
    events: readonly Proposed[],
    current: bigint,
  ): AppendAnswer {
    const standing = records.slice(Number(expected) + 1, Number(expected) + 1 + events.length);
    const same = standing.length === events.length && events.every(({ id }, i) => id === standing[i]?.id);
    return same ? answerFor(standing) : conflictAt(current);
  }

  private store(stream: string, events: readonly Proposed[]): LogRecord[] {
    const { records } = this.historyOf(stream);
    return events.map((event) => {
      const record = this.add({ ...event, stream, revision: BigInt(records.length) });
      records.push(record);
      return record;
    });
  }

  private add(unplaced: Omit<LogRecord, 'position'>): LogRecord {
    const record = { ...unplaced, position: this.end };
    this.end += BigInt(
      90 + record.stream.length + record.type.length + record.data.length + record.meta.length,
    );
    this.records.push(record);
    return record;
  }

  private addSystemEvent(): void {
    this.systemEvents += 1;
    const data = bytes('{"proc-cpu":1}');
    const event = { id: systemId(this.systemEvents), contentType: 'application/json', data, meta: bytes('') };
    this.store('$stats-127.0.0.1:2113', [{ ...event, type: '$statsCollected' }]);
    this.store('invoice-1', [{ ...event, type: 'OfAnotherApplication' }]);
  }

  private historyOf(stream: string): History {
    const history = this.histories.get(stream) ?? { records: [], truncatedBefore: 0n, tombstoned: false };
    this.histories.set(stream, history);
    return history;
  }
}

/** The position of the first event: the server promises none in particular. */
function answerFor(stored: readonly LogRecord[]): AppendAnswer {
  return {
    kind: 'stored',
    revision: stored.at(-1)?.revision ?? 0n,
    position: stored[0]?.position ?? 0n,
  };
}

function conflictAt(current: bigint): AppendAnswer {
  return { kind: 'conflict', actual: current < 0n ? undefined : current };
}

function systemId(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
}
