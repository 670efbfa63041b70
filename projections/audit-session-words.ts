// Signing in and out in one plain sentence each. Neither a secret nor the hash of one is ever repeated, and a person
// is an id, whose name is joined on reading.
import { unreachable } from '../src/domain/decider.js';
import type { PersonErased, SessionEvent } from '../src/domain/session.events.js';
import { inWords } from './audit-access-words.js';
import type { Knowledge, Told } from './audit-told.js';

/** `id` is that of the session, or of the person whose name was erased. */
export function toldOfSession(event: SessionEvent | PersonErased, id: string, { known }: Knowledge): Told {
  switch (event.type) {
    case 'SessionOpened': {
      const { holder, expiresAt } = event;
      if (holder.type === 'person') {
        const { personId, grants } = holder;
        const summary = `A person signed in${inWords(grants, known)} until ${expiresAt}`;
        return { summary, after: { sessionId: id, personId, grants, expiresAt } };
      }
      const { keyId } = holder;
      const summary = `Somebody signed in with API key ${known(keyId).name} until ${expiresAt}`;
      return { summary, after: { sessionId: id, keyId, expiresAt } };
    }
    case 'SessionClosed':
      return { summary: 'A session was ended by signing out', before: { sessionId: id } };
    case 'PersonErased':
      return { summary: `The name of person ${id} was erased`, before: { personId: id } };
    default:
      return unreachable(event);
  }
}
