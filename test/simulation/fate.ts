// What may befall one run, and how often: each seed has a mood of its own, from a quiet day to a bad one, so that
// faults meet each other in different company. Once it has healed nothing goes wrong any more.
import type { Random } from '../support/random.js';

export type AppendFate =
  | 'written'
  /** Nothing is written, and the server is told so. */
  | 'unavailable'
  /** The server cannot know whether it was written: it was not, it was, or it will be. */
  | 'lost'
  | 'unknown'
  | 'late';

export type DeliveryFate = 'delivered' | 'broken' | 'silent';

/** The most that each chance can be in any mood. */
const CHANCES_MAX = {
  unavailable: 0.06,
  lost: 0.06,
  unknown: 0.1,
  late: 0.06,
  unreadable: 0.04,
  broken: 0.03,
  silent: 0.02,
  slow: 0.04,
} as const;
const SLOW_MS_MAX = 15_000;
const CRASH_EVERY_MS_MIN = 200;
const CRASH_EVERY_MS_MAX = 2_000;

export class Fate {
  private readonly chances: Record<keyof typeof CHANCES_MAX, number>;
  private readonly delayMs: number;
  /** Undefined in a run without crashes. */
  readonly crashEveryMs: number | undefined;
  private healed = false;

  constructor(readonly random: Random) {
    const entries = Object.entries(CHANCES_MAX).map(([name, max]) => {
      return [name, random.next() < 0.4 ? 0 : random.next() * max] as const;
    });
    this.chances = Object.fromEntries(entries) as typeof this.chances;
    this.delayMs = random.pick([1, 3, 10, 40]);
    const span = CRASH_EVERY_MS_MAX - CRASH_EVERY_MS_MIN;
    this.crashEveryMs = random.next() < 0.3 ? undefined : CRASH_EVERY_MS_MIN + random.below(span);
  }

  heal(): void {
    this.healed = true;
  }

  /** In whole milliseconds, so that things fall together now and then. */
  delay(): number {
    if (this.happens('slow')) return this.random.below(SLOW_MS_MAX);
    return this.random.below(this.delayMs + 1);
  }

  lateMs(): number {
    return this.random.below(SLOW_MS_MAX);
  }

  ofAppend(): AppendFate {
    for (const fate of ['unavailable', 'lost', 'unknown', 'late'] as const)
      if (this.happens(fate)) return fate;
    return 'written';
  }

  ofDelivery(): DeliveryFate {
    for (const fate of ['broken', 'silent'] as const) if (this.happens(fate)) return fate;
    return 'delivered';
  }

  isUnreadable(): boolean {
    return this.happens('unreadable');
  }

  private happens(chance: keyof typeof CHANCES_MAX): boolean {
    return !this.healed && this.random.next() < this.chances[chance];
  }
}
