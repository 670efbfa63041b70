// What somebody who has the signing key can make of a log: bundles whose hashes and signatures are all right, and that
// break one rule of the format, or only look as if they did.
import { createHash } from 'node:crypto';
import { checkpointText, originOf, type SigningKey } from '../../src/audit/checkpoint.js';
import { eventLine } from '../../src/audit/evidence-lines.js';
import { leafData, leafFields, type Leaf } from '../../src/audit/leaf.js';
import { bundleOf, keyFrom, notesOf, restored, uuid } from './evidence-bundle.js';
import type { Bundle, Draft, Signing } from './evidence-bundle.js';
import type { Random } from './random.js';

export interface Forgery {
  readonly what: string;
  readonly bundle: Bundle;
  /** What has to come of it. */
  readonly exitCode: number;
}

type Forge = (draft: Draft, random: Random) => Bundle;
type Forges = Readonly<Record<string, Forge>>;

/** One of each kind, again and again. */
export function* forgeries(drafts: readonly Draft[], random: Random): Generator<Forgery, never> {
  for (;;) {
    for (const [exitCode, forges] of KINDS) {
      for (const [what, forge] of Object.entries(forges)) {
        yield { what, exitCode, bundle: forge(random.pick(drafts), random) };
      }
    }
  }
}

/** Of the base point of Ed25519. */
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

/** The fields of a leaf by their place. */
const [VERSION, WORKSPACE, INDEX, REVISION, DATA] = [0, 1, 2, 4, 7];

