// ActivateVersion: locks the version if it is still a draft, then makes it the one that the environment resolves to.
// A crash between the two leaves a locked version that is active nowhere, which harms nothing.
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { environment } from '../domain/environment.js';
import type { VersionRef } from '../domain/environment.events.js';
import { flow, versionIn, versionNamed } from '../domain/flow.js';
import { withoutKey } from './command-log.js';
import { EnvironmentStream, type OnDecided, type ReleaseAnswer } from './environment-stream.js';
import { FlowStream } from './flow-stream.js';
import type { InProject } from './project-stream.js';
import { Streams } from './streams.js';

interface Request {
  readonly environmentId: string;
  readonly flowId: string;
  readonly comment: string | null;
  /** The release that the caller had seen; null for whichever there is. */
  readonly expectedRelease: number | null;
}

export class ActivateVersion extends Command<ReleaseAnswer> {
  constructor(
    readonly caller: InProject,
    /** `version` is an id or a number. */
    readonly request: Request & { readonly version: string },
    readonly onDecided: OnDecided,
  ) {
    super();
  }
}

/** Removes the flow from the environment. */
export class DeactivateVersion extends Command<ReleaseAnswer> {
  constructor(
    readonly caller: InProject,
    readonly request: Request,
    readonly onDecided: OnDecided,
  ) {
    super();
  }
}

@CommandHandler(ActivateVersion)
export class ActivateVersionHandler implements ICommandHandler<ActivateVersion> {
  constructor(
    private readonly flows: FlowStream,
    private readonly environments: EnvironmentStream,
    private readonly streams: Streams,
  ) {}

  async execute({ caller, request, onDecided }: ActivateVersion) {
    const { environmentId, flowId, comment, expectedRelease } = request;
    const version = await this.locked(caller, flowId, request.version);
    return this.environments.run(caller, environmentId, {
      decide: (state) =>
        environment.decide(state, { type: 'ActivateVersion', flowId, version, comment, expectedRelease }),
      onDecided,
    });
  }

  private async locked(caller: InProject, flowId: string, reference: string): Promise<VersionRef> {
    const { state } = await this.streams.flow(flowId);
    const { id: versionId } = versionNamed(state, reference);
    const lock = { type: 'LockVersion', versionId } as const;
    const isDone = caller.idempotency?.hasEffect === true || flow.decide(state, lock).length === 0;
    if (!isDone) await this.flows.run(withoutKey(caller), flowId, lock);
    const { number, digest } = versionIn(state, versionId);
    return { versionId, number, digest };
  }
}

@CommandHandler(DeactivateVersion)
export class DeactivateVersionHandler implements ICommandHandler<DeactivateVersion> {
  constructor(private readonly environments: EnvironmentStream) {}

  execute({ caller, request, onDecided }: DeactivateVersion) {
    const { environmentId, flowId, comment, expectedRelease } = request;
    return this.environments.run(caller, environmentId, {
      decide: (state) =>
        environment.decide(state, { type: 'DeactivateVersion', flowId, comment, expectedRelease }),
      onDecided,
    });
  }
}
