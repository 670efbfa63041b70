// The Merkle tree against the vectors of the certificate-transparency reference, against RFC 6962 taken word by word,
// and every proof of every small tree: the right one holds, and no other does.
import { createHash } from 'node:crypto';
import {
  consistencyProof,
  EMPTY_ROOT,
  inclusionProof,
  leafHash,
  MerkleTree,
  nodeHash,
  rootOf,
  verifyConsistency,
  verifyInclusion,
  type Consistency,
  type Inclusion,
  type Subtree,
} from '../../src/audit/merkle.js';
import { Random, seed } from '../support/random.js';

const REFERENCE_LEAVES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const REFERENCE_ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const PATH_OF_LEAF_0_OF_8 = [
  '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
  '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
  '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
];
const SMALL = 70;

const leaves = Array.from({ length: 3_000 }, (_, index) => leafHash(Buffer.from(`leaf ${index}`)));
const roots = Array.from({ length: SMALL + 1 }, (_, size) => rootByTheBook(leaves.slice(0, size)));
const subtree = subtreesOf(leaves);

describe('A tree', () => {
  const reference = REFERENCE_LEAVES.map((hex) => leafHash(Buffer.from(hex, 'hex')));

  it('has the roots of the reference', () => {
    const tree = new MerkleTree();
    const found = [tree.root()];
    for (const leaf of reference) {
      tree.append(leaf);
      found.push(tree.root());
    }
    expect(found.map((root) => root.toString('hex'))).toEqual(REFERENCE_ROOTS);
    expect(EMPTY_ROOT.toString('hex')).toBe(REFERENCE_ROOTS[0]);
    expect(REFERENCE_ROOTS.map((_, size) => rootOf(size, subtreesOf(reference)).toString('hex'))).toEqual(
      REFERENCE_ROOTS,
    );
  });

  it('has the paths of the reference', () => {
    const proof = inclusionProof(0, 8, subtreesOf(reference));
    expect(proof.map((hash) => hash.toString('hex'))).toEqual(PATH_OF_LEAF_0_OF_8);
    expect(consistencyProof(1, 8, subtreesOf(reference))).toEqual(proof);
  });

  it('has the root that RFC 6962 defines, and goes on from any size', () => {
    for (let size = 0; size <= SMALL; size += 1) {
      const tree = treeOf(leaves.slice(0, size));
      expect(tree.size).toBe(size);
      expect(tree.root()).toEqual(roots[size]);
      const resumed = MerkleTree.from(size, tree.frontier);
      for (const leaf of leaves.slice(size, SMALL)) resumed.append(leaf);
      expect(resumed.root()).toEqual(roots[SMALL]);
    }
  });

  it('is not resumed from what cannot be its frontier', () => {
    const { frontier } = treeOf(leaves.slice(0, 5));
    expect(() => MerkleTree.from(6, [])).toThrow(RangeError);
    expect(() => MerkleTree.from(7, frontier)).toThrow(RangeError);
    expect(() => MerkleTree.from(-1, [])).toThrow(RangeError);
    expect(() => MerkleTree.from(1, [Buffer.alloc(31)])).toThrow(RangeError);
  });

  it('hashes a leaf of any length, and never as a node', () => {
    for (const length of [0, 1, 64, 16_383, 16_384, 16_385, 100_000]) {
      const data = Buffer.alloc(length, 7);
      expect(leafHash(data)).toEqual(sha256(Buffer.of(0), data));
    }
    const [left = EMPTY_ROOT, right = EMPTY_ROOT] = leaves;
    expect(nodeHash(left, right)).toEqual(sha256(Buffer.of(1), left, right));
  });
});

