// The stored facts of a project: what it is called, its environments, and what runs when nobody names one.

/** What resolves when neither a version nor an environment is named and there is no default environment. */
export type WithoutEnvironment = 'first-active' | 'latest';

export interface ProjectCreated {
  readonly type: 'ProjectCreated';
  readonly slug: string;
  readonly name: string;
  readonly withoutEnvironment: WithoutEnvironment;
}

export interface ProjectRenamed {
  readonly type: 'ProjectRenamed';
  readonly name: string;
}

/** It can be read as before, and nothing in it resolves or changes. */
export interface ProjectArchived {
  readonly type: 'ProjectArchived';
}

export interface ProjectRestored {
  readonly type: 'ProjectRestored';
}

export interface ResolutionPolicySet {
  readonly type: 'ResolutionPolicySet';
  readonly withoutEnvironment: WithoutEnvironment;
}

export interface EnvironmentCreated {
  readonly type: 'EnvironmentCreated';
  readonly environmentId: string;
  readonly slug: string;
  readonly name: string;
  readonly description: string | null;
  readonly color: string | null;
}

/** The id stays, and so does the old slug, as an alias, until another environment takes it. */
export interface EnvironmentRenamed {
  readonly type: 'EnvironmentRenamed';
  readonly environmentId: string;
  readonly slug: string;
  readonly name: string;
}

export interface EnvironmentDescribed {
  readonly type: 'EnvironmentDescribed';
  readonly environmentId: string;
  readonly description: string | null;
  readonly color: string | null;
}

export interface EnvironmentArchived {
  readonly type: 'EnvironmentArchived';
  readonly environmentId: string;
}

export interface EnvironmentRestored {
  readonly type: 'EnvironmentRestored';
  readonly environmentId: string;
}

export interface DefaultEnvironmentSet {
  readonly type: 'DefaultEnvironmentSet';
  /** Null: no environment is the default any more. */
  readonly environmentId: string | null;
}

export type ProjectEvent =
  | ProjectCreated
  | ProjectRenamed
  | ProjectArchived
  | ProjectRestored
  | ResolutionPolicySet
  | EnvironmentCreated
  | EnvironmentRenamed
  | EnvironmentDescribed
  | EnvironmentArchived
  | EnvironmentRestored
  | DefaultEnvironmentSet;
