// How callers name a moment: a time in RFC 3339 with any offset, or a position of the log; and how they name the state
// of an environment: as it is now, after a release, or at a moment.
import { buildMessage, ValidateBy } from 'class-validator';
import { isId, isSlug } from '../domain/naming.js';
import type { At } from '../read/past.js';

const POSITION = /^(0|[1-9][0-9]{0,18})$/;
/** A plus in a query arrives as a space unless it was escaped, so a space before an offset is taken for one. */
const TIME = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+ -])(\d\d):(\d\d))$/;
const RELEASE = /^r(0|[1-9][0-9]{0,14})$/;
export const AT_EXPECTED = 'a time such as 2026-03-03T14:05:00Z or +02:00, or a position';

/** Undefined for what is neither a time nor a position. */
export function parseAt(text: string): At | undefined {
  if (POSITION.test(text)) return { position: BigInt(text) };
  const timeMs = timeOf(text);
  return timeMs === undefined ? undefined : { timeMs };
}

export interface StateName {
  /** Slug or id. */
  readonly environment: string;
  /** Null: now. */
  readonly when: At | { readonly release: number } | null;
}

/** `environment`, `environment@r7` or `environment@` and a moment; undefined for anything else. */
export function parseStateName(text: string): StateName | undefined {
  const [environment = '', ...rest] = text.split('@');
  if ((!isSlug(environment) && !isId(environment)) || rest.length > 1) return undefined;
  const [when] = rest;
  if (when === undefined) return { environment, when: null };
  const release = RELEASE.exec(when)?.[1];
  const parsed = release === undefined ? parseAt(when) : { release: Number(release) };
  return parsed && { environment, when: parsed };
}

/** For `at` in a query. */
export function IsAt(): PropertyDecorator {
  return isRead('isAt', parseAt, AT_EXPECTED);
}

/** For a time alone. */
export function IsTime(): PropertyDecorator {
  return isRead('isTime', timeOf, 'a time such as 2026-03-03T14:05:00Z or +02:00');
}

/** For a state of an environment in a query. */
export function IsStateName(): PropertyDecorator {
  return isRead(
    'isStateName',
    parseStateName,
    'an environment, alone or with @r7, @ and a time or a position',
  );
}

function isRead(name: string, parse: (text: string) => unknown, expected: string): PropertyDecorator {
  const validate = (value: unknown): boolean => typeof value === 'string' && parse(value) !== undefined;
  const defaultMessage = buildMessage((each) => `${each}$property must be ${expected}`);
  return ValidateBy({ name, validator: { validate, defaultMessage } });
}

/** Milliseconds since 1970, undefined for what is no time. What is finer counts for nothing: no event is. */
export function timeOf(text: string): number | undefined {
  const [, day = '', hourMinute = '', second = '', fraction = '', sign, hours, minutes] =
    TIME.exec(text) ?? [];
  // A leap second is the moment after the second before it.
  const isLeap = second === '60';
  const shown = `${day}T${hourMinute}:${isLeap ? '59' : second}.${fraction.padEnd(3, '0').slice(0, 3)}Z`;
  const utcMs = Date.parse(shown);
  // Days that a month does not have are taken for days of the next one.
  if (Number.isNaN(utcMs) || new Date(utcMs).toISOString() !== shown) return undefined;
  if (Number(hours ?? 0) > 23 || Number(minutes ?? 0) > 59) return undefined;
  const offsetMs = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000;
  const timeMs = utcMs + (isLeap ? 1_000 : 0) - (sign === '-' ? -offsetMs : offsetMs);
  // Times are compared as text, which holds for years of four digits alone.
  return new Date(timeMs).toISOString().length === shown.length ? timeMs : undefined;
}
