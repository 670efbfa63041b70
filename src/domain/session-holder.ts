// Whom a session belongs to, as its first event says it: a key that somebody signed in with, or a person.
import type { Grant } from './access.events.js';

/** Somebody who signed in with a key acts as that key, for as long as this very secret of it is the current one. */
export interface KeyHolder {
  readonly type: 'api-key';
  readonly keyId: string;
  /** SHA-256 of the key that was sent, in hex. */
  readonly keyHash: string;
}

/** Somebody whom an identity provider knows, with what the rules gave at that moment. */
export interface PersonHolder {
  readonly type: 'person';
  readonly personId: string;
  readonly grants: readonly Grant[];
}

export type SessionHolder = KeyHolder | PersonHolder;
