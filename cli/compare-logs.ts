// Two logs side by side, from their first events on: the same events in the same order, byte for byte, or the first
// place where they are not. One of them may go on where the other ends.
import { createHash } from 'node:crypto';
import { START, type EventStore, type Position, type StoredEvent } from '../src/store/event-store.js';

const FIELDS = ['stream', 'revision', 'id', 'type', 'data', 'meta'] as const;
const SHOWN_UNITS_MAX = 80;

export interface Difference {
  /** Counted from the beginning of the log, the first being 1. */
  readonly event: number;
  readonly what: string;
}

export interface Comparison {
  /** How many events are the same from the beginning on. */
  readonly same: number;
  readonly difference: Difference | undefined;
  /** SHA-256 over those events: of each `[stream, revision, id, type, data, meta]` as JSON, with a line feed. */
  readonly hash: string;
  /** Up to where the source is the same. */
  readonly position: Position;
}

export interface Compared {
  readonly from: EventStore;
  readonly to: EventStore;
  /** Of the source, what comes after this is not looked at. */
  readonly head: Position;
  /** The two number their events alike, so that positions count too. */
  readonly positionsCount: boolean;
  readonly onEvent?: (event: StoredEvent) => void;
}

/** Ends with the target, with the source, or with the first difference. */
export async function compareLogs({
  from,
  to,
  head,
  positionsCount,
  onEvent,
}: Compared): Promise<Comparison> {
  const hash = createHash('sha256');
  const source = eventsOf(from, START, head);
  let same = 0;
  let position = START;
  const ended = (difference?: Difference): Comparison => {
    return { same, difference, hash: hash.digest('hex'), position };
  };
  for await (const copy of eventsOf(to, START)) {
    const event = same + 1;
    const { value: original } = await source.next();
    if (original === undefined) return ended({ event, what: 'FROM ends before it, TO goes on' });
    const what = differenceOf(original, copy, positionsCount);
    if (what !== undefined) return ended({ event, what });
    const fields = FIELDS.map((field) => original[field]);
    hash.update(`${JSON.stringify(fields)}\n`);
    same = event;
    position = original.position;
    onEvent?.(original);
  }
  return ended();
}

/** Page by page, so that a log of any size fits into memory. */
export async function* eventsOf(
  store: EventStore,
  after: Position,
  head?: Position,
): AsyncGenerator<StoredEvent, undefined> {
  for (let reached = after; ;) {
    const page = await store.readAll({ after: reached });
    for (const event of page) {
      if (head !== undefined && event.position > head) return undefined;
      yield event;
    }
    const last = page.at(-1);
    if (last === undefined) return undefined;
    reached = last.position;
  }
}

function differenceOf(original: StoredEvent, copy: StoredEvent, positionsCount: boolean): string | undefined {
  for (const field of FIELDS) {
    if (original[field] !== copy[field]) return differing(field, original[field], copy[field]);
  }
  if (!positionsCount || original.position === copy.position) return undefined;
  return differing('position', original.position, copy.position);
}

/** Content may be long and may be a secret: of that only where the two part. */
function differing(field: string, original: unknown, copy: unknown): string {
  if (field !== 'data' && field !== 'meta')
    return `${field} is ${shown(original)} in FROM, ${shown(copy)} in TO`;
  const [a, b] = [Buffer.from(String(original)), Buffer.from(String(copy))];
  const at = a.findIndex((byte, i) => byte !== b[i]);
  const hashes = `SHA-256 ${sha256(a)} in FROM, ${sha256(b)} in TO`;
  return `${field} is not the same from byte ${at < 0 ? a.length : at} on (${hashes})`;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function shown(value: unknown): string {
  const text = String(value);
  return text.length > SHOWN_UNITS_MAX ? `${text.slice(0, SHOWN_UNITS_MAX)}…` : text;
}