describe('A proof of inclusion', () => {
  it('holds for every leaf of every small tree, and for no other leaf, index or root', () => {
    for (let size = 1; size <= SMALL; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const right = inclusion(index, size);
        expect(verifyInclusion(right)).toBe(true);
        expect(verifyInclusion({ ...right, leaf: leaves[index + 1] ?? EMPTY_ROOT })).toBe(false);
        expect(verifyInclusion({ ...right, index: index + 1 })).toBe(false);
        expect(verifyInclusion({ ...right, index: index - 1 })).toBe(false);
        expect(verifyInclusion({ ...right, root: roots[size - 1] ?? EMPTY_ROOT })).toBe(false);
        expect(verifyInclusion({ ...right, proof: [...right.proof, EMPTY_ROOT] })).toBe(false);
        expect(right.proof.length === 0 || !verifyInclusion({ ...right, proof: right.proof.slice(1) })).toBe(
          true,
        );
      }
    }
  });

  it('is refused with any bit of it changed', () => {
    for (const size of [1, 2, 3, 7, 8, 13]) {
      for (let index = 0; index < size; index += 1) {
        const right = inclusion(index, size);
        for (const proof of bitFlips(right.proof)) expect(verifyInclusion({ ...right, proof })).toBe(false);
        for (const [leaf = EMPTY_ROOT] of bitFlips([right.leaf])) {
          expect(verifyInclusion({ ...right, leaf })).toBe(false);
        }
      }
    }
  });

  it(`holds in larger trees (TEST_SEED=${seed})`, () => {
    const random = new Random(seed);
    for (let count = 0; count < 300; count += 1) {
      const size = 1 + random.below(leaves.length);
      const index = random.below(size);
      const [leaf = EMPTY_ROOT, root] = [leaves[index], rootOf(size, subtree)];
      const proof = inclusionProof(index, size, subtree);
      expect(verifyInclusion({ index, size, leaf, root, proof })).toBe(true);
      expect(verifyInclusion({ index, size, leaf, root, proof: proof.toReversed() })).toBe(proof.length < 2);
    }
    expect(rootOf(leaves.length, subtree)).toEqual(treeOf(leaves).root());
  });

  it('of what is not there is neither made nor believed', () => {
    const right = inclusion(3, 8);
    expect(() => inclusionProof(8, 8, subtree)).toThrow(RangeError);
    expect(() => inclusionProof(-1, 8, subtree)).toThrow(RangeError);
    for (const index of [8, -1, 0.5, NaN, Infinity, 2 ** 60])
      expect(verifyInclusion({ ...right, index })).toBe(false);
    for (const size of [0, 3, 3.5, NaN, Infinity]) expect(verifyInclusion({ ...right, size })).toBe(false);
    for (const hash of [Buffer.alloc(0), Buffer.alloc(31), Buffer.alloc(33), Buffer.alloc(1_000)]) {
      expect(verifyInclusion({ ...right, leaf: hash })).toBe(false);
      expect(verifyInclusion({ ...right, root: hash })).toBe(false);
      expect(verifyInclusion({ ...right, proof: [...right.proof.slice(1), hash] })).toBe(false);
    }
  });
});

