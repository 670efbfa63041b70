// Finds things by what people call them: a key by its hash, a project, an environment or a flow by slug or id.
// In memory, because every request asks it.
import type { AccessEvent } from '../src/domain/access.events.js';
import { Access } from '../src/domain/permissions.js';
import { assert } from '../src/domain/decider.js';
import { idInStream, type DomainEvent } from '../src/domain/events.js';
import { archived, type EnvironmentEntry } from '../src/domain/project.js';
import type { ProjectEvent } from '../src/domain/project.events.js';
import type { Recorded } from '../src/domain/recorded.js';
import { Refused } from '../src/domain/refused.js';
import { allFlows, evolveFlow, type Flow } from './flows.js';
import { FlowNumbers } from './placement-column.js';
import type { KnownKey, PeopleNames, Principal } from './principal.js';
import type { Rows } from './projection.js';
import { allProjects, evolveProject, type Project } from './projects.js';
import { Sessions } from './sessions.js';
import { allWorkspaces, evolveWorkspace, type Workspace } from './workspaces.js';

/** A key that no longer works. */
export interface FormerKey {
  readonly keyId: string;
  readonly workspaceId: string;
}

/** Until whoever keeps the names is there. */
const NOBODY: PeopleNames = { nameOf: () => undefined, onChange: () => undefined };

export class Directory {
  readonly sessions = new Sessions();
  people = NOBODY;
  private readonly workspaces = new Map<string, Workspace>();
  private readonly projects = new Map<string, Project>();
  /** Workspace id to the ids of its projects, by slug. */
  private readonly projectsBySlug = new Map<string, Map<string, string>>();
  /** Environment id to that of its project. */
  private readonly projectOfEnvironment = new Map<string, string>();
  /** By flow number. */
  private readonly flows: (Flow | undefined)[] = [];
  private readonly keysByHash = new Map<string, KnownKey>();
  private readonly formerByHash = new Map<string, FormerKey>();
  /** Project id to its flows, by slug, as flow numbers. */
  private readonly flowsBySlug = new Map<string, Map<string, number>>();

  constructor(private readonly numbers = new FlowNumbers()) {}

  keyByHash(hash: string): KnownKey | undefined {
    return this.keysByHash.get(hash);
  }

  /** A rotated key may come twice. */
  knownKeys(): Iterable<KnownKey> {
    return this.keysByHash.values();
  }

  /** Who acts in the session of this secret; undefined once its key is not what it was, or it was ended. */
  principalInSession(hash: string): Principal | undefined {
    const session = this.sessions.find(hash);
    if (session === undefined) return undefined;
    const { id: sessionId, workspaceId, holder, access } = session;
    const expires = Date.parse(session.expiresAt);
    if (holder.type === 'person') {
      const { personId, grants } = holder;
      const isArchived = this.workspaces.get(workspaceId)?.state.archived === true;
      const who = { actor: { type: 'person', id: personId } as const, name: null, keyExpiresAt: null };
      return { ...who, grants, access, workspaceId, worksUntil: expires, isArchived, sessionId };
    }
    const known = this.keysByHash.get(holder.keyHash);
    if (known?.key.id !== holder.keyId || known.key.hash !== holder.keyHash) return undefined;
    return { ...known, worksUntil: Math.min(known.worksUntil, expires), sessionId };
  }

  /** Whose key this was, for the record of who tried it. */
  formerKeyByHash(hash: string): FormerKey | undefined {
    return this.formerByHash.get(hash);
  }

  /** For naming the actor of an event, whether or not the key still works. */
  keyName(workspaceId: string, keyId: string): string | undefined {
    return this.workspaces.get(workspaceId)?.issued.get(keyId)?.key.name;
  }

  workspace(id: string): Workspace | undefined {
    return this.workspaces.get(id);
  }

  /** Oldest first. */
  allWorkspaces(): Workspace[] {
    return [...this.workspaces.values()];
  }

  /** Whose administrators look after the installation. */
  isFirst(workspaceId: string): boolean {
    return this.workspaces.keys().next().value === workspaceId;
  }

  workspaceBySlug(slug: string): Workspace | undefined {
    return [...this.workspaces.values()].find((workspace) => workspace.state.slug === slug);
  }

