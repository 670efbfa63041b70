// The one that appends to a log in PostgreSQL for this process. Appends that wait while others are under way go
// together in one statement, which is one round trip and one commit, and yet each holds or fails by itself.

import { setTimeout as sleep } from 'node:timers/promises';
import { OutcomeUnknown, StoreUnavailable, type ExpectedRevision, type NewEvent } from './event-store.js';
import { Interrupted, PostgresConnection, Rejected, messageOf, type Address } from './postgres.connection.js';
import { textArray } from './postgres.text-array.js';

const GROUP_APPENDS_MAX = 256;
/** A group that has as much as this takes no more, so that nobody in it waits for ever. */
const GROUP_UNITS_MAX = 8 * 1024 * 1024;
/** How much one statement brings to the disk in a second at the very least. */
const BYTES_PER_SECOND_MIN = 4 * 1024 * 1024;
const RETRY_MS = 100;
const PROBE_MS = 1_000;
const NO_STREAM = -1;
/** No stream is ever there, so that this is refused as any other conflict. */
const NEVER = -2;
/** Data that PostgreSQL refuses, so that one append of a group may have spoilt it for the others. */
const REFUSES_DATA = /^(22|23|54)/;

const APPEND = `SELECT * FROM switchyard.append(
  $1, $2::text[], $3::bigint[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::text[])`;

export interface AppendRequest {
  readonly stream: string;
  readonly events: readonly NewEvent[];
  readonly expected: ExpectedRevision;
}

export type AppendAnswer =
  | { readonly kind: 'appended' | 'standing'; readonly position: bigint }
  | { readonly kind: 'conflict'; readonly actual: number | null };

interface Waiting extends AppendRequest {
  readonly resolve: (answer: AppendAnswer) => void;
  readonly reject: (error: unknown) => void;
}

export interface WriterTimes {
  /** For one try, of which at most `lockMs` go by until the other servers have let go of the log. */
  readonly appendMs: number;
  readonly lockMs: number;
  /** For the retries that settle what became of a try that was interrupted. */
  readonly settleMs: number;
}

export class PostgresLogWriter {
  /** Why nothing can be appended at the moment. */
  refusal: string | undefined;
  appends = 0;
  commits = 0;
  private readonly connection: PostgresConnection;
  private readonly waiting: Waiting[] = [];
  private readonly settled: (() => void)[] = [];
  private running = false;

  constructor(
    address: Address,
    private readonly times: WriterTimes,
    private readonly closed: AbortSignal,
  ) {
    this.connection = new PostgresConnection(address);
  }

