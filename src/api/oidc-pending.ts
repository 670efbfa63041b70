// A sign-in that is under way at the identity provider, sealed into a cookie of the browser that began it. Any server
// with the same client secret can open it, so nothing has to be kept or shared while somebody types a password.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

export interface Pending {
  readonly state: string;
  readonly nonce: string;
  /** Of PKCE. */
  readonly verifier: string;
  /** A path of this server. */
  readonly returnTo: string;
  /** Slug; null for the one that the rules name. */
  readonly workspace: string | null;
}

export const PENDING_SECONDS = 600;
const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** One secret of the operator's becomes one key for each purpose. */
export function keyFrom(clientSecret: string, purpose: 'sign-in' | 'person-id'): Buffer {
  return Buffer.from(hkdfSync('sha256', clientSecret, '', `switchyard ${purpose}`, KEY_BYTES));
}

export function seal(key: Uint8Array, pending: Pending, nowMs: number): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key, iv);
  const text = JSON.stringify({ ...pending, until: nowMs + PENDING_SECONDS * 1_000 });
  return Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString(
    'base64url',
  );
}

/** Undefined for what was not sealed with this key, was changed, or is too old. */
export function unseal(key: Uint8Array, sealed: string, nowMs: number): Pending | undefined {
  const bytes = Buffer.from(sealed, 'base64url');
  if (bytes.length <= IV_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, IV_BYTES));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    const text = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
    const { until, ...pending } = JSON.parse(text.toString('utf8')) as Pending & { readonly until: number };
    return until > nowMs ? pending : undefined;
  } catch {
    return undefined;
  }
}

const PATH_CHARACTERS_MAX = 1_000;
/** Any: only whether a path leads away from it matters. */
const HERE = 'http://here.invalid';

/** A path of this server, as a browser will understand it; undefined for what may lead anywhere else. */
export function localPath(text: string): string | undefined {
  if (text.length > PATH_CHARACTERS_MAX || !/^\/[\x21-\x7e]*$/.test(text) || !URL.canParse(text, HERE)) {
    return undefined;
  }
  const { origin, pathname, search, hash } = new URL(text, HERE);
  // Two slashes at the beginning name a host, also where dots between them were taken out.
  return origin === HERE && !pathname.startsWith('//') ? pathname + search + hash : undefined;
}
