// What callers may send about flows.
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional } from 'class-validator';
import { FLOW_KINDS, type Content, type FlowKind } from '../domain/flow.events.js';
import { PageQuery } from './paging.js';
import { IfGiven, IsComment, IsContent, IsName, IsQueryBoolean, IsSlug } from './validation.js';

export class CreateFlowBody {
  @IsName()
  name: string;

  /** Derived from the name unless given. It never changes: running code asks for it. */
  @IfGiven()
  @IsSlug()
  slug?: string;

  @IfGiven()
  @IsIn(FLOW_KINDS)
  @ApiProperty({ enum: FLOW_KINDS, default: 'flow', required: false })
  kind?: FlowKind;

  /** Makes version 1. */
  @IfGiven()
  @IsContent()
  @ApiPropertyOptional({ type: 'object', additionalProperties: true })
  content?: Content;

  /** The comment of version 1. */
  @IsOptional()
  @IsComment()
  comment?: string | null;
}

export class RenameFlowBody {
  @IsName()
  name: string;
}

export class FlowsQuery extends PageQuery {
  @IfGiven()
  @IsIn(FLOW_KINDS)
  @ApiProperty({ enum: FLOW_KINDS, required: false })
  kind?: FlowKind;

  /** Lists the archived flows instead. */
  @IfGiven()
  @IsQueryBoolean()
  archived: boolean = false;
}
