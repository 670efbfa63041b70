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
  readonly environmentId: string;
  /** Null where nothing changed. */
  readonly release: Omit<MadeRelease, 'position'> | null;
  /** Of the release, or of the state that needed no change. */
  readonly position: Position;
  readonly dryRun: boolean;
}

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
    decide: (state: EnvironmentState) => readonly EnvironmentEvent[] | Promise<readonly EnvironmentEvent[]>,
    dryRun = false,
  ): Promise<ReleaseAnswer> {
    const { events, meta, position } = await this.log.run({
      stream: streamOf('environment', environmentId),
      load: () => this.streams.environment(environmentId),
      decide,
      caller,
      dryRun,
    });
    const release = events.length === 0 ? null : { event: joined(events), meta };
    return { environmentId, release, position, dryRun };
  }
}
