// Keys with limits, issued over HTTP as anybody would, and clients that use them.
import type { KeyAnswer, NewKeyAnswer, NewWorkspaceAnswer } from '../../src/api/keys.answers.js';
import type { Grant } from '../../src/domain/access.events.js';
import { good, Http } from './http.js';

export type Key = KeyAnswer;
export type NewKey = NewKeyAnswer & { readonly position: string };
export type NewWorkspace = NewWorkspaceAnswer & { readonly position: string };

export interface Holder {
  readonly issued: NewKey;
  readonly key: string;
  /** With the key. */
  readonly http: Http;
}

/** Grants name what they are for. */
export async function holderOf(
  by: Http,
  name: string,
  grants: readonly Grant[],
  more: { readonly expiresAt?: string } = {},
): Promise<Holder> {
  const issued = await good(by.post<NewKey>('/keys', { name, grants, ...more }));
  return { issued, key: issued.key ?? '', http: new Http(by.url, issued.key ?? '') };
}

/** A time from now, as it is sent. */
export function inMs(ms: number): string {
  return new Date(Date.now() + ms).toISOString();
}

/** What a key answers, without the secret and the position that only some answers have. */
export function shownOf(issued: NewKey): Key {
  const { key: _key, position: _position, ...shown } = issued;
  return shown;
}
