// What callers may send about versions.
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional } from 'class-validator';
import type { Content } from '../domain/flow.events.js';
import { IfGiven, IsComment, IsContent, IsLabel, IsReference } from './validation.js';

export class DraftVersionBody {
  /** Any JSON object, up to 512 KiB as canonical JSON. */
  @IsContent()
  @ApiProperty({ type: 'object', additionalProperties: true })
  content: Content;

  /** A word or two for people, such as `v2.1` or `winter`. */
  @IsOptional()
  @IsLabel()
  label?: string | null;

  @IsOptional()
  @IsComment()
  comment?: string | null;
}

/** What is left out stays as it was. */
export class EditVersionBody {
  @IfGiven()
  @IsContent()
  @ApiPropertyOptional({ type: 'object', additionalProperties: true })
  content?: Content;

  @IsOptional()
  @IsLabel()
  label?: string | null;

  @IsOptional()
  @IsComment()
  comment?: string | null;
}

export class ActivateVersionBody {
  /** Slug or id. */
  @IsReference()
  environment: string;

  @IsOptional()
  @IsComment()
  comment?: string | null;
}

export class DeactivateVersionBody {
  @IsOptional()
  @IsComment()
  comment?: string | null;
}
