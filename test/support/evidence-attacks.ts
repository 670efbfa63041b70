// What somebody without the signing key can do to an evidence bundle: one change anywhere in it, blind or knowing the
// forms. Each gives the whole new bytes of the files that it touches, and never the old ones.
import { leafFields } from '../../src/audit/leaf.js';
import { FILES, keyFrom, type Bundle, type BundleFile } from './evidence-bundle.js';
import type { Random } from './random.js';

export type TargetFile = BundleFile | 'kept';

export interface Attack {
  readonly what: string;
  readonly file: TargetFile;
  /** Undefined where the file is gone. */
  readonly bytes: Buffer | undefined;
}

interface Line {
  readonly start: number;
  /** After the line end. */
  readonly end: number;
}

interface Target {
  readonly bytes: Buffer;
  readonly lines: readonly Line[];
}

interface Splice extends Line {
  readonly put: Buffer | string;
}

/** Undefined where there is nothing in the file that could be changed in this way. */
type Change = (target: Target, random: Random, all: ReadonlyMap<TargetFile, Target>) => Splice | undefined;

const LF = 0x0a;

export class Attacks {
  private readonly targets: ReadonlyMap<TargetFile, Target>;

  /** `kept` is a file of checkpoints that the auditor has. */
  constructor(bundle: Bundle, kept: Buffer) {
    const files = [...FILES.map((file) => [file, bundle[file]] as const), ['kept', kept] as const];
    this.targets = new Map(files.map(([file, bytes]) => [file, { bytes, lines: linesOf(bytes) }]));
  }

  next(random: Random): Attack {
    for (;;) {
      const file = random.pick<TargetFile>([...FILES, 'events.ndjson', 'events.ndjson', 'kept']);
      const target = this.targets.get(file);
      if (target === undefined) throw new Error(`There is no ${file}`);
      if (file !== 'kept' && random.next() < 0.005) return { what: 'file removed', file, bytes: undefined };
      const kinds = { ...BLIND, ...(random.next() < 0.5 ? KNOWING[file] : {}) };
      const what = random.pick(Object.keys(kinds));
      const splice = kinds[what]?.(target, random, this.targets);
      if (splice === undefined) continue;
      const { bytes } = target;
      const put = Buffer.from(splice.put);
      if (bytes.subarray(splice.start, splice.end).equals(put)) continue;
      const after = Buffer.concat([bytes.subarray(0, splice.start), put, bytes.subarray(splice.end)]);
      if (!after.equals(bytes)) return { what, file, bytes: after };
    }
  }
}

const BLIND: Readonly<Record<string, Change>> = {
  'bit flipped': ({ bytes }, random) => {
    const start = random.below(bytes.length);
    return { start, end: start + 1, put: flipped(bytes.subarray(start, start + 1), random) };
  },
  'byte replaced': ({ bytes }, random) => {
    const start = random.below(bytes.length);
    return { start, end: start + 1, put: Buffer.of(random.below(256)) };
  },
  'bytes inserted': ({ bytes }, random) => {
    const start = random.below(bytes.length + 1);
    return {
      start,
      end: start,
      put: random.pick(['0', '1', ' ', '\n', '\r', '\0', '=', 'A', '１', '\ufeff', '"}']),
    };
  },
  'bytes removed': ({ bytes }, random) => {
    const start = random.below(bytes.length);
    return { start, end: start + 1 + random.below(3), put: '' };
  },
  'line removed': ({ lines }, random) => ({ ...random.pick(lines), put: '' }),
  'line doubled': ({ bytes, lines }, random) => {
    const { start, end } = random.pick(lines);
    return { start: end, end, put: bytes.subarray(start, end) };
  },
  'lines swapped': ({ bytes, lines }, random) => {
    const [first, second] = [random.pick(lines), random.pick(lines)].sort((a, b) => a.start - b.start);
    if (first === undefined || second === undefined || first === second) return undefined;
    const pieces = [second, { start: first.end, end: second.start }, first];
    const put = Buffer.concat(pieces.map(({ start, end }) => bytes.subarray(start, end)));
    return { start: first.start, end: second.end, put };
  },
  'line inserted': ({ lines }, random, all) => {
    const other = random.pick([...all.values()]);
    const { start } = random.pick(lines);
    const from = random.pick(other.lines);
    return { start, end: start, put: other.bytes.subarray(from.start, from.end) };
  },
  'tail cut': ({ bytes }, random) => {
    const most = random.pick([3, 200, bytes.length]);
    return { start: Math.max(0, bytes.length - 1 - random.below(most)), end: bytes.length, put: '' };
  },
  'tail lines cut': ({ bytes, lines }, random) => {
    return { start: random.pick(lines).start, end: bytes.length, put: '' };
  },
  'line end respelt': ({ lines }, random) => {
    const { end } = random.pick(lines);
    return { start: end - 1, end, put: random.pick(['\r\n', '\u2028', '\n\n', ' \n', '']) };
  },
  'tail added': ({ bytes }, random) => {
    const put = random.pick(['\n', ' ', '\0', '{"index":', '— ', '\n\n']);
    return { start: bytes.length, end: bytes.length, put };
  },
  'all removed': ({ bytes }) => ({ start: 0, end: bytes.length, put: '' }),
};

