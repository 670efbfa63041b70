// The life of pointers: each change of what runs of a flow in an environment, newest first. A page costs what it
// shows: it begins inside a release of ten thousand flows as well as anywhere else.
import type { VersionRef } from '../domain/environment.events.js';
import {
  environmentHistory,
  movesBelow,
  movesOfFlow,
  placementAfter,
  type PointerMove,
} from '../../projections/environment-history.js';
import type { Rows } from '../../projections/projection.js';
import { releaseAt, releaseHead, releases, type ReleaseHead } from '../../projections/releases.js';
import type { LogFollower } from './log-follower.js';

export interface PointerChange {
  readonly environmentId: string;
  readonly flowId: string;
  readonly release: ReleaseHead;
  readonly from: VersionRef | null;
  readonly to: VersionRef | null;
}

export class PointerHistory {
  constructor(private readonly follower: LogFollower) {}

  /** Of every flow in an environment, below a change. */
  async ofEnvironment(
    environmentId: string,
    below: Pick<PointerMove, 'flowId' | 'release'> | undefined,
    limit: number,
  ): Promise<PointerChange[]> {
    const rows = await this.rows();
    // A release whose last part has not come yet is not there yet.
    const upTo = releaseAt(rows, environmentId, this.now);
    const moves = movesBelow(rows, environmentId, upTo, below, limit);
    return moves.flatMap((move) => changeIn(rows, environmentId, move));
  }

  /** Of one flow in some environments, before a position. */
  async ofFlow(
    flowId: string,
    environmentIds: readonly string[],
    before: bigint | undefined,
    limit: number,
  ): Promise<PointerChange[]> {
    const rows = await this.rows();
    const upTo = before === undefined ? this.now : before - 1n;
    const changes = environmentIds.flatMap((environmentId) => {
      const moves = movesOfFlow(rows, environmentId, flowId, releaseAt(rows, environmentId, upTo), limit);
      return moves.flatMap((move) => changeIn(rows, environmentId, move));
    });
    return changes.sort((a, b) => b.release.position - a.release.position).slice(0, limit);
  }

  private get now(): bigint {
    return this.follower.live.progress.position;
  }

  private async rows(): Promise<Rows> {
    await this.follower.rows(releases);
    return this.follower.rows(environmentHistory);
  }
}

function changeIn(rows: Rows, environmentId: string, move: PointerMove): PointerChange[] {
  const { flowId, release, to } = move;
  const head = releaseHead(rows, environmentId, release);
  const from = placementAfter(rows, environmentId, flowId, release - 1)?.version ?? null;
  return head === undefined ? [] : [{ environmentId, flowId, release: head, from, to }];
}
