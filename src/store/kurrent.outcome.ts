// What an error of the client means for the call that it answers: was it refused for good, did it never reach
// the server, or can nobody say. Whatever is not known for certain counts as unknown.

import { ErrorType, isCommandError } from '@eventstore/db-client';

export type Failure =
  /** Refused for good, with nothing written. */
  | { readonly kind: 'conflict'; readonly actual: number | null; readonly reason: string }
  | { readonly kind: 'too-large'; readonly bytesMax: number; readonly reason: string }
  | { readonly kind: 'no-stream' | 'deleted' | 'denied' | 'refused'; readonly reason: string }
  /** No server has seen it, or one that is not the leader, which does nothing on its own. */
  | { readonly kind: 'unsent'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string };

/** Our own patience is at an end; the server may go on. */
export class CallTimeout extends Error {
  override readonly name = 'CallTimeout';
}

const INVALID_ARGUMENT = 3;
const PERMISSION_DENIED = 7;
const UNAUTHENTICATED = 16;
/** In these words, and only in these, the call has not left this process. */
const UNSENT = [
  'No connection established',
  'Name resolution failed',
  'Channel has been shut down',
  'Channel closed before call started',
  'Failed to discover',
];

export function failureOf(error: unknown): Failure {
  const reason = firstLine(error instanceof Error ? error.message : String(error));
  if (error instanceof Error && isCommandError(error)) {
    switch (error.type) {
      case ErrorType.WRONG_EXPECTED_VERSION:
        return { kind: 'conflict', actual: revisionOf(error.actualVersion), reason };
      case ErrorType.MAXIMUM_APPEND_SIZE_EXCEEDED:
        return { kind: 'too-large', bytesMax: error.maxAppendSize, reason };
      case ErrorType.STREAM_NOT_FOUND:
        return { kind: 'no-stream', reason };
      case ErrorType.STREAM_DELETED:
        return { kind: 'deleted', reason };
      case ErrorType.ACCESS_DENIED:
        return { kind: 'denied', reason };
      case ErrorType.NOT_LEADER:
        return { kind: 'unsent', reason };
      default:
        break;
    }
  }
  const { code, metadata } = rawOf(error);
  if (code === INVALID_ARGUMENT) {
    const eventBytesMax = Number(metadata?.['maximum-append-event-size'] ?? NaN);
    if (eventBytesMax > 0) return { kind: 'too-large', bytesMax: eventBytesMax, reason };
    return { kind: 'refused', reason };
  }
  if (code === PERMISSION_DENIED || code === UNAUTHENTICATED) return { kind: 'denied', reason };
  return { kind: UNSENT.some((words) => reason.includes(words)) ? 'unsent' : 'unknown', reason };
}

function revisionOf(version: unknown): number | null {
  return typeof version === 'bigint' ? Number(version) : null;
}

interface Raw {
  readonly code?: number;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** The answer as gRPC has it: a call that fails before the client looks at it comes out like this. */
function rawOf(error: unknown): Raw {
  if (typeof error !== 'object' || error === null) return {};
  const { code, metadata, _raw } = error as { code?: unknown; metadata?: unknown; _raw?: unknown };
  if (_raw !== undefined) return rawOf(_raw);
  const map = (metadata as { getMap?(): Record<string, unknown> } | undefined)?.getMap?.();
  return { ...(typeof code === 'number' ? { code } : {}), ...(map === undefined ? {} : { metadata: map }) };
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] as string;
}
