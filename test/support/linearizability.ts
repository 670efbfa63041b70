// Whether a history of commands on one environment, sent by many at the same time, can be told as one after another:
// each at one moment between its sending and its answer. Judged from the answers alone. The search is that of Wing and
// Gong with the memory of Lowe ("Testing for linearizability", 2017): which operations have happened, and in which
// order those happened that changed something, is never looked at twice.
import { EnvironmentModel, same, type Effect, type Operation } from './environment-model.js';

export interface Event {
  readonly operation: Operation | { readonly kind: 'read' };
  readonly started: number;
  /** Infinite where no answer ever came: it may have happened at any time, or never. */
  readonly ended: number;
  readonly outcome: Outcome;
}

export type Outcome =
  /** Flow to version for everything that changed; empty where nothing had to. */
  | { readonly kind: 'made'; readonly release: number; readonly changes: ReadonlyMap<string, string | null> }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'refused'; readonly code: string }
  /** The newest release that was shown. */
  | { readonly kind: 'saw'; readonly release: number }
  | { readonly kind: 'unknown' };

export function isLinearizable(history: readonly Event[], initial = new EnvironmentModel()): boolean {
  const search = new Search([...history].sort((a, b) => a.started - b.started));
  return search.from(initial, new Set(), '');
}

class Search {
  private readonly seen = new Set<string>();

  constructor(private readonly history: readonly Event[]) {}

  from(model: EnvironmentModel, happened: ReadonlySet<number>, changes: string): boolean {
    if (this.isDone(happened)) return true;
    const place = `${[...happened].sort((a, b) => a - b).join()} ${changes}`;
    if (this.seen.has(place)) return false;
    this.seen.add(place);
    return this.next(happened).some((index) => {
      const event = this.history[index] as Event;
      return afterwards(model, event).some((then) => {
        const order = then === model ? changes : `${changes},${index}`;
        return this.from(then, new Set(happened).add(index), order);
      });
    });
  }

  private isDone(happened: ReadonlySet<number>): boolean {
    return this.history.every(({ outcome }, index) => happened.has(index) || outcome.kind === 'unknown');
  }

  /** Those that nothing has to come before: no other one that is left was over when they began. */
  private next(happened: ReadonlySet<number>): number[] {
    let firstEnd = Infinity;
    for (const [index, { ended }] of this.history.entries()) {
      if (!happened.has(index)) firstEnd = Math.min(firstEnd, ended);
    }
    const next: number[] = [];
    for (const [index, { started }] of this.history.entries()) {
      if (!happened.has(index) && started <= firstEnd) next.push(index);
    }
    return next;
  }
}

/** The states that the environment may be in after this, if it may happen here at all. */
function afterwards(model: EnvironmentModel, { operation, outcome }: Event): EnvironmentModel[] {
  if (operation.kind === 'read') {
    return outcome.kind === 'saw' && outcome.release === model.release ? [model] : [];
  }
  const effect: Effect = model.effect(model.release, operation);
  const changed = () => (typeof effect === 'string' ? [] : [model.applied(operation, effect)]);
  switch (outcome.kind) {
    case 'made':
      return outcome.release === model.release + 1 && same(effect, outcome.changes) ? changed() : [];
    case 'unchanged':
      return same(effect, new Map()) ? [model] : [];
    case 'refused':
      return effect === outcome.code ? [model] : [];
    case 'unknown':
      return typeof effect !== 'string' && effect.size > 0 ? changed() : [];
    case 'saw':
      return [];
  }
}
