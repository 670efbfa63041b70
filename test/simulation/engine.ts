// The engine of one server as `src/engine.ts` and `src/app.module.ts` put it together, without files, HTTP and the
// signed record, and with each operation handed to its command.
import { ActivateVersion, ActivateVersionHandler } from '../../src/commands/activate-version.js';
import { DeactivateVersion, DeactivateVersionHandler } from '../../src/commands/activate-version.js';
import { AnsweredCommands } from '../../src/commands/answered-commands.js';
import * as environments from '../../src/commands/change-environment.js';
import {
  ArchiveFlow,
  ArchiveFlowHandler,
  RenameFlow,
  RenameFlowHandler,
} from '../../src/commands/change-flow.js';
import { CommandLog } from '../../src/commands/command-log.js';
import { CreateEnvironment, CreateEnvironmentHandler } from '../../src/commands/create-environment.js';
import { CreateFlow, CreateFlowHandler } from '../../src/commands/create-flow.js';
import {
  EnvironmentStream,
  type DecidedRelease,
  type ReleaseAnswer,
} from '../../src/commands/environment-stream.js';
import { FirstStart } from '../../src/commands/first-start.js';
import { FlowStream } from '../../src/commands/flow-stream.js';
import { ProjectStream, type InProject } from '../../src/commands/project-stream.js';
import { Promote, PromoteHandler } from '../../src/commands/promote.js';
import { Rollback, RollbackHandler } from '../../src/commands/rollback.js';
import {
  ChangeProject,
  ChangeProjectHandler,
  SetDefault,
  SetDefaultHandler,
} from '../../src/commands/set-default.js';
import { Streams } from '../../src/commands/streams.js';
import * as versions from '../../src/commands/write-version.js';
import { archived } from '../../src/domain/project.js';
import { Refused } from '../../src/domain/refused.js';
import { LogFollower } from '../../src/read/log-follower.js';
import { ReleaseLog } from '../../src/read/release-log.js';
import type { RowsPlace } from '../../src/read/view-database.js';
import { VersionLog } from '../../src/read/version-log.js';
import { WATCHING } from '../../src/read/watchdog.js';
import type { EventStore } from '../../src/store/event-store.js';
import type { Project } from '../../projections/projects.js';
import { factOf } from './facts.js';
import type { Done, Fact, Operation } from './operations.js';

const ADMINISTRATOR_KEY = 'swy_simulated';

export class Engine {
  readonly streams: Streams;
  readonly commandLog: CommandLog;
  readonly answered: AnsweredCommands;
  readonly releases: ReleaseLog;
  readonly versions: VersionLog;
  private readonly projects: ProjectStream;
  private readonly flows: FlowStream;
  private readonly environments: EnvironmentStream;

  private constructor(
    store: EventStore,
    readonly follower: LogFollower,
  ) {
    this.streams = new Streams(store, follower);
    this.commandLog = new CommandLog(store, follower);
    this.answered = new AnsweredCommands(store, follower, this.commandLog);
    this.releases = new ReleaseLog(store, follower);
    this.versions = new VersionLog(follower);
    this.projects = new ProjectStream(this.commandLog, this.streams);
    this.flows = new FlowStream(this.commandLog, this.streams);
    this.environments = new EnvironmentStream(this.commandLog, this.streams);
  }

  static async open(store: EventStore, place: RowsPlace): Promise<Engine> {
    const engine = new Engine(store, await LogFollower.start(store, 'in memory', WATCHING, place));
    try {
      await new FirstStart(engine).prepare(ADMINISTRATOR_KEY);
      return engine;
    } catch (error) {
      await engine.follower.close();
      throw error;
    }
  }

  /** The one project of a fresh install. */
  get project(): Project {
    const { directory } = this.follower.live;
    const [project] = directory.projectsOf(directory.workspaceBySlug('default')?.id ?? '');
    if (project === undefined) throw new Error('A server that is up has a project');
    return project;
  }

  caller(actorId: string, requestId: string): InProject {
    const { workspaceId, id: projectId } = this.project;
    return { actor: { type: 'api-key', id: actorId }, workspaceId, projectId, requestId };
  }

  /** The body of the answer. Throws what the command throws. */
  async execute(caller: InProject, operation: Operation): Promise<string> {
    const { position, ...rest } = await this.carryOut(caller, operation);
    return JSON.stringify({ position: String(position), ...rest } satisfies Done);
  }

