// The content of a version and its digest, which is its identity: the same JSON gives the same digest, whatever
// the order of its keys or the spaces it was sent with.
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Content } from '../domain/flow.events.js';

export const CONTENT_BYTES_MAX = 512 * 1024;

export class ContentTooLarge extends Error {
  constructor(readonly bytes: number) {
    super(`The content has ${bytes} bytes as canonical JSON; a version holds up to ${CONTENT_BYTES_MAX}.`);
    this.name = 'ContentTooLarge';
  }
}

/**
 * SHA-256, in hex, over the canonical form of RFC 8785 (JSON Canonicalization Scheme). Throws `ContentTooLarge`
 * when that form is longer than 512 KiB.
 */
export function digestOf(content: Content): string {
  const canonical = Buffer.from(canonicalize(content) ?? '', 'utf8');
  if (canonical.length > CONTENT_BYTES_MAX) throw new ContentTooLarge(canonical.length);
  return createHash('sha256').update(canonical).digest('hex');
}
