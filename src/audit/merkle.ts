// The append-only Merkle tree of RFC 6962 and RFC 9162: its root, and the proofs that an entry is in it and that one
// tree is the beginning of another. Pure functions over hashes; where hashes are kept is for the caller to say.
import { createHash, hash } from 'node:crypto';

const HASH_BYTES = 32;
const LEAF = 0x00;
const NODE = 0x01;
/** Larger entries are hashed in two steps rather than copied. */
const COPIED_AT_MOST = 16_384;

/** The hash of the complete subtree of 2^level leaves that begins at leaf index · 2^level. */
export type Subtree = (level: number, index: number) => Buffer;

export interface Inclusion {
  readonly index: number;
  readonly size: number;
  /** The hash of the leaf, not its data. */
  readonly leaf: Uint8Array;
  readonly root: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

export interface Consistency {
  readonly from: number;
  readonly to: number;
  readonly fromRoot: Uint8Array;
  readonly toRoot: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

// One call of `hash` with its input in one piece takes a third of the time that a hash object takes.
const leafInput = Buffer.alloc(1 + COPIED_AT_MOST, LEAF);
const nodeInput = Buffer.alloc(1 + 2 * HASH_BYTES, NODE);

export const EMPTY_ROOT = sha256(Buffer.alloc(0));

export function leafHash(data: Uint8Array): Buffer {
  if (data.length > COPIED_AT_MOST) {
    return createHash('sha256').update(Uint8Array.of(LEAF)).update(data).digest();
  }
  leafInput.set(data, 1);
  return sha256(leafInput.subarray(0, 1 + data.length));
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + HASH_BYTES);
  return sha256(nodeInput);
}

/** A tree that only grows, kept as the roots of the complete subtrees that it is made of. */
export class MerkleTree {
  private leaves = 0;
  private readonly subtrees: Buffer[] = [];

  /** The tree that had this size and this frontier. */
  static from(size: number, frontier: readonly Buffer[]): MerkleTree {
    if (!Number.isSafeInteger(size) || size < 0) throw new RangeError(`A tree cannot have the size ${size}`);
    const complete = size.toString(2).replaceAll('0', '').length;
    if (frontier.length !== complete || frontier.some((hash) => hash.length !== HASH_BYTES)) {
      throw new RangeError(`The frontier of a tree of size ${size} has ${complete} hashes`);
    }
    const tree = new MerkleTree();
    tree.leaves = size;
    tree.subtrees.push(...frontier);
    return tree;
  }

  get size(): number {
    return this.leaves;
  }

  /** The largest subtree first. */
  get frontier(): readonly Buffer[] {
    return this.subtrees;
  }

  append(leaf: Buffer): void {
    let last = leaf;
    // Each bit of the size stands for a subtree; adding a leaf carries over those that stand at its end.
    for (let rest = this.leaves; rest % 2 === 1; rest = (rest - 1) / 2) {
      const left = this.subtrees.pop();
      if (left !== undefined) last = nodeHash(left, last);
    }
    this.subtrees.push(last);
    this.leaves += 1;
  }

