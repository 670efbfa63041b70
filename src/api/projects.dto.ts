// What callers may send about projects.
import { ApiProperty } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import type { WithoutEnvironment } from '../domain/project.events.js';
import { IfGiven, IsName } from './validation.js';

export class ChangeProjectBody {
  @IfGiven()
  @IsName()
  name?: string;

  /** What resolves for callers who name no environment while there is no default one. */
  @IfGiven()
  @IsIn(['first-active', 'latest'])
  @ApiProperty({ enum: ['first-active', 'latest'], required: false })
  withoutEnvironment?: WithoutEnvironment;
}
