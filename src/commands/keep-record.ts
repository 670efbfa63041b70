// AnnounceSigningKey and RestoreLog: what the record of a workspace says of itself. No route leads here: the one is a
// part of every start, the other is for an operator at the command line.
import { v7 as uuidv7 } from 'uuid';
import type { RecordEvent } from '../domain/audit.events.js';
import { streamOf } from '../domain/events.js';
import { record, type RecordState, type RestoreLog } from '../domain/record.js';
import type { Caller, CommandLog } from './command-log.js';
import type { Streams } from './streams.js';

export class RecordKeeper {
  constructor(
    private readonly log: CommandLog,
    private readonly streams: Streams,
  ) {}

  async record(workspaceId: string): Promise<RecordState> {
    return (await this.streams.record(workspaceId)).state;
  }

  /** Changes nothing where the key was announced before. */
  async announce(workspaceId: string, publicKey: string): Promise<void> {
    await this.run(workspaceId, 'switchyard', { type: 'AnnounceSigningKey', publicKey });
  }

  /** Opens a new epoch, whose first event says what was lost. */
  async restore(workspaceId: string, command: Omit<RestoreLog, 'type'>): Promise<readonly RecordEvent[]> {
    return this.run(workspaceId, 'operator', { type: 'RestoreLog', ...command });
  }

  private async run(workspaceId: string, actorId: string, command: Parameters<typeof record.decide>[1]) {
    const { events } = await this.log.run<RecordState, RecordEvent>({
      stream: streamOf('record', workspaceId),
      load: () => this.streams.record(workspaceId),
      decide: (state) => record.decide(state, command),
      caller: callerOf(workspaceId, actorId),
    });
    return events;
  }
}

function callerOf(workspaceId: string, actorId: string): Caller {
  return { actor: { type: 'system', id: actorId }, workspaceId, projectId: null, requestId: uuidv7() };
}
