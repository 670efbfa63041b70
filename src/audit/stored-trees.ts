// The trees of all workspaces, computed from the events as the store gives them and apart from every view: what is
// signed was read again, so that a bit that fell over between the append and the signature is not vouched for.
import { type Tree, workspaceOf } from '../../projections/ledger.js';
import { START, type EventStore, type Position, type StoredEvent } from '../store/event-store.js';
import { leafOf } from './leaf.js';
import { leafHash, MerkleTree } from './merkle.js';

/** Hashed in one go, about half a millisecond: others wait that long. */
const PAGE_EVENTS = 64;

/** Called after each event that a tree has taken. */
export type OnLeaf = (workspace: string, tree: MerkleTree) => void;

interface StoredTree {
  readonly tree: MerkleTree;
  /** Events up to here are in it already. */
  readonly from: Position;
}

export class StoredTrees {
  private readonly trees = new Map<string, StoredTree>();
  private position: Position | undefined;

  constructor(private readonly store: EventStore) {}

  /** Begins a tree with its first `size` leaves, whose root has been checked. The others begin with none. */
  beginAt(workspace: string, tree: Tree, size: number): void {
    const from = size === 0 ? START : tree.positionOf(size - 1);
    this.trees.set(workspace, { tree: MerkleTree.from(size, frontierOf(tree, size)), from });
  }

  tree(workspace: string): MerkleTree {
    return this.of(workspace).tree;
  }

  get workspaces(): readonly string[] {
    return [...this.trees.keys()];
  }

  /** Takes in everything up to a position. `pause` is awaited between pages and may throw to end it. */
  async advance(to: Position, onLeaf?: OnLeaf, pause?: (reached: Position) => Promise<void>): Promise<void> {
    let after = (this.position ??= this.earliest());
    while (after < to) {
      const page = await this.store.readAll({ after, limit: PAGE_EVENTS });
      if (page.length === 0) return;
      for (const event of page) {
        if (event.position > to) return;
        this.take(event, onLeaf);
        this.position = after = event.position;
      }
      await pause?.(after);
    }
  }

  private take(event: StoredEvent, onLeaf: OnLeaf | undefined): void {
    const workspace = workspaceOf(event);
    const { tree, from } = this.of(workspace);
    if (event.position <= from) return;
    tree.append(leafHash(leafOf(event, workspace, tree.size)));
    onLeaf?.(workspace, tree);
  }

  private earliest(): Position {
    const places = [...this.trees.values()].map(({ from }) => from);
    return places.reduce((least, place) => (place < least ? place : least), places[0] ?? START);
  }

  private of(workspace: string): StoredTree {
    let known = this.trees.get(workspace);
    if (known === undefined) {
      known = { tree: new MerkleTree(), from: START };
      this.trees.set(workspace, known);
    }
    return known;
  }
}

/** The complete subtrees that a tree of this size is made of, from the left. */
function frontierOf({ subtree }: Tree, size: number): Buffer[] {
  const hashes: Buffer[] = [];
  let begin = 0;
  for (let level = Math.floor(Math.log2(size || 1)); level >= 0; level -= 1) {
    const leaves = 2 ** level;
    if (begin + leaves > size) continue;
    hashes.push(subtree(level, begin / leaves));
    begin += leaves;
  }
  return hashes;
}
