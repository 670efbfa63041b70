// The views that live in memory, and their place in the log. A command answers once its own events are in them, so
// whoever asks next sees what was done.
import { isEnvironmentEvent } from '../domain/events.js';
import type { Recorded, UnknownEvent } from '../domain/recorded.js';
import { unreachable } from '../domain/decider.js';
import { ActiveVersions } from '../../projections/active-versions.js';
import { Directory } from '../../projections/directory.js';
import { FlowNumbers } from '../../projections/placement-column.js';
import type { Rows } from '../../projections/projection.js';
import { Resolution } from '../../projections/resolution.js';
import type { Position } from '../store/event-store.js';
import { haltAt, isConcerned, type Halt } from './halt.js';
import { Progress } from './progress.js';

const DIRECTORY = {
  name: 'directory',
  streams: ['access', 'project', 'slug', 'flow', 'session', 'person'],
} as const;
const ACTIVE_VERSIONS = { name: 'active versions in memory', streams: ['environment'] } as const;
export const LIVE_VIEWS = [DIRECTORY.name, ACTIVE_VERSIONS.name];

export class LiveViews {
  private readonly flowNumbers = new FlowNumbers();
  readonly directory = new Directory(this.flowNumbers);
  readonly activeVersions = new ActiveVersions(this.flowNumbers);
  readonly resolution = new Resolution(this.directory, this.activeVersions);
  readonly progress = new Progress();
  /** Views that have stopped at an event which they cannot take. */
  readonly halts: Halt[] = [];

  load(rows: Rows, position: Position): void {
    this.directory.load(rows);
    this.activeVersions.load(rows);
    this.progress.advance(position);
  }

  /** Takes one event. `progress` is advanced by the follower, once it has handed over a whole batch. */
  take(recorded: Recorded): void {
    const { event } = recorded;
    const view = isEnvironmentEvent(event) ? ACTIVE_VERSIONS : DIRECTORY;
    if (this.isHalted(view)) return;
    try {
      if (isEnvironmentEvent(event)) this.activeVersions.take(event, recorded);
      else this.takeDirectory(event, recorded);
    } catch (error) {
      this.halts.push(haltAt(view.name, recorded, error));
    }
  }

  /** What nobody knows might have meant something to the views of its kind of stream. */
  takeUnknown(stored: { stream: string; type: string; position: bigint }, error: UnknownEvent): void {
    for (const view of [DIRECTORY, ACTIVE_VERSIONS]) {
      if (isConcerned(view, stored.stream) && !this.isHalted(view)) {
        this.halts.push(haltAt(view.name, stored, error));
      }
    }
  }

  private isHalted({ name }: { readonly name: string }): boolean {
    return this.halts.length > 0 && this.halts.some(({ view }) => view === name);
  }

  private takeDirectory(event: Exclude<Recorded['event'], { changes: unknown }>, recorded: Recorded): void {
    switch (event.type) {
      case 'WorkspaceCreated':
      case 'WorkspaceRenamed':
      case 'WorkspaceArchived':
      case 'WorkspaceRestored':
      case 'ApiKeyIssued':
      case 'ApiKeyRotated':
      case 'ApiKeyRevoked':
      case 'ApiKeyUsed':
        return this.directory.takeAccess(event, recorded);
      case 'SessionOpened':
      case 'SessionClosed':
      case 'PersonErased':
        return this.directory.sessions.take(event, recorded);
      case 'ProjectCreated':
      case 'ProjectRenamed':
      case 'ProjectArchived':
      case 'ProjectRestored':
      case 'ResolutionPolicySet':
      case 'EnvironmentCreated':
      case 'EnvironmentRenamed':
      case 'EnvironmentDescribed':
      case 'EnvironmentArchived':
      case 'EnvironmentRestored':
      case 'DefaultEnvironmentSet':
        return this.directory.takeProject(event, recorded);
      case 'WorkspaceSlugReserved':
      case 'ProjectSlugReserved':
      case 'FlowSlugReserved':
      case 'CommandAnswered':
      case 'SigningKeyAnnounced':
      case 'LogRestored':
      case 'AttemptDenied':
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
