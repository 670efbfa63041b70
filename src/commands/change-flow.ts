// RenameFlow and ArchiveFlow. The slug of a flow never changes: it is what running code asks for.
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { LogFollower } from '../read/log-follower.js';
import type { Position } from '../store/event-store.js';
import { FlowStream } from './flow-stream.js';
import type { InProject } from './project-stream.js';

export class RenameFlow extends Command<{ position: Position }> {
  constructor(
    readonly caller: InProject,
    readonly flowId: string,
    readonly name: string,
  ) {
    super();
  }
}

/** An archived flow takes no new versions and no activations. Refused while it is active somewhere. */
export class ArchiveFlow extends Command<{ position: Position }> {
  constructor(
    readonly caller: InProject,
    readonly flowId: string,
  ) {
    super();
  }
}

@CommandHandler(RenameFlow)
export class RenameFlowHandler implements ICommandHandler<RenameFlow> {
  constructor(private readonly flows: FlowStream) {}

  execute({ caller, flowId, name }: RenameFlow) {
    return this.flows.run(caller, flowId, { type: 'RenameFlow', name });
  }
}

@CommandHandler(ArchiveFlow)
export class ArchiveFlowHandler implements ICommandHandler<ArchiveFlow> {
  constructor(
    private readonly flows: FlowStream,
    private readonly follower: LogFollower,
  ) {}

  execute({ caller, flowId }: ArchiveFlow) {
    return this.flows.run(caller, flowId, () => ({
      type: 'ArchiveFlow',
      activeIn: this.activeIn(caller, flowId),
    }));
  }

  /** Slugs of the environments where the flow is active; archived ones count for nothing. */
  private activeIn(caller: InProject, flowId: string): string[] {
    const { activeVersions, directory } = this.follower.live;
    const { environments } = directory.project(caller.workspaceId, caller.projectId).state;
    return activeVersions.environmentsOf(flowId).flatMap((id) => {
      const environment = environments.get(id);
      return environment === undefined || environment.archived ? [] : [environment.slug];
    });
  }
}