  private async carryOut(caller: InProject, operation: Operation): Promise<Carried> {
    switch (operation.kind) {
      case 'create-environment': {
        const handler = new CreateEnvironmentHandler(this.projects);
        const { environmentId: id, position } = await handler.execute(
          new CreateEnvironment(caller, operation),
        );
        return { position, id };
      }
      case 'change-environment': {
        const { kind: _, environmentId, ...request } = operation;
        const handler = new environments.ChangeEnvironmentHandler(this.projects);
        const id = this.environment(environmentId);
        return placed(await handler.execute(new environments.ChangeEnvironment(caller, id, request)));
      }
      case 'archive-environment': {
        const id = this.environment(operation.environmentId);
        const handler = new environments.ArchiveEnvironmentHandler(this.projects);
        return placed(await handler.execute(new environments.ArchiveEnvironment(caller, id)));
      }
      case 'restore-environment': {
        const id = this.environment(operation.environmentId);
        const handler = new environments.RestoreEnvironmentHandler(this.projects);
        return placed(await handler.execute(new environments.RestoreEnvironment(caller, id)));
      }
      case 'set-default': {
        const { environmentId } = operation;
        const id = environmentId === null ? null : this.environment(environmentId);
        return placed(await new SetDefaultHandler(this.projects).execute(new SetDefault(caller, id)));
      }
      case 'change-project': {
        const { kind: _, ...request } = operation;
        return placed(
          await new ChangeProjectHandler(this.projects).execute(new ChangeProject(caller, request)),
        );
      }
      case 'activate':
      case 'deactivate':
      case 'promote':
      case 'rollback':
        return this.release(caller, operation);
      default:
        return this.onFlow(caller, operation);
    }
  }

  private async onFlow(
    caller: InProject,
    operation: Extract<Operation, { flowId: string; kind: string } | { kind: 'create-flow' }>,
  ): Promise<Carried> {
    if (operation.kind === 'create-flow') {
      const handler = new CreateFlowHandler(this.commandLog, this.flows, this.streams);
      const command = new CreateFlow(caller, { ...operation, kind: 'prompt' });
      const { flowId: id, position } = await handler.execute(command);
      return { position, id };
    }
    const { id: flowId } = this.follower.live.directory.flow(this.project, operation.flowId);
    switch (operation.kind) {
      case 'rename-flow': {
        const command = new RenameFlow(caller, flowId, operation.name);
        return placed(await new RenameFlowHandler(this.flows).execute(command));
      }
      case 'archive-flow': {
        const command = new ArchiveFlow(caller, flowId, () => true);
        return placed(await new ArchiveFlowHandler(this.flows, this.follower).execute(command));
      }
      case 'draft': {
        const command = new versions.DraftVersion(caller, flowId, operation.text);
        return written(await new versions.DraftVersionHandler(this.flows).execute(command));
      }
      case 'edit': {
        const id = await this.version(flowId, operation.versionId);
        const command = new versions.EditVersion(caller, flowId, id, operation.text);
        return written(await new versions.EditVersionHandler(this.flows, this.versions).execute(command));
      }
      case 'fork': {
        const id = await this.version(flowId, operation.versionId);
        const command = new versions.ForkVersion(caller, flowId, id, operation.text);
        return written(await new versions.ForkVersionHandler(this.flows, this.versions).execute(command));
      }
      default:
        throw new Error(`No command for ${operation.kind}`);
    }
  }

  private async release(
    caller: InProject,
    operation: Extract<Operation, { kind: 'activate' | 'deactivate' | 'promote' | 'rollback' }>,
  ): Promise<Carried> {
    let release: Fact | null = null;
    const decided = ({ event }: DecidedRelease): void => {
      release = factOf(event);
    };
    const open = (id: string) => this.openEnvironment(caller, id);
    const made = async (): Promise<ReleaseAnswer> => {
      if (operation.kind === 'promote') {
        const ids = { sourceId: open(operation.sourceId), targetId: open(operation.targetId) };
        const command = new Promote(caller, { ...operation, ...ids }, decided);
        return new PromoteHandler(this.environments).execute(command);
      }
      if (operation.kind === 'rollback') {
        const command = new Rollback(caller, open(operation.environmentId), operation, decided);
        return new RollbackHandler(this.environments, this.releases).execute(command);
      }
      const { id: flowId } = this.follower.live.directory.flow(this.project, operation.flowId);
      const request = { ...operation, flowId, environmentId: open(operation.environmentId) };
      if (request.kind === 'deactivate') {
        const command = new DeactivateVersion(caller, request, decided);
        return new DeactivateVersionHandler(this.environments).execute(command);
      }
      const handler = new ActivateVersionHandler(this.flows, this.environments, this.streams);
      return handler.execute(new ActivateVersion(caller, request, decided));
    };
    const { position, changed } = await made();
    // What was decided may have had to be decided again, to nothing.
    return { position, release: changed ? release : null };
  }

  /** Archived ones too. Throws `environment-not-found`. */
  private environment(id: string): string {
    return this.follower.live.directory.environment(this.project, id).id;
  }

  private openEnvironment({ idempotency }: InProject, id: string): string {
    const found = this.follower.live.directory.environment(this.project, id);
    if (found.archived && idempotency?.hasEffect !== true) throw archived(found);
    return found.id;
  }

  private async version(flowId: string, reference: string): Promise<string> {
    const found = await this.versions.find(flowId, reference);
    if (found !== undefined) return found.id;
    throw new Refused('version-not-found', `There is no version ${reference}.`);
  }
}

type Carried = Omit<Done, 'position'> & { readonly position: bigint };

function placed({ position }: { readonly position: bigint }): Carried {
  return { position };
}

function written({ position, event }: { readonly position: bigint; readonly event: object | null }): Carried {
  return { position, version: event as Fact | null };
}
