// What things may be called: slugs, names and ids, and how a slug is made from a name.

const SLUG = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
// \p{C} holds control, bidi, zero-width, unassigned and lone surrogate characters: all that a reader cannot see.
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/u;
const NAME_CHARACTERS_MAX = 100;

// `/environments/diff`, `/environments/promote` and `/environments/default` are routes of their own.
const ENVIRONMENT_SLUGS_TAKEN = new Set(['default', 'diff', 'promote']);

export function isId(text: string): boolean {
  return UUID.test(text);
}

/** A slug that could be taken for an id is none: wherever a slug works, an id works too. */
export function isSlug(text: string): boolean {
  return SLUG.test(text) && !UUID.test(text);
}

export function isEnvironmentSlug(text: string): boolean {
  return isSlug(text) && !ENVIRONMENT_SLUGS_TAKEN.has(text);
}

/** 1 to 100 printable characters, counted after NFC, with no space at either end. */
export function isName(text: string): boolean {
  const name = text.normalize('NFC');
  const length = [...name].length;
  return length >= 1 && length <= NAME_CHARACTERS_MAX && name === name.trim() && !INVISIBLE.test(name);
}

/** The slug of a name: lower case, accents dropped, anything else a dash. Empty when nothing is left. */
export function slugFrom(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 63)
    .replace(/[-._]+$/, '');
}
