// A session: from a sign-in until somebody signs out or its time is over. It never outlives the key that it was
// opened with.
import { assert, unreachable, type Decider } from './decider.js';
import type { SessionEvent } from './session.events.js';
import type { SessionHolder } from './session-holder.js';

export type SessionState = 'none' | 'open' | 'closed';

export interface OpenSession {
  readonly type: 'OpenSession';
  readonly hash: string;
  readonly holder: SessionHolder;
  /** RFC 3339 in UTC with milliseconds, as all times of events. */
  readonly until: string;
  /** When what was signed in with stops working; null for never. */
  readonly holderUntil: string | null;
}

export interface CloseSession {
  readonly type: 'CloseSession';
}

export type SessionCommand = OpenSession | CloseSession;

export const session: Decider<SessionState, SessionCommand, SessionEvent> = {
  initial: () => 'none',

  decide(state, command) {
    switch (command.type) {
      case 'OpenSession': {
        assert(state === 'none', 'the id of a session is new');
        const { hash, holder, until, holderUntil } = command;
        const expiresAt =
          holderUntil !== null && Date.parse(holderUntil) < Date.parse(until) ? holderUntil : until;
        return [{ type: 'SessionOpened', hash, holder, expiresAt }];
      }
      case 'CloseSession':
        return state === 'open' ? [{ type: 'SessionClosed' }] : [];
      default:
        return unreachable(command);
    }
  },

  evolve(_, event) {
    switch (event.type) {
      case 'SessionOpened':
        return 'open';
      case 'SessionClosed':
        return 'closed';
      default:
        return unreachable(event);
    }
  },
};
