// The stored facts of a flow and its versions.

export const FLOW_KINDS = [
  'prompt',
  'function',
  'tool',
  'scorer',
  'workflow',
  'flow',
  'agent',
  'app',
] as const;

export type FlowKind = (typeof FLOW_KINDS)[number];

/** The content of a version: any JSON object. */
export type Content = Readonly<Record<string, unknown>>;

export interface FlowCreated {
  readonly type: 'FlowCreated';
  readonly slug: string;
  readonly name: string;
  readonly kind: FlowKind;
}

export interface FlowRenamed {
  readonly type: 'FlowRenamed';
  readonly name: string;
}

export interface FlowArchived {
  readonly type: 'FlowArchived';
}

interface VersionWritten {
  readonly versionId: string;
  readonly number: number;
  readonly content: Content;
  /** SHA-256, in hex, over the RFC 8785 form of the content. */
  readonly digest: string;
  readonly label: string | null;
  readonly comment: string | null;
}

export interface VersionDrafted extends VersionWritten {
  readonly type: 'VersionDrafted';
  /** The id of the version that this one was forked from. */
  readonly forkedFrom: string | null;
}

/** Carries the draft whole, as it is after the edit. */
export interface VersionEdited extends VersionWritten {
  readonly type: 'VersionEdited';
}

/** From now on the version never changes. It precedes the first activation. */
export interface VersionLocked {
  readonly type: 'VersionLocked';
  readonly versionId: string;
  readonly number: number;
  readonly digest: string;
}

export type FlowEvent =
  FlowCreated | FlowRenamed | FlowArchived | VersionDrafted | VersionEdited | VersionLocked;
