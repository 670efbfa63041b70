// A workspace and its API keys.
import { assert, unreachable, type Decider } from './decider.js';
import type { AccessEvent, Grant } from './access.events.js';

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly hash: string;
  readonly grants: readonly Grant[];
}

export interface AccessState {
  /** False until `WorkspaceCreated`. */
  exists: boolean;
  slug: string;
  name: string;
  /** The keys that work, by id. */
  readonly keys: Map<string, ApiKey>;
}

export interface CreateWorkspace {
  readonly type: 'CreateWorkspace';
  readonly slug: string;
  readonly name: string;
}

/** The one administrator key of a workspace: any other stops working. */
export interface SetAdministratorKey {
  readonly type: 'SetAdministratorKey';
  readonly keyId: string;
  readonly hash: string;
}

export type AccessCommand = CreateWorkspace | SetAdministratorKey;

export const access: Decider<AccessState, AccessCommand, AccessEvent> = {
  initial: () => ({ exists: false, slug: '', name: '', keys: new Map() }),

  decide(state, command) {
    switch (command.type) {
      case 'CreateWorkspace':
        assert(!state.exists, 'a workspace is created once, under an id of its own');
        return [{ type: 'WorkspaceCreated', slug: command.slug, name: command.name }];
      case 'SetAdministratorKey': {
        const keys = [...state.keys.values()];
        if (keys.some((key) => key.hash === command.hash)) return [];
        const { keyId, hash } = command;
        return [
          { type: 'ApiKeyIssued', keyId, name: 'administrator', hash, grants: [{ role: 'admin' }] },
          ...keys.map((key) => ({ type: 'ApiKeyRevoked' as const, keyId: key.id })),
        ];
      }
      default:
        return unreachable(command);
    }
  },

  evolve(state, event) {
    switch (event.type) {
      case 'WorkspaceCreated':
        state.exists = true;
        state.slug = event.slug;
        state.name = event.name;
        return state;
      case 'ApiKeyIssued': {
        const { keyId: id, name, hash, grants } = event;
        state.keys.set(id, { id, name, hash, grants });
        return state;
      }
      case 'ApiKeyRevoked':
        state.keys.delete(event.keyId);
        return state;
      default:
        return unreachable(event);
    }
  },
};
