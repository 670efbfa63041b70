// API keys: what one looks like, and the only thing that is kept of it.
import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** What secret scanners may look for. */
export const KEY_PATTERN = /^(swy_[0-9A-Za-z]{12})_[0-9A-Za-z]{49}$/;

export interface NewKey {
  readonly key: string;
  /** By which people tell keys apart. */
  readonly prefix: string;
  readonly hash: string;
}

/**
 * `swy_<public id>_<secret><checksum>`: 256 random bits and a CRC-32 over what precedes it, in base 62. The prefix and
 * the checksum let secret scanners tell a key from any other word.
 */
export function newKey(): NewKey {
  const prefix = `swy_${random(9, 12).slice(-12)}`;
  const body = `${prefix}_${random(32, 43)}`;
  const key = body + base62(BigInt(crc32(body)), 6);
  return { key, prefix, hash: hashOfKey(key) };
}

/** Undefined for a key that was made elsewhere. */
export function prefixOf(key: string): string | undefined {
  return KEY_PATTERN.exec(key)?.[1];
}

/** With 256 random bits there is nothing to guess, so a plain SHA-256 is enough (OWASP ASVS 5.0, 6.5.2). */
export function hashOfKey(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

function random(bytes: number, width: number): string {
  return base62(BigInt(`0x${randomBytes(bytes).toString('hex')}`), width);
}

function base62(value: bigint, width: number): string {
  let digits = '';
  for (let rest = value; rest > 0n; rest /= 62n) digits = BASE62.charAt(Number(rest % 62n)) + digits;
  return digits.padStart(width, '0');
}
