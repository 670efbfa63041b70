// What an entry of the audit trail says of its event, and what has to be known to say it.
import type { Change } from '../src/domain/environment.events.js';
import type { WithoutEnvironment } from '../src/domain/project.events.js';

type State = object;

/** What an entry says of its event. */
export interface Told {
  readonly summary: string;
  readonly comment?: string | null;
  readonly before?: State | null;
  readonly after?: State | null;
  readonly environmentId?: string | null;
  /** Another environment that it names, and what it says to whoever may not know of that one. */
  readonly alsoNames?: { readonly environmentId: string; readonly summaryAlone: string };
  readonly flowId?: string;
  readonly version?: { readonly id: string; readonly number: number };
  readonly release?: number;
  /** Every flow that a release touched. */
  readonly changes?: readonly Change[];
  /** What is known of a thing from now on. */
  readonly learned?: { readonly id: string; readonly known: Known };
  /** The draft as it is from now on; null once it is none any more. */
  readonly draft?: { readonly versionId: string; readonly draft: Draft | null };
}

/** What a thing is called, and what else an event may change about it. */
export interface Known {
  readonly slug: string;
  readonly name: string;
  readonly description?: string | null;
  readonly color?: string | null;
  readonly withoutEnvironment?: WithoutEnvironment;
  readonly defaultEnvironment?: string | null;
}

export interface Draft {
  readonly digest: string;
  readonly label: string | null;
  readonly comment: string | null;
}

/** What was known right before the event. */
export interface Knowledge {
  /** A thing that nobody has told of goes by its id. */
  readonly known: (id: string) => Known;
  readonly draft: (versionId: string) => Draft | null;
}
