// The key that signs checkpoints, in a file that only its owner may read. It is made at the first start; another file
// in its place is another key, which is announced in the log beside those before it.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { StoreRefused } from '../store/event-store.js';
import { SigningKey } from './checkpoint.js';

/** Throws `StoreRefused` where the file cannot be read or made, or holds no Ed25519 key. */
export function openSigningKey(path: string, name: string): SigningKey {
  try {
    if (!existsSync(path)) return makeKey(path, name);
    return SigningKey.fromPem(name, readFileSync(path, 'utf8'));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StoreRefused(`The signing key ${path} cannot be used: ${why}`);
  }
}

function makeKey(path: string, name: string): SigningKey {
  const key = SigningKey.generate(name);
  const fd = openSync(path, 'wx', 0o600);
  try {
    writeSync(fd, key.pem);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  return key;
}
