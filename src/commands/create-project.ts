// CreateProject, ArchiveProject and RestoreProject. The slug is reserved first: a crash in between leaves a reserved
// slug, and whoever creates that project next takes the id over.
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { v7 as uuidv7 } from 'uuid';
import type { ProjectSlugReserved } from '../domain/slug.events.js';
import type { Position } from '../store/event-store.js';
import { CommandLog, type Caller } from './command-log.js';
import { ProjectStream, type InProject } from './project-stream.js';
import { reserveSlug } from './reserve-slug.js';
import { Streams } from './streams.js';

export class CreateProject extends Command<{ projectId: string; position: Position }> {
  constructor(
    readonly caller: Caller,
    readonly request: { readonly slug: string; readonly name: string },
  ) {
    super();
  }
}

/** It can be read as before, and nothing in it resolves or changes. */
export class ArchiveProject extends Command<{ position: Position }> {
  constructor(readonly caller: InProject) {
    super();
  }
}

export class RestoreProject extends Command<{ position: Position }> {
  constructor(readonly caller: InProject) {
    super();
  }
}

@CommandHandler(CreateProject)
export class CreateProjectHandler implements ICommandHandler<CreateProject> {
  constructor(
    readonly log: CommandLog,
    readonly streams: Streams,
    private readonly projects: ProjectStream,
  ) {}

  async execute({ caller, request: { slug, name } }: CreateProject) {
    const offered: ProjectSlugReserved = { type: 'ProjectSlugReserved', slug, projectId: uuidv7() };
    const inOffered = { ...caller, projectId: offered.projectId };
    const { projectId } = await reserveSlug(this, caller.workspaceId, offered, inOffered);
    const { position } = await this.projects.run(
      { ...caller, projectId },
      { type: 'CreateProject', slug, name },
    );
    return { projectId, position };
  }
}

@CommandHandler(ArchiveProject)
export class ArchiveProjectHandler implements ICommandHandler<ArchiveProject> {
  constructor(private readonly projects: ProjectStream) {}

  execute({ caller }: ArchiveProject) {
    return this.projects.run(caller, { type: 'ArchiveProject' });
  }
}

@CommandHandler(RestoreProject)
export class RestoreProjectHandler implements ICommandHandler<RestoreProject> {
  constructor(private readonly projects: ProjectStream) {}

  execute({ caller }: RestoreProject) {
    return this.projects.run(caller, { type: 'RestoreProject' });
  }
}
