// Finds things by what people call them: a key by its hash, a project, an environment or a flow by slug or id.
// In memory, because every request asks it.
import type { AccessEvent } from '../src/domain/access.events.js';
import type { ApiKey } from '../src/domain/access.js';
import { assert } from '../src/domain/decider.js';
import { idInStream, type DomainEvent } from '../src/domain/events.js';
import { archived, type EnvironmentEntry } from '../src/domain/project.js';
import type { ProjectEvent } from '../src/domain/project.events.js';
import type { Recorded } from '../src/domain/recorded.js';
import { Refused } from '../src/domain/refused.js';
import { allFlows, evolveFlow, type Flow } from './flows.js';
import { FlowNumbers } from './placement-column.js';
import type { Rows } from './projection.js';
import { allProjects, evolveProject, type Project } from './projects.js';
import { allWorkspaces, evolveWorkspace, type Workspace } from './workspaces.js';

export interface KnownKey {
  readonly key: ApiKey;
  readonly workspaceId: string;
}

/** A key that no longer works. */
export interface RevokedKey {
  readonly keyId: string;
  readonly workspaceId: string;
}

export class Directory {
  private readonly workspaces = new Map<string, Workspace>();
  private readonly projects = new Map<string, Project>();
  /** Workspace id to the ids of its projects, by slug. */
  private readonly projectsBySlug = new Map<string, Map<string, string>>();
  /** By flow number. */
  private readonly flows: (Flow | undefined)[] = [];
  private readonly keysByHash = new Map<string, KnownKey>();
  private readonly revokedByHash = new Map<string, RevokedKey>();
  /** Project id to its flows, by slug, as flow numbers. */
  private readonly flowsBySlug = new Map<string, Map<string, number>>();

  constructor(private readonly numbers = new FlowNumbers()) {}

  keyByHash(hash: string): KnownKey | undefined {
    return this.keysByHash.get(hash);
  }

  /** Whose key this was, for the record of who tried it. */
  revokedKeyByHash(hash: string): RevokedKey | undefined {
    return this.revokedByHash.get(hash);
  }

  /** By id, for naming the actor of an old event; a key that no longer works is not found. */
  keyById(workspaceId: string, keyId: string): ApiKey | undefined {
    return this.workspaces.get(workspaceId)?.state.keys.get(keyId);
  }

  workspace(id: string): Workspace | undefined {
    return this.workspaces.get(id);
  }

  workspaceBySlug(slug: string): Workspace | undefined {
    return [...this.workspaces.values()].find((workspace) => workspace.state.slug === slug);
  }

  projectsOf(workspaceId: string): Project[] {
    return [...this.projects.values()].filter((project) => project.workspaceId === workspaceId);
  }

  /** Throws `project-not-found`. What belongs to another workspace does not exist for this one. */
  project(workspaceId: string, reference: string): Project {
    const id = this.projectsBySlug.get(workspaceId)?.get(reference) ?? reference;
    const found = this.projects.get(id);
    if (found?.workspaceId === workspaceId) return found;
    throw projectNotFound(reference);
  }

  /** By id, slug or former slug. Archived environments are found too. Throws `environment-not-found`. */
  environment(project: Project, reference: string): EnvironmentEntry {
    const { slugs, environments } = project.state;
    const found = environments.get(slugs.get(reference) ?? reference);
    if (found !== undefined) return found;
    throw new Refused('environment-not-found', `There is no environment ${quoted(reference)}.`);
  }

  /** As `environment`, and throws `environment-archived`. */
  openEnvironment(project: Project, reference: string): EnvironmentEntry {
    const found = this.environment(project, reference);
    if (found.archived) throw archived(found);
    return found;
  }

  findFlowNumber(project: Project, reference: string): number | undefined {
    const bySlug = this.flowsBySlug.get(project.id)?.get(reference);
    if (bySlug !== undefined) return bySlug;
    const byId = this.numbers.find(reference);
    return byId !== undefined && this.flows[byId]?.projectId === project.id ? byId : undefined;
  }

  findFlow(project: Project, reference: string): Flow | undefined {
    const number = this.findFlowNumber(project, reference);
    return number === undefined ? undefined : this.flows[number];
  }

  /** The number of a flow, by slug or id. Throws `flow-not-found`. */
  flowNumber(project: Project, reference: string): number {
    const found = this.findFlowNumber(project, reference);
    if (found !== undefined) return found;
    throw flowNotFound(reference);
  }

  /** By slug or id. Throws `flow-not-found`. */
  flow(project: Project, reference: string): Flow {
    return this.flowAt(this.flowNumber(project, reference));
  }

  flowById(id: string): Flow | undefined {
    const number = this.numbers.find(id);
    return number === undefined ? undefined : this.flows[number];
  }

  flowAt(number: number): Flow {
    const flow = this.flows[number];
    assert(flow !== undefined, `flow number ${number} was given to a flow`);
    return flow;
  }

  takeAccess(event: AccessEvent, recorded: Recorded): void {
    const id = idInStream(recorded.stream);
    const revoked = event.type === 'ApiKeyRevoked' && this.keyById(id, event.keyId);
    if (revoked) this.keysByHash.delete(revoked.hash);
    this.keep(evolveWorkspace(this.workspaces.get(id), event, recorded));
  }

  takeProject(event: ProjectEvent, recorded: Recorded): void {
    const id = idInStream(recorded.stream);
    this.keepProject(evolveProject(this.projects.get(id), event, recorded));
  }

  takeFlow(event: DomainEvent, recorded: Recorded): void {
    const flow = evolveFlow(this.flowById(idInStream(recorded.stream)), event, recorded);
    if (flow !== undefined && event.type === 'FlowCreated') this.keepFlow(flow);
  }

  /** Begins again from the rows that an earlier run left. */
  load(rows: Rows): void {
    for (const workspace of allWorkspaces(rows)) this.keep(workspace);
    for (const project of allProjects(rows)) this.keepProject(project);
    for (const flow of allFlows(rows)) this.keepFlow(flow);
  }

  private keep(workspace: Workspace): void {
    this.workspaces.set(workspace.id, workspace);
    for (const key of workspace.state.keys.values()) {
      this.keysByHash.set(key.hash, { key, workspaceId: workspace.id });
    }
    for (const [hash, keyId] of workspace.revoked) {
      this.revokedByHash.set(hash, { keyId, workspaceId: workspace.id });
    }
  }

  private keepProject(project: Project): void {
    this.projects.set(project.id, project);
    const { slug } = project.state;
    const bySlug = this.projectsBySlug.get(project.workspaceId);
    if (bySlug === undefined) this.projectsBySlug.set(project.workspaceId, new Map([[slug, project.id]]));
    else bySlug.set(slug, project.id);
  }

  private keepFlow(flow: Flow): void {
    const number = this.numbers.of(flow.id);
    while (this.flows.length <= number) this.flows.push(undefined);
    this.flows[number] = flow;
    const bySlug = this.flowsBySlug.get(flow.projectId);
    if (bySlug === undefined) this.flowsBySlug.set(flow.projectId, new Map([[flow.slug, number]]));
    else bySlug.set(flow.slug, number);
  }
}

export function flowNotFound(reference: string): Refused {
  return new Refused('flow-not-found', `There is no flow ${quoted(reference)}.`);
}

export function projectNotFound(reference: string): Refused {
  return new Refused('project-not-found', `There is no project ${quoted(reference)}.`);
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
