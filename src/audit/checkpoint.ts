// Signed checkpoints: what a log of one workspace was at some size, as a C2SP tlog-checkpoint in a signed note with
// one Ed25519 signature, and the keys that sign and open it.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';

export interface Origin {
  /** Of the log, and of the key that signs it. */
  readonly name: string;
  readonly workspace: string;
  /** From 1 on; each older backup that was taken into service begins a new one. */
  readonly epoch: number;
}

export interface Checkpoint extends Origin {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

/** A checkpoint with a signature that nobody has looked at yet. */
export interface Note {
  readonly checkpoint: Checkpoint;
  /** What is signed. */
  readonly text: string;
  readonly keyId: string;
  readonly signature: Buffer;
}

const NAME = '[A-Za-z0-9._-]{1,100}';
const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const ORIGIN_PATTERN = `(?<name>${NAME})/(?<workspace>${UUID})/e(?<epoch>[1-9][0-9]*)`;
const ORIGIN = new RegExp(`^${ORIGIN_PATTERN}$`);
const NOTE_PATTERN =
  `(?<text>(?<origin>${ORIGIN_PATTERN})\n(?<size>0|[1-9][0-9]*)\n(?<root>[A-Za-z0-9+/]{43}=)\n)` +
  `\n— \\k<name> (?<signature>[A-Za-z0-9+/]{91}=)\n`;
const PUBLIC_KEY = new RegExp(`^(?<name>${NAME})\\+(?<id>[0-9a-f]{8})\\+(?<key>[A-Za-z0-9+/]{44})$`);

const ED25519 = 0x01;
const KEY_ID_BYTES = 4;
/** What stands before the 32 bytes of an Ed25519 key in the DER form of RFC 8410. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const FIELD_PRIME = 2n ** 255n - 19n;

export function parseOrigin(origin: string): Origin | undefined {
  const { name = '', workspace = '', epoch } = ORIGIN.exec(origin)?.groups ?? {};
  return Number.isSafeInteger(Number(epoch)) ? { name, workspace, epoch: Number(epoch) } : undefined;
}

export function originOf({ name, workspace, epoch }: Origin): string {
  const origin = `${name}/${workspace}/e${epoch}`;
  if (parseOrigin(origin) === undefined) throw new RangeError(`${origin} is no origin of a checkpoint`);
  return origin;
}

/** What of a checkpoint is signed. */
export function checkpointText({ origin, size, root }: Pick<Checkpoint, 'origin' | 'size' | 'root'>): string {
  return `${origin}\n${size}\n${root.toString('base64')}\n`;
}

/** A file of notes, each with one more line end after it. Undefined if anything in it is not in its form. */
export function parseNotes(text: string): Note[] | undefined {
  const pattern = new RegExp(`${NOTE_PATTERN}\n`, 'y');
  const notes: Note[] = [];
  do {
    const note = noteOf(pattern.exec(text)?.groups);
    if (note === undefined) return undefined;
    notes.push(note);
  } while (pattern.lastIndex < text.length);
  return notes;
}

/** One note alone. */
export function parseNote(text: string): Note | undefined {
  return noteOf(new RegExp(`^${NOTE_PATTERN}$`).exec(text)?.groups);
}

/** The checkpoint, if one of these keys has signed it. */
export function openNote(note: Note, keys: readonly PublicKey[]): Checkpoint | undefined {
  const signers = keys.filter(({ name, keyId }) => name === note.checkpoint.name && keyId === note.keyId);
  return signers.some((key) => key.verify(note.text, note.signature)) ? note.checkpoint : undefined;
}

function noteOf(groups: Record<string, string> | undefined): Note | undefined {
  const { text = '', origin = '', size } = groups ?? {};
  const parsed = parseOrigin(origin);
  const root = bytesOf(groups?.['root']);
  const signature = bytesOf(groups?.['signature']);
  if (parsed === undefined || root === undefined || signature === undefined) return undefined;
  if (!Number.isSafeInteger(Number(size))) return undefined;
  return {
    checkpoint: { ...parsed, origin, size: Number(size), root },
    text,
    keyId: signature.toString('hex', 0, KEY_ID_BYTES),
    signature: signature.subarray(KEY_ID_BYTES),
  };
}

export class PublicKey {
  private key: KeyObject | undefined;

