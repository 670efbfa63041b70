// Signs what the log holds: every ten seconds where it has grown, when asked, and at the stop. Each signature stands on
// events that were read again, and is remembered outside of the log. At the start the log is held against what is
// remembered of it; one that lost something, or is another one, is fenced.
import { assert } from '../domain/decider.js';
import type { RecordKeeper } from '../commands/keep-record.js';
import type { LogFollower } from '../read/log-follower.js';
import { START, type EventStore, type Position } from '../store/event-store.js';
import { ledger, Tree, workspacesWithEvents } from '../../projections/ledger.js';
import type { Rows } from '../../projections/projection.js';
import type { CheckpointSink, SinkLog } from './checkpoint-sink.js';
import { checkpointText, originOf, type SigningKey } from './checkpoint.js';
import { describeLoss, lossOf, stillCounts, type Loss } from './compare-with-heads.js';
import type { Fence } from './fence.js';
import { signedCheckpoint, type HeadsLog, type SignedCheckpoint } from './heads-log.js';
import { reread } from './reread.js';
import { StoredTrees } from './stored-trees.js';

const SIGN_MS = 10_000;
const HEADS_MS = 100;
/** Between two pages when the whole log is read again in the background. */
const PAUSE_MS = 10;
/** A stop does not wait longer for a last signature; the next start signs what is left. */
const CLOSE_MS_MAX = 4_000;

interface Over {
  readonly store: EventStore;
  readonly follower: LogFollower;
  readonly keeper: RecordKeeper;
  readonly fence: Fence;
  readonly heads: HeadsLog;
  readonly key: SigningKey;
  readonly sink: CheckpointSink | undefined;
  readonly log: SinkLog;
}

export class Checkpoints {
  private trees: StoredTrees;
  private headsAt: Position = START;
  private signing: Promise<unknown> = Promise.resolve();
  /** Workspaces whose log names the key. */
  private readonly announced = new Set<string>();
  /** By workspace, where it is not the first. */
  private readonly epochs = new Map<string, number>();
  private readonly timers: NodeJS.Timeout[] = [];
  /** Undefined before the beginning. */
  private rereading: Promise<void> | undefined;
  private closing = false;
  private closeBy = Infinity;
  private failing: string | undefined;

  constructor(private readonly over: Over) {
    this.trees = new StoredTrees(over.store);
  }

  /** The key that this server signs with. */
  get publicKey(): string {
    return this.over.key.publicKey;
  }

  /** Fences the server where the log is not what it was. Answers what is wrong, by workspace. */
  async compare(): Promise<readonly Loss[]> {
    const { heads, keeper, fence, store } = this.over;
    const rows = await this.over.follower.rowsAtLast(ledger);
    const losses: Loss[] = [];
    for (const workspace of heads.workspaces) {
      const record = await keeper.record(workspace);
      const loss = await lossOf(workspace, { store, heads, tree: new Tree(rows, workspace), record });
      if (loss !== undefined) losses.push(loss);
    }
    const logEnd = await store.head();
    if (losses.length > 0) fence.close(losses.map((loss) => describeLoss(loss, logEnd)).join(' '));
    return losses;
  }

  /** Goes on from what was signed last, whose root `compare` has found in the log. */
  async begin(): Promise<void> {
    const { heads, keeper } = this.over;
    const rows = await this.over.follower.rowsAtLast(ledger);
    await this.announce(rows);
    for (const workspace of workspacesWithEvents(rows)) {
      const tree = new Tree(rows, workspace);
      const record = await keeper.record(workspace);
      this.epochs.set(workspace, record.epoch);
      const signed = heads.signed(workspace).findLast(({ checkpoint }) => stillCounts(record, checkpoint));
      this.trees.beginAt(workspace, tree, signed?.checkpoint.size ?? 0);
    }
    this.every(HEADS_MS, () => this.noteHeads());
    this.every(SIGN_MS, () => this.sign());
    this.rereading = this.rereadAll().catch((error: unknown) => {
      if (!this.closing) this.over.log.warn({ err: error }, 'the log could not be read again');
    });
  }

  /** Takes a log that lost something into service: the record says so for ever, and a new epoch begins. */
  async accept(losses: readonly Loss[], comment: string | null): Promise<void> {
    this.over.fence.open();
    for (const { workspace, knownEpoch, survived, known, checkpoint } of losses) {
      await this.over.keeper.restore(workspace, { knownEpoch, survived, known, checkpoint, comment });
    }
    await this.begin();
  }

  /** Signed, and covering everything in the log of the workspace when this was called. Throws `LogFenced`. */
  async newest(workspace: string): Promise<SignedCheckpoint> {
    this.over.fence.refuse();
    const size = new Tree(await this.rows(), workspace).size;
    const known = this.lastSigned(workspace);
    if (known !== undefined && known.checkpoint.size >= size) return known;
    await this.sign();
    const signed = this.lastSigned(workspace);
    assert(signed !== undefined, `the log of workspace ${workspace} is signed`);
    return signed;
  }

