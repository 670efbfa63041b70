// Where two environments differ. Each pair that somebody has asked about is kept up to date change by change, so
// that a diff costs what it returns and not what the environments hold.
import { placementOf, sameVersion, type EnvironmentState } from '../src/domain/environment-state.js';

/** A pair costs memory per difference and a little time per change, so the least recently asked one goes first. */
const PAIRS_KEPT_MAX = 64;

interface Pair {
  readonly a: EnvironmentState;
  readonly b: EnvironmentState;
  /** Ids of the flows whose versions differ. */
  readonly flowIds: Set<string>;
}

export class Differences {
  /** In the order in which they were last asked for. */
  private readonly pairs = new Map<string, Pair>();
  private readonly pairsOf = new Map<string, Set<Pair>>();

  constructor(private readonly stateOf: (environmentId: string) => EnvironmentState) {}

  /** Ids of the flows whose active versions differ between two environments. The order does not matter. */
  between(oneId: string, otherId: string): ReadonlySet<string> {
    const [aId, bId] = oneId < otherId ? [oneId, otherId] : [otherId, oneId];
    const key = `${aId} ${bId}`;
    const pair = this.pairs.get(key) ?? this.compare(aId, bId);
    this.pairs.delete(key);
    this.pairs.set(key, pair);
    return pair.flowIds;
  }

  /** A flow changed in an environment. */
  changed(environmentId: string, flowId: string): void {
    for (const { a, b, flowIds } of this.pairsOf.get(environmentId) ?? []) {
      if (differ(a, b, flowId)) flowIds.add(flowId);
      else flowIds.delete(flowId);
    }
  }

  private compare(aId: string, bId: string): Pair {
    const a = this.stateOf(aId);
    const b = this.stateOf(bId);
    const pair = { a, b, flowIds: differing(a, b) };
    for (const id of [aId, bId]) {
      const known = this.pairsOf.get(id);
      if (known === undefined) this.pairsOf.set(id, new Set([pair]));
      else known.add(pair);
    }
    if (this.pairs.size >= PAIRS_KEPT_MAX) this.forgetOldest();
    return pair;
  }

  private forgetOldest(): void {
    const [key, pair] = this.pairs.entries().next().value ?? [];
    if (key === undefined || pair === undefined) return;
    this.pairs.delete(key);
    for (const id of key.split(' ')) this.pairsOf.get(id)?.delete(pair);
  }
}

type State = Pick<EnvironmentState, 'flows'>;

/** Ids of the flows whose active versions differ, found by looking at all of them. */
export function differing(a: State, b: State): Set<string> {
  const flowIds = new Set<string>();
  for (const flowId of a.flows.keys()) if (differ(a, b, flowId)) flowIds.add(flowId);
  for (const flowId of b.flows.keys()) if (differ(a, b, flowId)) flowIds.add(flowId);
  return flowIds;
}

function differ(a: State, b: State, flowId: string): boolean {
  return !sameVersion(placementOf(a, flowId).version, placementOf(b, flowId).version);
}
