// The answer to a command that makes a release, as JSON text. A bulk promotion answers with thousands of changes, so
// they are put into words while the disk is busy with the release; only the position has to wait for it.
import type { OnDecided, ReleaseAnswer as Made } from '../commands/environment-stream.js';
import type { LiveViews } from '../read/live-views.js';
import { presentRelease } from './present.js';
import type { Scope } from './scope.js';

/** JSON text, which goes out as it is. Not plain `string`, so that the API document does not take it for one. */
export type JsonText = string & { readonly answers: 'ReleaseMadeAnswer' };

/** Where it is proven that the log holds what stands at a position. */
function receiptOf(position: bigint): string {
  return `/api/v1/audit/proof/inclusion?position=${position}`;
}

export class ReleaseText {
  /** Without the position, and without the last brace. */
  private release: string | undefined;

  constructor(
    private readonly live: LiveViews,
    private readonly scope: Pick<Scope, 'project' | 'sees'>,
    private readonly environmentId: string,
  ) {}

  readonly prepare: OnDecided = (decided) => {
    const { project, sees } = this.scope;
    const shown = presentRelease(this.live, project, this.environmentId, decided, sees);
    this.release = JSON.stringify(shown).slice(0, -1);
  };

  /** A `ReleaseMadeAnswer`. */
  of({ changed, position, dryRun }: Made): JsonText {
    const where = dryRun ? 'null' : `"${position}"`;
    const release = changed ? `${this.release},"position":${where}}` : 'null';
    const receipt = changed && !dryRun ? `"${receiptOf(position)}"` : 'null';
    const text =
      `{"changed":${changed},"release":${release},"position":"${position}","dryRun":${dryRun},` +
      `"receipt":${receipt}}`;
    return text as JsonText;
  }
}
