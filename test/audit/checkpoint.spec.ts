// Checkpoints, their signatures and their keys, byte by byte: one spelling of each and no other.
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import {
  checkpointText,
  openNote,
  originOf,
  parseNote,
  parseNotes,
  parseOrigin,
  PublicKey,
  SigningKey,
} from '../../src/audit/checkpoint.js';
import { leafData, parseLeaf } from '../../src/audit/leaf.js';
import { keyFrom } from '../support/evidence-bundle.js';
import { Random, seed } from '../support/random.js';

const WORKSPACE = '0198c5a2-1000-7a01-8c11-4b7de2a90f01';
const ORIGIN = `log.example/${WORKSPACE}/e1`;
const ROOT = createHash('sha256').update('root').digest();
const TEXT = checkpointText({ origin: ORIGIN, size: 128, root: ROOT });

const key = keyFrom(new Random(1), 'log.example');
const publicKey = publicKeyOf(key);
const note = key.sign(TEXT);

describe('A checkpoint', () => {
  it('is three lines, and a signature by the id of its key', () => {
    const [id, raw] = [Buffer.from(key.keyId, 'hex'), rawOf(key)];
    const lines = note.split('\n');
    expect(lines.slice(0, 4)).toEqual([ORIGIN, '128', ROOT.toString('base64'), '']);
    const signature = Buffer.from(/^\u2014 log\.example (\S+)$/.exec(lines[4] ?? '')?.[1] ?? '', 'base64');
    expect(lines.slice(5)).toEqual(['']);
    expect(signature).toHaveLength(68);
    expect(signature.subarray(0, 4)).toEqual(id);
    expect(id).toEqual(sha256('log.example\n', Buffer.of(1), raw).subarray(0, 4));
    const signed = Buffer.from(`${ORIGIN}\n128\n${ROOT.toString('base64')}\n`);
    expect(verify(null, signed, createPublicKey(key.pem), signature.subarray(4))).toBe(true);
  });

  it('is opened by its key alone', () => {
    const parsed = parseNote(note);
    if (parsed === undefined) throw new Error('The note is one');
    const checkpoint = {
      origin: ORIGIN,
      name: 'log.example',
      workspace: WORKSPACE,
      epoch: 1,
      size: 128,
      root: ROOT,
    };
    const others = [keyFrom(new Random(2), 'log.example'), keyFrom(new Random(1), 'another')].map(
      publicKeyOf,
    );
    expect(openNote(parsed, [...others, publicKey])).toEqual(checkpoint);
    expect(openNote(parsed, others)).toBeUndefined();
    expect(openNote(parsed, [])).toBeUndefined();
  });

  it('is refused with any bit of it changed', () => {
    const bytes = Buffer.from(note);
    for (let bit = 0; bit < 8 * bytes.length; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const parsed = parseNote(flipped.toString());
      expect(parsed === undefined ? undefined : openNote(parsed, [publicKey])).toBeUndefined();
    }
  });

  it('is one in the one spelling alone', () => {
    const base64 = ROOT.toString('base64');
    const others = [
      TEXT.replace('128', '0128'),
      TEXT.replace('128', '128.0'),
      TEXT.replace('128', '-1'),
      TEXT.replace('128', '１'),
      TEXT.replace('128', '9007199254740992'),
      TEXT.replace('/e1', '/e0'),
      TEXT.replace('/e1', '/e01'),
      TEXT.replace('/e1', ''),
      TEXT.replace(WORKSPACE, WORKSPACE.toUpperCase()),
      TEXT.replace('log.example', 'x'.repeat(101)),
      TEXT.replace('log.example', ''),
      TEXT.replace('log.example', 'log example'),
      TEXT.replace(base64, base64.slice(0, -1)),
      TEXT.replace(
        base64,
        base64.replace(/.=$/, (end) => `${String.fromCharCode(end.charCodeAt(0) + 1)}=`),
      ),
      TEXT.replace(base64, base64.replaceAll('/', '_').replaceAll('+', '-').replace(/^./, '_')),
      `${TEXT}extension\n`,
      TEXT.replaceAll('\n', '\r\n'),
      ` ${TEXT}`,
      `\ufeff${TEXT}`,
    ];
    expect(parseNote(key.sign(TEXT))).toBeDefined();
    for (const text of others) expect([text, parseNote(key.sign(text))]).toEqual([text, undefined]);
    const [line] = note.split('\n').slice(-2);
    const spellings = [
      note.replace('\u2014', '-'),
      note.replace('\u2014 log.example', '\u2014 another.log'),
      note.replace('\u2014 log.example ', '\u2014 log.example  '),
      note.slice(0, -1),
      `${note}\n`,
      `${note}${line}\n`,
      note.replace('\n\n', '\n'),
      note.replace('\n\n', '\n\n\n'),
    ];
    for (const spelling of spellings) expect([spelling, parseNote(spelling)]).toEqual([spelling, undefined]);
  });

  it('stands in a file with a line end after it, and nothing else does', () => {
    const other = key.sign(
      checkpointText({ origin: originOf({ ...parseOrigin(ORIGIN)!, epoch: 2 }), size: 0, root: ROOT }),
    );
    const sizes = parseNotes(`${note}\n${other}\n`)?.map(({ checkpoint: { size, epoch } }) => [size, epoch]);
    expect(sizes).toEqual([
      [128, 1],
      [0, 2],
    ]);
    for (const file of [
      '',
      '\n',
      note,
      `${note}\n\n`,
      `\n${note}\n`,
      `${note}\n${other}`,
      `${note}${other}\n`,
      `${note}\n${other}\n `,
    ]) {
      expect([file, parseNotes(file)]).toEqual([file, undefined]);
    }
  });
});

