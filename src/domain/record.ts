// The record of a workspace: which keys may sign it, and in which epoch it is.
import type { RecordEvent } from './audit.events.js';
import { unreachable, type Decider } from './decider.js';

export interface RecordState {
  /** In the order in which they were announced. */
  readonly publicKeys: string[];
  epoch: number;
  /** Each time an older backup was taken into service: the epoch that it opened, and what it still held. */
  readonly restored: { readonly epoch: number; readonly survived: number }[];
}

export interface AnnounceSigningKey {
  readonly type: 'AnnounceSigningKey';
  readonly publicKey: string;
}

/** Takes a log that lost events into service. */
export interface RestoreLog {
  readonly type: 'RestoreLog';
  /** The newest epoch that the heads kept outside the log tell of. */
  readonly knownEpoch: number;
  readonly survived: number;
  readonly known: number;
  readonly checkpoint: string | null;
  readonly comment: string | null;
}

export type RecordCommand = AnnounceSigningKey | RestoreLog;

export const record: Decider<RecordState, RecordCommand, RecordEvent> = {
  initial: () => ({ publicKeys: [], epoch: 1, restored: [] }),

  decide(state, command) {
    switch (command.type) {
      case 'AnnounceSigningKey':
        if (state.publicKeys.includes(command.publicKey)) return [];
        return [{ type: 'SigningKeyAnnounced', publicKey: command.publicKey }];
      case 'RestoreLog': {
        const { type: _, knownEpoch, ...what } = command;
        return [{ type: 'LogRestored', epoch: Math.max(state.epoch, knownEpoch) + 1, ...what }];
      }
      default:
        return unreachable(command);
    }
  },

  evolve(state, event) {
    switch (event.type) {
      case 'SigningKeyAnnounced':
        state.publicKeys.push(event.publicKey);
        return state;
      case 'LogRestored':
        state.epoch = event.epoch;
        state.restored.push({ epoch: event.epoch, survived: event.survived });
        return state;
      default:
        return unreachable(event);
    }
  },
};
