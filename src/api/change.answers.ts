// What a stream of changes tells of each of them: a CloudEvent, as JSON in the data of one message.
import { FLOW_KINDS, type FlowKind } from '../domain/flow.events.js';
import { ApiProperty, getSchemaPath } from '@nestjs/swagger';
import { ActorAnswer, ReleaseAnswer } from './answers.js';

/** A release. Of a large one, the first changes alone; `link` leads to all of them. */
export class ReleaseChangeAnswer extends ReleaseAnswer {
  environmentId: string;
  changesTotal: number;
  /** Path of the release. */
  link: string;
}

/** What befell an environment, or which one is the default now. */
export class EnvironmentChangeAnswer {
  /** Slug; null when no environment is the default any more. */
  environment: string | null;
  environmentId: string | null;
  name?: string;
  description?: string | null;
  color?: string | null;
  actor: ActorAnswer;
  position: string;
}

/** What befell a flow. */
export class FlowChangeAnswer {
  /** Slug. */
  flow: string;
  flowId: string;
  name?: string;
  @ApiProperty({ required: false, enum: FLOW_KINDS })
  kind?: FlowKind;
  actor: ActorAnswer;
  position: string;
}

/** What befell a version. Its content is not told; `link` leads to it. */
export class VersionChangeAnswer {
  /** Slug. */
  flow: string;
  flowId: string;
  versionId: string;
  number: number;
  /** SHA-256, in hex, over the RFC 8785 form of the content. */
  digest: string;
  label?: string | null;
  comment?: string | null;
  /** Of a version that was drafted: id of the one that it was forked from. */
  forkedFrom?: string | null;
  /** Path of the version. */
  link: string;
  actor: ActorAnswer;
  position: string;
}

export const CHANGE_DATA = [
  ReleaseChangeAnswer,
  EnvironmentChangeAnswer,
  FlowChangeAnswer,
  VersionChangeAnswer,
] as const;

/** A CloudEvent (1.0, structured mode). */
export class ChangeEventAnswer {
  @ApiProperty({ enum: ['1.0'] })
  specversion: '1.0';
  /** Position of the change in the log. */
  id: string;
  /** Path of the project. */
  source: string;
  type: string;
  /** `environments/<slug>`, `flows/<slug>` or `flows/<slug>/versions/<number>`. */
  subject?: string;
  time: string;
  datacontenttype: string;
  @ApiProperty({ anyOf: CHANGE_DATA.map((answer) => ({ $ref: getSchemaPath(answer) })) })
  data: ReleaseChangeAnswer | EnvironmentChangeAnswer | FlowChangeAnswer | VersionChangeAnswer;
}
