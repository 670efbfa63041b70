// Every command on a workspace and its keys is decided on the workspace's stream: so no key can pass on what another
// one has just taken from it, and the last administrator cannot go twice.
import { Injectable } from '@nestjs/common';
import { access, refuseGone, type AccessCommand, type Asker } from '../domain/access.js';
import type { AccessEvent } from '../domain/access.events.js';
import { fold } from '../domain/decider.js';
import { streamOf } from '../domain/events.js';
import { CommandLog, type Caller, type Outcome } from './command-log.js';
import { Streams } from './streams.js';

@Injectable()
export class AccessStream {
  constructor(
    private readonly log: CommandLog,
    private readonly streams: Streams,
  ) {}

  /**
   * All of the commands in one append, each decided on what the ones before it came to. Throws `unauthorized` where
   * the key of whoever asks, if it is one of this workspace, has ended meanwhile.
   */
  run(caller: Caller, commands: readonly AccessCommand[], by?: Asker): Promise<Outcome<AccessEvent>> {
    const { workspaceId } = caller;
    return this.log.run({
      stream: streamOf('access', workspaceId),
      load: () => this.streams.access(workspaceId),
      decide: (state) => {
        if (by !== undefined) refuseGone(state, by, new Date().toISOString());
        return decideAll(state, commands);
      },
      caller,
    });
  }
}

function decideAll(
  state: Parameters<typeof access.decide>[0],
  commands: readonly AccessCommand[],
): AccessEvent[] {
  const [first, ...rest] = commands;
  if (first === undefined) return [];
  const events = [...access.decide(state, first)];
  if (rest.length === 0) return events;
  const copy = { ...state, keys: new Map(state.keys) };
  return [...events, ...decideAll(fold(access, events, copy), rest)];
}
