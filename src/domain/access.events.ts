// The stored facts of a workspace and of who may act in it. Keys are kept as hashes alone.

export interface WorkspaceCreated {
  readonly type: 'WorkspaceCreated';
  readonly slug: string;
  readonly name: string;
}

export interface Grant {
  readonly role: 'admin';
}

export interface ApiKeyIssued {
  readonly type: 'ApiKeyIssued';
  readonly keyId: string;
  readonly name: string;
  /** SHA-256 of the whole key, in hex. */
  readonly hash: string;
  readonly grants: readonly Grant[];
}

export interface ApiKeyRevoked {
  readonly type: 'ApiKeyRevoked';
  readonly keyId: string;
}

export type AccessEvent = WorkspaceCreated | ApiKeyIssued | ApiKeyRevoked;
