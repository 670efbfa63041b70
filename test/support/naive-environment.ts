// The rules of an environment once more, as plainly as they can be put: every release keeps a copy of
// everything. It is too slow for use and simple enough to be believed: the real one is measured against it.
import type { RefusalCode } from '../../src/domain/refused.js';

/** Flow to the number of its version, for the flows that are active. */
export type Active = ReadonlyMap<string, number>;

export interface NaiveRelease {
  readonly active: Active;
  /** The release whose state is in effect after this one. */
  readonly inEffect: number;
  /** What each flow has run, oldest first, its current version last; null for a time without. */
  readonly pasts: ReadonlyMap<string, readonly (number | null)[]>;
}

export type Wanted = ReadonlyMap<string, number | null>;

export interface NaiveRollback {
  readonly toRelease: number | null;
  readonly flowIds: readonly string[] | null;
}

export class NaiveEnvironment {
  /** By number; 0 is the empty environment before the first one. */
  readonly releases: NaiveRelease[] = [{ active: new Map(), inEffect: 0, pasts: new Map() }];
  private readonly everActive = new Set<string>();

  get newest(): number {
    return this.releases.length - 1;
  }

  at(number: number): NaiveRelease {
    const release = this.releases[number];
    if (release === undefined) throw new Error(`The test asked for release ${number}, which there is not`);
    return release;
  }

  get active(): Active {
    return this.at(this.newest).active;
  }

  /** Activation, deactivation and promotion: these flows run these versions from now on. */
  put(wanted: Wanted): void {
    const pasts = new Map(this.at(this.newest).pasts);
    for (const [flowId, number] of wanted) {
      if ((this.active.get(flowId) ?? null) === number) continue;
      pasts.set(flowId, [...(pasts.get(flowId) ?? []), number]);
      this.everActive.add(flowId);
    }
    this.add(pasts, this.newest + 1);
  }

  /** Null: nothing is refused. */
  promote(source: NaiveEnvironment, flowIds: readonly string[] | null, prune: boolean): RefusalCode | null {
    const wanted = new Map<string, number | null>();
    for (const flowId of flowIds ?? new Set([...source.active.keys(), ...this.active.keys()])) {
      const number = source.active.get(flowId);
      if (number !== undefined) wanted.set(flowId, number);
      else if (prune && this.active.has(flowId)) wanted.set(flowId, null);
      else if (flowIds !== null) return 'flows-not-active';
    }
    this.put(wanted);
    return null;
  }

  rollback({ toRelease, flowIds }: NaiveRollback): RefusalCode | null {
    if (toRelease === null && flowIds !== null) return this.rollbackByOwnHistory(flowIds);
    const { inEffect } = this.at(this.newest);
    if (toRelease === null && inEffect <= 1) return 'no-prior-release';
    const number = toRelease ?? inEffect - 1;
    if (number > this.newest) return 'unknown-release';
    if (flowIds?.some((flowId) => !this.everActive.has(flowId)) === true) return 'flows-not-active';
    const target = this.at(number);
    const pasts = new Map(this.at(this.newest).pasts);
    for (const flowId of flowIds ?? pasts.keys()) {
      if (this.active.get(flowId) === target.active.get(flowId)) continue;
      pasts.set(flowId, target.pasts.get(flowId) ?? []);
    }
    this.add(pasts, flowIds === null ? target.inEffect : this.newest + 1);
    return null;
  }

  private rollbackByOwnHistory(flowIds: readonly string[]): RefusalCode | null {
    if (flowIds.some((flowId) => !this.everActive.has(flowId))) return 'flows-not-active';
    const pasts = new Map(this.at(this.newest).pasts);
    for (const flowId of new Set(flowIds)) {
      const past = pasts.get(flowId) ?? [];
      if (past.length <= 1) return 'no-prior-release';
      pasts.set(flowId, past.slice(0, -1));
    }
    this.add(pasts, this.newest + 1);
    return null;
  }

  /** One more release, unless everything runs as before. */
  private add(pasts: NaiveRelease['pasts'], inEffect: number): void {
    const active = new Map<string, number>();
    for (const [flowId, past] of pasts) {
      const current = past.at(-1) ?? null;
      if (current !== null) active.set(flowId, current);
    }
    if (!sameActive(active, this.active)) this.releases.push({ active, inEffect, pasts });
  }
}

export function sameActive(one: Active, other: Active): boolean {
  return one.size === other.size && [...one].every(([flowId, number]) => other.get(flowId) === number);
}
