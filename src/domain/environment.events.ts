// The stored facts of an environment. Each is one release: the numbered state of the environment after it.
// Stored events are a contract: never edited, only added to and upcast on read.

/** A version as releases name it: enough to show and compare it without asking anyone else. */
export interface VersionRef {
  readonly versionId: string;
  readonly number: number;
  /** SHA-256, in hex, over the RFC 8785 form of the content. */
  readonly digest: string;
}

/** What one release did to one flow, in full, so that it can be undone without folding from the start. */
export interface Change {
  readonly flowId: string;
  readonly from: VersionRef | null;
  readonly to: VersionRef | null;
  /** The release that had put `from` there; 0 where the flow had never been active. */
  readonly fromSince: number;
  /** The release in effect for this flow from now on: this one, or the earlier one that a rollback restored. */
  readonly toSince: number;
}

interface Release {
  readonly release: number;
  readonly comment: string | null;
  readonly changes: readonly Change[];
  /** A release too large for one event is several events of one append; only the last one completes it. */
  readonly part?: { readonly number: number; readonly of: number };
}

export interface VersionActivated extends Release {
  readonly type: 'VersionActivated';
}

export interface VersionDeactivated extends Release {
  readonly type: 'VersionDeactivated';
}

export interface VersionsPromoted extends Release {
  readonly type: 'VersionsPromoted';
  readonly source: { readonly environmentId: string; readonly release: number };
}

export interface EnvironmentRolledBack extends Release {
  readonly type: 'EnvironmentRolledBack';
  /** The release restored; null where each flow went back by its own history. */
  readonly restores: number | null;
  /** The release whose state is in effect now: an earlier one, or this one when only some flows went back. */
  readonly inEffect: number;
}

export type EnvironmentEvent =
  VersionActivated | VersionDeactivated | VersionsPromoted | EnvironmentRolledBack;