const ALTERED: Forges = {
  'an index is not the next': (draft, random) =>
    edited(draft, random, INDEX, (index) =>
      random.pick([`${Number(index) + 1}`, `${Number(index) - 1}`, `0${index}`, `${index}.0`, '', '１']),
    ),
  'an event is of another workspace': (draft, random) => edited(draft, random, WORKSPACE, () => uuid(random)),
  'an event is in another form': (draft, random) =>
    edited(draft, random, VERSION, () => random.pick(['v2', '', 'V1', 'v1 '])),
  'an event has ten fields': (draft, random) => edited(draft, random, DATA, (data) => `${data}\n{}`),
  'an event has no fields': (draft, random) => bundleOf(withLeaf(draft, random, () => Buffer.of(0xff))),
  'an event is nothing at all': (draft, random) => bundleOf(withLeaf(draft, random, () => Buffer.alloc(0))),
  'a line has another index than its leaf': (draft, random) => {
    const at = random.below(draft.leaves.length);
    return bundleOf(draft, { line: (index, leaf) => eventLine(index === at ? index + 1 : index, leaf) });
  },
  'a line is spelt otherwise': (draft, random) => {
    const at = random.below(draft.leaves.length);
    const respelt = random.pick<(line: string) => string>([
      (line) => line.replace('"}', '"} '),
      (line) => line.replace('"}', '"]'),
      (line) => line.replace('"}', "'}"),
      (line) => line.replace('{', '{ '),
      (line) => line.replace('\n', '\r\n'),
      (line) => line.replace('"leaf"', '"Leaf"'),
      (line) => line.replace('"}', '="}'),
      (line) => line.replace('"}', '\\n"}'),
      (line) => line.replace('"index":', '"index":0'),
    ]);
    return bundleOf(draft, {
      line: (i, leaf) => (i === at ? respelt(eventLine(i, leaf)) : eventLine(i, leaf)),
    });
  },
  'a line is begun after the last one': (draft, random) => {
    const begun = random.pick(['x', ' ', '{', eventLine(draft.leaves.length, Buffer.of()).trimEnd()]);
    const last = draft.leaves.length - 1;
    return bundleOf(draft, { line: (i, leaf) => `${eventLine(i, leaf)}${i === last ? begun : ''}` });
  },
  'base64 has bits that mean nothing': (draft) => {
    const respelt = (line: string): string =>
      line.replace(/([AQgw])(==)(?="})|([AEIMQUYcgkosw048])(=)(?="})/, (_, ...found: string[]) => {
        const [four, pad2, sixteen, pad1] = found;
        return four === undefined ? `${after(sixteen)}${pad1 ?? ''}` : `${after(four)}${pad2 ?? ''}`;
      });
    const padded = draft.leaves.findIndex((leaf) => leaf.length % 3 !== 0);
    return bundleOf(draft, {
      line: (i, leaf) => (i === padded ? respelt(eventLine(i, leaf)) : eventLine(i, leaf)),
    });
  },
  'events that nobody has signed come last': (draft) => {
    const signings = draft.signings.slice(0, -1);
    return bundleOf({ ...draft, signings: signings.length === 0 ? [at(draft, 0)] : signings });
  },
  'a checkpoint names another epoch': (draft, random) => {
    const first = random.below(draft.signings.length);
    const signings = draft.signings.map((signing, index) =>
      index >= first ? { ...signing, epoch: signing.epoch + 1 } : signing,
    );
    return bundleOf({ ...draft, signings });
  },
  'checkpoints are not in order, and events are missing': (draft) => {
    const { leaves, signings } = draft;
    const notes = notesOf({ ...draft, signings: [at(draft, leaves.length), ...signings] });
    return bundleOf({ ...draft, leaves: leaves.slice(0, -1) }, { notes });
  },
  'epochs go back, and events are missing': (draft) => {
    const signings = [{ ...at(draft, 0), epoch: 99 }, ...draft.signings];
    return bundleOf(
      { ...draft, leaves: draft.leaves.slice(0, -1) },
      { notes: notesOf({ ...draft, signings }) },
    );
  },
  'a checkpoint stands there twice': (draft, random) => {
    const doubled = random.pick(draft.signings);
    return bundleOf({
      ...draft,
      signings: draft.signings.flatMap((one) => (one === doubled ? [one, one] : [one])),
    });
  },
  'a checkpoint is of another workspace': (draft, random) => {
    const [first, ...rest] = draft.signings;
    if (first === undefined) throw new Error('A bundle has a checkpoint');
    return bundleOf({ ...draft, signings: [{ ...first, workspace: uuid(random) }, ...rest] });
  },
  'a checkpoint is of another log': (draft, random) => {
    const key = keyFrom(random, 'another.log');
    const pubkeys = [...draft.pubkeys, key.publicKey];
    return bundleOf({ ...draft, pubkeys, signings: [{ ...at(draft, 0), key }, ...draft.signings] });
  },
  'a root is another': (draft, random) => {
    const other = random.pick(draft.signings);
    const root = Buffer.alloc(32, random.below(256));
    return bundleOf({
      ...draft,
      signings: draft.signings.map((one) => (one === other ? { ...one, root } : one)),
    });
  },
  'a restoration opens no later epoch': (draft, random) => {
    const last = lastOf(draft);
    const text = random.pick([
      '0',
      '1',
      '-1',
      '1.5',
      '"9"',
      'null',
      '1e400',
      '9007199254740992',
      'NaN',
      '[9]',
      '09',
    ]);
    const data = random.pick([
      `{"epoch":${text}}`,
      '{}',
      'null',
      '[]',
      '',
      '{"epoch":9}}',
      '\ufeff{"epoch":9}',
    ]);
    return appended(draft, [{ ...restored(draft.workspace, 0), data }], last.epoch);
  },
  'a restoration is in no epoch of a checkpoint': (draft) => {
    const { epoch } = lastOf(draft);
    return appended(draft, [restored(draft.workspace, epoch + 2)], epoch + 1);
  },
};

