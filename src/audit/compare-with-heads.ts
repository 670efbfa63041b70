// Is this the log that was here before? What the heads remember of a workspace is held against the events that its
// log has now: it may have grown, but not lost anything and not changed.
import type { RecordState } from '../domain/record.js';
import { eventAt } from '../read/log-follower.js';
import type { Tree } from '../../projections/ledger.js';
import type { EventStore } from '../store/event-store.js';
import type { HeadsLog, SignedCheckpoint } from './heads-log.js';
import { leafOf } from './leaf.js';
import { leafHash } from './merkle.js';

/** What is wrong with the log of one workspace. */
export interface Loss {
  readonly workspace: string;
  readonly kind: 'shorter' | 'different';
  /** How many of its first events are known to be as they were, and how many there had been. */
  readonly survived: number;
  readonly known: number;
  readonly knownEpoch: number;
  /** The newest signed checkpoint that covers lost events. */
  readonly checkpoint: string | null;
  /** Position of the last event that the heads tell of; null where only a checkpoint does. */
  readonly knownPosition: bigint | null;
}

interface Over {
  readonly store: EventStore;
  readonly heads: HeadsLog;
  readonly tree: Tree;
  readonly record: RecordState;
}

/** Undefined when all that the heads tell of is there. */
export async function lossOf(workspace: string, over: Over): Promise<Loss | undefined> {
  const { heads, tree, record } = over;
  const kept = heads.head(workspace);
  const head = kept !== undefined && stillCounts(record, kept) ? kept : undefined;
  const signed = heads.signed(workspace).filter(({ checkpoint }) => stillCounts(record, checkpoint));
  const known = Math.max(head?.size ?? 0, ...signed.map(({ checkpoint }) => checkpoint.size));
  const newest = signed.at(-1);
  const wrongLeaf = head !== undefined && head.size <= tree.size && !(await hasLeaf(workspace, over, head));
  const newestHolds = newest === undefined || holds(tree, newest);
  if (known <= tree.size && newestHolds && !wrongLeaf) return undefined;
  const covered = signed.filter(({ checkpoint }) => checkpoint.size <= tree.size);
  const isDifferent = wrongLeaf || covered.some((one) => !holds(tree, one));
  const proven = covered.filter((one) => holds(tree, one)).map(({ checkpoint }) => checkpoint.size);
  return {
    ...{ workspace, known },
    kind: isDifferent ? 'different' : 'shorter',
    survived: isDifferent ? Math.max(0, ...proven) : tree.size,
    knownEpoch: Math.max(1, ...[kept, ...signed.map((one) => one.checkpoint)].map((one) => one?.epoch ?? 1)),
    checkpoint: signed.findLast((one) => !holds(tree, one))?.note ?? null,
    knownPosition: head?.position ?? null,
  };
}

/** One line for the operator. */
export function describeLoss(loss: Loss, logEnd: bigint): string {
  const { kind, workspace, survived, known, knownPosition } = loss;
  const what = `Workspace ${workspace} had ${known} events`;
  const until = knownPosition === null ? '' : ` to ${knownPosition}`;
  return kind === 'shorter'
    ? `The log is shorter than it was: it ends at position ${logEnd}, from ${logEnd + 1n} on${until} it is missing. ` +
        `${what} and has ${survived}.`
    : `The log is not the one that was here before. ${what}; the first ${survived} are as they were, ` +
        'from there on it is different.';
}

/** False for what was lost when an older backup was taken into service: the record says so itself. */
export function stillCounts(
  { restored }: RecordState,
  { epoch, size }: { readonly epoch: number; readonly size: number },
): boolean {
  return restored.every((later) => later.epoch <= epoch || size <= later.survived);
}

function holds(tree: Tree, { checkpoint: { size, root } }: SignedCheckpoint): boolean {
  return size <= tree.size && tree.root(size).equals(root);
}

/** Read again from the log: the views may remember what is no longer there. */
async function hasLeaf(
  workspace: string,
  { store, tree }: Over,
  { size, leaf }: { readonly size: number; readonly leaf: string },
): Promise<boolean> {
  if (size === 0) return true;
  const index = size - 1;
  const event = await eventAt(store, tree.positionOf(index));
  if (event === undefined) return false;
  return leafHash(leafOf(event, workspace, index)).toString('base64') === leaf;
}
