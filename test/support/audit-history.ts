// Random histories for the tests of the audit trail: stored events, and beside each what it is about, as whoever made
// it up knows it.
import type { DomainEvent, EventMetadata } from '../../src/domain/events.js';
import type { Change, VersionRef } from '../../src/domain/environment.events.js';
import { encode, type StoredFact } from '../../src/domain/recorded.js';
import type { Random } from './random.js';

export interface Happened {
  readonly fact: StoredFact;
  readonly meta: EventMetadata;
  readonly type: string;
  readonly environmentId: string | null;
  /** `flow number`, for every version that it is about, and the flow alone. */
  readonly about: ReadonlySet<string>;
}

export const WORKSPACES = ['w1', 'w2'];
export const ENVIRONMENTS = ['e1', 'e2', 'e3', 'e4'];
export const FLOWS = Array.from({ length: 30 }, (_, flow) => `f${flow}`);
export const ACTORS = ['key-ada', 'key-grace', 'key-alan'];
export const CORRELATIONS = ['nightly-build', 'Nightly-Build', 'build_7.~x'];
export const COMMENTS = [
  null,
  'Überprüft im Café',
  'uberpruft IM CAFE, twice',
  'Costs down: 12 % less',
  'naïve Lösung – zurück!',
  '評価に合格',
  '…',
];

export function storedFact(
  event: DomainEvent,
  place: Omit<StoredFact, 'type' | 'data' | 'meta'>,
  meta: object,
) {
  return { ...place, type: event.type, data: encode(event), meta: JSON.stringify(meta) };
}

export class AuditHistory {
  readonly happened: Happened[] = [];
  private position = 0n;
  private clockMs = Date.parse('2026-03-01T09:00:00.000Z');

  constructor(private readonly random: Random) {}

  /** That many more events. */
  grow(count: number): StoredFact[] {
    const before = this.happened.length;
    while (this.happened.length < before + count) this.one();
    return this.happened.slice(before).map(({ fact }) => fact);
  }

  private one(): void {
    const { random } = this;
    const flowId = random.pick(FLOWS);
    const environmentId = random.pick(ENVIRONMENTS);
    const comment = random.pick(COMMENTS);
    const roll = random.next();
    if (roll < 0.25) {
      const number = 1 + random.below(5);
      const text = { content: { n: number }, digest: 'd', label: null, comment };
      const event = { type: 'VersionDrafted', versionId: `${flowId}-${number}`, number, ...text } as const;
      this.add(`flow-${flowId}`, { ...event, forkedFrom: null }, null, [flowId, `${flowId} ${number}`]);
    } else if (roll < 0.35) {
      const event = { type: 'EnvironmentDescribed', environmentId, description: null, color: null } as const;
      this.add('project-p1', event, environmentId, []);
    } else if (roll < 0.4) {
      const event = { type: 'FlowRenamed', name: `Flow ${random.below(100)}` } as const;
      this.add(`flow-${flowId}`, event, null, [flowId]);
    } else {
      this.release(environmentId, comment, roll < 0.7 ? [flowId] : someOf(random, FLOWS, 6));
    }
  }

  private release(environmentId: string, comment: string | null, flowIds: readonly string[]): void {
    const { random } = this;
    const changes = flowIds.map((flowId): Change => {
      const [from, to] = [versionOf(flowId, random.below(6)), versionOf(flowId, random.below(6))];
      return { flowId, from, to, fromSince: 1, toSince: 2 };
    });
    const about = changes.flatMap(({ flowId, from, to }) => {
      return [flowId, ...[from, to].flatMap((version) => (version ? [`${flowId} ${version.number}`] : []))];
    });
    const release = { release: 1 + random.below(99), comment, changes };
    const source = { environmentId: random.pick(ENVIRONMENTS), release: 3 };
    const event = random.pick([
      { type: 'VersionActivated', ...release },
      { type: 'VersionsPromoted', ...release, source },
      { type: 'EnvironmentRolledBack', ...release, restores: random.pick([null, 0, 7]), inEffect: 7 },
    ] as const);
    this.add(`environment-${environmentId}`, event, environmentId, about);
  }

  private add(
    stream: string,
    event: DomainEvent,
    environmentId: string | null,
    about: readonly string[],
  ): void {
    const { random } = this;
    // Stores may leave gaps, and the clocks of two servers differ by a little.
    this.position += BigInt(1 + random.below(3));
    this.clockMs += random.below(1_000);
    const requestId = `request-${this.position}`;
    const meta: EventMetadata = {
      actor:
        random.next() < 0.1
          ? { type: 'system', id: 'switchyard' }
          : { type: 'api-key', id: random.pick(ACTORS) },
      workspace: random.pick(WORKSPACES),
      project: 'p1',
      time: new Date(this.clockMs - random.below(20)).toISOString(),
      schema: 1,
      requestId,
      $correlationId: random.next() < 0.05 ? random.pick(CORRELATIONS) : requestId,
      $causationId: requestId,
    };
    const place = { id: `event-${this.position}`, stream, revision: 0, position: this.position };
    const fact = storedFact(event, place, meta);
    this.happened.push({ fact, meta, type: event.type, environmentId, about: new Set(about) });
  }
}

function versionOf(flowId: string, number: number): VersionRef | null {
  return number === 0 ? null : { versionId: `${flowId}-${number}`, number, digest: 'd' };
}

function someOf(random: Random, items: readonly string[], max: number): string[] {
  const count = 1 + random.below(max);
  return [...new Set(Array.from({ length: count }, () => random.pick(items)))];
}
