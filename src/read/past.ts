// Time travel: the state as of a moment, which is what a fold of the log up to there gives, at a cost that does not
// grow with the log. A moment is a position; a time stands for the last event that was not after it.
import type { VersionDrafted, VersionEdited } from '../domain/flow.events.js';
import { streamOf } from '../domain/events.js';
import type { ProjectEvent } from '../domain/project.events.js';
import { Recorded } from '../domain/recorded.js';
import { Refused } from '../domain/refused.js';
import { projectNotFound } from '../../projections/directory.js';
import { environmentHistory } from '../../projections/environment-history.js';
import { flows } from '../../projections/flows.js';
import { moments, newestMoment, positionAt } from '../../projections/moments.js';
import { copyBefore, evolveProject, projects, type Project } from '../../projections/projects.js';
import { releaseHead, releases } from '../../projections/releases.js';
import { versionThen, versions, type Version } from '../../projections/versions.js';
import { workspaces } from '../../projections/workspaces.js';
import { START, type EventStore, type Position } from '../store/event-store.js';
import type { LogFollower } from './log-follower.js';
import { PastViews } from './past-views.js';

/** A position, or a time in milliseconds since 1970. */
export type At = { readonly position: Position } | { readonly timeMs: number };

export interface Moment {
  readonly position: Position;
  /** Nothing that is still to happen belongs to it: what is answered for it stays as it is for ever. */
  readonly isSettled: boolean;
}

const WAIT_MS_MAX = 2_000;
const EVENTS_MAX = 64;
const NEEDED = [workspaces, projects, flows, versions, releases, environmentHistory];

export class Past {
  constructor(
    private readonly store: EventStore,
    private readonly follower: LogFollower,
  ) {}

  /** Throws `at-not-reached` for a moment that neither the log nor the clock has come to. */
  async moment(at: At, pointer = '/at'): Promise<Moment> {
    if ('position' in at) {
      // Another server may have answered with a position that has not come here yet.
      if (at.position > this.now) await this.follower.upToDate(WAIT_MS_MAX);
      if (at.position > this.now)
        throw notReached(pointer, `The log has not come to position ${at.position} yet.`);
      return { position: at.position, isSettled: true };
    }
    const rows = await this.follower.rows(moments);
    const newest = newestMoment(rows) ?? Number.NEGATIVE_INFINITY;
    if (at.timeMs > Math.max(newest, Date.now())) throw notReached(pointer, 'That time has not come yet.');
    // Events that are still to come may have the newest moment, too.
    return { position: positionAt(rows, at.timeMs) ?? START, isSettled: at.timeMs < newest };
  }

  /** The newest moment that is known here. */
  get now(): Position {
    return this.follower.live.progress.position;
  }

  /** Where a release was complete; undefined where there is none. Release 0 came with its environment. */
  async positionOfRelease(
    project: Project,
    environmentId: string,
    number: number,
  ): Promise<Position | undefined> {
    if (number === 0) return BigInt(project.environmentTimes.get(environmentId)?.created ?? 0);
    const head = releaseHead(await this.follower.rows(releases), environmentId, number);
    return head && BigInt(head.position);
  }

  /** Throws `project-not-found` before the project. */
  async views(now: Project, position: Position): Promise<PastViews> {
    for (const view of NEEDED) await this.follower.rows(view);
    return new PastViews(await this.project(now, position), position, this.follower);
  }

  /** A version as it was: a draft may have been edited since. Undefined for one that was not there yet. */
  async version({ rows, position }: PastViews, now: Version): Promise<Version | undefined> {
    const then = versionThen(rows, now.id, position);
    if (then === undefined) return undefined;
    const { state, textRevision } = then;
    if (textRevision === null) return { ...now, state };
    const options = { from: textRevision, limit: 1 };
    const [stored] = await this.store.readStream(streamOf('flow', now.flowId), options);
    if (stored === undefined) throw new Error(`Broken promise: the text of version ${now.id} is in the log`);
    const { digest, label, comment, content } = new Recorded(stored).event as VersionDrafted | VersionEdited;
    return { ...now, state, digest, label, comment, content: JSON.stringify(content) };
  }

  private async project({ id, state }: Project, position: Position): Promise<Project> {
    let project = copyBefore(await this.follower.rows(projects), id, position);
    if (project === undefined) throw projectNotFound(state.slug);
    for (;;) {
      const from = project.revision + 1;
      const page = await this.store.readStream(streamOf('project', id), { from, limit: EVENTS_MAX });
      for (const stored of page) {
        if (stored.position > position) return project;
        const recorded = new Recorded(stored);
        project = evolveProject(project, recorded.event as ProjectEvent, recorded);
      }
      if (page.length < EVENTS_MAX) return project;
    }
  }
}

function notReached(pointer: string, detail: string): Refused {
  return new Refused('at-not-reached', detail, [{ pointer, detail }]);
}
