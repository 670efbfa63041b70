// The lines of events.ndjson: how one is written, and how a file of any length is read with no more than a line of it
// in memory.
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { EnvironmentFold } from './evidence-state.js';
import { leafFields } from './leaf.js';
import { leafHash } from './merkle.js';

/** What a verifier needs of a line. */
export interface EventLine {
  readonly index: string;
  readonly hash: Buffer;
  readonly version: string;
  readonly workspace: string;
  /** The third field of the leaf data. */
  readonly indexInLeaf: string;
  /** Only of an event of an environment, and of a `LogRestored`. */
  readonly event: LineEvent | undefined;
}

/** Undefined is what is not text. */
export interface LineEvent {
  readonly ofEnvironment: boolean;
  readonly isRestoration: boolean;
  readonly stream: string | undefined;
  readonly type: string | undefined;
  readonly data: string | undefined;
}

export interface FileRead {
  /** Of the whole file, in hex. */
  readonly sha256: string;
  /** Whether there are bytes after the last line end. */
  readonly cutOff: boolean;
}

const LF = 0x0a;
const CHUNK_BYTES = 1_048_576;
const HEAD = /^\{"index":(0|[1-9][0-9]*),"leaf":"/;
const TAIL = '"}';
const RESTORED = 'LogRestored';

export function eventLine(index: number, leaf: Buffer): string {
  return `{"index":${index},"leaf":"${leaf.toString('base64')}"}\n`;
}

/** Undefined for a line that is not in its form. Pure: the same line gives the same for ever. */
export function parseLine(line: string): EventLine | undefined {
  // A long text is kept out of the pattern: it would be walked through one character after the other.
  const [head, index] = HEAD.exec(line.slice(0, 40)) ?? [];
  if (head === undefined || index === undefined || !line.endsWith(TAIL)) return undefined;
  const base64 = line.slice(head.length, -TAIL.length);
  const leaf = Buffer.from(base64, 'base64');
  if (leaf.toString('base64') !== base64) return undefined;
  const fields = leafFields(leaf);
  if (fields === undefined) return undefined;
  const [version, workspace, indexInLeaf, stream, , , type, data] = fields;
  return {
    index,
    hash: leafHash(leaf),
    version: version.toString('latin1'),
    workspace: workspace.toString('latin1'),
    indexInLeaf: indexInLeaf.toString('latin1'),
    event: eventOf(stream, type, data),
  };
}

function eventOf(stream: Buffer, type: Buffer, data: Buffer): LineEvent | undefined {
  const ofEnvironment = EnvironmentFold.concerns(stream.toString('latin1'));
  const isRestoration = type.toString('latin1') === RESTORED;
  if (!ofEnvironment && !isRestoration) return undefined;
  return { ofEnvironment, isRestoration, stream: textOf(stream), type: textOf(type), data: textOf(data) };
}

/** Calls back for each line, without its line end, and after each piece of the file with how far that was, in bytes. */
export function readLines(
  file: number,
  onLine: (line: string) => void,
  onBytes: (read: number) => void,
): FileRead {
  const hash = createHash('sha256');
  let buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let [held, total] = [0, 0];
  for (;;) {
    // What is left over from before stands at the beginning, and a line may need more room than there is.
    if (held === buffer.length) buffer = Buffer.concat([buffer], 2 * buffer.length);
    const read = readSync(file, buffer, held, buffer.length - held, null);
    if (read === 0) break;
    hash.update(buffer.subarray(held, held + read));
    const end = held + read;
    let start = 0;
    let lineEnd = buffer.subarray(0, end).indexOf(LF, held);
    while (lineEnd !== -1) {
      onLine(buffer.toString('latin1', start, lineEnd));
      start = lineEnd + 1;
      lineEnd = buffer.subarray(0, end).indexOf(LF, start);
    }
    buffer.copyWithin(0, start, end);
    held = end - start;
    total += read;
    onBytes(total);
  }
  return { sha256: hash.digest('hex'), cutOff: held > 0 };
}

function textOf(bytes: Buffer): string | undefined {
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined;
}
