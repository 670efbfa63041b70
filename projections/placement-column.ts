// The flows of one environment as columns: an array slot for each flow instead of a map entry. All environments
// number the flows alike, so a flow found once by its slug is found everywhere, and a version that runs in three
// environments is one object. That makes resolving a few array reads, and an active version about 60 bytes.
import type { VersionRef } from '../src/domain/environment.events.js';
import type { Placement, Placements } from '../src/domain/environment-state.js';

/** Numbers flows from 0 in the order in which they are first heard of. */
export class FlowNumbers {
  readonly ids: string[] = [];
  private readonly byId = new Map<string, number>();

  find(flowId: string): number | undefined {
    return this.byId.get(flowId);
  }

  of(flowId: string): number {
    const known = this.byId.get(flowId);
    if (known !== undefined) return known;
    this.byId.set(flowId, this.ids.length);
    return this.ids.push(flowId) - 1;
  }
}

export class PlacementColumn implements Placements {
  size = 0;
  /** By flow number: the id of the active version; null for none. The hot path reads this and nothing else. */
  private readonly versionIds: (string | null)[] = [];
  private readonly versions: (VersionRef | null)[] = [];
  /** By flow number: the release that put the version there; -1 for a flow that was never active here. */
  private readonly since: number[] = [];

  constructor(
    private readonly numbers: FlowNumbers,
    /** The columns of all environments, this one too. */
    private readonly siblings: readonly PlacementColumn[],
  ) {}

  versionIdAt(flowNumber: number): string | null {
    return this.versionIds[flowNumber] ?? null;
  }

  get(flowId: string): Placement | undefined {
    const flowNumber = this.numbers.find(flowId);
    return flowNumber === undefined ? undefined : this.at(flowNumber);
  }

  has(flowId: string): boolean {
    return this.get(flowId) !== undefined;
  }

  set(flowId: string, { version, since }: Placement): void {
    const flowNumber = this.numbers.of(flowId);
    while (this.since.length <= flowNumber) {
      this.since.push(-1);
      this.versions.push(null);
      this.versionIds.push(null);
    }
    if (this.since[flowNumber] === -1) this.size += 1;
    const shared = version && this.shared(flowNumber, version);
    this.since[flowNumber] = since;
    this.versions[flowNumber] = shared;
    this.versionIds[flowNumber] = shared && shared.versionId;
  }

  *keys(): IterableIterator<string> {
    for (const [flowId] of this) yield flowId;
  }

  /** In the order of the flow numbers. */
  *[Symbol.iterator](): IterableIterator<[string, Placement]> {
    for (let flowNumber = 0; flowNumber < this.since.length; flowNumber += 1) {
      const placement = this.at(flowNumber);
      const flowId = this.numbers.ids[flowNumber];
      if (placement !== undefined && flowId !== undefined) yield [flowId, placement];
    }
  }

  private at(flowNumber: number): Placement | undefined {
    const since = this.since[flowNumber];
    if (since === undefined || since === -1) return undefined;
    return { version: this.versions[flowNumber] ?? null, since };
  }

  private shared(flowNumber: number, version: VersionRef): VersionRef {
    for (const { versions } of this.siblings) {
      const known = versions[flowNumber];
      if (known?.versionId === version.versionId) return known;
    }
    return version;
  }
}
