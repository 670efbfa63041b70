// One who follows the changes: it holds a position and next to nothing else, is written to while there is room, and is
// cut off when it does not keep up.
import type { Position } from '../store/event-store.js';
import type { RecentMessages, Message, Stretch, Wanted } from './recent-messages.js';

/** The way to one client. */
export interface Outlet {
  /** False once it is full: whoever made it calls `resume()` when there is room again. */
  write(bytes: Uint8Array): boolean;
  /** Shows that the connection lives, and up to where nothing is missing. */
  beat(position: Position): boolean;
  /** There will be no more. */
  end(): void;
  /** As `end`, at once and for a reason. */
  cut(reason: string): void;
}

export interface ChangeLimits {
  readonly heartbeatMs: number;
  /** A client that is full and takes nothing for so long is cut off. */
  readonly stallMs: number;
  /** How often both are looked at. */
  readonly tickMs: number;
  /** A client that is further behind what it should have had is cut off. */
  readonly behindBytesMax: number;
  /** Kept of what is newest, for all clients together. */
  readonly recentBytesMax: number;
  /** Whoever comes back after more events than this has to begin anew. */
  readonly missedEventsMax: number;
}

/** Where a reader finds what it passes on. */
export interface Changes {
  readonly recent: RecentMessages;
  /** From the log, for those who are behind the newest messages; looks at so many events of it at most. */
  read(after: Position, wanted: Wanted, events: number): Promise<Stretch>;
}

/** Held for one client at a time. */
export const STRETCH_BYTES = 64 * 1024;
const PAGE_EVENTS_MIN = 4;
const PAGE_EVENTS_MAX = 512;

export class ChangeReader {
  private waiting: readonly Message[] = [];
  private passed = 0;
  /** Nothing that was wanted is missing up to there, once `waiting` has been passed on. */
  private upTo: Position;
  private isReading = false;
  /** As many as fill about one stretch: events are as different in size as what is wanted of them is in number. */
  private pageEvents = 32;
  private hasEnded = false;
  private fullSince: number | undefined;
  private lastWrite = performance.now();
  /** Up to where `behind` has been counted. */
  private counted: Position;
  private behind = 0;

  constructor(
    private position: Position,
    private readonly wanted: Wanted,
    private readonly outlet: Outlet,
    private readonly changes: Changes,
    private readonly limits: ChangeLimits,
  ) {
    this.upTo = position;
    this.counted = position;
  }

  /** There is room again. */
  resume(): void {
    this.fullSince = undefined;
    this.go();
  }

  /** Something may have come, or time has passed. */
  wake(now: number): void {
    if (this.fullSince !== undefined) return this.judge(now, this.fullSince);
    this.go();
    const isIdle = this.fullSince === undefined && !this.isReading && !this.hasEnded;
    if (!isIdle || now - this.lastWrite < this.limits.heartbeatMs) return;
    this.wrote(this.outlet.beat(this.position));
  }

  /** Takes nothing more, and says so to the client. */
  end(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.outlet.end();
  }

  /** The client has gone. */
  close(): void {
    this.hasEnded = true;
  }

  private go(): void {
    if (this.isReading) return;
    while (this.fullSince === undefined && !this.hasEnded) {
      const message = this.waiting[this.passed];
      if (message !== undefined) {
        this.passed += 1;
        this.position = message.position;
        this.wrote(this.outlet.write(message.bytes));
      } else if (!this.fetch()) return;
    }
  }

  /** False when there is nothing to pass on at the moment. */
  private fetch(): boolean {
    this.position = this.upTo;
    const stretch = this.changes.recent.after(this.position, this.wanted, STRETCH_BYTES);
    if (stretch === undefined) {
      this.readOn();
      return false;
    }
    this.hold(stretch);
    return stretch.messages.length > 0;
  }

  private hold({ messages, upTo }: Stretch): void {
    this.waiting = messages;
    this.passed = 0;
    this.upTo = upTo;
    if (messages.length === 0) this.position = upTo;
  }

  private readOn(): void {
    this.isReading = true;
    this.changes.read(this.position, this.wanted, this.pageEvents).then(
      (stretch) => {
        this.isReading = false;
        const isFull = bytesOf(stretch) >= STRETCH_BYTES;
        const { pageEvents } = this;
        this.pageEvents = isFull
          ? Math.max(pageEvents / 2, PAGE_EVENTS_MIN)
          : Math.min(pageEvents * 2, PAGE_EVENTS_MAX);
        this.hold(stretch);
        this.go();
      },
      (error: unknown) => this.cut(error instanceof Error ? error.message : String(error)),
    );
  }

  private wrote(hasRoom: boolean): void {
    this.lastWrite = performance.now();
    if (hasRoom) return;
    this.fullSince = this.lastWrite;
    this.behind = 0;
    this.counted = this.position;
  }

  private judge(now: number, fullSince: number): void {
    const { stallMs, behindBytesMax } = this.limits;
    if (now - fullSince > stallMs) return this.cut(`It has taken nothing for ${stallMs} ms.`);
    const missed = this.changes.recent.after(this.counted, this.wanted, behindBytesMax);
    // One that reads a backlog may take its time.
    if (missed === undefined) return;
    this.behind += bytesOf(missed);
    this.counted = missed.upTo;
    if (this.behind > behindBytesMax) this.cut(`It is more than ${behindBytesMax} bytes behind.`);
  }

  private cut(reason: string): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.outlet.cut(reason);
  }
}

function bytesOf({ messages }: Stretch): number {
  return messages.reduce((sum, { bytes }) => sum + bytes.length, 0);
}
