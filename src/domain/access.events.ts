// The stored facts of a workspace and of who may act in it. Keys are kept as hashes alone.

export interface WorkspaceCreated {
  readonly type: 'WorkspaceCreated';
  readonly slug: string;
  readonly name: string;
}

export interface WorkspaceRenamed {
  readonly type: 'WorkspaceRenamed';
  readonly name: string;
}

/** From now on no key of the workspace works. */
export interface WorkspaceArchived {
  readonly type: 'WorkspaceArchived';
}

export interface WorkspaceRestored {
  readonly type: 'WorkspaceRestored';
}

export const ROLES = ['viewer', 'resolver', 'editor', 'promoter', 'auditor', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** A role, in all projects and environments of the workspace where neither is named. */
export interface Grant {
  readonly role: Role;
  /** Ids. */
  readonly projects?: readonly string[];
  /** Ids. */
  readonly environments?: readonly string[];
}

export interface ApiKeyIssued {
  readonly type: 'ApiKeyIssued';
  readonly keyId: string;
  readonly name: string;
  /** SHA-256 of the whole key, in hex. */
  readonly hash: string;
  readonly grants: readonly Grant[];
  /** The beginning of the key, by which people tell keys apart. Absent for a key that somebody brought along. */
  readonly prefix?: string;
  /** RFC 3339; absent for a key that works until it is revoked. */
  readonly expiresAt?: string;
  /** The key that issued this one; absent for the administrator key of the installation. */
  readonly issuedBy?: string;
}

/** The key has another secret; the one before works until `previousUntil`. */
export interface ApiKeyRotated {
  readonly type: 'ApiKeyRotated';
  readonly keyId: string;
  readonly hash: string;
  readonly prefix: string;
  /** RFC 3339. */
  readonly previousUntil: string;
}

export interface ApiKeyRevoked {
  readonly type: 'ApiKeyRevoked';
  readonly keyId: string;
}

/** Recorded once a day at most, for whoever asks which keys are still needed. */
export interface ApiKeyUsed {
  readonly type: 'ApiKeyUsed';
  readonly keyId: string;
  /** As `2026-03-02`, in UTC. */
  readonly day: string;
}

export type AccessEvent =
  | WorkspaceCreated
  | WorkspaceRenamed
  | WorkspaceArchived
  | WorkspaceRestored
  | ApiKeyIssued
  | ApiKeyRotated
  | ApiKeyRevoked
  | ApiKeyUsed;
