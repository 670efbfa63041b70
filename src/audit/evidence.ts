// Verifies an evidence bundle: thirteen checks in their order, of which the first that fails decides the verdict. The
// events are read once, from end to end, and no more than a line of them is held.
import { createHash } from 'node:crypto';
import { closeSync, fstatSync } from 'node:fs';
import type { Checkpoint } from './checkpoint.js';
import { parseLine, readLines, type EventLine, type LineEvent } from './evidence-lines.js';
import { openBundle, readSigned, type Bundle, type Signed } from './evidence-signatures.js';
import { EnvironmentFold, isWhole, manifestOf, objectIn, Unfoldable } from './evidence-state.js';
import { CheckFailed, judgement, type Judgement } from './evidence-verdict.js';
import { MerkleTree } from './merkle.js';

export interface Terms {
  /** The public keys to trust; without any, all that the bundle names. */
  readonly keys?: readonly string[];
  /** Files of checkpoints that the auditor has kept. */
  readonly checkpoints?: readonly string[];
  /** Whether events that a kept checkpoint covers may be lost, where the record owns up to it. */
  readonly acceptRestored?: boolean;
  /** From 0 to 1. */
  readonly onProgress?: (share: number) => void;
  /** Lines that were parsed before, for whoever verifies much the same events again and again. */
  readonly cache?: Map<string, EventLine | undefined>;
}

/** What the events say, apart from what was signed. */
interface Found {
  readonly size: number;
  /** At the sizes that were asked for, and at the last one. */
  readonly roots: ReadonlyMap<number, Buffer>;
  readonly restorations: readonly Restoration[];
  readonly environments: EnvironmentFold;
  readonly unfoldable: { readonly index: number; readonly why: string } | undefined;
  readonly sha256: string;
  readonly cutOff: boolean;
}

interface Restoration {
  readonly index: number;
  /** Undefined where its data names none. */
  readonly epoch: number | undefined;
}

/** Throws only where the verifier itself fails, for instance because a kept checkpoint cannot be read. */
export function verifyEvidence(directory: string, terms: Terms = {}): Judgement {
  const established: { size: number | null; root: string | null } = { size: null, root: null };
  let bundle: Bundle | undefined;
  try {
    bundle = openBundle(directory);
    const signed = readSigned(bundle, terms.keys ?? [], terms.checkpoints ?? []);
    const { checkpoints, kept, last } = signed;
    const found = read(bundle, signed, terms);
    const lost = kept.filter((checkpoint) => restorationsOver(checkpoint, found).length > 0);
    const binding = [...checkpoints, ...kept.filter((checkpoint) => !lost.includes(checkpoint))];
    refuseOtherEvents(found, binding, last);
    established.size = found.size;
    established.root = last.root.toString('base64');
    refuseWrongEpochs(found, binding);
    if (terms.acceptRestored !== true) refuseLosses(found, lost);
    refuseOtherClaims(found, bundle, last);
    return judgement('ok', `${found.size} events, root ${established.root}`, '', established);
  } catch (error) {
    if (!(error instanceof CheckFailed)) throw error;
    return judgement(error.verdict, error.why, error.place, established);
  } finally {
    if (bundle !== undefined) closeSync(bundle.events);
  }
}

/** Check 6, and what the later ones need. */
function read({ events: file }: Bundle, { checkpoints, kept, last }: Signed, terms: Terms): Found {
  const parse = terms.cache === undefined ? parseLine : remembered(terms.cache);
  const bytes = fstatSync(file).size;
  const tree = new MerkleTree();
  const sizes = new Set([...checkpoints, ...kept].map(({ size }) => size));
  const roots = new Map<number, Buffer>();
  const restorations: Restoration[] = [];
  const environments = new EnvironmentFold();
  let unfoldable: Found['unfoldable'];
  const take = (event: LineEvent): void => {
    const index = tree.size;
    if (event.isRestoration) restorations.push({ index, epoch: epochIn(event.data) });
    const why = event.ofEnvironment && unfoldable === undefined ? whyNot(environments, event) : undefined;
    if (why !== undefined) unfoldable = { index, why };
  };
  const onLine = (text: string): void => {
    if (sizes.has(tree.size)) roots.set(tree.size, tree.root());
    const line = parse(text);
    if (line === undefined || !isAt(line, tree.size, last.workspace)) {
      const what = 'the line is not in its form, or not that of this index and workspace';
      throw new CheckFailed(6, what, `at index ${tree.size}`);
    }
    if (line.event !== undefined) take(line.event);
    tree.append(line.hash);
  };
  const { sha256, cutOff } = readLines(file, onLine, (done) => terms.onProgress?.(done / bytes));
  roots.set(tree.size, tree.root());
  return { size: tree.size, roots, restorations, environments, unfoldable, sha256, cutOff };
}

