// What clients did and what they were told, written down for the judge.
import type { Position } from '../../src/store/event-store.js';
import type { Answer, Operation } from './operations.js';

/** What somebody wants done once, however often it is sent. */
export interface Order {
  readonly actorId: string;
  readonly key: string | null;
  readonly operation: Operation;
}

/** One time that it was sent. */
export interface Attempt {
  readonly order: Order;
  readonly requestId: string;
  readonly server: number;
  /** How often that server had crashed before. */
  readonly life: number;
  /** Where the log stood when it was sent, and when it was answered. */
  readonly from: Position;
  to: Position;
  /** Undefined while it is under way. */
  answer: Answer | undefined;
}

/** What a client looked at. */
export type Question =
  | { readonly kind: 'project' }
  | { readonly kind: 'resolve'; readonly flow: string; readonly environment: string | null }
  | { readonly kind: 'environment'; readonly environment: string }
  | { readonly kind: 'diff'; readonly source: string; readonly target: string }
  | { readonly kind: 'flow'; readonly flow: string }
  | { readonly kind: 'version'; readonly flow: string; readonly version: string }
  | { readonly kind: 'releases'; readonly environment: string };

export interface Look {
  readonly question: Question;
  readonly server: number;
  /** What it was sure to rest on. */
  readonly atLeast: Position;
  /** What it may have rested on: one place where it comes from memory. */
  readonly from: Position;
  readonly to: Position;
  readonly seen: unknown;
}

export class History {
  readonly attempts: Attempt[] = [];
  readonly looks: Look[] = [];

  begin(order: Order, server: number, life: number, from: Position): Attempt {
    const requestId = `request-${this.attempts.length + 1}`;
    const attempt = { order, requestId, server, life, from, to: from, answer: undefined };
    this.attempts.push(attempt);
    return attempt;
  }
}

/** In words, for whoever has to understand a fault. */
export function told({ order, requestId, server, from, to, answer }: Attempt): string {
  const { kind, ...rest } = order.operation;
  const key = order.key === null ? '' : ` with ${order.actorId} ${order.key}`;
  const said = answer === undefined ? 'no answer yet' : JSON.stringify(answer);
  return `${requestId}${key} to server ${server}, log at ${from} to ${to}: ${kind} ${JSON.stringify(rest)} → ${said}`;
}
