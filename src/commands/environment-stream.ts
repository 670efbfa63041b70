// What every command on an environment answers: the one release that it made, or would make, or nothing.
import { Injectable } from '@nestjs/common';
import { streamOf } from '../domain/events.js';
import type { EnvironmentEvent } from '../domain/environment.events.js';
import type { EnvironmentState } from '../domain/environment-state.js';
import { joined } from '../domain/release-parts.js';
import type { MadeRelease } from '../read/release-log.js';
import type { Position } from '../store/event-store.js';
import { CommandLog } from './command-log.js';
import type { InProject } from './project-stream.js';
import { Streams } from './streams.js';

export interface ReleaseAnswer {
  /** False where everything was as asked already. */
  readonly changed: boolean;
  /** Of the release, or of the state that needed no change. */
  readonly position: Position;
  readonly dryRun: boolean;
}

/** A release as it was decided: what will be in the log, apart from the place there. */
export type DecidedRelease = Omit<MadeRelease, 'position'>;

/** Takes the release while it is on its way to the disk; again, when it had to be decided again. */
export type OnDecided = (release: DecidedRelease) => void;

type Decide = (state: EnvironmentState) => readonly EnvironmentEvent[] | Promise<readonly EnvironmentEvent[]>;

@Injectable()
export class EnvironmentStream {
  constructor(
    private readonly log: CommandLog,
    private readonly streams: Streams,
  ) {}

  state(environmentId: string): EnvironmentState {
    return this.streams.environment(environmentId).state;
  }

  async run(
    caller: InProject,
    environmentId: string,
    work: { readonly decide: Decide; readonly onDecided: OnDecided; readonly dryRun?: boolean },
  ): Promise<ReleaseAnswer> {
    const { decide, onDecided, dryRun = false } = work;
    const { events, position } = await this.log.run({
      stream: streamOf('environment', environmentId),
      load: () => this.streams.environment(environmentId),
      decide,
      caller,
      dryRun,
      onDecided: (decided, meta) => onDecided({ event: joined(decided), meta }),
    });
    return { changed: events.length > 0, position, dryRun };
  }
}
