// Which leaf of its workspace's Merkle tree every event is (docs/audit-format.md). Hashes are kept in tiles of 256: the
// first level holds those of the leaves, each next level those of the full tiles below it, so that any proof is
// computed from a few tiles and an event costs little more than its two hashes.
import { leafOf } from '../src/audit/leaf.js';
import { leafHash, nodeHash, rootOf, type Subtree } from '../src/audit/merkle.js';
import type { StoredFact } from '../src/domain/recorded.js';
import type { LogProjection, Rows, Tables } from './projection.js';

const TILE_LEVELS = 8;
const TILE_HASHES = 2 ** TILE_LEVELS;
const HASH_BYTES = 32;
const POSITION_BYTES = 8;

export const ledger: LogProjection = {
  name: 'ledger',
  version: 1,
  schema: `CREATE TABLE ledger_tiles (workspace TEXT NOT NULL, level INTEGER NOT NULL, n INTEGER NOT NULL,
      hashes BLOB NOT NULL, positions BLOB NOT NULL, first_position INTEGER) STRICT;
    CREATE UNIQUE INDEX ledger_tiles_by_place ON ledger_tiles (workspace, level, n);
    CREATE INDEX ledger_tiles_by_position ON ledger_tiles (workspace, first_position) WHERE level = 0`,
  take(tables, events) {
    const trees = new Map<string, GrowingTree>();
    for (const event of events) {
      const workspace = workspaceOf(event);
      let tree = trees.get(workspace);
      if (tree === undefined) trees.set(workspace, (tree = new GrowingTree(tables, workspace)));
      tree.append(event);
    }
    for (const tree of trees.values()) tree.write();
  },
};

/** Quotes inside a value are escaped, so this can only be the member itself. */
export function workspaceOf({ meta, position }: Pick<StoredFact, 'meta' | 'position'>): string {
  const workspace = /"workspace":"([^"\\]+)"/.exec(meta)?.[1];
  if (workspace === undefined) throw new Error(`The event at position ${position} names no workspace`);
  return workspace;
}

interface Tile {
  readonly n: number;
  hashes: Buffer[];
  positions: bigint[];
  isNew: boolean;
  hasGrown: boolean;
}

interface TileRow {
  readonly n: number;
  readonly hashes: Buffer;
  readonly positions: Buffer;
}

const TILE_COLUMNS = 'n, hashes, positions';

/** A tree at its right edge, with the last tile of each level. */
class GrowingTree {
  private readonly tiles: Tile[] = [];

  constructor(
    private readonly tables: Tables,
    private readonly workspace: string,
  ) {}

  append(event: StoredFact): void {
    const { n, hashes } = this.tile(0);
    const index = n * TILE_HASHES + hashes.length;
    const leaf = leafHash(leafOf(event, this.workspace, index));
    this.push(0, leaf, event.position);
  }

  write(): void {
    for (const [level, tile] of this.tiles.entries()) if (tile.hasGrown) this.writeTile(level, tile);
  }

  private push(level: number, hash: Buffer, position?: bigint): void {
    const tile = this.tile(level);
    tile.hashes.push(hash);
    if (position !== undefined) tile.positions.push(position);
    tile.hasGrown = true;
    if (tile.hashes.length < TILE_HASHES) return;
    this.writeTile(level, tile);
    this.tiles[level] = emptyTile(tile.n + 1);
    this.push(level + 1, rootOfRange(tile.hashes));
  }

  private tile(level: number): Tile {
    return (this.tiles[level] ??= this.lastTile(level));
  }

  private lastTile(level: number): Tile {
    const row = this.tables.get<TileRow>(
      `SELECT ${TILE_COLUMNS} FROM ledger_tiles WHERE workspace = ? AND level = ? ORDER BY n DESC LIMIT 1`,
      ...[this.workspace, level],
    );
    if (row === undefined) return emptyTile(0);
    const hashes = hashesIn(row.hashes);
    if (hashes.length === TILE_HASHES) return emptyTile(row.n + 1);
    return { n: row.n, hashes, positions: positionsIn(row.positions), isNew: false, hasGrown: false };
  }