const BAD_SIGNATURE: Forges = {
  'a checkpoint is spelt otherwise': (draft, random) => {
    const { key, epoch, size } = lastOf(draft);
    const origin = originOf({ name: key.name, workspace: draft.workspace, epoch });
    const text = checkpointText({ origin, size, root: Buffer.alloc(32) });
    const respelt = random.pick([
      text.replace(`\n${size}\n`, `\n0${size}\n`),
      text.replace(`\n${size}\n`, `\n+${size}\n`),
      text.replace(`\n${size}\n`, `\n-${size}\n`),
      text.replace(`\n${size}\n`, '\n１\n'),
      text.replace(`/e${epoch}`, '/e0'),
      text.replace(`/e${epoch}`, `/e0${epoch}`),
      text.replace(draft.workspace, draft.workspace.toUpperCase()),
      text.replace('/e', '/x/e'),
      text.replace('=\n', '\n'),
      text.replace('A=\n', 'B=\n'),
      text.replaceAll('\n', '\r\n'),
      `${text}more\n`,
      ` ${text}`,
      '',
    ]);
    return bundleOf(draft, { notes: [...notesOf(draft).slice(0, -1), key.sign(respelt)] });
  },
  'a checkpoint is signed twice': (draft) => {
    const notes = notesOf(draft);
    const signature = notes[0]?.split('\n').at(-2);
    return bundleOf(draft, { notes: [`${notes[0] ?? ''}${signature ?? ''}\n`, ...notes.slice(1)] });
  },
  'a signature is spelt otherwise': (draft) => {
    const notes = notesOf(draft).map((note) =>
      note.replace(/(?<=\n— \S+ )\S+/, (base64) => {
        const signature = Buffer.from(base64, 'base64');
        // The same number to whoever counts modulo the order of the curve.
        const s = BigInt(`0x${signature.subarray(36).reverse().toString('hex')}`) + ORDER;
        signature.write(s.toString(16).padStart(64, '0'), 36, 'hex');
        signature.subarray(36).reverse();
        return signature.toString('base64');
      }),
    );
    return bundleOf(draft, { notes });
  },
  'a key is spelt otherwise': (draft, random) => {
    const point = random.pick([`01${'00'.repeat(30)}80`, `ee${'ff'.repeat(30)}7f`, `${'ff'.repeat(32)}`]);
    const name = lastOf(draft).key.name;
    const typed = Buffer.from(`01${point}`, 'hex');
    const id = createHash('sha256').update(`${name}\n`).update(typed).digest().subarray(0, 4);
    // Nothing times the base point: to the key that is nothing, it signs whatever there is.
    const signed = Buffer.concat([id, Buffer.of(1), Buffer.alloc(63)]).toString('base64');
    const notes = notesOf(draft).map((note) => note.replace(/(?<=\n— \S+ )\S+/, signed));
    return bundleOf(
      { ...draft, pubkeys: [`${name}+${id.toString('hex')}+${typed.toString('base64')}`] },
      { notes },
    );
  },
  'a checkpoint bears the name of another key': (draft, random) => {
    const key = keyFrom(random, 'another.log');
    const notes = notesOf(draft).map((note) => note.replace(/^— \S+/m, `— ${key.name}`));
    return bundleOf({ ...draft, pubkeys: [...draft.pubkeys, key.publicKey] }, { notes });
  },
  'a key is not named': (draft) => {
    const used = new Set(draft.signings.slice(-1).map(({ key }) => key.publicKey));
    return bundleOf({ ...draft, pubkeys: draft.pubkeys.filter((key) => !used.has(key)) });
  },
  'a key is named twice': (draft, random) =>
    bundleOf({ ...draft, pubkeys: [...draft.pubkeys, random.pick(draft.pubkeys)] }),
  'a key is of another kind': (draft, random) => {
    const [name, id, key] = /^([^+]+)\+([^+]+)\+(.+)$/.exec(draft.pubkeys[0] ?? '')?.slice(1) ?? [];
    const bytes = Buffer.concat([Buffer.of(2), Buffer.from(key ?? '', 'base64').subarray(1)]);
    const own = createHash('sha256').update(`${name}\n`).update(bytes).digest('hex').slice(0, 8);
    const line = `${name}+${random.pick([id, own])}+${bytes.toString('base64')}`;
    return bundleOf({ ...draft, pubkeys: [...draft.pubkeys, line] });
  },
  'a key has another id': (draft, random) => {
    const unused = keyFrom(random, lastOf(draft).key.name).publicKey.replace(
      /(?<=\+)[0-9a-f]{8}/,
      '01234567',
    );
    return bundleOf({ ...draft, pubkeys: [...draft.pubkeys, unused] });
  },
  'a signature has the id of another key': (draft, random) => {
    const id = random.pick([keyFrom(random).keyId, '00000000']);
    const notes = notesOf(draft).map((note) =>
      note.replace(/(?<=\n— \S+ )\S+/, (base64) => {
        const signature = Buffer.from(base64, 'base64').subarray(4);
        return Buffer.concat([Buffer.from(id, 'hex'), signature]).toString('base64');
      }),
    );
    return bundleOf(draft, { notes });
  },
  'a key ends within its line': (draft) => bundleOf(draft, { pubkeys: draft.pubkeys.join('\n') }),
  'keys are spelt otherwise': (draft, random) => {
    const lines = draft.pubkeys.map((key) => `${key}\n`).join('');
    const others = [
      `${lines}\n`,
      `\n${lines}`,
      lines.replaceAll('\n', '\r\n'),
      `${lines} `,
      `\ufeff${lines}`,
    ];
    return bundleOf(draft, { pubkeys: random.pick(others) });
  },
  'no key is named': (draft) => bundleOf({ ...draft, pubkeys: [] }),
  'there is no checkpoint': (draft) => bundleOf(draft, { notes: [] }),
};