describe('An origin', () => {
  it('names the log, the workspace and the epoch', () => {
    const origin = { name: 'log.example', workspace: WORKSPACE, epoch: 17 };
    expect(parseOrigin(originOf(origin))).toEqual(origin);
    expect(originOf(origin)).toBe(`log.example/${WORKSPACE}/e17`);
    expect(parseOrigin(`log.example/${WORKSPACE}/e9007199254740992`)).toBeUndefined();
    expect(parseOrigin(`${ORIGIN}\n`)).toBeUndefined();
  });

  it('is not made of what could not be read again', () => {
    for (const wrong of [
      { epoch: 0 },
      { epoch: 1.5 },
      { epoch: 1e21 },
      { name: 'a/b' },
      { workspace: 'w' },
    ]) {
      expect(() => originOf({ name: 'log', workspace: WORKSPACE, epoch: 1, ...wrong })).toThrow(RangeError);
    }
  });
});

describe('A key', () => {
  it('comes back from its file, and from its public spelling', () => {
    const again = SigningKey.fromPem('log.example', key.pem);
    expect(again.publicKey).toBe(key.publicKey);
    expect(again.sign(TEXT)).toBe(note);
    expect(String(publicKey)).toBe(key.publicKey);
    expect(publicKey.keyId).toBe(key.keyId);
    const fresh = SigningKey.generate('log.example');
    expect(fresh.publicKey).not.toBe(key.publicKey);
    expect(openNote(parseNote(fresh.sign(TEXT))!, [publicKeyOf(fresh)])?.size).toBe(128);
  });

  it('is the one of RFC 8032', () => {
    const seedOfTest1 = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';
    const der = Buffer.from(`302e020100300506032b657004220420${seedOfTest1}`, 'hex');
    const pem = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({
      format: 'pem',
      type: 'pkcs8',
    });
    expect(rawOf(SigningKey.fromPem('log', pem.toString())).toString('hex')).toBe(
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    );
  });

  it('of another kind, or of a name that cannot be written, signs nothing', () => {
    const rsa = generateKeyPairSync('x25519').privateKey.export({ format: 'pem', type: 'pkcs8' });
    expect(() => SigningKey.fromPem('log', rsa.toString())).toThrow(RangeError);
    for (const name of ['', 'a b', 'a+b', 'é', 'x'.repeat(101)])
      expect(() => SigningKey.generate(name)).toThrow(RangeError);
  });

  it('is public in the one spelling alone, with the id that follows from it', () => {
    const [name = '', id = '', base64 = ''] = key.publicKey.split('+', 3);
    const rest = key.publicKey.slice(name.length + id.length + 2);
    expect(rest.startsWith(base64)).toBe(true);
    const x25519 = Buffer.concat([Buffer.of(2), rawOf(key)]);
    const others = [
      `${name}+${id.toUpperCase()}+${rest}`,
      `${name}+00000000+${rest}`,
      `another+${id}+${rest}`,
      `${name}+${id}+${rest}=`,
      `${name}+${id}+${rest.slice(0, -4)}`,
      `${name}+${sha256(`${name}\n`, x25519).toString('hex', 0, 4)}+${x25519.toString('base64')}`,
      `${name}+${id}+${x25519.toString('base64')}`,
      `${key.publicKey}\n`,
      '',
    ];
    expect(PublicKey.parse(key.publicKey)).toBeDefined();
    for (const spelling of others)
      expect([spelling, PublicKey.parse(spelling)]).toEqual([spelling, undefined]);
  });

  it('is no key in another encoding of its point', () => {
    // The point 1 (nothing at all) opens anything with R = 0·B and S = 0, and OpenSSL takes it in all three encodings.
    const signature = Buffer.from(`01${'00'.repeat(63)}`, 'hex');
    const encodings = [`01${'00'.repeat(31)}`, `01${'00'.repeat(30)}80`, `ee${'ff'.repeat(30)}7f`];
    const opened = encodings.map((encoding) => {
      const typed = Buffer.from(`01${encoding}`, 'hex');
      const id = sha256('log.example\n', typed).toString('hex', 0, 4);
      return PublicKey.parse(`log.example+${id}+${typed.toString('base64')}`)?.verify(TEXT, signature);
    });
    expect(opened).toEqual([true, false, false]);
  });
});

