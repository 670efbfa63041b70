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
    /** Which environments the refusal may name. */
    readonly sees: (environmentId: string) => boolean,
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

  execute(command: ArchiveFlow) {
    return this.flows.run(command.caller, command.flowId, () => ({
      type: 'ArchiveFlow',
      activeIn: this.activeIn(command),
    }));
  }

  /** Slugs of the environments where the flow is active; archived ones count for nothing. */
  private activeIn({ caller, flowId, sees }: ArchiveFlow): string[] {
    const { activeVersions, directory } = this.follower.live;
    const { environments } = directory.project(caller.workspaceId, caller.projectId).state;
    const names = activeVersions.environmentsOf(flowId).flatMap((id) => {
      const environment = environments.get(id);
      if (environment === undefined || environment.archived) return [];
      return [sees(id) ? environment.slug : 'an environment that this key may not see'];
    });
    return [...new Set(names)];
  }
}
