// Which version of a flow runs: the explicit version, else the explicit environment, else the project's default
// environment, else what the project says for callers who name none. Neither an explicit environment nor the
// default one ever falls back to another answer.
import { Refused } from '../src/domain/refused.js';
import type { ActiveVersions } from './active-versions.js';
import type { Directory } from './directory.js';
import type { Project } from './projects.js';

export type ResolutionReason = 'version' | 'environment' | 'default-environment' | 'first-active' | 'latest';

export interface Resolved {
  readonly reason: ResolutionReason;
  readonly versionId: string;
  /** The environment that decided; null for the reasons `version` and `latest`. */
  readonly environment: { readonly id: string; readonly slug: string } | null;
}

export class Resolution {
  constructor(
    private readonly directory: Pick<Directory, 'openEnvironment' | 'flowAt'>,
    private readonly activeVersions: Pick<ActiveVersions, 'activeAt' | 'environmentsAt'>,
  ) {}

  /**
   * The answer for a caller who named no version. Throws `environment-not-found`, `environment-archived` or
   * `not-active`, naming the environment, and `version-not-found` for a flow without any version.
   */
  resolve(project: Project, flowNumber: number, requestedEnvironment: string | undefined): Resolved {
    if (requestedEnvironment !== undefined) {
      return this.within('environment', project, flowNumber, requestedEnvironment);
    }
    const { defaultEnvironment, withoutEnvironment } = project.state;
    if (defaultEnvironment !== null) {
      return this.within('default-environment', project, flowNumber, defaultEnvironment);
    }
    const first = withoutEnvironment === 'first-active' ? this.firstActive(project, flowNumber) : undefined;
    if (first !== undefined) return first;
    const { latestId, slug } = this.directory.flowAt(flowNumber);
    if (latestId !== null) return { reason: 'latest', versionId: latestId, environment: null };
    throw new Refused('version-not-found', `Flow ${slug} has no version yet.`);
  }

  private within(
    reason: ResolutionReason,
    project: Project,
    flowNumber: number,
    reference: string,
  ): Resolved {
    const environment = this.directory.openEnvironment(project, reference);
    const versionId = this.activeVersions.activeAt(environment.id, flowNumber);
    if (versionId !== null) return { reason, versionId, environment };
    const { slug } = this.directory.flowAt(flowNumber);
    throw new Refused('not-active', `Flow ${slug} is not active in environment ${environment.slug}.`);
  }

  /** The first entry of the flow's active versions; archived environments count for nothing. */
  private firstActive(project: Project, flowNumber: number): Resolved | undefined {
    for (const environmentId of this.activeVersions.environmentsAt(flowNumber)) {
      const environment = project.state.environments.get(environmentId);
      const versionId = this.activeVersions.activeAt(environmentId, flowNumber);
      if (environment === undefined || environment.archived || versionId === null) continue;
      return { reason: 'first-active', versionId, environment };
    }
    return undefined;
  }
}
