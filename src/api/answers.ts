// What the API answers: one class per representation, for the API document as much as for the code.
import type { FlowKind } from '../domain/flow.events.js';
import type { WithoutEnvironment } from '../domain/project.events.js';
import { FLOW_KINDS } from '../domain/flow.events.js';
import { ApiProperty } from '@nestjs/swagger';

export const RELEASE_KINDS = ['activation', 'deactivation', 'promotion', 'rollback'] as const;
export type ReleaseKind = (typeof RELEASE_KINDS)[number];
export const CHANGE_KINDS = ['added', 'changed', 'removed', 'unchanged'] as const;
export type ChangeKind = (typeof CHANGE_KINDS)[number];

export class ActorAnswer {
  type: 'api-key' | 'person' | 'system';
  id: string;
  /** As the key or the person is called now; null for somebody who was erased, or whom this server has not met. */
  name: string | null;
}

export class ProjectAnswer {
  id: string;
  slug: string;
  name: string;
  /** Slug of the environment that resolves for callers who name none; null where the caller may not know of it. */
  defaultEnvironment: string | null;
  /** What resolves for callers who name no environment while there is no default one. */
  @ApiProperty({ enum: ['first-active', 'latest'] })
  withoutEnvironment: WithoutEnvironment;
  createdAt: string;
  archivedAt: string | null;
}

export class EnvironmentAnswer {
  id: string;
  slug: string;
  name: string;
  description: string | null;
  color: string | null;
  isDefault: boolean;
  /** Number of the newest release; 0 before the first. */
  release: number;
  /** How many flows are active here. */
  activeCount: number;
  createdAt: string;
  archivedAt: string | null;
}

export class FlowAnswer {
  id: string;
  slug: string;
  name: string;
  @ApiProperty({ enum: FLOW_KINDS })
  kind: FlowKind;
  /** Number of the highest version, draft or not; null before the first. */
  latest: number | null;
  latestVersionId: string | null;
  /** Environment slug to version id, in the order in which the environments were first activated. */
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  activeVersions: Record<string, string>;
  createdAt: string;
  archivedAt: string | null;
}

export class VersionAnswer {
  id: string;
  flowId: string;
  number: number;
  /** A draft until its first activation, locked for ever after. */
  @ApiProperty({ enum: ['draft', 'locked'] })
  state: 'draft' | 'locked';
  /** SHA-256, in hex, over the RFC 8785 form of the content. */
  digest: string;
  label: string | null;
  comment: string | null;
  /** Id of the version that this one was forked from. */
  forkedFrom: string | null;
  createdAt: string;
  actor: ActorAnswer;
  @ApiProperty({ type: 'object', additionalProperties: true })
  content: Record<string, unknown>;
}

export class VersionRefAnswer {
  versionId: string;
  number: number;
  digest: string;
}

export class ActiveItemAnswer {
  flowId: string;
  slug: string;
  @ApiProperty({ enum: FLOW_KINDS })
  kind: FlowKind;
  versionId: string;
  number: number;
  digest: string;
}

export class ActiveAnswer {
  environment: string;
  release: number;
  items: ActiveItemAnswer[];
}

export class DiffItemAnswer {
  flowId: string;
  slug: string;
  name: string;
  @ApiProperty({ enum: FLOW_KINDS })
  kind: FlowKind;
  @ApiProperty({ enum: CHANGE_KINDS })
  change: ChangeKind;
  source: VersionRefAnswer | null;
  target: VersionRefAnswer | null;
}

export class DiffSummaryAnswer {
  added: number;
  changed: number;
  removed: number;
  unchanged: number;
}

export class DiffAnswer {
  sourceEnvironment: string;
  targetEnvironment: string;
  sourceRelease: number;
  targetRelease: number;
  summary: DiffSummaryAnswer;
  items: DiffItemAnswer[];
}

export class ChangeAnswer {
  flowId: string;
  slug: string;
  /** Version id before; null when the flow was not active. */
  from: string | null;
  /** Version id after; null when the flow is no longer active. */
  to: string | null;
  fromNumber: number | null;
  toNumber: number | null;
  fromDigest: string | null;
  toDigest: string | null;
}

export class ReleaseSourceAnswer {
  environment: string;
  environmentId: string;
  release: number;
}

export class ReleaseAnswer {
  number: number;
  @ApiProperty({ enum: RELEASE_KINDS })
  kind: ReleaseKind;
  environment: string;
  createdAt: string;
  actor: ActorAnswer;
  comment: string | null;
  changes: ChangeAnswer[];
  /** Of a promotion: where its versions came from. */
  source?: ReleaseSourceAnswer;
  /** Of a rollback: the release restored; null where each flow went back by its own history. */
  restores?: number | null;
  /** Null on a dry run. */
  position: string | null;
}

export class ReleaseMadeAnswer {
  /** False: everything was as asked already, and there is no new release. */
  changed: boolean;
  /** The release made, on a dry run the one that would be made. */
  @ApiProperty({ type: () => ReleaseAnswer, nullable: true })
  release: ReleaseAnswer | null;
  /** Of the release, or of the state that needed no change. */
  position: string;
  dryRun: boolean;
  /** Where the proof is that the signed log holds the release; null where none was made. */
  @ApiProperty({ type: String, nullable: true })
  receipt: string | null;
}

export class ResolutionAnswer {
  @ApiProperty({ enum: ['version', 'environment', 'default-environment', 'first-active', 'latest'] })
  reason: 'version' | 'environment' | 'default-environment' | 'first-active' | 'latest';
  /** As asked for; null when no environment was named. Present although an explicit version won. */
  requestedEnvironment: string | null;
  /** Slug of the environment that decided. */
  environment: string | null;
  /** Newest release of that environment. */
  release: number | null;
  /** Where the answer last changed; with `at`, what it is as of. */
  position: string;
}

export class ResolvedAnswer extends VersionAnswer {
  resolution: ResolutionAnswer;
}

export class PatchOperationAnswer {
  @ApiProperty({ enum: ['add', 'remove', 'replace', 'move', 'copy', 'test'] })
  op: string;
  path: string;
  from?: string;
  @ApiProperty({ required: false, oneOf: [{}] })
  value?: unknown;
}

export class VersionDiffAnswer {
  from: VersionRefAnswer;
  to: VersionRefAnswer;
  /** RFC 6902: applied to the content of `from`, it gives the content of `to`. */
  patch: PatchOperationAnswer[];
  /** The same for people: a unified diff of both contents, pretty-printed with sorted keys. */
  text: string;
}

export class ViewAnswer {
  name: string;
  /** A halted view has met an event that it cannot take; the others go on. */
  @ApiProperty({ enum: ['running', 'halted'] })
  state: 'running' | 'halted';
  position: string;
  /** Of a halted view: the type of that event. */
  stoppedAt: string | null;
}

export class RebuildAnswer {
  startedAt: string;
  finishedAt: string;
  position: string;
  /** Whether the rows were as they had been; null where a view had stopped and there was nothing to compare. */
  @ApiProperty({ type: Boolean, nullable: true })
  equal: boolean | null;
}

export class ViewsAnswer {
  /** Newest position of the log that this server knows of. */
  head: string;
  /** For how long the views have not held all of the log; 0 while they do. */
  lagSeconds: number;
  views: ViewAnswer[];
  /** Why this server should not be sent requests, one line each. */
  failures: string[];
  isRebuilding: boolean;
  rebuildFailure: string | null;
  @ApiProperty({ type: () => RebuildAnswer, nullable: true })
  lastRebuild: RebuildAnswer | null;
}
