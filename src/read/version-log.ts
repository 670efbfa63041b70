// Versions with their content, read from the rows once these hold all that was answered before.
import {
  versionById,
  versionByNumber,
  versions,
  versionsBelow,
  type Version,
} from '../../projections/versions.js';
import type { LogFollower } from './log-follower.js';

const NUMBER = /^[1-9][0-9]{0,8}$/;

export class VersionLog {
  constructor(private readonly follower: LogFollower) {}

  /** By id or by number. A version of another flow is not found. */
  async find(flowId: string, reference: string): Promise<Version | undefined> {
    const rows = await this.follower.rows(versions);
    const version = NUMBER.test(reference)
      ? versionByNumber(rows, flowId, Number(reference))
      : versionById(rows, reference);
    return version?.flowId === flowId ? version : undefined;
  }

  /** Newest first, below a number. */
  async page(flowId: string, below: number, limit: number): Promise<Version[]> {
    return versionsBelow(await this.follower.rows(versions), flowId, below, limit);
  }
}
