// What callers may send to make releases.
import { ArrayMaxSize, ArrayNotEmpty, IsArray, IsBoolean, IsInt, IsOptional, Min } from 'class-validator';
import { IfGiven, IsComment, IsReference } from './validation.js';

const FLOWS_MAX = 20_000;

/** What a promotion and a rollback have in common. */
class ReleaseBody {
  /** Ids or slugs. Left out: all flows. Without `toRelease`, a rollback goes by each flow's own history. */
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

export class PromoteBody extends ReleaseBody {
  @IsReference()
  sourceEnvironment: string;

  @IsReference()
  targetEnvironment: string;

  /** Deactivates in the target what is not active in the source. */
  @IfGiven()
  @IsBoolean()
  prune?: boolean;

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

export class RollbackBody extends ReleaseBody {
  /** Any release of the environment, later ones too; 0 is the empty environment. Left out: the prior release. */
  @IfGiven()
  @IsInt()
  @Min(0)
  toRelease?: number;
}