  root(): Buffer {
    return this.subtrees.length === 0
      ? EMPTY_ROOT
      : this.subtrees.reduceRight((right, left) => nodeHash(left, right));
  }
}

export function rootOf(size: number, subtree: Subtree): Buffer {
  return size === 0 ? EMPTY_ROOT : rangeRoot(0, size, subtree);
}

/** That the leaf at `index` is in the tree of `size` leaves, from its neighbour up to the root. */
export function inclusionProof(index: number, size: number, subtree: Subtree): Buffer[] {
  if (!isCount(index) || !isCount(size) || index >= size) {
    throw new RangeError(`A tree of ${size} leaves has none at index ${index}`);
  }
  const proof: Buffer[] = [];
  let [start, length] = [0, size];
  while (length > 1) {
    const split = splitOf(length);
    if (index < start + split) {
      proof.push(rangeRoot(start + split, length - split, subtree));
      length = split;
    } else {
      proof.push(rangeRoot(start, split, subtree));
      start += split;
      length -= split;
    }
  }
  return proof.reverse();
}

/** That the tree of `from` leaves is the beginning of that of `to` leaves. Nothing needs no proof. */
export function consistencyProof(from: number, to: number, subtree: Subtree): Buffer[] {
  if (!isCount(from) || !isCount(to) || from > to) {
    throw new RangeError(`A tree of ${from} leaves is no beginning of one of ${to}`);
  }
  const proof: Buffer[] = [];
  if (from === 0 || from === to) return proof;
  let [start, length] = [0, to];
  while (start + length !== from) {
    const split = splitOf(length);
    if (from <= start + split) {
      proof.push(rangeRoot(start + split, length - split, subtree));
      length = split;
    } else {
      proof.push(rangeRoot(start, split, subtree));
      start += split;
      length -= split;
    }
  }
  // A verifier has the old root already; only where that is no subtree of the new tree must it be told this one.
  if (start > 0) proof.push(rangeRoot(start, length, subtree));
  return proof.reverse();
}

/** RFC 9162 §2.1.3.2. */
export function verifyInclusion({ index, size, leaf, root, proof }: Inclusion): boolean {
  if (!isCount(index) || !isCount(size) || index >= size) return false;
  if (![leaf, root, ...proof].every(isHash)) return false;
  let [place, last] = [index, size - 1];
  let reached = leaf;
  for (const hash of proof) {
    if (last === 0) return false;
    if (place % 2 === 1 || place === last) {
      reached = nodeHash(hash, reached);
      while (place % 2 === 0 && place !== 0) [place, last] = [half(place), half(last)];
    } else {
      reached = nodeHash(reached, hash);
    }
    [place, last] = [half(place), half(last)];
  }
  return last === 0 && same(reached, root);
}

/** RFC 9162 §2.1.4.2, and what it leaves out: everything begins with nothing, and a tree begins with itself. */
export function verifyConsistency({ from, to, fromRoot, toRoot, proof }: Consistency): boolean {
  if (!isCount(from) || !isCount(to) || from > to) return false;
  if (![fromRoot, toRoot, ...proof].every(isHash)) return false;
  if (from === to) return proof.length === 0 && same(fromRoot, toRoot);
  if (from === 0) return proof.length === 0 && same(fromRoot, EMPTY_ROOT);
  const [seed, ...rest] = levelOf(from) === undefined ? proof : [fromRoot, ...proof];
  if (seed === undefined) return false;
  let [place, last] = [from - 1, to - 1];
  while (place % 2 === 1) [place, last] = [half(place), half(last)];
  let [older, newer] = [seed, seed];
  for (const hash of rest) {
    if (last === 0) return false;
    if (place % 2 === 1 || place === last) {
      older = nodeHash(hash, older);
      newer = nodeHash(hash, newer);
      while (place % 2 === 0 && place !== 0) [place, last] = [half(place), half(last)];
    } else {
      newer = nodeHash(newer, hash);
    }
    [place, last] = [half(place), half(last)];
  }
  return last === 0 && same(older, fromRoot) && same(newer, toRoot);
}

/** Of the leaves from `start` on, which is a multiple of the next power of two from `length` up. */
function rangeRoot(start: number, length: number, subtree: Subtree): Buffer {
  const level = levelOf(length);
  if (level !== undefined) return subtree(level, start / length);
  const split = splitOf(length);
  return nodeHash(rangeRoot(start, split, subtree), rangeRoot(start + split, length - split, subtree));
}

/** The largest power of two below it. Logarithms would be wrong for the largest numbers. */
function splitOf(length: number): number {
  let split = 1;
  while (split * 2 < length) split *= 2;
  return split;
}

/** Of which power of two it is, if it is one. */
function levelOf(length: number): number | undefined {
  let level = 0;
  while (2 ** level < length) level += 1;
  return 2 ** level === length ? level : undefined;
}

function half(number: number): number {
  return Math.floor(number / 2);
}

function isCount(number: number): boolean {
  return Number.isSafeInteger(number) && number >= 0;
}

function isHash(hash: Uint8Array): boolean {
  return hash instanceof Uint8Array && hash.length === HASH_BYTES;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** By way of a string of single bytes: Node makes that, and a buffer of it, sooner than it makes a buffer. */
function sha256(input: Buffer): Buffer {
  return Buffer.from(hash('sha256', input, 'binary'), 'binary');
}
