// CreateEnvironment: a new place where versions run. It begins empty, at release 0.
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { v7 as uuidv7 } from 'uuid';
import { assert } from '../domain/decider.js';
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
    const { events, position } = await this.projects.run(caller, {
      type: 'CreateEnvironment',
      environmentId: uuidv7(),
      ...request,
    });
    const created = events.find(({ type }) => type === 'EnvironmentCreated');
    assert(created?.type === 'EnvironmentCreated', 'a new environment is created or refused');
    return { environmentId: created.environmentId, position };
  }
}
