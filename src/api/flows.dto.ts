// What callers may send about flows.
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional } from 'class-validator';
import { FLOW_KINDS, type Content, type FlowKind } from '../domain/flow.events.js';
import { PageQuery } from './paging.js';
import { IsComment, IsContent, IsName, IsQueryBoolean, IsSlug } from './validation.js';

export class CreateFlowBody {
  @IsName()
  name: string;

  /** Derived from the name unless given. It never changes: running code asks for it. */
  @IsOptional()
  @IsSlug()
  slug?: string;

  @IsOptional()
  @IsIn(FLOW_KINDS)
  @ApiProperty({ enum: FLOW_KINDS, default: 'flow', required: false })
  kind?: FlowKind;

  /** Makes version 1. */
  @IsOptional()
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
  @IsOptional()
  @IsIn(FLOW_KINDS)
  @ApiProperty({ enum: FLOW_KINDS, required: false })
  kind?: FlowKind;

  /** Lists the archived flows instead. */
  @IsOptional()
  @IsQueryBoolean()
  archived: boolean = false;
}
