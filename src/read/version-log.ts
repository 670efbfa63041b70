// Versions with their content, read from the rows once these hold all that was answered before.
import { versionById, versionByNumber, versionsBelow, type Version } from '../../projections/versions.js';
import type { LogFollower } from './log-follower.js';

const VIEWS_MS_MAX = 10_000;
const NUMBER = /^[1-9][0-9]{0,8}$/;

export class VersionLog {
  constructor(private readonly follower: LogFollower) {}

  /** By id or by number. A version of another flow is not found. */
  async find(flowId: string, reference: string): Promise<Version | undefined> {
    await this.rowsAreThere();
    const { rows } = this.follower.views;
    const version = NUMBER.test(reference)
      ? versionByNumber(rows, flowId, Number(reference))
      : versionById(rows, reference);
    return version?.flowId === flowId ? version : undefined;
  }

  /** Newest first, below a number. */
  async page(flowId: string, below: number, limit: number): Promise<Version[]> {
    await this.rowsAreThere();
    return versionsBelow(this.follower.views.rows, flowId, below, limit);
  }

  private rowsAreThere(): Promise<void> {
    const { live, views } = this.follower;
    return views.progress.reached(live.progress.position, VIEWS_MS_MAX);
  }
}
