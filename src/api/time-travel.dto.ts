// What callers may ask about the past.
import { PageQuery } from './paging.js';
import { IsAt, IsStateName } from './at.js';
import { IfGiven, IsQueryBoolean, IsReference } from './validation.js';

export class AtQuery {
  /** Answers as of then: a time (RFC 3339, with any offset) or a position. */
  @IfGiven()
  @IsAt()
  at?: string;
}

export class DiffStatesQuery {
  /** `environment`, `environment@r7` (a release), `environment@2026-03-03T14:05:00Z` or `environment@1234`. */
  @IsStateName()
  from: string;

  /** As `from`. */
  @IsStateName()
  to: string;

  /** Lists the flows that are the same in both, too. */
  @IfGiven()
  @IsQueryBoolean()
  includeUnchanged: boolean = false;
}

export class FlowHistoryQuery extends PageQuery {
  /** Only what happened in this environment: slug or id. */
  @IfGiven()
  @IsReference()
  environment?: string;
}

export class EnvironmentHistoryQuery extends PageQuery {
  /** Only what happened to this flow: slug or id. */
  @IfGiven()
  @IsReference()
  flow?: string;
}