  projectsOf(workspaceId: string): Project[] {
    const ids = this.projectsBySlug.get(workspaceId)?.values() ?? [];
    return [...ids].flatMap((id) => this.projects.get(id) ?? []);
  }

  /** Throws `project-not-found`. What belongs to another workspace does not exist for this one. */
  project(workspaceId: string, reference: string): Project {
    const found = this.findProject(workspaceId, reference);
    if (found !== undefined) return found;
    throw projectNotFound(reference);
  }

  findProject(workspaceId: string, reference: string): Project | undefined {
    const id = this.projectsBySlug.get(workspaceId)?.get(reference) ?? reference;
    const found = this.projects.get(id);
    return found?.workspaceId === workspaceId ? found : undefined;
  }

  /** By id, slug or former slug. Archived environments are found too. Throws `environment-not-found`. */
  environment(project: Project, reference: string): EnvironmentEntry {
    const found = this.findEnvironment(project, reference);
    if (found !== undefined) return found;
    throw new Refused('environment-not-found', `There is no environment ${quoted(reference)}.`);
  }

  findEnvironment(
    { state: { slugs, environments } }: Project,
    reference: string,
  ): EnvironmentEntry | undefined {
    return environments.get(slugs.get(reference) ?? reference);
  }

  /** In whichever project. */
  environmentById(id: string): EnvironmentEntry | undefined {
    return this.projects.get(this.projectOfEnvironment.get(id) ?? '')?.state.environments.get(id);
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
    const before = this.workspaces.get(idInStream(recorded.stream));
    const workspace = evolveWorkspace(before, event, recorded);
    this.workspaces.set(workspace.id, workspace);
    if ('keyId' in event) this.keepKey(workspace, event.keyId);
    else for (const keyId of workspace.state.keys.keys()) this.keepKey(workspace, keyId);
  }

  takeProject(event: ProjectEvent, recorded: Recorded): void {
    const id = idInStream(recorded.stream);
    this.keepProject(evolveProject(this.projects.get(id), event, recorded));
    if (event.type === 'EnvironmentCreated') this.projectOfEnvironment.set(event.environmentId, id);
  }

  takeFlow(event: DomainEvent, recorded: Recorded): void {
    const flow = evolveFlow(this.flowById(idInStream(recorded.stream)), event, recorded);
    if (flow !== undefined && event.type === 'FlowCreated') this.keepFlow(flow);
  }

  /** Begins again from the rows that an earlier run left. */
  load(rows: Rows): void {
    for (const workspace of allWorkspaces(rows)) {
      this.workspaces.set(workspace.id, workspace);
      for (const keyId of workspace.issued.keys()) this.keepKey(workspace, keyId);
    }
    for (const project of allProjects(rows)) {
      this.keepProject(project);
      for (const id of project.state.environments.keys()) this.projectOfEnvironment.set(id, project.id);
    }
    for (const flow of allFlows(rows)) this.keepFlow(flow);
    this.sessions.load(rows);
  }

  private keepKey({ id: workspaceId, state, issued }: Workspace, keyId: string): void {
    for (const hash of issued.get(keyId)?.former ?? []) {
      const holder = this.keysByHash.get(hash)?.key.id;
      // A key that an operator brought along may be brought along again, as another one.
      if (holder !== undefined && holder !== keyId) continue;
      this.keysByHash.delete(hash);
      this.formerByHash.set(hash, { keyId, workspaceId });
    }
    const key = state.keys.get(keyId);
    if (key === undefined) return;
    const access = new Access(key.grants);
    const expires = key.expiresAt === null ? Infinity : Date.parse(key.expiresAt);
    const use = this.keysByHash.get(key.previous?.hash ?? key.hash)?.use ?? { atMs: 0 };
    const { name, grants, expiresAt: keyExpiresAt } = key;
    const actor = { type: 'api-key', id: keyId } as const;
    const isArchived = state.archived;
    const known = { key, actor, name, grants, workspaceId, access, isArchived, keyExpiresAt, use };
    this.keysByHash.set(key.hash, { ...known, worksUntil: expires, secretHash: key.hash });
    this.formerByHash.delete(key.hash);
    if (key.previous === null) return;
    const until = Math.min(expires, Date.parse(key.previous.until));
    this.keysByHash.set(key.previous.hash, { ...known, worksUntil: until, secretHash: key.previous.hash });
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
