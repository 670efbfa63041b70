// Reading the server's log: pages of one stream, pages of the whole, and where its end is. The client's reads
// of the whole log know no filter, so that what is not ours is left out here.

import { BACKWARDS, END, FORWARDS, START as BEGINNING } from '@eventstore/db-client';
import type { Position as Place, ResolvedEvent, StreamingRead } from '@eventstore/db-client';
import {
  START,
  StoreUnavailable,
  type Position,
  type ReadStreamOptions,
  type StoredEvent,
} from './event-store.js';
import type { KurrentClient } from './kurrent.client.js';
import { toStoredEvent } from './kurrent.events.js';
import { CallTimeout, failureOf } from './kurrent.outcome.js';
import type { KurrentStreams } from './kurrent.streams.js';
import { pageLimit } from './store-rules.js';

/** A page ends early when it holds this many UTF-16 units, so that a thousand large events fit into memory. */
const PAGE_UNITS_MAX = 16 * 1024 * 1024;
/** Fewer at a time would be slow going through events of others. */
const STEP_MIN = 64;
const STEP_MAX = 1_024;

/** An event of the whole log, its content only when it is ours. */
interface Seen {
  readonly at: Place;
  readonly ours: StoredEvent | undefined;
}

export class KurrentLogReader {
  /** The newest event of ours that is known, and up to where all events are known. */
  private newest: Position = START;
  private scanned: Position = START;

  constructor(
    private readonly client: KurrentClient,
    private readonly streams: KurrentStreams,
    /** From one event of a page to the next. */
    private readonly patienceMs: number,
  ) {}

  async readStream(stream: string, options: ReadStreamOptions): Promise<readonly StoredEvent[]> {
    const name = this.streams.nameAtServer(stream);
    const backwards = options.direction === 'backwards';
    const { from } = options;
    const maxCount = pageLimit(options.limit);
    const direction = backwards ? BACKWARDS : FORWARDS;
    const page = async (fromRevision: bigint | typeof BEGINNING | typeof END) => {
      const read = () => this.client.readStream(name, { direction, maxCount, fromRevision });
      return this.read(read, ({ event }) => event && toStoredEvent(event, stream), stream);
    };
    if (from === undefined) return page(backwards ? END : BEGINNING);
    const events = await page(BigInt(from));
    // Backwards from beyond the end, a server may look for the events where there are none.
    if (events.length > 0 || !backwards) return events;
    return (await page(END)).filter(({ revision }) => revision <= from);
  }

  /** An empty page is the end: as long as there are events of others, it goes on behind them. */
  async readAll(after: Position, limit: number): Promise<readonly StoredEvent[]> {
    const maxCount = Math.max(limit + 1, STEP_MIN);
    let from: Place | typeof BEGINNING = after === START ? BEGINNING : { commit: after, prepare: after };
    for (let reached = after; ;) {
      const fromPosition = from;
      const page = await this.readSeen(() =>
        this.client.readAll({ direction: FORWARDS, maxCount, fromPosition }),
      );
      // The start is included, and not what was asked for.
      const ours = page.flatMap(({ ours }) => (ours !== undefined && ours.position > after ? [ours] : []));
      if (ours.length > 0) return ours.slice(0, limit);
      const last = page.at(-1);
      if (last === undefined || last.at.commit <= reached) return [];
      from = last.at;
      reached = last.at.commit;
    }
  }

  /** The true end: from the newest event of all backwards to the first one that is ours, or known already. */
  async head(): Promise<Position> {
    const { newest, scanned } = this;
    let from: Place | typeof END = END;
    let top: Position | undefined;
    for (let maxCount = 1; ; maxCount = Math.min(maxCount * 8, STEP_MAX)) {
      const fromPosition = from;
      const page = await this.readSeen(() =>
        this.client.readAll({ direction: BACKWARDS, maxCount, fromPosition }),
      );
      top ??= page[0]?.at.commit ?? scanned;
      for (const { at, ours } of page) {
        if (at.commit <= scanned) return this.learn(newest, top);
        if (ours !== undefined) return this.learn(ours.position, top);
      }
      if (page.length < maxCount) return this.learn(newest, top);
      from = (page.at(-1) as Seen).at;
    }
  }

  /** What was seen elsewhere, which need not be looked for again. Answers the newest of all that is known. */
  learn(newest: Position, scanned: Position): Position {
    if (newest > this.newest) this.newest = newest;
    if (scanned > this.scanned) this.scanned = scanned;
    return this.newest;
  }

  private readSeen(read: () => StreamingRead<ResolvedEvent>): Promise<Seen[]> {
    return this.read(read, ({ event }) => {
      if (event?.position === undefined) return undefined;
      const ours = this.streams.holds(event)
        ? toStoredEvent(event, this.streams.nameHere(event.streamId))
        : undefined;
      return { at: event.position, ours };
    });
  }

  private async read<T extends StoredEvent | Seen>(
    read: () => StreamingRead<ResolvedEvent>,
    keep: (resolved: ResolvedEvent) => T | undefined,
    stream?: string,
  ): Promise<T[]> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await collect(read(), keep, this.patienceMs);
      } catch (error) {
        const failure = failureOf(error);
        if (failure.kind === 'no-stream') return [];
        // After a change of leader or a restart, the client finds its way by the call that fails.
        if (failure.kind === 'unsent' && attempt === 1) continue;
        if (failure.kind === 'deleted') throw deletedStream(stream ?? '$all');
        throw new StoreUnavailable(`The log cannot be read: ${failure.reason}`, { cause: error });
      }
    }
  }
}

export function deletedStream(stream: string): StoreUnavailable {
  return new StoreUnavailable(
    `Stream ${stream} has been deleted at the event store, which keeps it deleted for ever`,
  );
}

/** The listeners stay to the end of the process: an error that came late must not go unheard. */
function collect<T extends StoredEvent | Seen>(
  stream: StreamingRead<ResolvedEvent>,
  keep: (resolved: ResolvedEvent) => T | undefined,
  patienceMs: number,
): Promise<T[]> {
  return new Promise((resolve, reject) => {
    const kept: T[] = [];
    let units = 0;
    const cancel = (): void => {
      clearTimeout(timer);
      void stream.cancel().catch(() => undefined);
    };
    const fail = (error: Error): void => {
      cancel();
      reject(error);
    };
    const timer = setTimeout(() => fail(new CallTimeout(`No answer within ${patienceMs} ms`)), patienceMs);
    stream.on('data', (resolved: ResolvedEvent) => {
      timer.refresh();
      try {
        const seen = keep(resolved);
        if (seen === undefined) return;
        kept.push(seen);
        units += unitsOf('at' in seen ? seen.ours : seen);
      } catch (error) {
        return fail(error instanceof Error ? error : new Error(String(error)));
      }
      if (units <= PAGE_UNITS_MAX) return;
      cancel();
      resolve(kept);
    });
    stream.on('end', () => {
      clearTimeout(timer);
      resolve(kept);
    });
    stream.on('error', (error: Error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

function unitsOf(event: StoredEvent | undefined): number {
  return event === undefined ? 0 : event.data.length + event.meta.length;
}
