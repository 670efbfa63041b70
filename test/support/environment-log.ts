// One environment as its log has it: commands are decided on the fold of its events, and a rollback gets the
// releases that it asked for and no others.
import { environment, type EnvironmentCommand } from '../../src/domain/environment.js';
import type { EnvironmentEvent, VersionRef } from '../../src/domain/environment.events.js';
import type { Promote } from '../../src/domain/promotion.js';
import { joined } from '../../src/domain/release-parts.js';
import { releasesToRead, type RollbackRequest } from '../../src/domain/rollback.js';

export function version(flowId: string, number: number): VersionRef {
  return { versionId: `${flowId}-v${number}`, number, digest: `digest of ${flowId} ${number}` };
}

export class EnvironmentLog {
  readonly state = environment.initial();
  /** The events of each release, release 1 first; a large release has several. */
  readonly releases: (readonly EnvironmentEvent[])[] = [];

  constructor(readonly id = 'production') {}

  /** Flow to the number of its active version. */
  get active(): Record<string, number> {
    const active: Record<string, number> = {};
    for (const [flowId, { version }] of this.state.flows) {
      if (version !== null) active[flowId] = version.number;
    }
    return active;
  }

  get events(): EnvironmentEvent[] {
    return this.releases.flat();
  }

  /** Activates number by number, each in a release of its own. */
  activate(flowId: string, ...numbers: readonly number[]): this {
    for (const number of numbers) {
      const command = { flowId, version: version(flowId, number), comment: null, expectedRelease: null };
      this.run({ type: 'ActivateVersion', ...command });
    }
    return this;
  }

  deactivate(flowId: string): this {
    this.run({ type: 'DeactivateVersion', flowId, comment: null, expectedRelease: null });
    return this;
  }

  promote(from: EnvironmentLog, options: Partial<Promote> = {}): readonly EnvironmentEvent[] {
    return this.run(promotion(from, options));
  }

  rollback(request: Partial<RollbackRequest> = {}): readonly EnvironmentEvent[] {
    const asked = rollbackRequest(request);
    const history = this.history(releasesToRead(this.state, asked));
    return this.run({ type: 'Rollback', ...asked, history });
  }

  /** Releases by number, whole, as a reader of the log hands them out; by default all of them. */
  history(
    numbers: readonly number[] = this.releases.map((_, index) => index + 1),
  ): Map<number, EnvironmentEvent> {
    return new Map(numbers.map((number) => [number, joined(this.releases[number - 1] ?? [])]));
  }

  /** Decides, and takes in what was decided. */
  run(command: EnvironmentCommand): readonly EnvironmentEvent[] {
    const events = environment.decide(this.state, command);
    for (const event of events) environment.evolve(this.state, event);
    if (events.length > 0) this.releases.push(events);
    return events;
  }
}

/** A promotion of all that is active in the source, unless the options say otherwise. */
export function promotion(from: EnvironmentLog, options: Partial<Promote> = {}): Promote {
  return {
    type: 'Promote',
    source: { environmentId: from.id, state: from.state },
    flowIds: null,
    prune: false,
    comment: null,
    expectedSourceRelease: null,
    expectedTargetRelease: null,
    ...options,
  };
}

/** A rollback to the prior release, unless the options say otherwise. */
export function rollbackRequest(options: Partial<RollbackRequest> = {}): RollbackRequest {
  return { toRelease: null, flowIds: null, comment: null, expectedRelease: null, ...options };
}
