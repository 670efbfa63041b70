// How far a key may see into the audit trail: all of its workspace, or the entries about the projects and environments
// that its grants name. What was done in environments is seen by them, and everything else by its project.
import type { Access } from '../domain/permissions.js';
import type { Project } from '../../projections/projects.js';

export class AuditReach {
  readonly isWhole: boolean;

  constructor(
    private readonly access: Access,
    /** Those of the workspace, or the one that was asked for. */
    private readonly projects: readonly Project[],
  ) {
    this.isWhole = access.has('audit');
  }

  /** Ids of which an entry is about one, if it is to be seen; null for no such limit. */
  get things(): readonly string[] | null {
    if (this.isWhole) return null;
    return this.projects.flatMap(({ id, state }) =>
      this.access.hasInAllOf('audit', id)
        ? [id]
        : [...state.environments.keys()].filter((one) => this.includes(id, one)),
    );
  }

  /** Ids of the environments that entries which are seen may name, although they are not to be known of. */
  get hidden(): readonly string[] {
    if (this.isWhole) return [];
    return this.projects.flatMap(({ id, state }) =>
      [...state.environments.keys()].filter((one) => !this.includes(id, one)),
    );
  }

  includes(projectId: string | null, environmentId: string): boolean {
    return this.isWhole || (projectId !== null && this.access.hasOn('audit', projectId, environmentId));
  }
}
