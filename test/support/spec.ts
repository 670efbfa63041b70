// given / when / then for an aggregate. The facts are the fixture, so no mock is ever needed.
import { fold, type Decider } from '../../src/domain/decider.js';
import { Refused, type RefusalCode } from '../../src/domain/refused.js';

export function spec<State, Command, Event>(decider: Decider<State, Command, Event>) {
  return (...given: readonly Event[]) => ({
    when: (command: Command) => ({
      /** These facts follow, and they can be folded in; none, when nothing changes. */
      then(...events: readonly Event[]): void {
        const { state, decide } = asked(decider, given, command);
        expect(decide()).toEqual(events);
        fold(decider, events, state);
      },
      /** A rule says no, and its detail has each of these words in it. */
      refused(code: RefusalCode, ...words: readonly string[]): void {
        const refusal = refusalOf(asked(decider, given, command).decide);
        expect(refusal.code).toBe(code);
        for (const word of words) expect(refusal.message).toContain(word);
      },
    }),
  });
}

/** The refusal that the work ends in. Fails when it ends in anything else. */
export function refusalOf(work: () => unknown): Refused {
  try {
    work();
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
  throw new Error('Nothing was refused');
}

/** Deciding must be pure: each decision of each test is made twice and must leave the state as it was. */
function asked<State, Command, Event>(
  decider: Decider<State, Command, Event>,
  given: readonly Event[],
  command: Command,
) {
  const state = fold(decider, given);
  const decide = (): readonly Event[] => {
    const outcomes = [1, 2].map(() => outcomeOf(() => decider.decide(state, command)));
    expect(state).toEqual(fold(decider, given));
    const [first, second] = outcomes;
    expect(second).toEqual(first);
    if (first?.error !== undefined) throw first.error;
    return first?.events ?? [];
  };
  return { state, decide };
}

function outcomeOf<Event>(decide: () => readonly Event[]): {
  readonly events?: readonly Event[];
  readonly error?: Error;
} {
  try {
    return { events: decide() };
  } catch (error) {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }
}

/** `it` where nothing is missing that the test needs; else a test that is skipped and says what. */
export function unless(missing: string) {
  return (title: string, check: () => Promise<void>, timeoutMs?: number): void => {
    if (missing === '') it(title, check, timeoutMs);
    else it.skip(`${title} (${missing})`, check);
  };
}

/** Looks again and again until it holds; fails when it never does. */
export async function until(holds: () => boolean | Promise<boolean>, msMax = 15_000): Promise<void> {
  const deadline = performance.now() + msMax;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`It did not happen within ${msMax} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