  private writeTile(level: number, tile: Tile): void {
    const hashes = Buffer.concat(tile.hashes);
    const positions = Buffer.alloc(tile.positions.length * POSITION_BYTES);
    for (const [i, position] of tile.positions.entries()) {
      positions.writeBigUInt64BE(position, i * POSITION_BYTES);
    }
    if (tile.isNew) {
      this.tables.run(
        `INSERT INTO ledger_tiles (workspace, level, n, hashes, positions, first_position)
         VALUES (?, ?, ?, ?, ?, ?)`,
        ...[this.workspace, level, tile.n, hashes, positions, tile.positions[0] ?? null],
      );
    } else {
      this.tables.run(
        'UPDATE ledger_tiles SET hashes = ?, positions = ? WHERE workspace = ? AND level = ? AND n = ?',
        ...[hashes, positions, this.workspace, level, tile.n],
      );
    }
    tile.isNew = false;
    tile.hasGrown = false;
  }
}

/** The tree of a workspace, as far as the rows have come when this is made. */
export class Tree {
  readonly size: number;
  private readonly tiles = new Map<string, TileRow>();

  constructor(
    private readonly rows: Rows,
    private readonly workspace: string,
  ) {
    const last = this.rows.get<TileRow>(
      `SELECT ${TILE_COLUMNS} FROM ledger_tiles WHERE workspace = ? AND level = 0 ORDER BY n DESC LIMIT 1`,
      workspace,
    );
    this.size = last === undefined ? 0 : last.n * TILE_HASHES + last.hashes.length / HASH_BYTES;
    if (last !== undefined) this.tiles.set(`0 ${last.n}`, last);
  }

  root(size = this.size): Buffer {
    return rootOf(size, this.subtree);
  }

  /** The hash of the complete subtree over the leaves from `index * 2 ** level` on. */
  readonly subtree: Subtree = (level, index) => {
    const tileLevel = Math.floor(level / TILE_LEVELS);
    const count = 2 ** (level % TILE_LEVELS);
    const from = index * count;
    const { hashes } = this.tile(tileLevel, Math.floor(from / TILE_HASHES));
    const offset = (from % TILE_HASHES) * HASH_BYTES;
    return rootOfRange(hashesIn(hashes.subarray(offset, offset + count * HASH_BYTES)));
  };

  /** Undefined where the event at this position, if there is one, belongs to no leaf of this tree. */
  indexOf(position: bigint): number | undefined {
    const tile = this.rows.get<TileRow>(
      `SELECT ${TILE_COLUMNS} FROM ledger_tiles WHERE workspace = ? AND level = 0 AND first_position <= ?
       ORDER BY first_position DESC LIMIT 1`,
      ...[this.workspace, position],
    );
    const offset = tile === undefined ? -1 : positionsIn(tile.positions).indexOf(position);
    return tile === undefined || offset < 0 ? undefined : tile.n * TILE_HASHES + offset;
  }

  positionOf(index: number): bigint {
    const { positions } = this.tile(0, Math.floor(index / TILE_HASHES));
    return positions.readBigUInt64BE((index % TILE_HASHES) * POSITION_BYTES);
  }

  private tile(level: number, n: number): TileRow {
    const key = `${level} ${n}`;
    const known = this.tiles.get(key);
    if (known !== undefined) return known;
    const row = this.rows.get<TileRow>(
      `SELECT ${TILE_COLUMNS} FROM ledger_tiles WHERE workspace = ? AND level = ? AND n = ?`,
      ...[this.workspace, level, n],
    );
    if (row === undefined) throw new RangeError(`The tree of ${this.workspace} has no tile ${key}`);
    this.tiles.set(key, row);
    return row;
  }
}

/** Ids of all workspaces that have events. */
export function workspacesWithEvents(rows: Rows): string[] {
  return rows
    .all<{ workspace: string }>('SELECT DISTINCT workspace FROM ledger_tiles')
    .map((row) => row.workspace);
}

function emptyTile(n: number): Tile {
  return { n, hashes: [], positions: [], isNew: true, hasGrown: false };
}

function hashesIn(bytes: Buffer): Buffer[] {
  const count = bytes.length / HASH_BYTES;
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES));
}

function positionsIn(bytes: Buffer): bigint[] {
  const count = bytes.length / POSITION_BYTES;
  return Array.from({ length: count }, (_, i) => bytes.readBigUInt64BE(i * POSITION_BYTES));
}

/** Of a power of two of neighbours. */
function rootOfRange(hashes: readonly Buffer[]): Buffer {
  let level = hashes;
  while (level.length > 1) {
    level = Array.from({ length: level.length / 2 }, (_, i) => {
      return nodeHash(level[2 * i] as Buffer, level[2 * i + 1] as Buffer);
    });
  }
  return level[0] as Buffer;
}
