// An event as the Merkle tree of its workspace holds it: nine lines of text. The position in the log is not among
// them, so that a log which was copied to another store has the same leaves.
import { isUtf8 } from 'node:buffer';

export interface Leaf {
  readonly workspace: string;
  /** From 0 on within the workspace. */
  readonly index: number;
  readonly stream: string;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  /** The JSON texts as they are stored, byte for byte. */
  readonly data: string;
  readonly meta: string;
}

type Nine<Field> = readonly [Field, Field, Field, Field, Field, Field, Field, Field, Field];
/** The version, then the fields of a `Leaf` in their order. */
export type LeafFields = Nine<Buffer>;

const VERSION = 'v1';
const FIELDS = 9;
const LF = 0x0a;
const DECIMAL = /^(0|[1-9][0-9]*)$/;

/** Throws for an event with a line end in one of its fields: the same bytes would tell of another event too. */
export function leafData({ workspace, index, stream, revision, id, type, data, meta }: Leaf): Buffer {
  for (const field of [workspace, stream, id, type, data, meta]) {
    if (field.includes('\n')) throw new RangeError(`Event ${id} has a line end in one of its fields`);
  }
  const head = `${VERSION}\n${workspace}\n${index}\n${stream}\n${revision}\n${id}\n${type}\n`;
  return Buffer.from(`${head}${data}\n${meta}`, 'utf8');
}

/** The leaf data of an event of the log, whose fields are named one by one: to spread it costs more than all else. */
export function leafOf(event: Omit<Leaf, 'workspace' | 'index'>, workspace: string, index: number): Buffer {
  const { stream, revision, id, type, data, meta } = event;
  return leafData({ workspace, index, stream, revision, id, type, data, meta });
}

/** Undefined for bytes that are no leaf data. */
export function parseLeaf(bytes: Buffer): Leaf | undefined {
  const fields = isUtf8(bytes) ? leafFields(bytes) : undefined;
  if (fields === undefined) return undefined;
  const texts = fields.map((field) => field.toString('utf8')) as readonly string[] as Nine<string>;
  const [version, workspace, index, stream, revision, id, type, data, meta] = texts;
  if (version !== VERSION || !isDecimal(index) || !isDecimal(revision)) return undefined;
  return { workspace, index: Number(index), stream, revision: Number(revision), id, type, data, meta };
}

/** The fields as they lie in the leaf data; undefined if they are not nine. */
export function leafFields(leaf: Buffer): LeafFields | undefined {
  const fields: Buffer[] = [];
  let start = 0;
  for (let end = leaf.indexOf(LF); end !== -1; end = leaf.indexOf(LF, start)) {
    if (fields.length === FIELDS) return undefined;
    fields.push(leaf.subarray(start, end));
    start = end + 1;
  }
  fields.push(leaf.subarray(start));
  return fields.length === FIELDS ? (fields as readonly Buffer[] as LeafFields) : undefined;
}

function isDecimal(text: string): boolean {
  return DECIMAL.test(text) && Number.isSafeInteger(Number(text));
}
