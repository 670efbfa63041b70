// What callers may send about environments.
import { IsBoolean, IsDefined, IsOptional, Matches, ValidateIf } from 'class-validator';
import { PageQuery } from './paging.js';
import { AtQuery } from './time-travel.dto.js';
import { IfGiven, IsComment, IsEnvironmentSlug, IsName, IsQueryBoolean, IsReference } from './validation.js';

const COLOR = /^#[0-9a-f]{6}$/i;
const COLOR_EXPECTED = { message: 'color must be # and six hexadecimal digits' };

export class CreateEnvironmentBody {
  @IsName()
  name: string;

  /** Derived from the name unless given. */
  @IfGiven()
  @IsEnvironmentSlug()
  slug?: string;

  @IsOptional()
  @IsComment()
  description?: string | null;

  /** `#rrggbb`, for people. */
  @IsOptional()
  @Matches(COLOR, COLOR_EXPECTED)
  color?: string | null;

  /** Makes it the default environment of the project. */
  @IfGiven()
  @IsBoolean()
  default?: boolean;
}

/** What is left out stays as it is. A new name brings a new slug unless one is given. */
export class ChangeEnvironmentBody {
  @IfGiven()
  @IsName()
  name?: string;

  /** The slug that it had goes on working until another environment takes it. */
  @IfGiven()
  @IsEnvironmentSlug()
  slug?: string;

  @IsOptional()
  @IsComment()
  description?: string | null;

  @IsOptional()
  @Matches(COLOR, COLOR_EXPECTED)
  color?: string | null;
}

export class SetDefaultBody {
  /** Slug or id; null for no default environment. */
  @IsDefined()
  @ValidateIf((body: SetDefaultBody) => body.environment !== null)
  @IsReference()
  environment: string | null;
}

export class DiffQuery extends AtQuery {
  @IsReference()
  sourceEnvironment: string;

  @IsReference()
  targetEnvironment: string;

  /** Lists the flows that are the same in both, too. */
  @IfGiven()
  @IsQueryBoolean()
  includeUnchanged: boolean = false;
}

export class EnvironmentsQuery extends PageQuery {
  /** Lists the archived environments instead. */
  @IfGiven()
  @IsQueryBoolean()
  archived: boolean = false;
}