  /** Throws `OutcomeUnknown` or `StoreUnavailable`. */
  append(request: AppendRequest): Promise<AppendAnswer> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ ...request, resolve, reject });
      if (!this.running) void this.run();
    });
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  private async run(): Promise<void> {
    this.running = true;
    // Whatever is appended in the same turn goes together from the first.
    await Promise.resolve();
    for (let group = this.nextGroup(); group.length > 0; group = this.nextGroup()) {
      await this.commitEach(group);
    }
    this.running = false;
  }

  private nextGroup(): Waiting[] {
    let count = 0;
    for (let units = 0; count < Math.min(GROUP_APPENDS_MAX, this.waiting.length); count += 1) {
      if (units >= GROUP_UNITS_MAX) break;
      for (const { data, meta } of this.waiting[count]?.events ?? []) units += data.length + meta.length;
    }
    return this.waiting.splice(0, count);
  }

  private async commitEach(group: readonly Waiting[]): Promise<void> {
    try {
      const answers = await this.commit(group);
      this.refusal = undefined;
      const appended = answers.filter(({ kind }) => kind === 'appended').length;
      this.appends += appended;
      if (appended > 0) this.commits += 1;
      this.settle(
        group.map(
          ({ resolve }, i) =>
            () =>
              resolve(answers[i] as AppendAnswer),
        ),
      );
    } catch (error) {
      const code = error instanceof Rejected ? error.code : '';
      if (group.length > 1 && REFUSES_DATA.test(code)) {
        for (const one of group) await this.commitEach([one]);
        return;
      }
      // One append that cannot be stored says nothing of the next.
      if (!REFUSES_DATA.test(code)) this.refuse(messageOf(error));
      const reason =
        error instanceof Rejected
          ? new StoreUnavailable(`PostgreSQL refused an append: ${error.message}`)
          : error;
      this.settle(
        group.map(
          ({ reject }) =>
            () =>
              reject(reason),
        ),
      );
      if (error instanceof Rejected) return;
      // They have not been sent, and would each wait as long in turn.
      const unsent = new StoreUnavailable(messageOf(error));
      this.settle(
        this.waiting.splice(0).map(
          ({ reject }) =>
            () =>
              reject(unsent),
        ),
      );
    }
  }

  /**
   * Throws `Rejected` or `StoreUnavailable` when nothing was appended. After a try that was interrupted only an
   * answer counts: that try may still be under way, whatever becomes of another.
   */
  private async commit(group: readonly AppendRequest[]): Promise<AppendAnswer[]> {
    const { values, bytes } = parametersOf(group);
    const extraMs = (bytes / BYTES_PER_SECOND_MIN) * 1_000;
    let timeoutMs = this.times.appendMs + extraMs;
    for (let deadline: number | undefined; ;) {
      try {
        const parameters = [this.times.lockMs, ...values];
        const rows = await this.connection.query<AnswerRow>(APPEND, parameters, timeoutMs);
        return rows.map(answerOf);
      } catch (error) {
        if (deadline === undefined && !(error instanceof Interrupted)) throw error;
        deadline ??= performance.now() + this.times.settleMs + extraMs;
        if (performance.now() + RETRY_MS > deadline) {
          throw new OutcomeUnknown(`PostgreSQL did not say what became of an append: ${messageOf(error)}`);
        }
        await sleep(RETRY_MS);
        timeoutMs = Math.max(RETRY_MS, deadline - performance.now());
      }
    }
  }

  /** Whoever stops sending appends because of a refusal would never hear that it is over. */
  private refuse(reason: string): void {
    const probing = this.refusal !== undefined;
    this.refusal = reason;
    if (!probing) void this.probe();
  }

  private async probe(): Promise<void> {
    while (this.refusal !== undefined) {
      try {
        await sleep(PROBE_MS, undefined, { signal: this.closed });
        const { values } = parametersOf([]);
        await this.connection.query(APPEND, [this.times.lockMs, ...values], this.times.appendMs);
        this.refusal = undefined;
      } catch (error) {
        if (this.closed.aborted) return;
        this.refusal = messageOf(error);
      }
    }
  }

  /** One in a turn of the event loop: each wakes a command, and all at once would keep everything else waiting. */
  private settle(answers: readonly (() => void)[]): void {
    const idle = this.settled.length === 0;
    this.settled.push(...answers);
    if (idle) this.settleNext();
  }

  private settleNext(): void {
    this.settled[0]?.();
    setImmediate(() => {
      this.settled.shift();
      if (this.settled.length > 0) this.settleNext();
    });
  }
}

interface AnswerRow {
  readonly outcome: AppendAnswer['kind'];
  readonly place: string;
}

function answerOf({ outcome, place }: AnswerRow): AppendAnswer {
  if (outcome !== 'conflict') return { kind: outcome, position: BigInt(place) };
  const actual = Number(place);
  return { kind: 'conflict', actual: actual === NO_STREAM ? null : actual };
}

function parametersOf(group: readonly AppendRequest[]): {
  readonly values: unknown[];
  readonly bytes: number;
} {
  const events = group.flatMap((append) => append.events);
  const texts = (['id', 'type', 'data', 'meta'] as const).map((part) =>
    textArray(events.map((event) => event[part])),
  );
  const bytes = texts.reduce((sum, { length }) => sum + length, 0);
  const streams = textArray(group.map(({ stream }) => stream));
  return { values: [streams, group.map(expectedOf), group.map((one) => one.events.length), ...texts], bytes };
}

function expectedOf({ events, expected }: AppendRequest): number {
  if (new Set(events.map(({ id }) => id)).size < events.length) return NEVER;
  return expected === 'no-stream' ? NO_STREAM : expected;
}
