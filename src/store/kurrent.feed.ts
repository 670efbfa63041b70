// The one subscription of a store, from where it stood when it was opened on: every event of the log once, in
// order. It subscribes again by itself, after an error as after a silence that the end of the log belies.

import type { AllStreamSubscription, ResolvedEvent } from '@eventstore/db-client';
import type { Position, StoredEvent } from './event-store.js';
import { failureOf } from './kurrent.outcome.js';

const PAUSE_MIN_MS = 50;
const PAUSE_MAX_MS = 2_000;

export interface FeedSource {
  subscribe(after: Position): AllStreamSubscription;
  read(resolved: ResolvedEvent): StoredEvent | undefined;
  head(): Promise<Position>;
}

export interface FeedOptions {
  /** Called with events that follow on all that were handed over before. */
  readonly onEvents: (events: readonly StoredEvent[]) => void;
  /** Called with a line when the log cannot be followed, and with undefined when it can be. */
  readonly onTrouble: (trouble: string | undefined) => void;
  /** The end of the log is looked up this often; twice ahead of a subscription that stands still is too much. */
  readonly watchMs: number;
}

export class KurrentFeed {
  private current: AllStreamSubscription | undefined;
  private pauseMs = PAUSE_MIN_MS;
  private pause: NodeJS.Timeout | undefined;
  private readonly watch: NodeJS.Timeout;
  private watching = false;
  /** Where the feed stood when it was last found to be behind. */
  private behindAt: Position | undefined;
  private closed = false;

  constructor(
    /** Of the newest event that was handed over. */
    private reached: Position,
    private readonly source: FeedSource,
    private readonly options: FeedOptions,
  ) {
    this.watch = setInterval(() => void this.lookForSilence(), options.watchMs);
    this.subscribe();
  }

  get position(): Position {
    return this.reached;
  }

  /** Something is known to be in the log that has not come. */
  suspect(): void {
    if (this.current !== undefined) this.lose(this.current, 'The subscription has fallen silent');
  }

  close(): void {
    this.closed = true;
    clearInterval(this.watch);
    clearTimeout(this.pause);
    if (this.current !== undefined) abandon(this.current);
    this.current = undefined;
  }

  private subscribe(): void {
    const subscription = this.source.subscribe(this.reached);
    this.current = subscription;
    subscription.on('confirmation', () => this.onceFollowing(subscription));
    subscription.on('readable', () => this.take(subscription));
    subscription.on('end', () => this.lose(subscription, 'The server has ended the subscription'));
    // Stays for good, so that an error of an abandoned subscription is heard by somebody.
    subscription.on('error', (error: unknown) => this.lose(subscription, failureOf(error).reason));
  }

  private onceFollowing(subscription: AllStreamSubscription): void {
    if (subscription !== this.current) return;
    this.pauseMs = PAUSE_MIN_MS;
    this.options.onTrouble(undefined);
  }

  /** All that has come in, at once: what is not taken yet holds the server back. */
  private take(subscription: AllStreamSubscription): void {
    try {
      const events: StoredEvent[] = [];
      for (;;) {
        const resolved = subscription.read() as ResolvedEvent | null;
        if (resolved === null || subscription !== this.current) break;
        const event = this.source.read(resolved);
        // A server that delivers again what it has delivered before is not believed.
        if (event === undefined || event.position <= (events.at(-1)?.position ?? this.reached)) continue;
        events.push(event);
      }
      const last = events.at(-1);
      if (last === undefined) return;
      this.reached = last.position;
      this.options.onEvents(events);
    } catch (error) {
      // An event that cannot be told stays what it is: going on without it would be a log with a hole.
      this.close();
      this.options.onTrouble(`The log cannot be followed: ${messageOf(error)}`);
    }
  }

  private lose(subscription: AllStreamSubscription, reason: string): void {
    if (subscription !== this.current || this.closed) return;
    this.current = undefined;
    abandon(subscription);
    this.options.onTrouble(`The log cannot be followed: ${reason}`);
    this.pause = setTimeout(() => this.subscribe(), this.pauseMs);
    this.pauseMs = Math.min(this.pauseMs * 2, PAUSE_MAX_MS);
  }

  private async lookForSilence(): Promise<void> {
    if (this.watching || this.closed) return;
    this.watching = true;
    const stoodAt = this.reached;
    try {
      const head = await this.source.head();
      if (this.closed) return;
      const behind = head > stoodAt && this.reached === stoodAt;
      if (behind && this.behindAt === stoodAt) this.suspect();
      this.behindAt = behind ? stoodAt : undefined;
      if (!behind && this.current !== undefined) this.options.onTrouble(undefined);
    } catch (error) {
      if (!this.closed) this.options.onTrouble(messageOf(error));
    } finally {
      this.watching = false;
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function abandon(subscription: AllStreamSubscription): void {
  void subscription.unsubscribe().catch(() => undefined);
  subscription.destroy();
}
