// What this server has seen of each workspace's log, kept in a file outside of it: how many events there were and what
// the last one was, and every checkpoint that was signed. A log that comes back shorter, or different, is known by it.
// Lines are appended; a head is not waited for, a checkpoint is fsynced.
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { parseNote, type Checkpoint } from './checkpoint.js';

export interface Head {
  readonly workspace: string;
  readonly origin: string;
  readonly epoch: number;
  readonly size: number;
  /** Of the last event. */
  readonly position: bigint;
  /** Its leaf hash, in base64. */
  readonly leaf: string;
}

export interface SignedCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly keyId: string;
  readonly note: string;
}

interface Kept {
  head: Head | undefined;
  signed: SignedCheckpoint[];
}

/** Past this size only what still tells something is kept. */
const BYTES_MAX = 8 * 1024 * 1024;
const SIGNED_KEPT_MAX = 1_000;
const HEAD = /^head (\S+\/([0-9a-f-]{36})\/e([1-9]\d*)) (\d+) (\d+) ([A-Za-z0-9+/]{43}=)$/;
const NOTE_LINES = 5;

export class HeadsLog {
  private readonly kept = new Map<string, Kept>();
  private fd: number;
  private bytes = 0;

  /** Throws where the file cannot be read or written. */
  constructor(readonly path: string) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    this.read(text);
    this.fd = openSync(path, 'a', 0o600);
    // What was cut off stays a line of its own.
    if (text !== '' && !text.endsWith('\n')) this.write('\n');
  }

  get workspaces(): string[] {
    return [...this.kept.keys()];
  }

  head(workspace: string): Head | undefined {
    return this.kept.get(workspace)?.head;
  }

  /** In the order in which they were signed. */
  signed(workspace: string): readonly SignedCheckpoint[] {
    return this.kept.get(workspace)?.signed ?? [];
  }

  noteHead(head: Head): void {
    this.of(head.workspace).head = head;
    this.write(headLine(head));
  }

  /** Durable once this returns. */
  noteSigned(signed: SignedCheckpoint): void {
    this.of(signed.checkpoint.workspace).signed.push(signed);
    this.write(`${signed.note}\n`);
    fsyncSync(this.fd);
    if (this.bytes > BYTES_MAX) this.compact();
  }

  close(): void {
    closeSync(this.fd);
  }

  /** A line that was cut off by a power failure, or spoilt, tells nothing and is passed over. */
  private read(text: string): void {
    this.bytes = Buffer.byteLength(text);
    const lines = text.split('\n');
    for (let i = 0; i < lines.length; i += 1) {
      const head = headIn(lines[i] ?? '');
      if (head !== undefined) this.of(head.workspace).head = head;
      if (lines[i + 3] !== '') continue;
      const signed = signedCheckpoint(`${lines.slice(i, i + NOTE_LINES).join('\n')}\n`);
      if (signed === undefined) continue;
      this.of(signed.checkpoint.workspace).signed.push(signed);
      i += NOTE_LINES;
    }
  }

  private write(text: string): void {
    this.bytes += writeSync(this.fd, text);
  }

  /** Of the older checkpoints every other one goes: each later one covers all that those before it covered. */
  private compact(): void {
    const lines: string[] = [];
    for (const kept of this.kept.values()) {
      const older = kept.signed.slice(0, -SIGNED_KEPT_MAX).filter((_, i) => i % 2 === 0);
      kept.signed = [...older, ...kept.signed.slice(-SIGNED_KEPT_MAX)];
      lines.push(...kept.signed.map(({ note }) => `${note}\n`));
      if (kept.head !== undefined) lines.push(headLine(kept.head));
    }
    const next = `${this.path}.next`;
    const fd = openSync(next, 'w', 0o600);
    this.bytes = writeSync(fd, lines.join(''));
    fsyncSync(fd);
    closeSync(this.fd);
    renameSync(next, this.path);
    this.fd = fd;
  }

  private of(workspace: string): Kept {
    let kept = this.kept.get(workspace);
    if (kept === undefined) this.kept.set(workspace, (kept = { head: undefined, signed: [] }));
    return kept;
  }
}

/** Undefined for anything but one signed note. */
export function signedCheckpoint(note: string): SignedCheckpoint | undefined {
  const parsed = parseNote(note);
  return parsed && { checkpoint: parsed.checkpoint, keyId: parsed.keyId, note };
}

function headLine({ origin, size, position, leaf }: Head): string {
  return `head ${origin} ${size} ${position} ${leaf}\n`;
}

function headIn(line: string): Head | undefined {
  const [, origin = '', workspace = '', epoch, size, position = '', leaf = ''] = HEAD.exec(line) ?? [];
  if (origin === '') return undefined;
  return { origin, workspace, epoch: Number(epoch), size: Number(size), position: BigInt(position), leaf };
}