describe('A proof of consistency', () => {
  it('holds between every two small trees, and for no other sizes or roots', () => {
    for (let to = 0; to <= SMALL; to += 1) {
      for (let from = 0; from <= to; from += 1) {
        const right = consistency(from, to);
        expect(verifyConsistency(right)).toBe(true);
        expect(verifyConsistency({ ...right, fromRoot: leaves[99] ?? EMPTY_ROOT })).toBe(false);
        // Everything begins with nothing, so of what comes after it no root is asked.
        expect(verifyConsistency({ ...right, toRoot: leaves[99] ?? EMPTY_ROOT })).toBe(from === 0 && to > 0);
        expect(verifyConsistency({ ...right, proof: [...right.proof, EMPTY_ROOT] })).toBe(false);
        expect(verifyConsistency({ ...right, from: to + 1 })).toBe(false);
        expect(
          right.proof.length === 0 || !verifyConsistency({ ...right, proof: right.proof.slice(1) }),
        ).toBe(true);
        if (from > 0 && from < to) expect(verifyConsistency({ ...right, from: from - 1 })).toBe(false);
      }
    }
  });

  it('is refused with any bit of it changed', () => {
    for (const to of [2, 3, 7, 8, 13]) {
      for (let from = 1; from < to; from += 1) {
        const right = consistency(from, to);
        for (const proof of bitFlips(right.proof)) expect(verifyConsistency({ ...right, proof })).toBe(false);
        for (const [root = EMPTY_ROOT] of bitFlips([right.fromRoot])) {
          expect(verifyConsistency({ ...right, fromRoot: root })).toBe(false);
        }
        for (const [root = EMPTY_ROOT] of bitFlips([right.toRoot])) {
          expect(verifyConsistency({ ...right, toRoot: root })).toBe(false);
        }
      }
    }
  });

  it(`holds between larger trees (TEST_SEED=${seed})`, () => {
    const random = new Random(seed);
    for (let count = 0; count < 300; count += 1) {
      const to = 1 + random.below(leaves.length);
      const from = random.below(to + 1);
      const [fromRoot, toRoot] = [rootOf(from, subtree), rootOf(to, subtree)];
      const proof = consistencyProof(from, to, subtree);
      expect(verifyConsistency({ from, to, fromRoot, toRoot, proof })).toBe(true);
    }
  });

  it('holds between trees as large as numbers go, where logarithms and shifts are wrong', () => {
    const uniform = [leafHash(Buffer.of(1))];
    const alike: Subtree = (level) => {
      const below = level === 0 ? uniform[0] : alike(level - 1, 0);
      return (uniform[level] ??= nodeHash(below ?? EMPTY_ROOT, below ?? EMPTY_ROOT));
    };
    const sizes = [3, 2 ** 31 + 1, 2 ** 32, 2 ** 49 - 1, 2 ** 49, 2 ** 49 + 1, 2 ** 52 + 1, 2 ** 53 - 1];
    for (const to of sizes) {
      for (const from of sizes.filter((size) => size <= to)) {
        const [fromRoot, toRoot] = [rootOf(from, alike), rootOf(to, alike)];
        const right = { from, to, fromRoot, toRoot, proof: consistencyProof(from, to, alike) };
        expect(verifyConsistency(right)).toBe(true);
        expect(verifyConsistency({ ...right, fromRoot: EMPTY_ROOT })).toBe(false);
        const [index, leaf] = [from - 1, alike(0, 0)];
        const proof = inclusionProof(index, to, alike);
        expect(verifyInclusion({ index, size: to, leaf, root: toRoot, proof })).toBe(true);
      }
    }
  });

  it('of what is no beginning is neither made nor believed', () => {
    const right = consistency(3, 8);
    expect(() => consistencyProof(9, 8, subtree)).toThrow(RangeError);
    for (const from of [9, -1, 0.5, NaN, Infinity]) expect(verifyConsistency({ ...right, from })).toBe(false);
    for (const to of [2, 8.5, NaN, Infinity]) expect(verifyConsistency({ ...right, to })).toBe(false);
    for (const hash of [Buffer.alloc(0), Buffer.alloc(31), Buffer.alloc(1_000)]) {
      expect(verifyConsistency({ ...right, fromRoot: hash })).toBe(false);
      expect(verifyConsistency({ ...right, toRoot: hash })).toBe(false);
      expect(verifyConsistency({ ...right, proof: [hash, ...right.proof.slice(1)] })).toBe(false);
    }
  });
});

function inclusion(index: number, size: number): Inclusion {
  const [leaf = EMPTY_ROOT, root = EMPTY_ROOT] = [leaves[index], roots[size]];
  return { index, size, leaf, root, proof: inclusionProof(index, size, subtree) };
}

function consistency(from: number, to: number): Consistency {
  const [fromRoot = EMPTY_ROOT, toRoot = EMPTY_ROOT] = [roots[from], roots[to]];
  return { from, to, fromRoot, toRoot, proof: consistencyProof(from, to, subtree) };
}

function treeOf(hashes: readonly Buffer[]): MerkleTree {
  const tree = new MerkleTree();
  for (const hash of hashes) tree.append(hash);
  return tree;
}

function subtreesOf(hashes: readonly Buffer[]): Subtree {
  return (level, index) => treeOf(hashes.slice(index * 2 ** level, (index + 1) * 2 ** level)).root();
}

/** RFC 6962 §2.1, as it stands there. */
function rootByTheBook(hashes: readonly Buffer[]): Buffer {
  const [first] = hashes;
  if (first === undefined) return sha256();
  if (hashes.length === 1) return first;
  let split = 1;
  while (split * 2 < hashes.length) split *= 2;
  return sha256(Buffer.of(1), rootByTheBook(hashes.slice(0, split)), rootByTheBook(hashes.slice(split)));
}

function sha256(...pieces: readonly Uint8Array[]): Buffer {
  return createHash('sha256').update(Buffer.concat(pieces)).digest();
}

/** The same hashes, once for each bit, with that bit the other way. */
function* bitFlips(hashes: readonly Uint8Array[]): Generator<Uint8Array[]> {
  for (const [index, hash] of hashes.entries()) {
    for (let bit = 0; bit < 8 * hash.length; bit += 1) {
      const flipped = Buffer.from(hash);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      yield hashes.with(index, flipped);
    }
  }
}
