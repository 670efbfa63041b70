// The tiles of the ledger, against trees that are grown leaf by leaf: whatever batches the log comes in, and however
// many workspaces share it, every leaf, root and proof is the same.
import Database from 'better-sqlite3';
import { leafOf } from '../../src/audit/leaf.js';
import {
  consistencyProof,
  inclusionProof,
  leafHash,
  MerkleTree,
  verifyConsistency,
  verifyInclusion,
} from '../../src/audit/merkle.js';
import { SqliteTables } from '../../src/read/sqlite-tables.js';
import type { StoredFact } from '../../src/domain/recorded.js';
import { ledger, Tree, workspaceOf, workspacesWithEvents } from '../../projections/ledger.js';
import { Random, seed } from '../support/random.js';

const EVENTS = 70_000;
const [BUSY, QUIET] = ['0198c5a2-1000-7a01-8c11-4b7de2a90f01', '0198c5a2-1000-7a01-8c11-4b7de2a90f02'];
const random = new Random(seed);
const events = Array.from({ length: EVENTS }, (_, n): StoredFact => {
  const workspace = n % 50 === 7 ? QUIET : BUSY;
  const meta = JSON.stringify({ userAgent: '"workspace":"a trap"', workspace, n });
  // Positions may have gaps.
  const position = BigInt(n * 3 + 1);
  return {
    id: `e${n}`,
    type: 'FlowCreated',
    data: `{"n":${n}}`,
    meta,
    stream: `flow-${n % 9}`,
    revision: n,
    position,
  };
});

const tables = emptyTables();
const grown = new Map([BUSY, QUIET].map((workspace) => [workspace, new MerkleTree()]));
const roots = new Map([BUSY, QUIET].map((workspace) => [workspace, [new MerkleTree().root()]]));
const positions = new Map<string, bigint[]>([BUSY, QUIET].map((workspace) => [workspace, []]));

beforeAll(() => {
  for (let at = 0; at < EVENTS;) {
    const batch = events.slice(at, at + 1 + random.below(2_000));
    ledger.take(tables, batch);
    at += batch.length;
  }
  for (const event of events) {
    const workspace = workspaceOf(event);
    const tree = grown.get(workspace) as MerkleTree;
    tree.append(leafHash(leafOf(event, workspace, tree.size)));
    roots.get(workspace)?.push(tree.root());
    positions.get(workspace)?.push(event.position);
  }
});

function emptyTables(): SqliteTables {
  const database = new Database(':memory:');
  database.exec(ledger.schema);
  return new SqliteTables(database);
}

describe.each([
  ['a workspace with more than 65,536 events', BUSY],
  ['a workspace with few', QUIET],
])('The ledger of %s', (_, workspace) => {
  const rootsOf = () => roots.get(workspace) as Buffer[];

  it('has the size and, at any size, the root of a tree that was grown leaf by leaf', () => {
    const tree = new Tree(tables, workspace);
    expect(tree.size).toBe(rootsOf().length - 1);
    const sizes = [
      0,
      1,
      2,
      255,
      256,
      257,
      tree.size - 1,
      tree.size,
      ...Array.from({ length: 50 }, () => random.below(tree.size)),
    ];
    for (const size of sizes.filter((one) => one <= tree.size)) {
      expect({ size, root: tree.root(size) }).toEqual({ size, root: rootsOf()[size] });
    }
  });

  it('finds the leaf of every position, and none between them', () => {
    const tree = new Tree(tables, workspace);
    for (let i = 0; i < 200; i += 1) {
      const index = random.below(tree.size);
      const position = positions.get(workspace)?.[index] as bigint;
      expect(tree.indexOf(position)).toBe(index);
      expect(tree.positionOf(index)).toBe(position);
      expect(tree.indexOf(position + 1n)).toBeUndefined();
    }
    expect(tree.indexOf(0n)).toBeUndefined();
  });

  it('gives proofs that hold', () => {
    const tree = new Tree(tables, workspace);
    for (let i = 0; i < 50; i += 1) {
      const size = 1 + random.below(tree.size);
      const index = random.below(size);
      const root = rootsOf()[size] as Buffer;
      const proof = inclusionProof(index, size, tree.subtree);
      expect(verifyInclusion({ index, size, leaf: tree.subtree(0, index), root, proof })).toBe(true);
      const from = random.below(size + 1);
      const grew = { from, to: size, fromRoot: rootsOf()[from] as Buffer, toRoot: root };
      expect(verifyConsistency({ ...grew, proof: consistencyProof(from, size, tree.subtree) })).toBe(true);
    }
  });
});

describe('The ledger', () => {
  it('has the same rows when events come one by one', () => {
    const few = events.slice(0, 700);
    const [one, all] = [emptyTables(), emptyTables()];
    for (const event of few) ledger.take(one, [event]);
    ledger.take(all, few);
    const sql = 'SELECT * FROM ledger_tiles ORDER BY workspace, level, n';
    expect(one.all(sql)).toEqual(all.all(sql));
  });

  it('knows its workspaces, and is not led astray by what stands inside a text', () => {
    expect(workspacesWithEvents(tables).sort()).toEqual([BUSY, QUIET]);
  });

  it('does not pass over an event that names no workspace', () => {
    const [event] = events as [StoredFact];
    expect(() => ledger.take(emptyTables(), [{ ...event, meta: '{}' }])).toThrow('names no workspace');
  });
});
