// What the audit trail answers.
import { ApiProperty } from '@nestjs/swagger';
import { ActorAnswer } from './answers.js';

export class NamedThenAnswer {
  id: string;
  /** As it was then. */
  slug: string;
}

export class VersionThenAnswer {
  id: string;
  number: number;
}

export class AuditEntryAnswer {
  /** Of the event in the log. */
  position: string;
  time: string;
  /** Of the event. */
  type: string;
  actor: ActorAnswer;
  /** Ids. The project is null for what belongs to the workspace as a whole. */
  workspace: string;
  project: string | null;
  environment?: NamedThenAnswer;
  /** Of a release of many flows there is none: they are in `before` and `after`. */
  flow?: NamedThenAnswer;
  version?: VersionThenAnswer;
  /** The release that was made. */
  release?: number;
  /** One sentence that names things as they were called then. */
  summary: string;
  /** What whoever did it said about it. */
  comment: string | null;
  /** As little of what it was before as shows the change; null where there is nothing to show. */
  @ApiProperty({ type: 'object', additionalProperties: true, nullable: true })
  before: Record<string, unknown> | null;
  /** The same of what it was afterwards. */
  @ApiProperty({ type: 'object', additionalProperties: true, nullable: true })
  after: Record<string, unknown> | null;
  requestId: string;
  correlationId: string;
  causationId: string;
  ip: string | null;
  userAgent: string | null;
  /** `denied` changed nothing. */
  @ApiProperty({ enum: ['success', 'denied'] })
  outcome: 'success' | 'denied';
}
