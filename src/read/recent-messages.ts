// The newest messages on what has changed, put into words once and kept once for everybody who follows. Bounded in
// bytes: whoever is further behind reads the log.
import type { Position } from '../store/event-store.js';

/** What filters go by. */
export interface Topic {
  readonly workspaceId: string;
  readonly projectId: string;
  readonly type: string;
  readonly environmentId: string | null;
  /** It may tell something of any environment: of the default one, that it is none any more. */
  readonly isOfAll: boolean;
  readonly flowIds: ReadonlySet<string>;
  /** From which environment a promotion took its versions; null for anything else. */
  readonly sourceId: string | null;
}

export interface Message {
  readonly position: Position;
  readonly topic: Topic;
  /** As they go out, to everybody the same. */
  readonly bytes: Uint8Array;
  /** For those who may not know of the source of a promotion; only where there is one. */
  readonly withoutSource?: Uint8Array;
}

/** Messages one after another, and the position up to which there are no others that were wanted. */
export interface Stretch {
  readonly messages: readonly Message[];
  readonly upTo: Position;
}

export type Wanted = (topic: Topic) => boolean | 'without source';

/** A message as somebody gets it who wants this; undefined where it is not wanted. */
export function wantedPart(message: Message, wanted: Wanted): Message | undefined {
  const want = wanted(message.topic);
  if (want === false) return undefined;
  return want === 'without source' ? { ...message, bytes: message.withoutSource ?? message.bytes } : message;
}

const MESSAGE_BYTES_BESIDES = 500;
const FLOW_BYTES = 100;

export class RecentMessages {
  /** All messages after this position are here. */
  before: Position;
  private messages: Message[] = [];
  private weight = 0;

  constructor(
    /** The newest position that was told of. */
    public head: Position,
    private readonly bytesMax: number,
  ) {
    this.before = head;
  }

  add(message: Message): void {
    this.messages.push(message);
    this.weight += weightOf(message);
    this.head = message.position;
    if (this.weight > this.bytesMax) this.shorten();
  }

  /** The log has come this far, and there was nothing to say. */
  moveTo(position: Position): void {
    this.head = position;
  }

  /** Begins anew: what came up to here is in the log alone. */
  restart(position: Position): void {
    this.messages = [];
    this.weight = 0;
    this.before = position;
    this.head = position;
  }

  /** What was wanted after a position, ending with the message that fills `bytesMax`; undefined once it is gone. */
  after(position: Position, wanted: Wanted, bytesMax: number): Stretch | undefined {
    if (position < this.before) return undefined;
    const found: Message[] = [];
    let bytes = 0;
    // From the end, where nearly everybody stands.
    let index = this.messages.findLastIndex((message) => message.position <= position) + 1;
    for (; index < this.messages.length; index += 1) {
      const message = wantedPart(this.messages[index] as Message, wanted);
      if (message === undefined) continue;
      found.push(message);
      bytes += message.bytes.length;
      if (bytes >= bytesMax) return { messages: found, upTo: message.position };
    }
    return { messages: found, upTo: position > this.head ? position : this.head };
  }

  /** Down to half, so that one costly copy serves many messages. */
  private shorten(): void {
    let dropped = 0;
    while (this.weight > this.bytesMax / 2) {
      const message = this.messages[dropped] as Message;
      this.weight -= weightOf(message);
      this.before = message.position;
      dropped += 1;
    }
    this.messages = this.messages.slice(dropped);
  }
}

function weightOf({ bytes, topic, withoutSource }: Message): number {
  return (
    bytes.length + (withoutSource?.length ?? 0) + MESSAGE_BYTES_BESIDES + topic.flowIds.size * FLOW_BYTES
  );
}
