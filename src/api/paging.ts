// Pages of a list: how many, from where, and the cursor that leads on.
import { IsString, MaxLength } from 'class-validator';
import { Problem } from './problem.js';
import { IfGiven, IsQueryInteger } from './validation.js';

const LIMIT_MAX = 500;
const LIMIT_DEFAULT = 50;

/** What the cursors of the lists hold: the id, the number or the slug of the last item. */
export const ID_CURSOR = /^[0-9a-f-]{36}$/;
export const NUMBER_CURSOR = /^[1-9][0-9]{0,14}$/;
export const SLUG_CURSOR = /^[a-z0-9][a-z0-9._-]{0,62}$/;

export class PageQuery {
  /** How many items at most. */
  @IfGiven()
  @IsQueryInteger(1, LIMIT_MAX)
  limit: number = LIMIT_DEFAULT;

  /** `nextCursor` of the page before. */
  @IfGiven()
  @IsString()
  @MaxLength(200)
  cursor?: string;
}

/** The value that a cursor of ours holds; undefined for the first page. Throws `invalid-query` for any other. */
export function fromCursor(cursor: string | undefined, shape: RegExp): string | undefined {
  if (cursor === undefined) return undefined;
  const value = Buffer.from(cursor, 'base64url').toString('utf8');
  if (shape.test(value) && toCursor(value) === cursor) return value;
  const errors = [{ pointer: '/cursor', detail: 'must be the nextCursor of an earlier page' }];
  throw new Problem('invalid-query', 'The cursor is not one of this list.', errors);
}

export function toCursor(value: string): string {
  return Buffer.from(value, 'utf8').toString('base64url');
}

/** One item more than asked for was read, to know whether there is a next page. */
export function page<Item>(items: readonly Item[], limit: number, cursorOf: (item: Item) => string) {
  const kept = items.slice(0, limit);
  const last = kept.at(-1);
  const nextCursor = items.length > limit && last !== undefined ? toCursor(cursorOf(last)) : null;
  return { items: kept, nextCursor };
}

/** Of things that are all in memory, in the order of their ids: whatever comes or goes in between moves nothing. */
export function pageById<Item extends { readonly id: string }>(
  items: readonly Item[],
  { limit, cursor }: PageQuery,
) {
  const after = fromCursor(cursor, ID_CURSOR) ?? '';
  const rest = items.filter(({ id }) => id > after).sort((a, b) => (a.id < b.id ? -1 : 1));
  return page(rest, limit, ({ id }) => id);
}
