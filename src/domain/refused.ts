// A refusal is an answer, not a failure: the rule that said no, in words a caller can act on.
// The list of codes is closed; the HTTP layer maps each one to a status and fails to compile without it.

export type RefusalCode =
  | 'at-not-reached'
  | 'concurrent-change'
  | 'environment-archived'
  | 'environment-exists'
  | 'environment-is-default'
  | 'environment-not-found'
  | 'flow-archived'
  | 'flow-exists'
  | 'flow-is-active'
  | 'flow-not-found'
  | 'flows-not-active'
  | 'grant-too-wide'
  | 'idempotency-key-reused'
  | 'key-not-found'
  | 'last-administrator'
  | 'no-prior-release'
  | 'not-active'
  | 'project-archived'
  | 'project-exists'
  | 'project-not-found'
  | 'position-not-found'
  | 'release-moved'
  | 'release-not-found'
  | 'release-too-large'
  | 'same-environment'
  | 'too-many-keys'
  | 'unauthorized'
  | 'unknown-release'
  | 'version-locked'
  | 'version-not-found'
  | 'workspace-exists'
  | 'workspace-is-first'
  | 'workspace-not-found';

/** What is wrong with one field: `pointer` is a JSON pointer (RFC 6901) into the body. */
export interface FieldError {
  readonly pointer: string;
  readonly detail: string;
}

export class Refused extends Error {
  constructor(
    readonly code: RefusalCode,
    detail: string,
    readonly errors: readonly FieldError[] = [],
  ) {
    super(detail);
    this.name = 'Refused';
  }
}