/** What is in base64 is changed inside, and spelt again as it should be. */
const BASE64: Readonly<Record<string, Change>> = {
  'bytes in base64 changed': (target, random) =>
    matched(target, random, /[A-Za-z0-9+/]{40,}={0,2}/, (text) => {
      const bytes = Buffer.from(text, 'base64');
      const at = random.below(bytes.length);
      bytes.set(flipped(bytes.subarray(at, at + 1), random), at);
      return bytes.toString('base64');
    }),
  'base64 respelt': (target, random) =>
    matched(target, random, /[A-Za-z0-9+/]{40,}={0,2}/, (text) =>
      random.pick([
        text.replace(/=+$/, ''),
        text.replaceAll('+', '-').replaceAll('/', '_'),
        `${text.slice(0, 20)} ${text.slice(20)}`,
        text.replace(/[A-P](=+)$/, (_, padding) => `Z${String(padding)}`),
        `${text}=`,
        `${text}====`,
      ]),
    ),
};

const IN_CHECKPOINTS: Readonly<Record<string, Change>> = {
  ...BASE64,
  'number changed': (target, random) =>
    matched(target, random, /(?<=\/e|^)[0-9]+$/, (text) =>
      random.pick([String(Number(text) + 1), String(Number(text) - 1), `0${text}`, `+${text}`, `${text}.0`]),
    ),
  'key id of a signature changed': (target, random) =>
    matched(target, random, /(?<= )[A-Za-z0-9+/]{5}(?=[A-Za-z0-9+/]{86}=$)/, (text) =>
      random.pick([`A${text.slice(1)}`, `${text.slice(0, 4)}A`]),
    ),
  'checkpoint removed': (target, random) => {
    const [block] = blocks(target, random);
    return block === undefined ? undefined : { ...block, put: '' };
  },
  'checkpoints swapped': (target, random) => {
    const [first, second] = blocks(target, random);
    if (first === undefined || second === undefined) return undefined;
    const { bytes } = target;
    const put = [bytes.subarray(second.start, second.end), bytes.subarray(first.start, first.end)];
    return { start: first.start, end: second.end, put: Buffer.concat(put) };
  },
  'signed by another key of the same name': (target, random) => {
    const [block] = blocks(target, random);
    if (block === undefined) return undefined;
    const text = target.bytes.toString('utf8', block.start, block.end).split('\n').slice(0, 3);
    return { ...block, put: `${keyFrom(random).sign(`${text.join('\n')}\n`)}\n` };
  },
};

