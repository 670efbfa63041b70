// How far a follower of the log has come, and waiting for it to come further.
import { START, type Position } from '../store/event-store.js';

interface Waiter {
  readonly position: Position;
  readonly resolve: () => void;
  readonly reject: (reason: Error) => void;
}

/** Waited as long as a request may, and the follower has not come that far. */
export class NotCaughtUp extends Error {
  constructor(position: Position, reached: Position, why: string) {
    super(`Position ${position} is not in the views yet: they are at ${reached}. ${why}`);
    this.name = 'NotCaughtUp';
  }
}

export class Progress {
  private waiters: Waiter[] = [];
  private failure: string | undefined;

  constructor(public position: Position = START) {}

  /** Why the follower stopped for good; undefined while it follows. */
  get failed(): string | undefined {
    return this.failure;
  }

  advance(position: Position): void {
    this.position = position;
    if (this.waiters.length === 0) return;
    const reached = this.waiters.filter((waiter) => waiter.position <= position);
    this.waiters = this.waiters.filter((waiter) => waiter.position > position);
    for (const { resolve } of reached) resolve();
  }

  /** The follower stops here: nobody waits for what will not come. */
  fail(reason: string): void {
    this.failure ??= reason;
    const waiters = this.waiters;
    this.waiters = [];
    for (const { position, reject } of waiters) reject(new NotCaughtUp(position, this.position, reason));
  }

  /** Resolves once this position has been reached. Throws `NotCaughtUp` after `timeoutMs`. */
  reached(position: Position, timeoutMs: number): Promise<void> {
    if (position <= this.position) return Promise.resolve();
    if (this.failure !== undefined) {
      return Promise.reject(new NotCaughtUp(position, this.position, this.failure));
    }
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const failed = (reason: Error): void => {
        clearTimeout(timer);
        reject(reason);
      };
      const waiter: Waiter = { position, resolve: done, reject: failed };
      const timer = setTimeout(() => {
        this.waiters = this.waiters.filter((other) => other !== waiter);
        reject(new NotCaughtUp(position, this.position, `Waited ${timeoutMs} ms.`));
      }, timeoutMs);
      this.waiters.push(waiter);
    });
  }
}
