// A project owns environments and decides on them: what they are called, which is the default, which are archived.
import { assert, unreachable, type Decider } from './decider.js';
import type { ProjectEvent, WithoutEnvironment } from './project.events.js';
import { Refused } from './refused.js';

export interface EnvironmentEntry {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly description: string | null;
  readonly color: string | null;
  readonly archived: boolean;
}

export interface ProjectState {
  /** False until `ProjectCreated`. */
  exists: boolean;
  slug: string;
  name: string;
  archived: boolean;
  withoutEnvironment: WithoutEnvironment;
  defaultEnvironment: string | null;
  /** By id, in the order of creation. */
  readonly environments: Map<string, EnvironmentEntry>;
  /** Every slug that leads to an environment, its own and the ones it had before, to that environment's id. */
  readonly slugs: Map<string, string>;
}

export interface CreateProject {
  readonly type: 'CreateProject';
  readonly slug: string;
  readonly name: string;
}

export interface ChangeProject {
  readonly type: 'ChangeProject';
  readonly name?: string;
  readonly withoutEnvironment?: WithoutEnvironment;
}

export interface ArchiveProject {
  readonly type: 'ArchiveProject';
}

export interface RestoreProject {
  readonly type: 'RestoreProject';
}

export interface CreateEnvironment {
  readonly type: 'CreateEnvironment';
  readonly environmentId: string;
  readonly slug: string;
  readonly name: string;
  readonly description: string | null;
  readonly color: string | null;
  readonly makeDefault: boolean;
}

export interface ChangeEnvironment {
  readonly type: 'ChangeEnvironment';
  readonly environmentId: string;
  readonly slug?: string;
  readonly name?: string;
  readonly description?: string | null;
  readonly color?: string | null;
}

export interface ArchiveEnvironment {
  readonly type: 'ArchiveEnvironment';
  readonly environmentId: string;
}

export interface RestoreEnvironment {
  readonly type: 'RestoreEnvironment';
  readonly environmentId: string;
}

export interface SetDefault {
  readonly type: 'SetDefault';
  readonly environmentId: string | null;
}

export type ProjectCommand =
  | CreateProject
  | ChangeProject
  | ArchiveProject
  | RestoreProject
  | CreateEnvironment
  | ChangeEnvironment
  | ArchiveEnvironment
  | RestoreEnvironment
  | SetDefault;

export const project: Decider<ProjectState, ProjectCommand, ProjectEvent> = {
  initial: () => ({
    exists: false,
    slug: '',
    name: '',
    archived: false,
    withoutEnvironment: 'first-active',
    defaultEnvironment: null,
    environments: new Map(),
    slugs: new Map(),
  }),

  decide(state, command) {
    switch (command.type) {
      case 'CreateProject':
        if (state.exists) throw projectExists(command.slug);
        return [
          {
            type: 'ProjectCreated',
            slug: command.slug,
            name: command.name,
            withoutEnvironment: state.withoutEnvironment,
          },
        ];
      case 'ChangeProject':
        return changeProject(state, command);
      case 'ArchiveProject':
        return state.archived ? [] : [{ type: 'ProjectArchived' }];
      case 'RestoreProject':
        return state.archived ? [{ type: 'ProjectRestored' }] : [];
      case 'CreateEnvironment':
        return createEnvironment(state, command);
      case 'ChangeEnvironment':
        return changeEnvironment(state, command);
      case 'ArchiveEnvironment':
        return archiveEnvironment(state, environmentIn(state, command.environmentId));
      case 'RestoreEnvironment':
        if (!environmentIn(state, command.environmentId).archived) return [];
        return [{ type: 'EnvironmentRestored', environmentId: command.environmentId }];
      case 'SetDefault':
        return setDefault(state, command);
      default:
        return unreachable(command);
    }
  },

  evolve(state, event) {
    switch (event.type) {
      case 'ProjectCreated':
        state.exists = true;
        state.slug = event.slug;
        state.name = event.name;
        state.withoutEnvironment = event.withoutEnvironment;
        return state;
      case 'ProjectRenamed':
        state.name = event.name;
        return state;
      case 'ProjectArchived':
      case 'ProjectRestored':
        state.archived = event.type === 'ProjectArchived';
        return state;
      case 'ResolutionPolicySet':
        state.withoutEnvironment = event.withoutEnvironment;
        return state;
      case 'EnvironmentCreated': {
        const { environmentId: id, slug, name, description, color } = event;
        state.slugs.set(slug, id);
        return put(state, { id, slug, name, description, color, archived: false });
      }
      case 'EnvironmentRenamed':
        state.slugs.set(event.slug, event.environmentId);
        return put(state, { ...entry(state, event), slug: event.slug, name: event.name });
      case 'EnvironmentDescribed':
        return put(state, { ...entry(state, event), description: event.description, color: event.color });
      case 'EnvironmentArchived':
        return put(state, { ...entry(state, event), archived: true });
      case 'EnvironmentRestored':
        return put(state, { ...entry(state, event), archived: false });
      case 'DefaultEnvironmentSet':
        state.defaultEnvironment = event.environmentId;
        return state;
      default:
        return unreachable(event);
    }
  },
};