const KNOWING: Readonly<Record<TargetFile, Readonly<Record<string, Change>>>> = {
  'events.ndjson': {
    ...BASE64,
    'index changed': (target, random) =>
      matched(target, random, /(?<=^\{"index":)[0-9]+/, (text) =>
        random.pick([String(Number(text) + 1), `0${text}`, `-${text}`, `${text}.0`, '１', `${text} `]),
      ),
    'field of a leaf changed': (target, random) =>
      matched(target, random, /(?<="leaf":")[^"]+/, (text) => {
        const fields = leafFields(Buffer.from(text, 'base64'))?.map((field) => field.toString('utf8')) ?? [];
        const at = random.below(fields.length);
        const field = fields[at] ?? '';
        fields[at] = random.pick([`${field} `, `${field}\n`, field.slice(1), 'v2', '', '7']);
        return Buffer.from(fields.join('\n')).toString('base64');
      }),
    'line respelt': (target, random) =>
      matched(target, random, /^.+$/, (text) =>
        random.pick([
          text.replace(',', ', '),
          text.replace('leaf', '\\u006ceaf'),
          text.replace('}', ',"more":0}'),
        ]),
      ),
  },
  'checkpoints.txt': IN_CHECKPOINTS,
  kept: IN_CHECKPOINTS,
  'pubkeys.txt': {
    ...BASE64,
    'key added': ({ lines }, random) => {
      const { start } = random.pick(lines);
      return { start, end: start, put: `${keyFrom(random).publicKey}\n` };
    },
    'key replaced': ({ lines }, random) => ({ ...random.pick(lines), put: `${keyFrom(random).publicKey}\n` }),
    'key id changed': (target, random) =>
      matched(target, random, /(?<=\+)[0-9a-f]{8}(?=\+)/, (text) =>
        random.pick([text.toUpperCase(), text.split('').reverse().join(''), '00000000']),
      ),
  },
  'manifest.json': {
    'claim changed': (target, random) =>
      matched(target, random, random.pick([/\b[0-9]+\b/, /[0-9a-f-]{36}/, /[0-9a-f]{64}/]), (text) =>
        random.pick([text.slice(1), `${text}0`, text.replace(/[0-9]/, (digit) => String(9 - Number(digit)))]),
      ),
    respelt: (target, random) =>
      matched(target, random, /^.+$/, (text) =>
        random.pick([
          JSON.stringify(JSON.parse(text), null, 1),
          JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(text) as object).reverse())),
          text.replace('"active"', '"\\u0061ctive"'),
        ]),
      ),
  },
};

/** One of the places in one of the lines where the pattern holds. */
function matched(
  { bytes, lines }: Target,
  random: Random,
  pattern: RegExp,
  change: (text: string) => string,
): Splice | undefined {
  const { start, end } = random.pick(lines);
  // Characters are bytes here, so that the places in the text are those in the file.
  const text = bytes.toString('latin1', start, end - 1);
  const found = [...text.matchAll(new RegExp(pattern, 'g'))];
  if (found.length === 0) return undefined;
  const match = random.pick(found);
  const at = start + match.index;
  return { start: at, end: at + match[0].length, put: change(match[0]) };
}

/** Two checkpoints that follow each other, or the only one. */
function blocks({ lines }: Target, random: Random): readonly Line[] {
  const [blockLines, many] = [6, Math.floor(lines.length / 6)];
  const first = random.below(Math.max(1, many - 1));
  return [first, first + 1].flatMap((block) => {
    const [from, to] = [lines[block * blockLines], lines[block * blockLines + blockLines - 1]];
    return from === undefined || to === undefined ? [] : [{ start: from.start, end: to.end }];
  });
}

function flipped(byte: Buffer, random: Random): Buffer {
  return Buffer.of((byte[0] ?? 0) ^ (1 << random.below(8)));
}

function linesOf(bytes: Buffer): Line[] {
  const lines: Line[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(LF, start) + 1;
    lines.push({ start, end });
    start = end;
  }
  return lines;
}
