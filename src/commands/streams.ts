// The states that commands decide on. Projects and environments are folded in memory by the views, together with
// the revision that the fold has reached; flows are folded when they are first asked for, and kept a while.
import { LRUCache } from 'lru-cache';
import { access, type AccessState } from '../domain/access.js';
import type { EnvironmentState } from '../domain/environment-state.js';
import { idInStream, slugStream, streamOf } from '../domain/events.js';
import { flow, type FlowState } from '../domain/flow.js';
import type { FlowEvent } from '../domain/flow.events.js';
import type { RecordEvent } from '../domain/audit.events.js';
import { fold } from '../domain/decider.js';
import { project, type ProjectState } from '../domain/project.js';
import { record, type RecordState } from '../domain/record.js';
import { Recorded } from '../domain/recorded.js';
import type { SlugReserved } from '../domain/slug.events.js';
import type { LogFollower } from '../read/log-follower.js';
import { START, type EventStore, type Position } from '../store/event-store.js';
import type { Loaded } from './command-log.js';

const FLOWS_KEPT_MAX = 10_000;
const VIEWS_MS_MAX = 10_000;
const FLOW_STREAMS = streamOf('flow', '');

export class Streams {
  private readonly flows = new LRUCache<string, KnownFlow>({ max: FLOWS_KEPT_MAX });

  constructor(
    private readonly store: EventStore,
    private readonly follower: LogFollower,
  ) {
    follower.onEvent((recorded) => {
      if (!recorded.stream.startsWith(FLOW_STREAMS)) return;
      const known = this.flows.peek(idInStream(recorded.stream));
      if (known !== undefined) takeNext(known, recorded, () => recorded);
    });
  }

  environment(id: string): Loaded<EnvironmentState> {
    return this.follower.live.activeVersions.environment(id);
  }

  project(workspaceId: string, id: string): Loaded<ProjectState> {
    const found = this.follower.live.directory.findProject(workspaceId, id);
    return found ?? { state: project.initial(), revision: -1 };
  }

  access(workspaceId: string): Loaded<AccessState> {
    return this.follower.live.directory.workspace(workspaceId) ?? { state: access.initial(), revision: -1 };
  }

  /** Who has a slug, null while nobody does. The owner is what the slug is unique in. */
  async slug<Reserved extends SlugReserved>(ownerId: string, slug: string): Promise<Loaded<Reserved | null>> {
    const [stored] = await this.store.readStream(slugStream(ownerId, slug), { limit: 1 });
    const state = stored === undefined ? null : (new Recorded(stored).event as Reserved);
    return { state, revision: stored?.revision ?? -1 };
  }

  /** Read whole each time: it is short, and hardly ever asked for. */
  async record(workspaceId: string): Promise<Loaded<RecordState>> {
    const state = record.initial();
    let revision = -1;
    for (;;) {
      const page = await this.store.readStream(streamOf('record', workspaceId), { from: revision + 1 });
      fold(
        record,
        page.map((stored) => new Recorded(stored).event as RecordEvent),
        state,
      );
      revision = page.at(-1)?.revision ?? revision;
      if (page.length === 0) return { state, revision };
    }
  }

  /**
   * Read when first asked for; from then on the follower keeps it up to date. The views are never behind what this
   * answers: whoever finds no earlier effect of a command in them may decide it on this state.
   */
  async flow(id: string): Promise<Loaded<FlowState>> {
    const kept = this.flows.get(id);
    if (kept?.whole === true) return kept;
    const known = kept ?? { state: flow.initial(), revision: -1, position: START, whole: false };
    this.flows.set(id, known);
    for (;;) {
      const page = await this.store.readStream(streamOf('flow', id), { from: known.revision + 1 });
      if (page.length === 0) break;
      for (const stored of page) takeNext(known, stored, () => new Recorded(stored));
    }
    const { progress } = this.follower.live;
    while (progress.position < known.position) await progress.reached(known.position, VIEWS_MS_MAX);
    known.whole = true;
    return known;
  }
}

interface KnownFlow {
  readonly state: FlowState;
  revision: number;
  position: Position;
  /** False while its stream is being read: the follower may be ahead of the reading, but never skips. */
  whole: boolean;
}

type Place = Pick<Recorded, 'revision' | 'position'>;

function takeNext(known: KnownFlow, { revision, position }: Place, recorded: () => Recorded): void {
  if (revision !== known.revision + 1) return;
  flow.evolve(known.state, recorded().event as FlowEvent);
  known.revision = revision;
  known.position = position;
}
