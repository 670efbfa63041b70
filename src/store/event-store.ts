// The port to the log. One file per backend implements it, and one contract suite holds them all to it.

/** A place in the whole log. Opaque outside the adapters: a decimal string on the wire, compared as a bigint. */
export type Position = bigint;

/** Before the first event of any log. */
export const START: Position = 0n;

export interface NewEvent {
  /** UUID, unique in the log: an append retried with the same ids has one effect. */
  readonly id: string;
  readonly type: string;
  /** JSON text of the fact, stored and given back byte for byte. */
  readonly data: string;
  /** JSON text of who, when and why; see `EventMetadata`. */
  readonly meta: string;
}

export interface StoredEvent extends NewEvent {
  readonly stream: string;
  /** 0-based, without gaps within its stream. */
  readonly revision: number;
  readonly position: Position;
}

/** The revision that the decision was made on, or that the stream must not exist yet. There is no "any". */
export type ExpectedRevision = number | 'no-stream';

export interface Appended {
  /** Of the last event appended. */
  readonly revision: number;
  readonly position: Position;
}

export interface Subscription {
  /** Resolves once no more events will be delivered. */
  close(): Promise<void>;
}

export interface Subscriber {
  /** Follows everything after this position. */
  readonly after: Position;
  /**
   * Called with one or more events, in the order of the log, never two calls at once: the next batch waits
   * for the promise. For an append of this process it is called before that append's promise resolves,
   * whenever the subscriber had taken in everything before it.
   */
  onEvents(events: readonly StoredEvent[]): void | Promise<void>;
  /** The subscription has ended and will deliver nothing more. */
  onError(error: unknown): void;
}

/** Since this process opened the log. */
export interface StoreStatistics {
  /** Appends that wrote something, and the commits that they shared. */
  readonly appends: number;
  readonly commits: number;
}

export interface EventStore {
  /** Bytes of `data` and `meta` that one append may hold; more is refused with `AppendTooLarge`. */
  readonly appendBytesMax: number;
  /**
   * Appends all events or none, durably: when the promise resolves they have been fsynced. Answers again,
   * with no second effect, when exactly these event ids already stand at the expected place.
   * Throws `RevisionConflict`, `AppendTooLarge`, `OutcomeUnknown` or `StoreUnavailable`.
   */
  append(stream: string, events: readonly NewEvent[], expected: ExpectedRevision): Promise<Appended>;
  /**
   * A page of one stream, at most `limit` events and possibly fewer; an empty page is the end, and so is a
   * missing stream. `from` is included: the first revision forwards, by default 0; the last one backwards,
   * by default the newest.
   */
  readStream(stream: string, options?: ReadStreamOptions): Promise<readonly StoredEvent[]>;
  /** A page of the whole log after a position, in order; an empty page is the end. */
  readAll(options?: { readonly after?: Position; readonly limit?: number }): Promise<readonly StoredEvent[]>;
  /** Position of the newest event of the log; `START` when it is empty. */
  head(): Promise<Position>;
  /** Goes on by itself after the backend was away: what it delivers has no gap and no repeat. */
  subscribe(subscriber: Subscriber): Subscription;
  /** Why nothing can be appended at the moment, in one line; undefined while all is well, as far as is known. */
  readonly failing: string | undefined;
  statistics(): StoreStatistics;
  /** Lets running appends finish, then gives everything back. */
  close(): Promise<void>;
}

export interface ReadStreamOptions {
  readonly from?: number;
  readonly direction?: 'forwards' | 'backwards';
  readonly limit?: number;
}

/** Pages hold at most this many events unless asked for fewer. */
export const PAGE_EVENTS_MAX = 1_000;

export class RevisionConflict extends Error {
  constructor(
    readonly stream: string,
    readonly expected: ExpectedRevision,
    /** The newest revision of the stream, null when there is no such stream. */
    readonly actual: number | null,
  ) {
    super(`Stream ${stream} is at ${actual ?? 'no-stream'}, not at ${expected}`);
    this.name = 'RevisionConflict';
  }
}

export class AppendTooLarge extends Error {
  constructor(
    readonly bytes: number,
    readonly bytesMax: number,
  ) {
    super(`One append may hold ${bytesMax} bytes, this one has ${bytes}`);
    this.name = 'AppendTooLarge';
  }
}

/** Durability could not be established: the events may or may not be there. A retry with the same ids settles it. */
export class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown';
}

/** Nothing was appended, and nothing can be at the moment. */
export class StoreUnavailable extends Error {
  override readonly name: string = 'StoreUnavailable';
}

/** As `StoreUnavailable`, for want of room: it goes on as soon as there is some. */
export class StorageFull extends StoreUnavailable {
  override readonly name: string = 'StorageFull';
}

/** The store cannot be opened: one line for the operator, who finds the file as it was. */
export class StoreRefused extends Error {
  override readonly name = 'StoreRefused';
}
