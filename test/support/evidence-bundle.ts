// Evidence bundles of logs that never were: random histories of some environments, signed at some sizes, by an old key
// and a new one, and perhaps restored from a backup in between. The same chance makes the same bundle.
import { hash } from 'node:crypto';
import { checkpointText, originOf, parseOrigin, SigningKey } from '../../src/audit/checkpoint.js';
import { EnvironmentFold, manifestOf } from '../../src/audit/evidence-state.js';
import { eventLine } from '../../src/audit/evidence-lines.js';
import { leafData, leafFields, type Leaf } from '../../src/audit/leaf.js';
import { leafHash, MerkleTree } from '../../src/audit/merkle.js';
import type { Random } from './random.js';

export const FILES = ['events.ndjson', 'checkpoints.txt', 'pubkeys.txt', 'manifest.json'] as const;
export type BundleFile = (typeof FILES)[number];
export type Bundle = Readonly<Record<BundleFile, Buffer>>;

export interface Signing {
  readonly size: number;
  readonly epoch: number;
  readonly key: SigningKey;
  /** What is signed instead of the root of so many events. */
  readonly root?: Buffer;
  /** Of another workspace. */
  readonly workspace?: string;
}

/** Everything that a bundle is made from. Whoever has the keys can make one from anything. */
export interface Draft {
  readonly workspace: string;
  readonly leaves: readonly Buffer[];
  readonly signings: readonly Signing[];
  readonly pubkeys: readonly string[];
}

export interface Wanted {
  readonly events: number;
  readonly checkpoints?: number;
  /** How often an older backup was taken into service. */
  readonly restorations?: number;
}

export interface Own {
  readonly line?: (index: number, leaf: Buffer) => string;
  readonly notes?: readonly string[];
  readonly pubkeys?: string;
}

type EventOf = Pick<Leaf, 'stream' | 'type' | 'data'>;

const LOG = 'switchyard.example';
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');

export function draftOf(random: Random, { events, checkpoints = 5, restorations = 0 }: Wanted): Draft {
  const workspace = uuid(random);
  const [older, newer] = [keyFrom(random), keyFrom(random)];
  const rotation = random.below(events);
  const restoredAt = new Map<number, number>();
  for (let epoch = 1; restoredAt.size < Math.min(restorations, events - 1);) {
    epoch += 1 + random.below(3);
    restoredAt.set(1 + random.below(events - 1), epoch);
  }
  // Chance chose the places in any order; the epochs have to rise along the log.
  const epochs = [...restoredAt.values()].sort((a, b) => a - b);
  const places = [...restoredAt.keys()].sort((a, b) => a - b);
  const story = new Story(random, workspace);
  const leaves = Array.from({ length: events }, (_, index) => {
    const epoch = epochs[places.indexOf(index)];
    if (epoch !== undefined) return story.leaf(restored(workspace, epoch));
    return story.leaf(index === rotation ? announced(workspace, newer) : story.next());
  });
  const sizes = new Set([events]);
  while (sizes.size < Math.min(checkpoints, events)) sizes.add(1 + random.below(events));
  const signings = [...sizes]
    .sort((a, b) => a - b)
    .map((size) => {
      const epoch = epochs[places.findLastIndex((place) => place < size)] ?? 1;
      return { size, epoch, key: size > rotation ? newer : older };
    });
  return { workspace, leaves, signings, pubkeys: [older.publicKey, newer.publicKey] };
}

/** `own` is what somebody writes his own way; everything else follows from it. */
export function bundleOf({ workspace, leaves, signings, pubkeys }: Draft, own: Own = {}): Bundle {
  const line = own.line ?? eventLine;
  const notes = own.notes ?? notesOf({ workspace, leaves, signings });
  const files = {
    'events.ndjson': Buffer.from(leaves.map((leaf, index) => line(index, leaf)).join('')),
    'checkpoints.txt': fileOf(notes),
    'pubkeys.txt': Buffer.from(own.pubkeys ?? pubkeys.map((key) => `${key}\n`).join('')),
  };
  const [last] = signings.slice(-1);
  if (last === undefined) throw new Error('A bundle has a checkpoint');
  const origin = originOf({ name: last.key.name, workspace, epoch: last.epoch });
  const parsed = parseOrigin(origin);
  if (parsed === undefined) throw new Error(`${origin} is no origin`);
  const manifest = manifestOf({
    checkpoint: { ...parsed, origin, size: last.size, root: last.root ?? rootOf(leaves.slice(0, last.size)) },
    files: {
      'checkpoints.txt': hash('sha256', files['checkpoints.txt']),
      'events.ndjson': hash('sha256', files['events.ndjson']),
      'pubkeys.txt': hash('sha256', files['pubkeys.txt']),
    },
    environments: foldOf(leaves).states(),
  });
  return { ...files, 'manifest.json': Buffer.from(manifest) };
}

