// Rollback: puts the state of an earlier release of one environment in effect. Other environments are not touched.
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { environment } from '../domain/environment.js';
import type { EnvironmentEvent } from '../domain/environment.events.js';
import type { EnvironmentState } from '../domain/environment-state.js';
import { releasesToRead, type RollbackRequest } from '../domain/rollback.js';
import { ReleaseLog } from '../read/release-log.js';
import { EnvironmentStream, type OnDecided, type ReleaseAnswer } from './environment-stream.js';
import type { InProject } from './project-stream.js';

export class Rollback extends Command<ReleaseAnswer> {
  constructor(
    readonly caller: InProject,
    readonly environmentId: string,
    readonly request: RollbackRequest & { readonly dryRun: boolean },
    readonly onDecided: OnDecided,
  ) {
    super();
  }
}

@CommandHandler(Rollback)
export class RollbackHandler implements ICommandHandler<Rollback> {
  constructor(
    private readonly environments: EnvironmentStream,
    private readonly releases: ReleaseLog,
  ) {}

  execute({ caller, environmentId, request, onDecided }: Rollback) {
    const { dryRun, ...rollback } = request;
    return this.environments.run(caller, environmentId, {
      decide: (state) => this.decide(environmentId, state, rollback),
      onDecided,
      dryRun,
    });
  }

  private async decide(
    environmentId: string,
    state: EnvironmentState,
    request: RollbackRequest,
  ): Promise<readonly EnvironmentEvent[]> {
    const { release } = state;
    const made = await this.releases.releases(environmentId, releasesToRead(state, request));
    // Another server may have made a release while the history was read; then other history is needed.
    if (state.release !== release) return this.decide(environmentId, state, request);
    const history = new Map([...made].map(([number, { event }]) => [number, event]));
    return environment.decide(state, { type: 'Rollback', ...request, history });
  }
}
