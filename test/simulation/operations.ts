// What clients may ask of a server, and what they are answered: plain data, named by ids.

export type Content = Readonly<Record<string, unknown>>;

/** What is left out of an edit or a fork stays as it was. */
export interface Text {
  readonly content?: Content;
  readonly label?: string | null;
  readonly comment?: string | null;
}

export type Operation =
  | {
      readonly kind: 'create-environment';
      readonly slug: string;
      readonly name: string;
      readonly description: string | null;
      readonly color: string | null;
      readonly makeDefault: boolean;
    }
  | {
      readonly kind: 'change-environment';
      readonly environmentId: string;
      readonly slug?: string;
      readonly name?: string;
      readonly description?: string | null;
    }
  | { readonly kind: 'archive-environment'; readonly environmentId: string }
  | { readonly kind: 'restore-environment'; readonly environmentId: string }
  | { readonly kind: 'set-default'; readonly environmentId: string | null }
  | {
      readonly kind: 'change-project';
      readonly name?: string;
      readonly withoutEnvironment?: 'first-active' | 'latest';
    }
  | {
      readonly kind: 'create-flow';
      readonly slug: string;
      readonly name: string;
      readonly content: Content | null;
      readonly comment: string | null;
    }
  | { readonly kind: 'rename-flow'; readonly flowId: string; readonly name: string }
  | { readonly kind: 'archive-flow'; readonly flowId: string }
  | { readonly kind: 'draft'; readonly flowId: string; readonly text: Text & { readonly content: Content } }
  | {
      readonly kind: 'edit' | 'fork';
      readonly flowId: string;
      readonly versionId: string;
      readonly text: Text;
    }
  | Activation
  | Deactivation
  | Promotion
  | Rollback;

export interface Activation {
  readonly kind: 'activate';
  readonly environmentId: string;
  readonly flowId: string;
  /** Id or number. */
  readonly version: string;
  readonly comment: string | null;
  readonly expectedRelease: number | null;
}

export interface Deactivation {
  readonly kind: 'deactivate';
  readonly environmentId: string;
  readonly flowId: string;
  readonly comment: string | null;
  readonly expectedRelease: number | null;
}

export interface Promotion {
  readonly kind: 'promote';
  readonly sourceId: string;
  readonly targetId: string;
  readonly flowIds: readonly string[] | null;
  readonly prune: boolean;
  readonly comment: string | null;
  readonly dryRun: boolean;
  readonly expectedSourceRelease: number | null;
  readonly expectedTargetRelease: number | null;
}

export interface Rollback {
  readonly kind: 'rollback';
  readonly environmentId: string;
  readonly toRelease: number | null;
  readonly flowIds: readonly string[] | null;
  readonly comment: string | null;
  readonly dryRun: boolean;
  readonly expectedRelease: number | null;
}

/** What a server says to an operation that it carried out, in the order of its members. */
export interface Done {
  /** Of the newest event that the answer rests on. */
  readonly position: string;
  /** Of what came into being: an environment, a flow or a version. */
  readonly id?: string;
  /** Of an operation that makes a release: what it made or would make, null where nothing had to change. */
  readonly release?: Fact | null;
  /** Of an operation that writes a version: the draft as it is now, null where nothing had to change. */
  readonly version?: Fact | null;
}

/** An event as it is in the log, or as it should be. */
export type Fact = Readonly<Record<string, unknown>> & { readonly type: string };

export type Answer =
  | { readonly kind: 'done'; readonly body: string }
  | { readonly kind: 'refused'; readonly code: string }
  /** Nothing was changed. */
  | { readonly kind: 'unavailable' }
  | { readonly kind: 'unknown' }
  /** No rule says so: a fault, in words. */
  | { readonly kind: 'broken'; readonly why: string }
  /** The server was gone before it answered. */
  | { readonly kind: 'none' };
