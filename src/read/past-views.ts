// The views as they were at a position. What never changes comes from memory; the rest is asked of the rows, which
// answer any moment with a few looks.
import type { VersionRef } from '../domain/environment.events.js';
import type { Placement } from '../domain/environment-state.js';
import type { EnvironmentEntry } from '../domain/project.js';
import { differing } from '../../projections/differences.js';
import { flowNotFound, type Directory } from '../../projections/directory.js';
import { firstReleaseWith, placementAfter, placementsAfter } from '../../projections/environment-history.js';
import { flowArchivedAt, flowNameAt, type Flow } from '../../projections/flows.js';
import type { Rows } from '../../projections/projection.js';
import type { Project } from '../../projections/projects.js';
import { releaseAt, releaseHead } from '../../projections/releases.js';
import { Resolution } from '../../projections/resolution.js';
import { latestAt } from '../../projections/versions.js';
import { keyNameAt } from '../../projections/workspaces.js';
import type { Position } from '../store/event-store.js';
import type { LogFollower } from './log-follower.js';
import type { Running, Views } from './views.js';

export class PastViews implements Views {
  readonly directory: PastDirectory;
  readonly activeVersions: PastActiveVersions;
  readonly resolution: Resolution;

  constructor(
    /** As it was then. */
    readonly project: Project,
    readonly position: Position,
    private readonly follower: LogFollower,
  ) {
    const now = follower.live.directory;
    this.directory = new PastDirectory(this, now);
    this.activeVersions = new PastActiveVersions(this, now);
    this.resolution = new Resolution(this.directory, this.activeVersions);
  }

  /** Those of today: others may have been made anew beside the ones before. */
  get rows(): Rows {
    return this.follower.views.rows;
  }
}

type Then = Pick<PastViews, 'project' | 'position' | 'rows'>;

class PastDirectory {
  constructor(
    private readonly then: Then,
    private readonly now: Directory,
  ) {}

  environment(project: Project, reference: string): EnvironmentEntry {
    return this.now.environment(project, reference);
  }

  openEnvironment(project: Project, reference: string): EnvironmentEntry {
    return this.now.openEnvironment(project, reference);
  }

  /** By slug or id. Throws `flow-not-found`, also for a flow that was not there yet. */
  flow(project: Project, reference: string): PastFlow {
    const flow = new PastFlow(this.then, this.now.flow(project, reference));
    if (flow.exists) return flow;
    throw flowNotFound(reference);
  }

  flowAt(flowNumber: number): PastFlow {
    return new PastFlow(this.then, this.now.flowAt(flowNumber));
  }

  flowById(id: string): PastFlow | undefined {
    const flow = this.now.flowById(id);
    return flow && new PastFlow(this.then, flow);
  }

  /** As they are called now: names have no history. */
  get people() {
    return this.now.people;
  }

  keyName(workspaceId: string, keyId: string): string | undefined {
    return keyNameAt(this.then.rows, workspaceId, keyId, this.then.position);
  }
}

class PastFlow implements Flow {
  readonly id: string;
  readonly projectId: string;
  readonly slug: string;
  readonly kind: Flow['kind'];
  readonly createdAt: string;
  private readonly versionsNow: number;

  constructor(
    private readonly then: Then,
    now: Flow,
  ) {
    this.id = now.id;
    this.projectId = now.projectId;
    this.slug = now.slug;
    this.kind = now.kind;
    this.createdAt = now.createdAt;
    this.versionsNow = now.latestNumber;
  }

  get exists(): boolean {
    return flowNameAt(this.then.rows, this.id, this.then.position) !== undefined;
  }

  get name(): string {
    return flowNameAt(this.then.rows, this.id, this.then.position) ?? '';
  }

  get archivedAt(): string | null {
    return flowArchivedAt(this.then.rows, this.id, this.then.position);
  }

  private get latest() {
    return latestAt(this.then.rows, this.id, this.versionsNow, this.then.position);
  }

  get latestId(): string | null {
    return this.latest?.id ?? null;
  }

  get latestNumber(): number {
    return this.latest?.number ?? 0;
  }
}

class PastActiveVersions {
  readonly differences = {
    between: (oneId: string, otherId: string) =>
      differing(this.environment(oneId).state, this.environment(otherId).state),
  };
  private readonly environments = new Map<string, PastEnvironment>();

  constructor(
    private readonly then: Then,
    private readonly now: Directory,
  ) {}

  environment(id: string): { readonly state: PastEnvironment } {
    const state = this.environments.get(id) ?? new PastEnvironment(this.then, id);
    this.environments.set(id, state);
    return { state };
  }

  active(environmentId: string, flowId: string): VersionRef | null {
    const { release } = this.environment(environmentId).state;
    return placementAfter(this.then.rows, environmentId, flowId, release)?.version ?? null;
  }

  activeAt(environmentId: string, flowNumber: number): string | null {
    return this.active(environmentId, this.now.flowAt(flowNumber).id)?.versionId ?? null;
  }

  /** Ids of the environments where a flow was active, in the order of its first activation there. */
  environmentsOf(flowId: string): string[] {
    const { project, rows } = this.then;
    const found = [...project.state.environments.keys()].flatMap((id) => {
      if (this.active(id, flowId) === null) return [];
      const first = releaseHead(rows, id, firstReleaseWith(rows, id, flowId) ?? 0);
      return first === undefined ? [] : [{ id, position: first.position }];
    });
    return found.sort((a, b) => a.position - b.position).map(({ id }) => id);
  }

  environmentsAt(flowNumber: number): string[] {
    return this.environmentsOf(this.now.flowAt(flowNumber).id);
  }
}

/** The flows are read when they are first asked for: most questions are about one of them. */
class PastEnvironment implements Running {
  readonly release: number;
  private known: Map<string, Placement> | undefined;

  constructor(
    private readonly then: Then,
    private readonly id: string,
  ) {
    this.release = releaseAt(then.rows, id, then.position);
  }

  get flows(): Map<string, Placement> {
    return (this.known ??= placementsAfter(this.then.rows, this.id, this.release));
  }

  get activeCount(): number {
    let count = 0;
    for (const { version } of this.flows.values()) if (version !== null) count += 1;
    return count;
  }
}
