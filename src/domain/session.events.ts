// The stored facts of people at work: who signed in and out, and whose name was erased. Secrets are kept as hashes
// alone, and a person is an id: what people are called is never in the log.
import type { SessionHolder } from './session-holder.js';

export interface SessionOpened {
  readonly type: 'SessionOpened';
  /** SHA-256 of the secret in the cookie, in hex. */
  readonly hash: string;
  readonly holder: SessionHolder;
  /** RFC 3339. */
  readonly expiresAt: string;
}

export interface SessionClosed {
  readonly type: 'SessionClosed';
}

/** What a person was called is nowhere any more, and the sessions of that person have ended. */
export interface PersonErased {
  readonly type: 'PersonErased';
}

export type SessionEvent = SessionOpened | SessionClosed;
