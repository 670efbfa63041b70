// The views that live in memory, and their place in the log. A command answers once its own events are in them, so
// whoever asks next sees what was done.
import { isEnvironmentEvent } from '../domain/events.js';
import type { Recorded } from '../domain/recorded.js';
import { unreachable } from '../domain/decider.js';
import { ActiveVersions } from '../../projections/active-versions.js';
import { Directory } from '../../projections/directory.js';
import { FlowNumbers } from '../../projections/placement-column.js';
import type { Rows } from '../../projections/projection.js';
import { Resolution } from '../../projections/resolution.js';
import type { Position } from '../store/event-store.js';
import { Progress } from './progress.js';

export class LiveViews {
  private readonly flowNumbers = new FlowNumbers();
  readonly directory = new Directory(this.flowNumbers);
  readonly activeVersions = new ActiveVersions(this.flowNumbers);
  readonly resolution = new Resolution(this.directory, this.activeVersions);
  readonly progress = new Progress();

  load(rows: Rows, position: Position): void {
    this.directory.load(rows);
    this.activeVersions.load(rows);
    this.progress.advance(position);
  }

  /** Takes one event. `progress` is advanced by the follower, once it has handed over a whole batch. */
  take(recorded: Recorded): void {
    const { event } = recorded;
    if (isEnvironmentEvent(event)) this.activeVersions.take(event, recorded);
    else this.takeDirectory(event, recorded);
  }

  private takeDirectory(event: Exclude<Recorded['event'], { changes: unknown }>, recorded: Recorded): void {
    switch (event.type) {
      case 'WorkspaceCreated':
      case 'ApiKeyIssued':
      case 'ApiKeyRevoked':
        return this.directory.takeAccess(event, recorded);
      case 'ProjectCreated':
      case 'ProjectRenamed':
      case 'ResolutionPolicySet':
      case 'EnvironmentCreated':
      case 'EnvironmentRenamed':
      case 'EnvironmentDescribed':
      case 'EnvironmentArchived':
      case 'EnvironmentRestored':
      case 'DefaultEnvironmentSet':
        return this.directory.takeProject(event, recorded);
      case 'FlowSlugReserved':
      case 'VersionEdited':
      case 'VersionLocked':
        return;
      case 'FlowCreated':
      case 'FlowRenamed':
      case 'FlowArchived':
      case 'VersionDrafted':
        return this.directory.takeFlow(event, recorded);
      default:
        return unreachable(event);
    }
  }
}
