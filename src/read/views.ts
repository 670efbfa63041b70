// What answers are worded from: the views in memory, which know the state of now, or `PastViews`, which know that of
// a moment.
import type { EnvironmentState } from '../domain/environment-state.js';
import type { ActiveVersions } from '../../projections/active-versions.js';
import type { Differences } from '../../projections/differences.js';
import type { Flow } from '../../projections/flows.js';
import type { PeopleNames } from '../../projections/principal.js';

/** What runs in an environment. */
export type Running = Pick<EnvironmentState, 'release' | 'flows' | 'activeCount'>;

export interface Views {
  readonly directory: {
    flowById(id: string): Flow | undefined;
    keyName(workspaceId: string, keyId: string): string | undefined;
    readonly people: PeopleNames;
  };
  readonly activeVersions: Pick<ActiveVersions, 'active' | 'environmentsOf'> & {
    readonly differences: Pick<Differences, 'between'>;
    environment(id: string): { readonly state: Running };
  };
}
