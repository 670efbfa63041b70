// What callers may send about keys.
import { ApiProperty } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsIn, IsInt, Max, Min, ValidateNested } from 'class-validator';
import { ROLES, type Role } from '../domain/access.events.js';
import { IsTime } from './at.js';
import { IfGiven, IsName, IsReference } from './validation.js';

const PLACES_MAX = 100;
const GRANTS_MAX = 50;
const OVERLAP_SECONDS = 24 * 3_600;
const OVERLAP_SECONDS_MAX = 30 * OVERLAP_SECONDS;

export class GrantBody {
  @IsIn(ROLES)
  @ApiProperty({ enum: ROLES })
  role: Role;

  /** Slugs or ids; all projects of the workspace unless given. */
  @IfGiven()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(PLACES_MAX)
  @IsReference({ each: true })
  projects?: string[];

  /** Slugs or ids, looked for in these projects; all environments unless given. */
  @IfGiven()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(PLACES_MAX)
  @IsReference({ each: true })
  environments?: string[];
}

export class IssueKeyBody {
  /** What people call it. */
  @IsName()
  name: string;

  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(GRANTS_MAX)
  @ValidateNested({ each: true })
  @Type(() => GrantBody)
  grants: GrantBody[];

  /** RFC 3339, in the future; never unless given. */
  @IfGiven()
  @IsTime()
  expiresAt?: string;
}

export class RotateKeyBody {
  /** For how many seconds the secret that it has goes on working beside the new one; 0 for not at all. */
  @IfGiven()
  @IsInt()
  @Min(0)
  @Max(OVERLAP_SECONDS_MAX)
  overlapSeconds: number = OVERLAP_SECONDS;
}
