// Questions to the audit trail for its tests: what is asked in the words of the random histories, how the trail is
// searched for it page after page, and which of the entries hold it by a plain look at each.
import { firstAt, numberOf, searchTrail, tokenOf, type AuditSearch } from '../../projections/audit-pages.js';
import {
  actorToken,
  correlationToken,
  NO_TOKEN,
  versionToken,
  wordsOf,
} from '../../projections/audit-tokens.js';
import { typeThing } from '../../projections/audit-trail.js';
import { WINDOW_ENTRIES } from '../../projections/audit-windows.js';
import type { Rows } from '../../projections/projection.js';
import * as history from './audit-history.js';
import type { Random } from './random.js';

/** What may be asked, in the words of the histories. */
export interface Asked {
  readonly workspace?: string;
  readonly environmentId?: string;
  readonly flowId?: string;
  readonly number?: number;
  readonly actor?: string;
  readonly type?: string;
  readonly correlationId?: string;
  readonly q?: string;
}

const LAST = 2 ** 40;

export function searchFor(rows: Rows, asked: Asked, limits: Partial<AuditSearch> = {}): AuditSearch {
  const { workspace = 'w1', environmentId, flowId, number, actor, type, correlationId, q } = asked;
  const ids = [workspace, environmentId, flowId, type === undefined ? undefined : typeThing(type)];
  const tokens = ids.flatMap((id) => (id === undefined ? [] : (tokenOf(rows, id) ?? NO_TOKEN)));
  if (flowId !== undefined && number !== undefined) {
    tokens.push(versionToken(numberOf(rows, flowId) ?? 0, number));
  }
  if (actor !== undefined) tokens.push(tokenOf(rows, actor, actorToken) ?? NO_TOKEN);
  if (correlationId !== undefined) tokens.push(correlationToken(correlationId));
  const words = q === undefined ? [] : wordsOf(q).split(' ');
  const prefix = words.pop();
  return {
    ...{ workspace: numberOf(rows, workspace) ?? 0, tokens: [...tokens, ...words], prefix },
    ...{ first: 1, last: LAST, newestFirst: true, limit: 50 },
    ...limits,
  };
}

export interface Page {
  readonly positions: readonly string[];
  readonly next: string | null;
}

/** Page after page, to the end. */
export function pagesOf(rows: Rows, search: AuditSearch, windowEntries = WINDOW_ENTRIES): Page[] {
  const pages: Page[] = [];
  let { first, last } = search;
  for (;;) {
    const { entries, next } = searchTrail(rows, { ...search, first, last }, windowEntries);
    pages.push({ positions: entries.map(({ position }) => position), next });
    if (next === null) return pages;
    if (search.newestFirst) last = firstAt(rows, BigInt(next)) - 1;
    else first = firstAt(rows, BigInt(next) + 1n);
  }
}

export function plainWords(text: string): string[] {
  const plain = text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  return plain.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
}

export function holds(
  asked: Asked,
  { meta, type, environmentId, about }: history.Happened,
  words: readonly string[],
): boolean {
  const { q, flowId, number } = asked;
  const wanted = q === undefined ? [] : plainWords(q);
  const last = wanted.pop();
  return (
    meta.workspace === (asked.workspace ?? 'w1') &&
    (asked.environmentId === undefined || asked.environmentId === environmentId) &&
    (flowId === undefined || about.has(flowId)) &&
    (flowId === undefined || number === undefined || about.has(`${flowId} ${number}`)) &&
    (asked.actor === undefined || asked.actor === meta.actor.id) &&
    (asked.type === undefined || asked.type === type) &&
    (asked.correlationId === undefined || asked.correlationId === meta.$correlationId) &&
    wanted.every((word) => words.includes(word)) &&
    (last === undefined || words.some((word) => word.startsWith(last)))
  );
}

export function randomQuestion(random: Random, happened: readonly history.Happened[]): Asked {
  const maybe = <Item>(chance: number, item: () => Item) => (random.next() < chance ? item() : undefined);
  const flowId = maybe(0.3, () => random.pick(history.FLOWS));
  const asked = {
    workspace: random.pick(history.WORKSPACES),
    environmentId: maybe(0.4, () => random.pick(history.ENVIRONMENTS)),
    ...{ flowId, number: flowId === undefined ? undefined : maybe(0.5, () => 1 + random.below(5)) },
    actor: maybe(0.2, () => random.pick([...history.ACTORS, 'switchyard'])),
    type: maybe(0.2, () => random.pick(happened).type),
    correlationId: maybe(0.1, () => random.pick(history.CORRELATIONS)),
    q: maybe(0.4, () => random.pick(QUESTIONS)),
  };
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
}

const QUESTIONS = [
  ...['cafe', 'ÜBERPRÜFT im', 'r', 're', 'release 1', 'in place of version', 'naive los', '評価', '12'],
  ...['f7 version', 'costs twice', 'rolled back before its first', 'zuruck', 'e', 'Caf'],
];
