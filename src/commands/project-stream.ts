// Every command on a project and its environments is decided on the project's stream: names are unique there, and
// so is the default.
import { Injectable } from '@nestjs/common';
import { streamOf } from '../domain/events.js';
import { project, type ProjectCommand } from '../domain/project.js';
import type { ProjectEvent } from '../domain/project.events.js';
import { CommandLog, type Caller, type Outcome } from './command-log.js';
import { Streams } from './streams.js';

/** Who asks, in the project that the command is about. */
export interface InProject extends Caller {
  readonly projectId: string;
}

@Injectable()
export class ProjectStream {
  constructor(
    private readonly log: CommandLog,
    private readonly streams: Streams,
  ) {}

  run(caller: InProject, command: ProjectCommand): Promise<Outcome<ProjectEvent>> {
    return this.log.run({
      stream: streamOf('project', caller.projectId),
      load: () => this.streams.project(caller.workspaceId, caller.projectId),
      decide: (state) => project.decide(state, command),
      caller,
    });
  }
}