const TRUNCATED: Forges = {
  'events are missing at the end': (draft, random) => {
    const leaves = draft.leaves.slice(0, random.below(draft.leaves.length));
    return bundleOf({ ...draft, leaves }, { notes: notesOf(draft) });
  },
};

const FORK: Forges = {
  'two roots are signed for one size': (draft, random) => {
    const forked = random.pick(draft.signings);
    const signings = draft.signings.flatMap((one) =>
      one === forked ? [one, { ...one, root: Buffer.alloc(32, 7) }] : [one],
    );
    return bundleOf({ ...draft, signings });
  },
};

const OK: Forges = {
  'nothing is wrong': (draft) => bundleOf(draft),
  'the log is empty': (draft) =>
    bundleOf({ ...draft, leaves: [], signings: [{ ...at(draft, 0), epoch: 1 }] }),
  'nothing was signed first': (draft) =>
    bundleOf({ ...draft, signings: [{ ...at(draft, 0), epoch: 1 }, ...draft.signings] }),
  'a key is named that has signed nothing': (draft, random) =>
    bundleOf({ ...draft, pubkeys: [keyFrom(random, 'z').publicKey, ...draft.pubkeys] }),
  'epochs are left out': (draft, random) => {
    const epoch = lastOf(draft).epoch + 1 + random.below(1_000);
    return appended(draft, [restored(draft.workspace, epoch)], epoch);
  },
  'an epoch is spelt otherwise': (draft) => {
    const epoch = lastOf(draft).epoch + 1;
    const data = `{ "epoch":0,\t"epoch":${epoch}.0e0 }`;
    return appended(draft, [{ ...restored(draft.workspace, epoch), data }], epoch);
  },
  'what nobody looks at is odd': (draft, random) =>
    edited(draft, random, REVISION, (revision) => random.pick([`0${revision}`, '-1', '', 'é😀'])),
};

const KINDS: readonly (readonly [exitCode: number, forges: Forges])[] = [
  [0, OK],
  [2, ALTERED],
  [3, TRUNCATED],
  [4, FORK],
  [5, BAD_SIGNATURE],
];

/** One field of some event is another; all that follows from it is right. */
function edited(draft: Draft, random: Random, field: number, change: (text: string) => string): Bundle {
  return bundleOf(
    withLeaf(draft, random, (leaf) => {
      const fields = leafFields(leaf)?.map((bytes) => bytes.toString('utf8')) ?? [];
      fields[field] = change(fields[field] ?? '');
      return Buffer.from(fields.join('\n'));
    }),
  );
}

function withLeaf(draft: Draft, random: Random, change: (leaf: Buffer) => Buffer): Draft {
  const at = random.below(draft.leaves.length);
  return { ...draft, leaves: draft.leaves.map((leaf, index) => (index === at ? change(leaf) : leaf)) };
}

/** More events at the end, which the last checkpoint covers. */
export function appended(
  draft: Draft,
  events: readonly Pick<Leaf, 'stream' | 'type' | 'data'>[],
  epoch = lastOf(draft).epoch,
): Bundle {
  const { workspace, leaves, signings } = draft;
  const more = events.map((event, index) =>
    leafData({
      workspace,
      index: leaves.length + index,
      revision: 0,
      id: `more-${index}`,
      meta: '{}',
      ...event,
    }),
  );
  const size = leaves.length + more.length;
  return bundleOf({
    ...draft,
    leaves: [...leaves, ...more],
    signings: [...signings.slice(0, -1), { ...lastOf(draft), size, epoch }],
  });
}

function at(draft: Draft, size: number): Signing {
  const key: SigningKey = draft.signings[0]?.key ?? lastOf(draft).key;
  return { size, epoch: 1, key };
}

function lastOf({ signings }: Draft): Signing {
  const last = signings.at(-1);
  if (last === undefined) throw new Error('A bundle has a checkpoint');
  return last;
}

function after(letter = ''): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  return letters[letters.indexOf(letter) + 1] ?? '';
}
