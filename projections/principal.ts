// Who may act in a workspace: a key, or a person who has signed in. Whatever a request may see and do follows from
// this alone.
import type { ApiKey } from '../src/domain/access.js';
import type { Grant } from '../src/domain/access.events.js';
import type { Actor } from '../src/domain/events.js';
import type { Access } from '../src/domain/permissions.js';

export interface Principal {
  /** Who stands for it in events: of a session that was opened with a key, the key. */
  readonly actor: Actor;
  /** Of a key; what people are called is not in the log. */
  readonly name: string | null;
  readonly grants: readonly Grant[];
  readonly access: Access;
  readonly workspaceId: string;
  /** When what was sent stops working, in milliseconds since 1970; infinity for never. */
  readonly worksUntil: number;
  readonly isArchived: boolean;
  /** Of a key that expires, RFC 3339: what it hands out must not outlive it. */
  readonly keyExpiresAt: string | null;
  /** SHA-256, in hex, of the key that was shown, or with which the session was opened; none for a person. */
  readonly secretHash?: string;
  /** The session that it acts in, where it does. */
  readonly sessionId?: string;
  /** Of a key, when it was last used here, in milliseconds since 1970; 0 for never. */
  readonly use?: { atMs: number };
}

export interface KnownKey extends Principal {
  readonly key: ApiKey;
  readonly use: { atMs: number };
}

/** What people are called. It is not in the log, so it comes from outside. */
export interface PeopleNames {
  nameOf(personId: string): string | undefined;
  /** For whoever keeps something that was worded with names. */
  onChange(listener: () => void): void;
}
