// SetDefault and ChangeProject: what resolves for callers who name no environment.
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { WithoutEnvironment } from '../domain/project.events.js';
import type { Position } from '../store/event-store.js';
import { ProjectStream, type InProject } from './project-stream.js';

export class SetDefault extends Command<{ position: Position }> {
  constructor(
    readonly caller: InProject,
    /** Null: no environment is the default any more. */
    readonly environmentId: string | null,
  ) {
    super();
  }
}

export class ChangeProject extends Command<{ position: Position }> {
  constructor(
    readonly caller: InProject,
    readonly request: { readonly name?: string; readonly withoutEnvironment?: WithoutEnvironment },
  ) {
    super();
  }
}

@CommandHandler(SetDefault)
export class SetDefaultHandler implements ICommandHandler<SetDefault> {
  constructor(private readonly projects: ProjectStream) {}

  execute({ caller, environmentId }: SetDefault) {
    return this.projects.run(caller, { type: 'SetDefault', environmentId });
  }
}

@CommandHandler(ChangeProject)
export class ChangeProjectHandler implements ICommandHandler<ChangeProject> {
  constructor(private readonly projects: ProjectStream) {}

  execute({ caller, request }: ChangeProject) {
    return this.projects.run(caller, { type: 'ChangeProject', ...request });
  }
}
