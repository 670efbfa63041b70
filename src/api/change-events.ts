// Changes in words: each event of the log that others are told of, as a CloudEvent in a message of a stream.
import { assert } from '../domain/decider.js';
import type { EnvironmentEvent } from '../domain/environment.events.js';
import { idInStream, isEnvironmentEvent, type DomainEvent } from '../domain/events.js';
import type { FlowEvent, VersionDrafted, VersionEdited, VersionLocked } from '../domain/flow.events.js';
import type { ProjectEvent } from '../domain/project.events.js';
import type { Recorded } from '../domain/recorded.js';
import type { Change, Wording } from '../read/change-stream.js';
import type { LogFollower } from '../read/log-follower.js';
import type { Topic } from '../read/recent-messages.js';
import type { Project } from '../../projections/projects.js';
import type { ReleaseChangeAnswer } from './change.answers.js';
import { presentActor, presentRelease } from './present.js';

const CHANGES_TOLD_MAX = 100;
const RELEASE_MADE = 'io.switchyard.release.made';

type Told = EnvironmentEvent | FlowEvent | Extract<ProjectEvent, { readonly environmentId: unknown }>;

const TYPES: Readonly<Record<Told['type'], string>> = {
  VersionActivated: RELEASE_MADE,
  VersionDeactivated: RELEASE_MADE,
  VersionsPromoted: RELEASE_MADE,
  EnvironmentRolledBack: RELEASE_MADE,
  EnvironmentCreated: 'io.switchyard.environment.created',
  EnvironmentRenamed: 'io.switchyard.environment.renamed',
  EnvironmentDescribed: 'io.switchyard.environment.described',
  EnvironmentArchived: 'io.switchyard.environment.archived',
  EnvironmentRestored: 'io.switchyard.environment.restored',
  DefaultEnvironmentSet: 'io.switchyard.default-environment.set',
  FlowCreated: 'io.switchyard.flow.created',
  FlowRenamed: 'io.switchyard.flow.renamed',
  FlowArchived: 'io.switchyard.flow.archived',
  VersionDrafted: 'io.switchyard.version.drafted',
  VersionEdited: 'io.switchyard.version.edited',
  VersionLocked: 'io.switchyard.version.locked',
};

export const CHANGE_TYPES = [...new Set(Object.values(TYPES))];

const NO_FLOWS: ReadonlySet<string> = new Set();

export class ChangeEvents implements Wording {
  constructor(private readonly follower: LogFollower) {}

  topicOf({ event, recorded }: Change): Topic | undefined {
    const { meta, stream } = recorded;
    if (!isTold(event) || meta.project === null) return undefined;
    const owner = idInStream(stream);
    return {
      workspaceId: meta.workspace,
      projectId: meta.project,
      type: TYPES[event.type],
      environmentId:
        'environmentId' in event ? event.environmentId : isEnvironmentEvent(event) ? owner : null,
      isOfAll: 'environmentId' in event && event.environmentId === null,
      flowIds: isEnvironmentEvent(event)
        ? new Set(event.changes.map(({ flowId }) => flowId))
        : stream.startsWith('flow-')
          ? new Set([owner])
          : NO_FLOWS,
      sourceId: event.type === 'VersionsPromoted' ? event.source.environmentId : null,
    };
  }

  bytesOf({ event, recorded }: Change, withSource: boolean): Uint8Array {
    const { meta, position } = recorded;
    assert(isTold(event) && meta.project !== null, 'only what has a topic is put into words');
    const { directory } = this.follower.live;
    const project = directory.project(meta.workspace, meta.project);
    const type = TYPES[event.type];
    const { subject, data } = this.told(event, recorded, project, withSource);
    const json = JSON.stringify({
      specversion: '1.0',
      id: String(position),
      source: sourceOf(project),
      type,
      ...(subject !== undefined && { subject }),
      time: meta.time,
      datacontenttype: 'application/json',
      data: {
        ...data,
        actor: presentActor(this.follower.live, project.workspaceId, meta.actor),
        position: String(position),
      },
    });
    return Buffer.from(`id: ${position}\nevent: ${type}\ndata: ${json}\n\n`);
  }

  private told(
    event: Told,
    recorded: Recorded,
    project: Project,
    withSource: boolean,
  ): { subject?: string; data: object } {
    if (isEnvironmentEvent(event)) return this.release(event, recorded, project, withSource);
    if ('versionId' in event) return this.version(event, recorded, project);
    switch (event.type) {
      case 'FlowCreated':
      case 'FlowRenamed':
      case 'FlowArchived': {
        const { flow, flowId } = this.flowOf(recorded);
        const { type: _, ...facts } = event;
        return { subject: `flows/${flow}`, data: { ...withoutSlug(facts), flow, flowId } };
      }
      default:
        return environmentChange(event, project);
    }
  }

  private release(event: EnvironmentEvent, recorded: Recorded, project: Project, withSource: boolean) {
    const environmentId = idInStream(recorded.stream);
    const told = { ...event, changes: event.changes.slice(0, CHANGES_TOLD_MAX) };
    const { live } = this.follower;
    const decided = { event: told, meta: recorded.meta };
    const release = presentRelease(live, project, environmentId, decided, () => withSource);
    const data: Omit<ReleaseChangeAnswer, 'position'> = {
      ...release,
      environmentId,
      changesTotal: event.changes.length,
      link: `${sourceOf(project)}/environments/${environmentId}/releases/${event.release}`,
    };
    return { subject: `environments/${release.environment}`, data };
  }

  private version(
    event: VersionDrafted | VersionEdited | VersionLocked,
    recorded: Recorded,
    project: Project,
  ) {
    const { flow, flowId } = this.flowOf(recorded);
    const { versionId, number, digest } = event;
    const data = {
      ...{ flow, flowId, versionId, number, digest },
      ...('content' in event && { label: event.label, comment: event.comment }),
      ...('forkedFrom' in event && { forkedFrom: event.forkedFrom }),
      link: `${sourceOf(project)}/flows/${flowId}/versions/${number}`,
    };
    return { subject: `flows/${flow}/versions/${number}`, data };
  }

  private flowOf({ stream }: Recorded): { flow: string; flowId: string } {
    const flowId = idInStream(stream);
    return { flow: this.follower.live.directory.flowById(flowId)?.slug ?? flowId, flowId };
  }
}

/** As the environment was called by the event, else as it is called now. */
function environmentChange(event: Extract<Told, { environmentId: unknown }>, project: Project) {
  const { type: _, environmentId, ...facts } = event;
  const now = environmentId === null ? undefined : project.state.environments.get(environmentId);
  const environment = 'slug' in event ? event.slug : (now?.slug ?? environmentId);
  const data = { ...withoutSlug(facts), environment, environmentId };
  return environment === null ? { data } : { subject: `environments/${environment}`, data };
}

function withoutSlug(facts: object): object {
  const { slug: _, ...others } = facts as { slug?: string };
  return others;
}

function sourceOf({ id }: Project): string {
  return `/api/v1/projects/${id}`;
}

function isTold(event: DomainEvent): event is Told {
  return Object.hasOwn(TYPES, event.type);
}
