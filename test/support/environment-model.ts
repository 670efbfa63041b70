// An environment as simply as it can be told: every release with the whole state after it. It takes the releases of
// a server one by one and says what is wrong with each, by the rules alone and without any code of the server.
import type { Release } from '../../scripts/client.js';

/** What runs of one flow, and what ran before it by the flow's own history. */
interface Entry {
  readonly version: string | null;
  readonly prior: Entry | null;
}

interface State {
  readonly flows: ReadonlyMap<string, Entry>;
  /** The release whose state this is: a rollback puts an earlier one in effect. */
  readonly inEffect: number;
}

export type Operation =
  | { readonly kind: 'activate'; readonly flowId: string; readonly version: string | null }
  | { readonly kind: 'promote'; readonly source: Versions }
  | { readonly kind: 'rollback'; readonly toRelease?: number; readonly flowId?: string };

/** What of a release decides the state after it. */
type Made = Pick<Release, 'number' | 'restores'> & {
  readonly kind: string;
  readonly changes: readonly Pick<Release['changes'][number], 'flowId' | 'to'>[];
};

type Versions = ReadonlyMap<string, string | null>;
type Refusal = 'flows-not-active' | 'no-prior-release' | 'unknown-release';

/** Flow to version for all that would change, or why nothing can. */
export type Effect = Versions | Refusal;

const NEVER: Entry = { version: null, prior: null };

export class EnvironmentModel {
  private readonly states: State[];

  constructor(states: readonly State[] = [{ flows: new Map(), inEffect: 0 }]) {
    this.states = [...states];
  }

  get release(): number {
    return this.states.length - 1;
  }

  /** What runs after a release: flow to version, null where it was once active. */
  versions(release: number): Map<string, string | null> {
    return new Map([...this.state(release).flows].map(([flowId, { version }]) => [flowId, version]));
  }

  /** What is active now, as `flow version` lines in their order. */
  active(): string[] {
    const lines = [...this.versions(this.release)].map(
      ([flowId, version]) => version && `${flowId} ${version}`,
    );
    return lines.filter((line) => line !== null).sort();
  }

  /** What an operation would do on the state after a release. */
  effect(release: number, operation: Operation): Effect {
    const { flows } = this.state(release);
    const wanted = this.wanted(release, operation);
    if (typeof wanted === 'string') return wanted;
    return new Map(
      [...wanted].filter(([flowId, version]) => (flows.get(flowId)?.version ?? null) !== version),
    );
  }

  /** Takes the next release. Answers what is wrong with it, in words; nothing when all is well. */
  take(release: Release, sourceOf: (release: Release) => Versions): string[] {
    const faults: string[] = [];
    const before = this.release;
    const fault = (what: string) =>
      faults.push(`Release ${release.number} of ${release.environment}: ${what}`);
    if (release.number !== before + 1) fault(`comes after release ${before}`);
    const operation = operationOf(release, sourceOf);
    const effect = this.effect(before, operation);
    const changes = new Map(release.changes.map(({ flowId, to }) => [flowId, to]));
    if (changes.size !== release.changes.length) fault('names a flow twice');
    if (changes.size === 0) fault('changes nothing');
    if (!same(effect, changes))
      fault(`${release.kind} should have made ${shown(effect)}, made ${shown(changes)}`);
    const { flows } = this.state(before);
    for (const { flowId, from } of release.changes) {
      const is = flows.get(flowId)?.version ?? null;
      if (from !== is) fault(`${flowId} was ${is}, not ${from}`);
    }
    this.states.push(this.after(before, release));
    return faults;
  }

  /** Another model, one release further by this operation. Its effect has to be a change. */
  applied(operation: Operation, effect: Versions): EnvironmentModel {
    const changes = [...effect].map(([flowId, to]) => ({ flowId, to }));
    const before = this.release;
    const kind = operation.kind === 'rollback' ? 'rollback' : 'activation';
    const restores = this.restoredBy(operation);
    const made = { kind, number: before + 1, changes, ...(restores !== undefined && { restores }) };
    return new EnvironmentModel([...this.states, this.after(before, made)]);
  }

  /** Undefined where it is no rollback, null where each flow goes by its own history. */
  private restoredBy(operation: Operation): number | null | undefined {
    if (operation.kind !== 'rollback') return undefined;
    if (operation.flowId !== undefined) return null;
    return operation.toRelease ?? this.state(this.release).inEffect - 1;
  }

  private wanted(release: number, operation: Operation): Versions | Refusal {
    const { flows, inEffect } = this.state(release);
    switch (operation.kind) {
      case 'activate':
        return new Map([[operation.flowId, operation.version]]);
      case 'promote':
        return new Map([...operation.source].filter(([, version]) => version !== null));
      case 'rollback': {
        const { flowId, toRelease } = operation;
        if (flowId !== undefined) {
          const now = flows.get(flowId);
          if (now === undefined) return 'flows-not-active';
          const { prior } = now;
          return prior && prior !== NEVER ? new Map([[flowId, prior.version]]) : 'no-prior-release';
        }
        const target = toRelease ?? inEffect - 1;
        if (toRelease === undefined && target < 1) return 'no-prior-release';
        if (target > release) return 'unknown-release';
        const then = this.versions(target);
        return new Map([...flows.keys()].map((flow) => [flow, then.get(flow) ?? null]));
      }
    }
  }

  private after(before: number, release: Made): State {
    const { flows } = this.state(before);
    const next = new Map(flows);
    const restored = release.kind === 'rollback' ? release.restores : undefined;
    for (const { flowId, to } of release.changes) {
      const now = flows.get(flowId) ?? NEVER;
      if (restored === undefined) next.set(flowId, { version: to, prior: now });
      else if (restored === null) next.set(flowId, now.prior ?? NEVER);
      else next.set(flowId, this.state(restored).flows.get(flowId) ?? NEVER);
    }
    const isWhole = restored !== undefined && restored !== null;
    return { flows: next, inEffect: isWhole ? this.state(restored).inEffect : release.number };
  }

  private state(release: number): State {
    const state = this.states[release];
    if (state === undefined) throw new Error(`There is no release ${release} in the model`);
    return state;
  }
}

function operationOf(release: Release, sourceOf: (release: Release) => Versions): Operation {
  const [first] = release.changes;
  if (release.kind === 'promotion') return { kind: 'promote', source: sourceOf(release) };
  if (release.kind !== 'rollback') {
    return { kind: 'activate', flowId: first?.flowId ?? '', version: first?.to ?? null };
  }
  const { restores } = release;
  return restores === null || restores === undefined
    ? { kind: 'rollback', flowId: first?.flowId ?? '' }
    : { kind: 'rollback', toRelease: restores };
}

export function same(a: Effect, b: Effect): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  return a.size === b.size && [...a].every(([key, value]) => b.has(key) && b.get(key) === value);
}

function shown(effect: Effect): string {
  if (typeof effect === 'string') return effect;
  return `${effect.size} changes: ${JSON.stringify([...effect].sort().slice(0, 5))}`;
}
