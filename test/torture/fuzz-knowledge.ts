// What the fuzz has learnt from answers, so that later requests get deep: where things are, and what fields hold. It
// knows nothing of the product but what the document and the answers say.
import type { Json } from '../support/api-document.js';
import type { Random } from '../support/random.js';

const REMEMBERED_MAX = 60;
const ITEMS_LEARNT_MAX = 4;
const DEPTH_MAX = 3;
const VALUE_CHARACTERS_MAX = 200;
/** By which a thing can be named; a position names only what has no other name. */
const IDENTIFIERS = ['id', 'slug', 'number'];
const LAST_IDENTIFIER = 'position';
/** What the first start makes is called so. */
const FIRST_OF_ALL = 'default';

export class Knowledge {
  /** Of each kind of thing, by its path with `{}` for every parameter: the paths of those that are there. */
  private readonly places = new Map<string, string[]>();
  /** Of each field, by its name in small letters: what it has held. */
  private readonly fields = new Map<string, string[]>();

  /** What all else rests on: nothing is to end it, or the rest of the run would see nothing but refusals. */
  private readonly precious = new Set([FIRST_OF_ALL]);

  constructor(ownKeyId: string) {
    this.precious.add(ownKeyId);
  }

  isPrecious(name: string): boolean {
    return this.precious.has(name);
  }

  /** From a good answer to a request for this path, which is of the template. */
  learn(template: string, path: string, answer: unknown): void {
    const items = (answer as { readonly items?: unknown } | null)?.items;
    const isPage = Array.isArray(items);
    this.learnFields(answer, 0);
    const things = isPage ? items.slice(0, ITEMS_LEARNT_MAX) : [answer];
    for (const thing of things as (Json | null)[]) {
      const named = IDENTIFIERS.filter((identifier) => thing?.[identifier] !== undefined);
      for (const identifier of named.length > 0 ? named : [LAST_IDENTIFIER]) {
        const value = thing?.[identifier];
        if (typeof value !== 'string' && typeof value !== 'number') continue;
        const name = String(value);
        if (thing?.['slug'] === FIRST_OF_ALL) this.precious.add(name);
        remember(this.places, `${withoutNames(template)}/{}`, `${path}/${encodeURIComponent(name)}`);
        remember(this.fields, singular(path), name);
      }
    }
  }

  /** A path for a template, as deep in what is there as can be; `unknown` fills what nothing is known of. */
  pathFor(template: string, random: Random, unknown: (name: string) => string): string {
    const parts = template.split('/');
    const known = (length: number): string | undefined => {
      const places = this.places.get(withoutNames(parts.slice(0, length).join('/')));
      return places === undefined ? undefined : random.pick(places);
    };
    let from = parts.findLastIndex((part) => part.startsWith('{')) + 1;
    let path: string | undefined;
    for (; from > 0 && path === undefined; from -= 1) path = known(from);
    const rest = path === undefined ? parts : parts.slice(from + 1);
    const filled = rest.map((part) =>
      part.startsWith('{') ? encodeURIComponent(unknown(part.slice(1, -1))) : part,
    );
    return [...(path === undefined ? [] : [path]), ...filled].join('/');
  }

  /** Something that a field of such a name has held: `sourceEnvironment` may be any `environment`. */
  valueFor(name: string, random: Random): string | undefined {
    const wanted = name.toLowerCase().replace(/ids?$/, '') || name.toLowerCase();
    const exact = this.fields.get(wanted);
    if (exact !== undefined) return random.pick(exact);
    const similar = [...this.fields.keys()].filter(
      (field) => field.length > 1 && (wanted.endsWith(field) || field.endsWith(wanted)),
    );
    const closest = similar.sort((a, b) => b.length - a.length)[0];
    return closest === undefined ? undefined : random.pick(this.fields.get(closest) ?? []);
  }

  private learnFields(value: unknown, depth: number): void {
    if (typeof value !== 'object' || value === null || depth > DEPTH_MAX) return;
    const fields = Array.isArray(value)
      ? value.slice(0, ITEMS_LEARNT_MAX).map((item) => ['', item] as const)
      : Object.entries(value);
    for (const [name, field] of fields) {
      if (typeof field === 'object') this.learnFields(field, depth + 1);
      else if (name !== '' && String(field).length <= VALUE_CHARACTERS_MAX)
        remember(this.fields, name.toLowerCase(), String(field));
    }
  }
}

function withoutNames(template: string): string {
  return template.replace(/\{\w+\}/g, '{}');
}

/** Of the collection that a path ends in: `environment` for `…/environments`. */
function singular(path: string): string {
  return (path.split('/').at(-1) ?? '').toLowerCase().replace(/s$/, '');
}

/** The newest take the place of the oldest. */
function remember(into: Map<string, string[]>, name: string, value: string): void {
  const values = into.get(name) ?? [];
  if (values.includes(value)) return;
  values.push(value);
  if (values.length > REMEMBERED_MAX) values.shift();
  into.set(name, values);
}