  /** Every checkpoint that still counts, at most one of a size, the last one over all that is there now. */
  async all(workspace: string): Promise<readonly SignedCheckpoint[]> {
    const newest = await this.newest(workspace);
    const record = await this.over.keeper.record(workspace);
    const counting = this.over.heads.signed(workspace).filter(({ checkpoint }) => {
      return checkpoint.name === newest.checkpoint.name && stillCounts(record, checkpoint);
    });
    const bySize = new Map(counting.map((signed) => [signed.checkpoint.size, signed]));
    return [...bySize.values()].filter(({ checkpoint }) => checkpoint.size <= newest.checkpoint.size);
  }

  async close(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    this.closing = true;
    this.closeBy = performance.now() + CLOSE_MS_MAX;
    await this.rereading;
    if (this.rereading !== undefined) {
      await this.attempt(() => this.noteHeads());
      await this.attempt(() => this.sign());
    }
    await this.over.sink?.close();
    this.over.heads.close();
  }

  private every(ms: number, work: () => unknown): void {
    this.timers.push(setInterval(() => void this.attempt(work), ms).unref());
  }

  /** A disk that fails here must not stop the server: the log itself is elsewhere. */
  private async attempt(work: () => unknown): Promise<void> {
    try {
      await work();
      this.failing = undefined;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== this.failing) this.over.log.warn({ reason }, 'the log could not be signed');
      this.failing = reason;
    }
  }

  private endIfLate(): void {
    if (performance.now() > this.closeBy) throw new Error('The server stops');
  }

  private rows(): Promise<Rows> {
    return this.over.follower.rows(ledger);
  }

  /** One after another, each taking in what came before it. Throws `LogFenced`. */
  private sign(): Promise<void> {
    const mine = this.signing.then(
      () => this.signGrown(),
      () => this.signGrown(),
    );
    this.signing = mine;
    return mine;
  }

  private async signGrown(): Promise<void> {
    this.over.fence.refuse();
    await this.announce(await this.rows());
    const to = this.over.follower.live.progress.position;
    await this.trees.advance(to, undefined, async () => this.endIfLate());
    const rows = await this.rows();
    for (const workspace of this.trees.workspaces) {
      const size = this.lastSigned(workspace)?.checkpoint.size ?? -1;
      if (this.trees.tree(workspace).size > size) this.signTree(workspace, rows);
    }
  }

  /** A workspace that has come since has to know the key before anything in it is signed. */
  private async announce(rows: Rows): Promise<void> {
    const { keeper, key } = this.over;
    for (const workspace of workspacesWithEvents(rows)) {
      if (this.announced.has(workspace)) continue;
      await keeper.announce(workspace, key.publicKey);
      this.announced.add(workspace);
    }
  }

  private signTree(workspace: string, rows: Rows): void {
    const { fence, heads, key, sink } = this.over;
    const { size, root } = { size: this.trees.tree(workspace).size, root: this.trees.tree(workspace).root() };
    if (!new Tree(rows, workspace).root(size).equals(root)) {
      fence.close(`Events of workspace ${workspace} are not stored as they were when they came.`);
    }
    fence.refuse();
    const note = key.sign(checkpointText({ origin: this.originOf(workspace), size, root }));
    const signed = signedCheckpoint(note);
    assert(signed !== undefined, 'what was signed here is a note');
    heads.noteSigned(signed);
    sink?.send(workspace, note);
  }

  private lastSigned(workspace: string): SignedCheckpoint | undefined {
    const last = this.over.heads.signed(workspace).at(-1);
    const isOurs = last?.checkpoint.origin === this.originOf(workspace) && last.keyId === this.over.key.keyId;
    return isOurs ? last : undefined;
  }

  private originOf(workspace: string): string {
    const epoch = this.epochs.get(workspace) ?? 1;
    return originOf({ name: this.over.key.name, workspace, epoch });
  }

  /** Whatever the rows hold by now. */
  private noteHeads(): void {
    const { follower, heads, fence } = this.over;
    const reached = follower.views.progress.position;
    if (reached <= this.headsAt || fence.reason !== undefined) return;
    this.headsAt = reached;
    const { rows } = follower.views;
    for (const workspace of workspacesWithEvents(rows)) {
      const tree = new Tree(rows, workspace);
      const { size } = tree;
      const known = heads.head(workspace);
      const epoch = this.epochs.get(workspace) ?? 1;
      if (size === 0 || (known?.size === size && known.epoch === epoch)) continue;
      heads.noteHead({
        ...{ workspace, epoch, size, origin: this.originOf(workspace) },
        position: tree.positionOf(size - 1),
        leaf: tree.subtree(0, size - 1).toString('base64'),
      });
    }
  }

  /** From the first event to where the start found the log. */
  private async rereadAll(): Promise<void> {
    const { store, heads, fence, keeper, follower } = this.over;
    const pause = () => {
      if (this.closing) throw new Error('The server stops');
      return new Promise<void>((resolve) => setTimeout(resolve, PAUSE_MS).unref());
    };
    const recordOf = (workspace: string) => keeper.record(workspace);
    const { differences } = await reread({ store, heads, recordOf }, follower.live.progress.position, pause);
    if (differences.length > 0) fence.close(differences.join(' '));
  }
}
