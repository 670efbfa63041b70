// CreateEnvironment: a new place where versions run. It begins empty, at release 0.
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { v7 as uuidv7 } from 'uuid';
import type { Position } from '../store/event-store.js';
import { ProjectStream, type InProject } from './project-stream.js';

export class CreateEnvironment extends Command<{ environmentId: string; position: Position }> {
  constructor(
    readonly caller: InProject,
    readonly request: {
      readonly slug: string;
      readonly name: string;
      readonly description: string | null;
      readonly color: string | null;
      readonly makeDefault: boolean;
    },
  ) {
    super();
  }
}

@CommandHandler(CreateEnvironment)
export class CreateEnvironmentHandler implements ICommandHandler<CreateEnvironment> {
  constructor(private readonly projects: ProjectStream) {}

  async execute({ caller, request }: CreateEnvironment) {
    const environmentId = uuidv7();
    const { position } = await this.projects.run(caller, {
      type: 'CreateEnvironment',
      environmentId,
      ...request,
    });
    return { environmentId, position };
  }
}
