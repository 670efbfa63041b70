// What callers may send to make releases.
import { ArrayMaxSize, ArrayNotEmpty, IsArray, IsBoolean, IsInt, IsOptional, Min } from 'class-validator';
import { IfGiven, IsComment, IsReference } from './validation.js';

const FLOWS_MAX = 20_000;

export class PromoteBody {
  @IsReference()
  sourceEnvironment: string;

  @IsReference()
  targetEnvironment: string;

  /** Ids or slugs. Left out: every flow active in the source. */
  @IfGiven()
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(FLOWS_MAX)
  @IsReference({ each: true })
  flowIds?: string[];

  @IsOptional()
  @IsComment()
  comment?: string | null;

  /** Deactivates in the target what is not active in the source. */
  @IfGiven()
  @IsBoolean()
  prune?: boolean;

  /** Answers what would happen, and does nothing. */
  @IfGiven()
  @IsBoolean()
  dryRun?: boolean;

  /** The release of the source that was reviewed. */
  @IfGiven()
  @IsInt()
  @Min(0)
  expectedSourceRelease?: number;

  /** The release of the target that was reviewed. */
  @IfGiven()
  @IsInt()
  @Min(0)
  expectedTargetRelease?: number;
}

export class RollbackBody {
  /** Any release of the environment, later ones too; 0 is the empty environment. Left out: the prior release. */
  @IfGiven()
  @IsInt()
  @Min(0)
  toRelease?: number;

  /** Ids or slugs. Without `toRelease`, each flow goes back to the version that it had before its current one. */
  @IfGiven()
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(FLOWS_MAX)
  @IsReference({ each: true })
  flowIds?: string[];

  @IsOptional()
  @IsComment()
  comment?: string | null;

  /** Answers what would happen, and does nothing. */
  @IfGiven()
  @IsBoolean()
  dryRun?: boolean;
}
