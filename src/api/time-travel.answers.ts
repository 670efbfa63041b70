// What the API answers about the past: one class per representation, as in `answers.ts`.
import { ApiProperty } from '@nestjs/swagger';
import { FLOW_KINDS, type FlowKind } from '../domain/flow.events.js';
import {
  ActorAnswer,
  CHANGE_KINDS,
  DiffSummaryAnswer,
  RELEASE_KINDS,
  VersionRefAnswer,
  type ChangeKind,
  type ReleaseKind,
} from './answers.js';

export class DiffStateAnswer {
  environment: string;
  release: number;
  /** What it is as of. */
  position: string;
}

export class StatesDiffItemAnswer {
  flowId: string;
  slug: string;
  name: string;
  @ApiProperty({ enum: FLOW_KINDS })
  kind: FlowKind;
  /** `added` runs only in `to`, `removed` only in `from`. */
  @ApiProperty({ enum: CHANGE_KINDS })
  change: ChangeKind;
  @ApiProperty({ type: () => VersionRefAnswer, nullable: true })
  from: VersionRefAnswer | null;
  @ApiProperty({ type: () => VersionRefAnswer, nullable: true })
  to: VersionRefAnswer | null;
}

export class StatesDiffAnswer {
  from: DiffStateAnswer;
  to: DiffStateAnswer;
  summary: DiffSummaryAnswer;
  items: StatesDiffItemAnswer[];
}

export class DefaultEnvironmentAnswer {
  /** Slug of the environment that resolves for callers who name none. */
  environment: string | null;
  /** What the answer is as of. */
  position: string;
}

export class PointerLinksAnswer {
  release: string;
  audit: string;
}

export class PointerChangeAnswer {
  environment: string;
  flow: string;
  flowId: string;
  release: number;
  @ApiProperty({ enum: RELEASE_KINDS })
  kind: ReleaseKind;
  /** What ran before; null for nothing. */
  @ApiProperty({ type: () => VersionRefAnswer, nullable: true })
  from: VersionRefAnswer | null;
  /** What runs from then on; null for nothing. */
  @ApiProperty({ type: () => VersionRefAnswer, nullable: true })
  to: VersionRefAnswer | null;
  actor: ActorAnswer;
  comment: string | null;
  time: string;
  position: string;
  links: PointerLinksAnswer;
}
