// The whole log read again, against every checkpoint that is remembered of it: the views may remember events as they
// were when they came, and nothing but their bytes tells whether they still are so.
import type { RecordState } from '../domain/record.js';
import { type EventStore, type Position } from '../store/event-store.js';
import { stillCounts } from './compare-with-heads.js';
import type { HeadsLog } from './heads-log.js';
import { StoredTrees } from './stored-trees.js';

interface Over {
  readonly store: EventStore;
  readonly heads: HeadsLog;
  readonly recordOf: (workspace: string) => Promise<RecordState>;
}

export interface Reread {
  readonly events: number;
  /** How many checkpoints were held against the log. */
  readonly checkpoints: number;
  /** One line for each workspace that is not what was signed. */
  readonly differences: readonly string[];
}

/** `pause` is awaited between pages, and may throw to end it. */
export async function reread(
  { store, heads, recordOf }: Over,
  to: Position,
  pause: (reached: Position) => Promise<void>,
): Promise<Reread> {
  const trees = new StoredTrees(store);
  const roots = new Map<string, Map<number, Buffer>>();
  for (const workspace of heads.workspaces) {
    const record = await recordOf(workspace);
    const signed = heads.signed(workspace).filter(({ checkpoint }) => stillCounts(record, checkpoint));
    roots.set(workspace, new Map(signed.map(({ checkpoint }) => [checkpoint.size, checkpoint.root])));
  }
  const checkpoints = [...roots.values()].reduce((sum, { size }) => sum + size, 0);
  const differing = new Map<string, number>();
  let events = 0;
  if (checkpoints > 0) {
    await trees.advance(
      to,
      (workspace, tree) => {
        events += 1;
        const root = roots.get(workspace)?.get(tree.size);
        if (root === undefined || differing.has(workspace) || tree.root().equals(root)) return;
        differing.set(workspace, tree.size);
      },
      pause,
    );
  }
  const differences = [...differing].map(
    ([workspace, size]) =>
      `The log of workspace ${workspace} is different: its first ${size} events are not those that were signed.`,
  );
  return { events, checkpoints, differences };
}
