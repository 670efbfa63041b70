// Which of a server's streams are ours, and what they are called there. A server may hold streams of other
// applications, and always holds its own, whose names begin with a dollar sign.

import { streamNameFilter, type Filter } from '@eventstore/db-client';
import { STREAM_KINDS } from '../domain/events.js';

export const OUR_PREFIXES: readonly string[] = STREAM_KINDS.map((kind) => `${kind}-`);

export class KurrentStreams {
  private readonly starts: readonly string[];

  constructor(
    /** Put before every name, so that several logs can share one server. */
    private readonly namespace: string,
    /** Undefined takes every stream of the namespace. */
    prefixes: readonly string[] | undefined,
  ) {
    this.starts = (prefixes ?? ['']).map((prefix) => namespace + prefix);
  }

  /** Throws for a name that the log could be written under, and never read from again. */
  nameAtServer(stream: string): string {
    const name = this.namespace + stream;
    if (!this.areOurs(name)) throw new Error(`${stream} is not a stream that this log is made of`);
    return name;
  }

  private areOurs(nameAtServer: string): boolean {
    return !nameAtServer.startsWith('$') && this.starts.some((start) => nameAtServer.startsWith(start));
  }

  /** An event of the server's own in one of our streams says that somebody has deleted it. */
  holds({ streamId, type }: { readonly streamId: string; readonly type: string }): boolean {
    return this.areOurs(streamId) && !type.startsWith('$');
  }

  nameHere(nameAtServer: string): string {
    return nameAtServer.slice(this.namespace.length);
  }

  /** The same rule, in words that the server understands. */
  filter(checkpointReached: (at: { readonly commit: bigint }) => void): Filter {
    const checkpoint = async (_: unknown, at: { readonly commit: bigint }): Promise<void> =>
      checkpointReached(at);
    return this.starts.includes('')
      ? streamNameFilter({ regex: '^[^$]', checkpointReached: checkpoint })
      : streamNameFilter({ prefixes: [...this.starts], checkpointReached: checkpoint });
  }
}
