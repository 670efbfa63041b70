// What is kept of a command that came with an idempotency key, beside its effect: the answer that it was given.

export interface CommandAnswered {
  readonly type: 'CommandAnswered';
  /** SHA-256, in hex, over what was asked: the same key may not be used for anything else. */
  readonly requestHash: string;
  /** HTTP status, 200 to 299: what was refused had no effect, and may be asked again. */
  readonly status: number;
  /** JSON text. Null where it is long and the effect is in the log, from which it is worded again. */
  readonly body: string | null;
  /**
   * Whether it tells of an effect. One that tells of none counts for nothing where there is one: another server, sent
   * the same at the same time, found something to do. Unknown of old answers, which are taken to tell of theirs.
   */
  readonly hasEffect?: boolean;
}
