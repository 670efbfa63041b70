// The time of a simulation: nothing happens but what stands in its diary, one thing after another, the next one only
// when every promise of the one before has been kept. What falls on the same millisecond is drawn by the seed. While it
// is installed, the timers and the clocks that the engine knows are these.
import type { Random } from '../support/random.js';

const BEGIN_MS = Date.parse('2026-03-01T09:00:00.000Z');

interface Task {
  readonly at: number;
  /** Among those of one millisecond. */
  readonly turn: number;
  readonly work: () => void;
}

/** What the engine gets from `setTimeout` and `setInterval`. */
class Timer {
  constructor(public task: number) {}

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

export class SimulatedTime {
  now = 0;
  /** How many things have happened. */
  happened = 0;
  /** By how much the clocks are wrong: they may be set back at any time. */
  skewMs = 0;
  private readonly diary = new Map<number, Task>();
  private tasks = 0;

  constructor(private readonly random: Random) {}

  /** Answers a number by which it can be cancelled. */
  after(ms: number, work: () => void): number {
    this.tasks += 1;
    this.diary.set(this.tasks, { at: this.now + ms, turn: this.random.next(), work });
    return this.tasks;
  }

  cancel(task: number): void {
    this.diary.delete(task);
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Lives through the work, however long it takes. Throws where it takes more than so many happenings. */
  async live<Result>(work: Promise<Result>, happeningsMax: number): Promise<Result> {
    let isOver = false;
    const ended = work.finally(() => (isOver = true));
    // Whoever waits for it below hears of its failure.
    ended.catch(() => undefined);
    for (const last = this.happened + happeningsMax; ;) {
      await promisesKept();
      if (isOver) return ended;
      const next = this.next();
      if (next === undefined) throw new Error('Everybody waits, and nothing is left that could happen');
      if (this.happened >= last) throw new Error(`It was not over after ${happeningsMax} happenings`);
      this.happened += 1;
      this.now = next.at;
      next.work();
    }
  }

  /** Answers how to give the real ones back. */
  install(): () => void {
    const real = { setTimeout, clearTimeout, setInterval, clearInterval };
    const clocks = { now: Date.now, sinceStart: performance.now };
    const begin = (work: () => void, ms = 0) => new Timer(this.after(ms, work));
    const every = (work: () => void, ms = 0) => {
      const timer = new Timer(0);
      const again = (): void => {
        timer.task = this.after(ms, again);
        work();
      };
      timer.task = this.after(ms, again);
      return timer;
    };
    const end = (timer: Timer | undefined) => timer && this.cancel(timer.task);
    Object.assign(globalThis, {
      setTimeout: begin,
      setInterval: every,
      clearTimeout: end,
      clearInterval: end,
    });
    Date.now = () => BEGIN_MS + this.now + this.skewMs;
    performance.now = () => this.now;
    return () => {
      Object.assign(globalThis, real);
      Date.now = clocks.now;
      performance.now = clocks.sinceStart;
    };
  }

  private next(): Task | undefined {
    let first: Task | undefined;
    let key = 0;
    for (const [number, task] of this.diary) {
      if (first !== undefined && (task.at > first.at || (task.at === first.at && task.turn >= first.turn))) {
        continue;
      }
      first = task;
      key = number;
    }
    this.diary.delete(key);
    return first;
  }
}

/** What is next to tick comes after all promises that can be kept without anything happening. */
function promisesKept(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