function projectExists(slug: string): Refused {
  const detail = `There is a project ${slug} already.`;
  return new Refused('project-exists', detail, [{ pointer: '/slug', detail }]);
}

function changeProject(state: ProjectState, command: ChangeProject): ProjectEvent[] {
  const events: ProjectEvent[] = [];
  if (command.name !== undefined && command.name !== state.name) {
    events.push({ type: 'ProjectRenamed', name: command.name });
  }
  const { withoutEnvironment } = command;
  if (withoutEnvironment !== undefined && withoutEnvironment !== state.withoutEnvironment) {
    events.push({ type: 'ResolutionPolicySet', withoutEnvironment });
  }
  return events;
}

function createEnvironment(state: ProjectState, command: CreateEnvironment): ProjectEvent[] {
  assert(!state.environments.has(command.environmentId), 'an environment is created under an id of its own');
  refuseTaken(state, command.environmentId, command.slug, command.name);
  const { environmentId, slug, name, description, color } = command;
  const created: ProjectEvent = { type: 'EnvironmentCreated', environmentId, slug, name, description, color };
  return command.makeDefault ? [created, { type: 'DefaultEnvironmentSet', environmentId }] : [created];
}

function changeEnvironment(state: ProjectState, command: ChangeEnvironment): ProjectEvent[] {
  const now = environmentIn(state, command.environmentId);
  if (now.archived) throw archived(now);
  const { slug = now.slug, name = now.name, description = now.description, color = now.color } = command;
  refuseTaken(state, now.id, slug, name);
  const events: ProjectEvent[] = [];
  if (slug !== now.slug || name !== now.name) {
    events.push({ type: 'EnvironmentRenamed', environmentId: now.id, slug, name });
  }
  if (description !== now.description || color !== now.color) {
    events.push({ type: 'EnvironmentDescribed', environmentId: now.id, description, color });
  }
  return events;
}

function archiveEnvironment(state: ProjectState, environment: EnvironmentEntry): ProjectEvent[] {
  if (environment.archived) return [];
  if (state.defaultEnvironment === environment.id) {
    throw new Refused(
      'environment-is-default',
      `Environment ${environment.slug} is the default of its project; set another default or none first.`,
    );
  }
  return [{ type: 'EnvironmentArchived', environmentId: environment.id }];
}

function setDefault(state: ProjectState, command: SetDefault): ProjectEvent[] {
  const { environmentId } = command;
  if (environmentId === state.defaultEnvironment) return [];
  if (environmentId !== null) {
    const environment = environmentIn(state, environmentId);
    if (environment.archived) throw archived(environment);
  }
  return [{ type: 'DefaultEnvironmentSet', environmentId }];
}

export function archived(environment: EnvironmentEntry): Refused {
  return new Refused('environment-archived', `Environment ${environment.slug} is archived.`);
}

/** An alias is free to take; the slug that an environment goes by now, archived or not, is not. */
function refuseTaken(state: ProjectState, environmentId: string, slug: string, name: string): void {
  for (const other of state.environments.values()) {
    if (other.id === environmentId || (other.slug !== slug && other.name !== name)) continue;
    const field = other.slug === slug ? 'slug' : 'name';
    const hidden = other.archived ? ' It is archived.' : '';
    const detail = `Environment ${other.slug} already has the ${field} ${JSON.stringify(other[field])}.${hidden}`;
    throw new Refused('environment-exists', detail, [{ pointer: `/${field}`, detail }]);
  }
}

function environmentIn(state: ProjectState, id: string): EnvironmentEntry {
  const environment = state.environments.get(id);
  if (environment === undefined) throw new Refused('environment-not-found', `There is no environment ${id}.`);
  return environment;
}

function entry(state: ProjectState, { environmentId }: { readonly environmentId: string }): EnvironmentEntry {
  const environment = state.environments.get(environmentId);
  assert(
    environment !== undefined,
    `environment ${environmentId} was created before anything else befell it`,
  );
  return environment;
}

function put(state: ProjectState, environment: EnvironmentEntry): ProjectState {
  state.environments.set(environment.id, environment);
  return state;
}
