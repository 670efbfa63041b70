// Which version of a flow runs: the explicit version, else the explicit environment, else the project's default
// environment, else what the project says for callers who name none. Neither an explicit environment nor the
// default one ever falls back to another answer.
import { Refused } from '../src/domain/refused.js';
import type { ActiveVersions } from './active-versions.js';
import type { Directory } from './directory.js';
import type { Flow } from './flows.js';
import type { Project } from './projects.js';

export type ResolutionReason = 'version' | 'environment' | 'default-environment' | 'first-active' | 'latest';

export interface Resolved {
  readonly reason: ResolutionReason;
  readonly versionId: string;
  /** Slug and id of the environment that decided; null for the reasons `version` and `latest`. */
  readonly environment: { readonly id: string; readonly slug: string } | null;
}

export class Resolution {
  constructor(
    private readonly directory: Directory,
    private readonly activeVersions: ActiveVersions,
  ) {}

  /**
   * The answer for a caller who named no version. Throws `environment-not-found`, `environment-archived` or
   * `not-active`, naming the environment, and `version-not-found` for a flow without any version.
   */
  resolve(project: Project, flow: Flow, requestedEnvironment: string | undefined): Resolved {
    if (requestedEnvironment !== undefined) {
      return this.within('environment', project, flow, requestedEnvironment);
    }
    const { defaultEnvironment, withoutEnvironment } = project.state;
    if (defaultEnvironment !== null) {
      return this.within('default-environment', project, flow, defaultEnvironment);
    }
    const first = withoutEnvironment === 'first-active' ? this.firstActive(project, flow) : undefined;
    if (first !== undefined) return first;
    if (flow.latestId !== null) return { reason: 'latest', versionId: flow.latestId, environment: null };
    throw new Refused('version-not-found', `Flow ${flow.slug} has no version yet.`);
  }

  private within(reason: ResolutionReason, project: Project, flow: Flow, reference: string): Resolved {
    const { id, slug } = this.directory.openEnvironment(project, reference);
    const version = this.activeVersions.active(id, flow.id);
    if (version !== null) return { reason, versionId: version.versionId, environment: { id, slug } };
    throw new Refused('not-active', `Flow ${flow.slug} is not active in environment ${slug}.`);
  }

  /** The first entry of the flow's active versions; archived environments count for nothing. */
  private firstActive(project: Project, flow: Flow): Resolved | undefined {
    for (const environmentId of this.activeVersions.environmentsOf(flow.id)) {
      const environment = project.state.environments.get(environmentId);
      const version = this.activeVersions.active(environmentId, flow.id);
      if (environment === undefined || environment.archived || version === null) continue;
      const { id, slug } = environment;
      return { reason: 'first-active', versionId: version.versionId, environment: { id, slug } };
    }
    return undefined;
  }
}
