// The states that commands decide on. Projects and environments are folded in memory by the views, together with
// the revision that the fold has reached; flows are folded when they are first asked for, and kept a while.
import { LRUCache } from 'lru-cache';
import { assert, fold } from '../domain/decider.js';
import { access, type AccessState } from '../domain/access.js';
import type { EnvironmentState } from '../domain/environment-state.js';
import { slugStream, streamOf } from '../domain/events.js';
import { flow, type FlowState } from '../domain/flow.js';
import type { FlowEvent, FlowSlugReserved } from '../domain/flow.events.js';
import type { ProjectState } from '../domain/project.js';
import { Recorded } from '../domain/recorded.js';
import type { LogFollower } from '../read/log-follower.js';
import type { EventStore } from '../store/event-store.js';
import type { Loaded } from './command-log.js';

const FLOWS_KEPT_MAX = 10_000;

export class Streams {
  private readonly flows = new LRUCache<string, { state: FlowState; revision: number }>({
    max: FLOWS_KEPT_MAX,
  });

  constructor(
    private readonly store: EventStore,
    private readonly follower: LogFollower,
  ) {}

  environment(id: string): Loaded<EnvironmentState> {
    return this.follower.live.activeVersions.environment(id);
  }

  project(workspaceId: string, id: string): Loaded<ProjectState> {
    return this.follower.live.directory.project(workspaceId, id);
  }

  access(workspaceId: string): Loaded<AccessState> {
    return this.follower.live.directory.workspace(workspaceId) ?? { state: access.initial(), revision: -1 };
  }

  /** Who has a slug, null while nobody does. */
  async slug(projectId: string, slug: string): Promise<Loaded<FlowSlugReserved | null>> {
    const [stored] = await this.store.readStream(slugStream(projectId, slug), { limit: 1 });
    const state = stored === undefined ? null : (new Recorded(stored).event as FlowSlugReserved);
    return { state, revision: stored?.revision ?? -1 };
  }

  /** Brings a flow up to the end of its stream. */
  async flow(id: string): Promise<Loaded<FlowState>> {
    const known = this.flows.get(id) ?? { state: flow.initial(), revision: -1 };
    for (;;) {
      const page = await this.store.readStream(streamOf('flow', id), { from: known.revision + 1 });
      if (page.length === 0) break;
      // Another reader of the same flow may have taken some of the page in the meantime.
      const news = page.filter(({ revision }) => revision > known.revision);
      fold(
        flow,
        news.map((stored) => new Recorded(stored).event as FlowEvent),
        known.state,
      );
      known.revision = page.at(-1)?.revision ?? known.revision;
    }
    assert(known.revision < 0 || known.state.exists, `stream of flow ${id} begins with its creation`);
    if (known.state.exists) this.flows.set(id, known);
    return known;
  }
}
