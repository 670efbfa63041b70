// Who may touch the streams that a log is made of. By default everybody whom the server knows may write to a
// stream, delete it and change its rules. So each stream gets rules of its own when it has just been created:
// our user and the administrators may write, the administrators alone delete and change the rules. The
// server's default for all streams would be one write instead, but it is not ours: other applications live by
// it. Who may read is left to that default.

import type { KurrentAddress } from './kurrent.address.js';
import type { KurrentClient } from './kurrent.client.js';
import { failureOf } from './kurrent.outcome.js';

const ADMINISTRATORS = '$admins';

export class KurrentAccess {
  private warned = false;

  constructor(
    private readonly client: KurrentClient,
    private readonly address: KurrentAddress,
    private readonly warn: (line: string) => void,
  ) {}

  /** Never fails: a log that anybody may write to is still better than none. Says so once. */
  async restrict(streamAtServer: string, ms: number): Promise<void> {
    try {
      await this.client.restrict(streamAtServer, [this.address.user, ADMINISTRATORS], [ADMINISTRATORS], ms);
    } catch (error) {
      const { kind, reason } = failureOf(error);
      // There are rules already; whoever made them meant them.
      if (kind === 'conflict' || this.warned) return;
      this.warned = true;
      this.warn(
        `Streams at ${this.address.shown} cannot be restricted to the user ${this.address.user}: ${reason}`,
      );
    }
  }
}