/** The signed checkpoints of a log, one after the other. */
export function notesOf({ workspace, leaves, signings }: Omit<Draft, 'pubkeys'>): string[] {
  const tree = new MerkleTree();
  const roots = new Map([[0, tree.root()]]);
  const sizes = new Set(signings.map(({ size }) => size));
  for (const leaf of leaves) {
    tree.append(leafHash(leaf));
    if (sizes.has(tree.size)) roots.set(tree.size, tree.root());
  }
  return signings.map(({ size, epoch, key, root = roots.get(size) ?? tree.root(), workspace: other }) => {
    const origin = originOf({ name: key.name, workspace: other ?? workspace, epoch });
    return key.sign(checkpointText({ origin, size, root }));
  });
}

/** In the form of checkpoints.txt. */
export function fileOf(notes: readonly string[]): Buffer {
  return Buffer.from(notes.map((note) => `${note}\n`).join(''));
}

export function rootOf(leaves: readonly Buffer[]): Buffer {
  const tree = new MerkleTree();
  for (const leaf of leaves) tree.append(leafHash(leaf));
  return tree.root();
}

/** A forger claims what his own events say for as long as they say anything. */
function foldOf(leaves: readonly Buffer[]): EnvironmentFold {
  const fold = new EnvironmentFold();
  try {
    for (const leaf of leaves) {
      const [, , , stream = '', , , type = '', data = ''] = leafFields(leaf)?.map(String) ?? [];
      fold.take(stream, type, data);
    }
  } catch {
    return fold;
  }
  return fold;
}

export function keyFrom(random: Random, name = LOG): SigningKey {
  const seed = Buffer.from(Array.from({ length: 32 }, () => random.below(256)));
  const der = Buffer.concat([PKCS8_ED25519, seed]).toString('base64');
  return SigningKey.fromPem(name, `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`);
}

export function uuid(random: Random): string {
  const hex = (length: number): string =>
    Array.from({ length }, () => random.below(16).toString(16)).join('');
  return `${hex(8)}-${hex(4)}-7${hex(3)}-8${hex(3)}-${hex(12)}`;
}

export function restored(workspace: string, epoch: number): EventOf {
  const data = JSON.stringify({ epoch, survived: 17, known: 18, checkpoint: null, comment: 'The disk died' });
  return { stream: `record-${workspace}`, type: 'LogRestored', data };
}

function announced(workspace: string, { publicKey }: SigningKey): EventOf {
  const data = JSON.stringify({ publicKey });
  return { stream: `record-${workspace}`, type: 'SigningKeyAnnounced', data };
}

/** What happens in a workspace: drafts, and releases of a few environments, some in several parts. */
class Story {
  private readonly environments: readonly { readonly id: string; release: number }[];
  private readonly flows: readonly string[];
  private readonly revisions = new Map<string, number>();
  private readonly parts: EventOf[] = [];
  private index = 0;

  constructor(
    private readonly random: Random,
    private readonly workspace: string,
  ) {
    const many = 2 + random.below(4);
    this.environments = Array.from({ length: many }, () => ({ id: uuid(random), release: 0 }));
    this.flows = Array.from({ length: 5 + random.below(40) }, () => uuid(random));
  }

  next(): EventOf {
    // The parts of a release are one append, so that nothing else comes between them.
    const part = this.parts.shift();
    if (part !== undefined) return part;
    return this.random.next() < 0.4 ? this.release() : this.drafted();
  }

  leaf(event: EventOf): Buffer {
    const { random, workspace } = this;
    const revision = this.revisions.get(event.stream) ?? 0;
    this.revisions.set(event.stream, revision + 1);
    const actor = { type: 'api-key', id: 'ci' };
    const meta = JSON.stringify({ actor, workspace, project: null, schema: 1, requestId: uuid(random) });
    return leafData({ workspace, index: this.index++, revision, id: uuid(random), meta, ...event });
  }

  private drafted(): EventOf {
    const { random } = this;
    const title = random.pick(['A title', 'Ein „Titel“ — größer', '題名 😀', '{"index":0,"leaf":""}']);
    // Now and then one that is too long to be hashed in one piece.
    const content = random.next() < 0.004 ? title.repeat(2_000) : title;
    const data = JSON.stringify({ versionId: uuid(random), title, content });
    return { stream: `flow-${random.pick(this.flows)}`, type: 'VersionDrafted', data };
  }

  private release(): EventOf {
    const { random } = this;
    const environment = random.pick(this.environments);
    const of = random.next() < 0.15 ? 2 + random.below(3) : 1;
    const release = (environment.release += 1);
    const events = Array.from({ length: of }, (_, part) => {
      const changes = Array.from({ length: 1 + random.below(4) }, () => this.change());
      const data = { release, comment: null, changes, ...(of > 1 && { part: { number: part + 1, of } }) };
      const type =
        of > 1
          ? 'VersionsPromoted'
          : random.pick(['VersionActivated', 'VersionsPromoted', 'EnvironmentRolledBack']);
      return { stream: `environment-${environment.id}`, type, data: JSON.stringify(data) };
    });
    const [first, ...rest] = events;
    if (first === undefined) throw new Error('A release has an event');
    this.parts.push(...rest);
    return first;
  }

  private change(): object {
    const { random } = this;
    const ref = (): object | null =>
      random.next() < 0.2 ? null : { versionId: uuid(random), number: 1 + random.below(9) };
    return { flowId: random.pick(this.flows), from: ref(), to: ref() };
  }
}
