// The first five checks of an evidence bundle: that its files can be read, who has signed what, and that all of it can
// be true at once.
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openNote, parseNotes, PublicKey, type Checkpoint } from './checkpoint.js';
import { CheckFailed } from './evidence-verdict.js';

export interface Bundle {
  /** The file, open: it is too large to be held. */
  readonly events: number;
  readonly checkpoints: Buffer;
  readonly pubkeys: Buffer;
  readonly manifest: Buffer;
}

export interface Signed {
  /** Those of the bundle. */
  readonly checkpoints: readonly Checkpoint[];
  readonly last: Checkpoint;
  /** Those that the auditor has kept. */
  readonly kept: readonly Checkpoint[];
}

/** Check 1. */
export function openBundle(directory: string): Bundle {
  const small = (name: string): Buffer => readFileSync(join(directory, name));
  let events: number | undefined;
  try {
    events = openSync(join(directory, 'events.ndjson'), 'r');
    if (fstatSync(events).isDirectory()) throw new Error('events.ndjson is a folder');
    const [checkpoints, pubkeys] = [small('checkpoints.txt'), small('pubkeys.txt')];
    return { checkpoints, pubkeys, manifest: small('manifest.json'), events };
  } catch (error) {
    if (events !== undefined) closeSync(events);
    const reason = error instanceof Error ? error.message : String(error);
    throw new CheckFailed(1, `a file of the bundle cannot be read: ${reason}`);
  }
}

/** Checks 2 to 5. `keys` are those to trust, without any all of the bundle; `files` are those of kept checkpoints. */
export function readSigned(bundle: Bundle, keys: readonly string[], files: readonly string[]): Signed {
  const signers = trusted(bundle.pubkeys, keys);
  const checkpoints = checkpointsIn(bundle.checkpoints, 'checkpoints.txt', signers);
  const kept = files.flatMap((path) => checkpointsIn(readFileSync(path), path, signers));
  const all = [...checkpoints, ...kept];
  refuseFork(all);
  const last = all[checkpoints.length - 1];
  if (last === undefined) throw new RangeError('A file of checkpoints holds one at least');
  for (const { name, workspace, origin } of all) {
    if (name === last.name && workspace === last.workspace) continue;
    throw new CheckFailed(5, `there is a checkpoint of ${origin} among those of ${last.origin}`);
  }
  for (const [index, { size, epoch }] of checkpoints.entries()) {
    const before = checkpoints[index - 1] ?? { size: -1, epoch: 1 };
    if (size > before.size && epoch >= before.epoch) continue;
    throw new CheckFailed(5, 'checkpoints.txt is not in order', `at size ${size}`);
  }
  return { checkpoints, last, kept };
}

function trusted(pubkeys: Buffer, wanted: readonly string[]): readonly PublicKey[] {
  const lines = pubkeys.toString('utf8').split('\n');
  if (lines.pop() !== '' || lines.length === 0) throw new CheckFailed(2, 'pubkeys.txt ends within a line');
  const keys = new Map<string, PublicKey>();
  for (const [index, line] of lines.entries()) {
    const key = PublicKey.parse(line);
    if (key === undefined || keys.has(line)) {
      const what = key === undefined ? 'is no public key with its key id' : 'stands there twice';
      throw new CheckFailed(2, `line ${index + 1} of pubkeys.txt ${what}`);
    }
    keys.set(line, key);
  }
  if (wanted.length === 0) return [...keys.values()];
  return wanted.map((text) => {
    const key = keys.get(text);
    if (key === undefined) throw new CheckFailed(2, `${JSON.stringify(text)} is not in pubkeys.txt`);
    return key;
  });
}

function checkpointsIn(file: Buffer, name: string, keys: readonly PublicKey[]): Checkpoint[] {
  const notes = parseNotes(file.toString('utf8'));
  if (notes === undefined) throw new CheckFailed(3, `${name} is not in the form of checkpoints`);
  return notes.map((note) => {
    const checkpoint = openNote(note, keys);
    if (checkpoint !== undefined) return checkpoint;
    throw new CheckFailed(
      3,
      `${name}: no trusted key has signed the checkpoint of size ${note.checkpoint.size}`,
    );
  });
}

/** Check 4. */
function refuseFork(checkpoints: readonly Checkpoint[]): void {
  const roots = new Map<string, Buffer>();
  for (const { origin, size, root } of checkpoints) {
    const other = roots.get(`${origin} ${size}`);
    if (other !== undefined && !other.equals(root)) {
      throw new CheckFailed(4, `two different histories were signed as ${origin}`, `at size ${size}`);
    }
    roots.set(`${origin} ${size}`, root);
  }
}
