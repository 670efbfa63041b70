// ChangeEnvironment, ArchiveEnvironment, RestoreEnvironment: what befalls an environment apart from its releases.
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Position } from '../store/event-store.js';
import { ProjectStream, type InProject } from './project-stream.js';

/** Renames and describes. What is left out stays as it is. */
export class ChangeEnvironment extends Command<{ position: Position }> {
  constructor(
    readonly caller: InProject,
    readonly environmentId: string,
    readonly request: {
      readonly slug?: string;
      readonly name?: string;
      readonly description?: string | null;
      readonly color?: string | null;
    },
  ) {
    super();
  }
}

export class ArchiveEnvironment extends Command<{ position: Position }> {
  constructor(
    readonly caller: InProject,
    readonly environmentId: string,
  ) {
    super();
  }
}

export class RestoreEnvironment extends Command<{ position: Position }> {
  constructor(
    readonly caller: InProject,
    readonly environmentId: string,
  ) {
    super();
  }
}

@CommandHandler(ChangeEnvironment)
export class ChangeEnvironmentHandler implements ICommandHandler<ChangeEnvironment> {
  constructor(private readonly projects: ProjectStream) {}

  execute({ caller, environmentId, request }: ChangeEnvironment) {
    return this.projects.run(caller, { type: 'ChangeEnvironment', environmentId, ...request });
  }
}

@CommandHandler(ArchiveEnvironment)
export class ArchiveEnvironmentHandler implements ICommandHandler<ArchiveEnvironment> {
  constructor(private readonly projects: ProjectStream) {}

  execute({ caller, environmentId }: ArchiveEnvironment) {
    return this.projects.run(caller, { type: 'ArchiveEnvironment', environmentId });
  }
}

@CommandHandler(RestoreEnvironment)
export class RestoreEnvironmentHandler implements ICommandHandler<RestoreEnvironment> {
  constructor(private readonly projects: ProjectStream) {}

  execute({ caller, environmentId }: RestoreEnvironment) {
    return this.projects.run(caller, { type: 'RestoreEnvironment', environmentId });
  }
}
