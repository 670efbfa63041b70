// What callers may send about projects.
import { ApiProperty } from '@nestjs/swagger';
import { IsIn, IsOptional } from 'class-validator';
import type { WithoutEnvironment } from '../domain/project.events.js';
import { IsName } from './validation.js';

export class ChangeProjectBody {
  @IsOptional()
  @IsName()
  name?: string;

  /** What resolves for callers who name no environment while there is no default one. */
  @IsOptional()
  @IsIn(['first-active', 'latest'])
  @ApiProperty({ enum: ['first-active', 'latest'], required: false })
  withoutEnvironment?: WithoutEnvironment;
}