describe('Leaf data', () => {
  const leaf = {
    ...{
      workspace: WORKSPACE,
      index: 7,
      stream: `flow-${WORKSPACE}`,
      revision: 2,
      id: 'id',
      type: 'FlowRenamed',
    },
    ...{ data: '{ "name":"Größe 😀" }', meta: '{"schema":1}' },
  };

  it('is nine lines, and is read again as it was written', () => {
    const text = `v1\n${WORKSPACE}\n7\nflow-${WORKSPACE}\n2\nid\nFlowRenamed\n{ "name":"Größe 😀" }\n{"schema":1}`;
    expect(leafData(leaf).toString()).toBe(text);
    expect(parseLeaf(leafData(leaf))).toEqual(leaf);
  });

  it('is never made of a field with a line end in it', () => {
    for (const field of ['stream', 'id', 'type', 'data', 'meta', 'workspace']) {
      expect(() => leafData({ ...leaf, [field]: 'a\nb' })).toThrow(RangeError);
    }
  });

  it(`is in no other form (TEST_SEED=${seed})`, () => {
    const text = leafData(leaf).toString();
    const others = [
      text.replace('v1', 'v2'),
      `${text}\n`,
      text.slice(0, text.lastIndexOf('\n')),
      text.replace('\n7\n', '\n07\n'),
      text.replace('\n2\n', '\n-2\n'),
      text.replace('\n2\n', '\n9007199254740992\n'),
      '',
    ];
    for (const other of others) expect([other, parseLeaf(Buffer.from(other))]).toEqual([other, undefined]);
    expect(parseLeaf(Buffer.concat([leafData(leaf), Buffer.of(0xff)]))).toBeUndefined();
  });
});

function publicKeyOf({ publicKey: text }: SigningKey): PublicKey {
  const parsed = PublicKey.parse(text);
  if (parsed === undefined) throw new Error(`${text} is no public key`);
  return parsed;
}

function rawOf({ pem }: SigningKey): Buffer {
  return createPublicKey(pem).export({ format: 'der', type: 'spki' }).subarray(-32);
}

function sha256(...pieces: readonly (string | Uint8Array)[]): Buffer {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
}
