// One append, from the first attempt to an outcome that is known, or known to be unknown. An attempt that got
// no answer is made again with the same ids at the same revision, which the server settles with one effect.

import { setTimeout as pause } from 'node:timers/promises';
import type { AppendResult } from '@eventstore/db-client';
import {
  AppendTooLarge,
  OutcomeUnknown,
  RevisionConflict,
  StoreUnavailable,
  type ExpectedRevision,
  type NewEvent,
  type Position,
} from './event-store.js';
import type { KurrentClient } from './kurrent.client.js';
import { toEventData } from './kurrent.events.js';
import { deletedStream } from './kurrent.log-reader.js';
import { failureOf, type Failure } from './kurrent.outcome.js';
import type { KurrentStreams } from './kurrent.streams.js';

const PAUSE_MIN_MS = 25;
const PAUSE_MAX_MS = 500;

export interface Patience {
  /** With one attempt, which the server's own two seconds for a write must fit into. */
  readonly attemptMs: number;
  /** With all attempts together. */
  readonly settleMs: number;
}

export class KurrentAppender {
  constructor(
    private readonly client: KurrentClient,
    private readonly streams: KurrentStreams,
    private readonly patience: Patience,
    /** Called with a line when the server could not be had, and with undefined when it answered. */
    private readonly onTrouble: (trouble: string | undefined) => void,
  ) {}

  /** Answers what the server said of the position: not necessarily that of the last event. */
  async append(
    stream: string,
    events: readonly NewEvent[],
    expected: ExpectedRevision,
  ): Promise<Position | undefined> {
    const name = this.streams.nameAtServer(stream);
    const encoded = events.map(toEventData);
    const deadline = performance.now() + this.patience.settleMs;
    /** An attempt may have reached the log, or may do so yet. */
    let sent = false;
    for (let pauseMs = PAUSE_MIN_MS; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS)) {
      const left = Math.max(deadline - performance.now(), 1);
      const ms = Math.ceil(Math.min(this.patience.attemptMs, left));
      const outcome = await this.client.append(name, encoded, expected, ms).catch(failureOf);
      if (!('kind' in outcome)) return this.appended(stream, events, expected, outcome);
      if (outcome.kind !== 'unsent' && outcome.kind !== 'unknown') {
        this.onTrouble(undefined);
        throw refusalOf(outcome, stream, events, expected);
      }
      this.onTrouble(`The event store does not answer: ${outcome.reason}`);
      sent ||= outcome.kind === 'unknown';
      // Nobody there is said at once, unless an earlier attempt has to be settled, or a new leader to be found.
      const over = performance.now() + pauseMs >= deadline;
      if (sent && over) throw new OutcomeUnknown(`The append to ${stream} got no answer: ${outcome.reason}`);
      if (!sent && (over || pauseMs > PAUSE_MIN_MS * 4)) {
        throw new StoreUnavailable(`Nothing was appended: ${outcome.reason}`);
      }
      await pause(pauseMs);
    }
  }

  private appended(
    stream: string,
    events: readonly NewEvent[],
    expected: ExpectedRevision,
    { nextExpectedRevision, position }: AppendResult,
  ): Position | undefined {
    this.onTrouble(undefined);
    const revision = (expected === 'no-stream' ? -1 : expected) + events.length;
    // A stream that was deleted softly begins anew behind its last event, whatever was expected of it.
    if (nextExpectedRevision !== BigInt(revision)) {
      throw new Error(
        `Stream ${stream} had been deleted at the event store: it begins anew and ends at ${nextExpectedRevision}`,
      );
    }
    return position?.commit;
  }
}

function refusalOf(
  failure: Exclude<Failure, { kind: 'unsent' | 'unknown' }>,
  stream: string,
  events: readonly NewEvent[],
  expected: ExpectedRevision,
): Error {
  switch (failure.kind) {
    case 'conflict':
      return new RevisionConflict(stream, expected, failure.actual);
    case 'too-large': {
      const bytes = events.map(({ data, meta }) => Buffer.byteLength(data) + Buffer.byteLength(meta));
      return new AppendTooLarge(
        bytes.reduce((sum, one) => sum + one, 0),
        failure.bytesMax,
      );
    }
    case 'deleted':
      return deletedStream(stream);
    case 'denied':
      return new StoreUnavailable(`The event store does not let us write to ${stream}: ${failure.reason}`);
    default:
      return new StoreUnavailable(`The event store refuses the append to ${stream}: ${failure.reason}`);
  }
}