  private constructor(
    readonly name: string,
    /** In hex. */
    readonly keyId: string,
    private readonly raw: Buffer,
  ) {}

  static of(name: string, key: KeyObject): PublicKey {
    const raw = key.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length);
    return new PublicKey(name, keyIdOf(name, raw), raw);
  }

  /** Undefined if it is not in its form, or has not the id that follows from it. */
  static parse(text: string): PublicKey | undefined {
    const { name = '', id = '', key } = PUBLIC_KEY.exec(text)?.groups ?? {};
    const bytes = bytesOf(key);
    if (bytes?.[0] !== ED25519) return undefined;
    const raw = bytes.subarray(1);
    return keyIdOf(name, raw) === id ? new PublicKey(name, id, raw) : undefined;
  }

  verify(text: string, signature: Buffer): boolean {
    if (!isCanonicalPoint(this.raw)) return false;
    const der = Buffer.concat([SPKI_PREFIX, this.raw]);
    this.key ??= createPublicKey({ key: der, format: 'der', type: 'spki' });
    return verify(null, Buffer.from(text, 'utf8'), this.key, signature);
  }

  toString(): string {
    return `${this.name}+${this.keyId}+${typed(this.raw).toString('base64')}`;
  }
}

export class SigningKey {
  private readonly public: PublicKey;

  private constructor(
    readonly name: string,
    private readonly key: KeyObject,
  ) {
    if (!new RegExp(`^${NAME}$`).test(name)) throw new RangeError(`${name} is no name of a log`);
    if (key.asymmetricKeyType !== 'ed25519') throw new RangeError('Checkpoints are signed by an Ed25519 key');
    this.public = PublicKey.of(name, createPublicKey(key));
  }

  /** From a private key in the PEM form of PKCS#8. */
  static fromPem(name: string, pem: string): SigningKey {
    return new SigningKey(name, createPrivateKey(pem));
  }

  static generate(name: string): SigningKey {
    return new SigningKey(name, generateKeyPairSync('ed25519').privateKey);
  }

  /** In hex. */
  get keyId(): string {
    return this.public.keyId;
  }

  /** As C2SP signed-note writes it: `<name>+<key id>+<base64>`. */
  get publicKey(): string {
    return this.public.toString();
  }

  get pem(): string {
    return this.key.export({ format: 'pem', type: 'pkcs8' }).toString();
  }

  /** The whole note. */
  sign(text: string): string {
    const signature = sign(null, Buffer.from(text, 'utf8'), this.key);
    const signed = Buffer.concat([Buffer.from(this.keyId, 'hex'), signature]);
    return `${text}\n— ${this.name} ${signed.toString('base64')}\n`;
  }
}

function keyIdOf(name: string, raw: Buffer): string {
  const hash = createHash('sha256').update(`${name}\n`).update(typed(raw)).digest();
  return hash.toString('hex', 0, KEY_ID_BYTES);
}

function typed(raw: Buffer): Buffer {
  return Buffer.concat([Uint8Array.of(ED25519), raw]);
}

/**
 * RFC 8032 §5.1.3 has one encoding of each point. OpenSSL takes others too: a coordinate that is not reduced, and a
 * sign of zero. No honest key is such a one, but of a made one two verifiers must say the same.
 */
function isCanonicalPoint(raw: Buffer): boolean {
  const bits = BigInt(`0x${Buffer.from(raw).reverse().toString('hex')}`);
  const y = BigInt.asUintN(255, bits);
  const odd = bits !== y;
  return y < FIELD_PRIME && !(odd && (y === 1n || y === FIELD_PRIME - 1n));
}

/** Of the one base64 text that spells them. */
function bytesOf(base64: string | undefined): Buffer | undefined {
  if (base64 === undefined) return undefined;
  const bytes = Buffer.from(base64, 'base64');
  return bytes.toString('base64') === base64 ? bytes : undefined;
}
