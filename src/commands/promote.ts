// Promote: the versions of one environment become the versions of another, in one release, all or nothing.
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { environment } from '../domain/environment.js';
import { Refused } from '../domain/refused.js';
import { EnvironmentStream, type OnDecided, type ReleaseAnswer } from './environment-stream.js';
import type { InProject } from './project-stream.js';

export class Promote extends Command<ReleaseAnswer> {
  constructor(
    readonly caller: InProject,
    readonly request: {
      readonly sourceId: string;
      readonly targetId: string;
      /** Null: every flow active in the source. */
      readonly flowIds: readonly string[] | null;
      readonly prune: boolean;
      readonly comment: string | null;
      readonly dryRun: boolean;
      readonly expectedSourceRelease: number | null;
      readonly expectedTargetRelease: number | null;
    },
    readonly onDecided: OnDecided,
  ) {
    super();
  }
}

@CommandHandler(Promote)
export class PromoteHandler implements ICommandHandler<Promote> {
  constructor(private readonly environments: EnvironmentStream) {}

  execute({ caller, request, onDecided }: Promote) {
    const { sourceId, targetId, dryRun, ...rest } = request;
    if (sourceId === targetId) {
      const detail = 'Source and target are the same environment.';
      throw new Refused('same-environment', detail, [{ pointer: '/targetEnvironment', detail }]);
    }
    return this.environments.run(caller, targetId, {
      decide: (target) => {
        // The source as it is at the very moment of the decision: its release number is part of the fact.
        const source = { environmentId: sourceId, state: this.environments.state(sourceId) };
        return environment.decide(target, { type: 'Promote', source, ...rest });
      },
      onDecided,
      dryRun,
    });
  }
}