function isAt(line: EventLine, index: number, workspace: string): boolean {
  const decimal = String(index);
  const { version, indexInLeaf } = line;
  return (
    line.index === decimal && version === 'v1' && line.workspace === workspace && indexInLeaf === decimal
  );
}

function remembered(cache: Map<string, EventLine | undefined>): typeof parseLine {
  return (text) => {
    const known = cache.get(text);
    if (known !== undefined) return known;
    const line = parseLine(text);
    cache.set(text, line);
    return line;
  };
}

function epochIn(data: string | undefined): number | undefined {
  const { epoch } = (data === undefined ? undefined : objectIn(data)) ?? {};
  return isWhole(epoch) ? epoch : undefined;
}

/** Why the environments cannot take an event, or undefined once they have. */
function whyNot(environments: EnvironmentFold, { stream, type, data }: LineEvent): string | undefined {
  if (stream === undefined || type === undefined || data === undefined) return 'it is not all text';
  try {
    environments.take(stream, type, data);
    return undefined;
  } catch (error) {
    if (error instanceof Unfoldable) return error.message;
    throw error;
  }
}

/** What ended the epoch of a checkpoint before its size was reached. */
function restorationsOver({ epoch, size }: Checkpoint, { restorations }: Found): readonly Restoration[] {
  return restorations.filter((opening) => opening.index < size && (opening.epoch ?? 0) > epoch);
}

/** Checks 7 to 9. */
function refuseOtherEvents(found: Found, binding: readonly Checkpoint[], last: Checkpoint): void {
  let agreed = 0;
  for (const { size, root } of [...binding].sort((a, b) => a.size - b.size)) {
    if (size > found.size) {
      throw new CheckFailed(8, 'events that were signed are missing at the end', `${found.size} < ${size}`);
    }
    if (found.roots.get(size)?.equals(root) !== true) {
      const what = `the first ${size} events are not those that were signed; the first ${agreed} are`;
      throw new CheckFailed(7, what, `at size ${size}`);
    }
    agreed = size;
  }
  if (found.size > last.size) {
    throw new CheckFailed(9, 'there are more events than were signed', `at index ${last.size}`);
  }
  if (found.cutOff) throw new CheckFailed(9, 'bytes follow the last line', `at index ${found.size}`);
}

/** Check 10. */
function refuseWrongEpochs({ restorations }: Found, binding: readonly Checkpoint[]): void {
  let newest = 1;
  for (const { index, epoch } of restorations) {
    if (epoch === undefined || epoch <= newest) {
      throw new CheckFailed(10, 'a LogRestored that opens no later epoch', `at index ${index}`);
    }
    newest = epoch;
  }
  for (const { size, epoch } of binding) {
    const now = restorations.findLast(({ index }) => index < size)?.epoch ?? 1;
    if (epoch === now) continue;
    throw new CheckFailed(
      10,
      `a checkpoint of epoch ${epoch} over events of epoch ${now}`,
      `at size ${size}`,
    );
  }
}

/** Check 11. */
function refuseLosses(found: Found, [lost]: readonly Checkpoint[]): void {
  const [restoration] = lost === undefined ? [] : restorationsOver(lost, found);
  if (lost === undefined || restoration === undefined) return;
  const what = 'an older backup was taken into service; what a kept checkpoint covers was lost';
  throw new CheckFailed(11, what, `${restoration.index} < ${lost.size}`);
}

/** Checks 12 and 13. */
function refuseOtherClaims(found: Found, { checkpoints, pubkeys, manifest }: Bundle, last: Checkpoint): void {
  const { unfoldable, sha256 } = found;
  if (unfoldable !== undefined) throw new CheckFailed(12, unfoldable.why, `at index ${unfoldable.index}`);
  const expected = manifestOf({
    checkpoint: last,
    files: {
      'checkpoints.txt': sha256Of(checkpoints),
      'events.ndjson': sha256,
      'pubkeys.txt': sha256Of(pubkeys),
    },
    environments: found.environments.states(),
  });
  if (Buffer.from(expected, 'utf8').equals(manifest)) return;
  throw new CheckFailed(13, 'manifest.json does not follow from the other files');
}

function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
