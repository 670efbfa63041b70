// JSON that says one thing only: what a caller sends is kept exactly or refused, never quietly altered.
// The text is parsed once and walked once, both without recursion, so that no input can exhaust the stack.
import type { FieldError } from '../domain/refused.js';

/** Not JSON at all, or JSON that could be read in two ways. */
export class MalformedJson extends Error {
  override readonly name = 'MalformedJson';

  constructor(
    message: string,
    readonly errors: readonly FieldError[] = [],
  ) {
    super(message);
  }
}

/** JSON, but with something in it that could not be kept as it came. */
export class UnacceptableJson extends Error {
  override readonly name = 'UnacceptableJson';

  constructor(readonly errors: readonly FieldError[]) {
    super('The body holds something that cannot be kept exactly.');
  }
}

export const JSON_DEPTH_MAX = 64;
export const JSON_VALUES_MAX = 50_000;

const ERRORS_MAX = 20;
const POINTER_CHARACTERS_MAX = 500;
// The longest decimal that tells one double from every other has this many digits.
const DIGITS_MAX = 17;
// What reads properties by name could take these for members that every object inherits.
const KEYS_REFUSED = new Set(['__proto__', 'constructor', 'prototype']);
const PLAIN_INTEGER = /^-?\d+$/;
const LONE_SURROGATE = /\p{Surrogate}/u;

// The mark at the start stays in the text, where it is seen and refused.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function parseStrictJson(bytes: Buffer): unknown {
  if (bytes.length === 0) {
    throw new MalformedJson('The body is empty. Send a JSON value, or leave out the Content-Type header.');
  }
  const text = decode(bytes);
  if (text.startsWith('\uFEFF')) {
    throw new MalformedJson('The body starts with a byte order mark. Send the JSON without it.');
  }
  const value = parse(text);
  const errors = new JsonWalk(text).errorsFound();
  if (errors.length > 0) {
    throw new UnacceptableJson(errors);
  }
  return value;
}

function decode(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new MalformedJson('The body is not valid UTF-8.');
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const position = /at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    throw new MalformedJson(`The body is not JSON${position ? ` (at character ${position})` : ''}.`);
  }
}

/** A pointer that would grow long ends at an ancestor: an answer stays small whatever the keys are. */
export function jsonPointer(path: Iterable<string | number>): string {
  let pointer = '';
  for (const part of path) {
    const longer = `${pointer}/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (longer.length > POINTER_CHARACTERS_MAX) {
      return pointer;
    }
    pointer = longer;
  }
  return pointer;
}

/** An object or array that the walk is in. An array has no `keys`; `at` is the member it has reached. */
interface Open {
  readonly keys: Set<string> | undefined;
  at: string | number;
  awaitsKey: boolean;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;

/** One pass over text that is known to be JSON, for all that the parsed value no longer shows. */
class JsonWalk {
  private readonly errors: FieldError[] = [];
  private readonly open: Open[] = [];
  private next = 0;
  // The outermost value is no member of anything.
  private members = -1;

  constructor(private readonly text: string) {}

  errorsFound(): readonly FieldError[] {
    while (this.next < this.text.length) {
      this.step(this.text.charCodeAt(this.next));
    }
    return this.errors;
  }

  private step(code: number): void {
    const inside = this.open.at(-1);
    switch (code) {
      case QUOTE:
        if (inside?.awaitsKey) {
          this.key(inside);
        } else {
          this.count();
          this.string();
        }
        return;
      case COMMA:
        if (inside) {
          inside.awaitsKey = inside.keys !== undefined;
          inside.at = typeof inside.at === 'number' ? inside.at + 1 : inside.at;
        }
        break;
      case COLON:
        if (inside) {
          inside.awaitsKey = false;
        }
        break;
      case 0x7b: // {
        this.enter({ keys: new Set(), at: '', awaitsKey: true });
        break;
      case 0x5b: // [
        this.enter({ keys: undefined, at: 0, awaitsKey: false });
        break;
      case 0x7d: // }
      case 0x5d: // ]
        this.open.pop();
        break;
      case 0x74: // true
      case 0x6e: // null
        this.count();
        this.next += 4;
        return;
      case 0x66: // false
        this.count();
        this.next += 5;
        return;
      default:
        if (code === 0x2d || (code >= 0x30 && code <= 0x39)) {
          this.count();
          this.number();
          return;
        }
    }
    this.next += 1;
  }

  private enter(container: Open): void {
    this.count();
    if (this.open.length === JSON_DEPTH_MAX) {
      throw new UnacceptableJson([this.error(`must be nested at most ${JSON_DEPTH_MAX} levels deep`)]);
    }
    this.open.push(container);
  }

  private count(): void {
    this.members += 1;
    if (this.members > JSON_VALUES_MAX) {
      const detail = `must hold at most ${JSON_VALUES_MAX} members and elements in all`;
      throw new UnacceptableJson([{ pointer: '', detail }]);
    }
  }

  private key(inside: Open): void {
    const key = this.string();
    inside.at = key;
    if (inside.keys?.has(key)) {
      throw new MalformedJson('The body has an object with the same key twice.', [
        this.error('is there more than once'),
      ]);
    }
    inside.keys?.add(key);
    if (KEYS_REFUSED.has(key)) {
      this.found('is a key that is not accepted');
    }
  }

  /** Only an escape can name a lone surrogate or NUL: UTF-8 has no form for one, JSON none for the other. */
  private string(): string {
    const start = this.next;
    let escaped = false;
    let numbered = false;
    let end = start + 1;
    for (let code = this.text.charCodeAt(end); code !== QUOTE; code = this.text.charCodeAt(end)) {
      if (code === BACKSLASH) {
        escaped = true;
        numbered ||= this.text.charCodeAt(end + 1) === LETTER_U;
        end += 1;
      }
      end += 1;
    }
    this.next = end + 1;
    if (!escaped) {
      return this.text.slice(start + 1, end);
    }
    const value = JSON.parse(this.text.slice(start, end + 1)) as string;
    if (numbered && value.includes('\0')) {
      this.found('must not contain the NUL character');
    }
    if (numbered && LONE_SURROGATE.test(value)) {
      this.found('must be well-formed Unicode, without lone surrogates');
    }
    return value;
  }

  private number(): void {
    const start = this.next;
    while (isNumberCode(this.text.charCodeAt(this.next))) {
      this.next += 1;
    }
    const detail = numberProblem(this.text.slice(start, this.next));
    if (detail) {
      this.found(detail);
    }
  }

  private found(detail: string): void {
    if (this.errors.length < ERRORS_MAX) {
      this.errors.push(this.error(detail));
    }
  }

  private error(detail: string): FieldError {
    return { pointer: jsonPointer(this.open.map((container) => container.at)), detail };
  }
}

function isNumberCode(code: number): boolean {
  // 0-9 + - . e E
  const digit = code >= 0x30 && code <= 0x39;
  return digit || code === 0x2b || code === 0x2d || code === 0x2e || code === 0x65 || code === 0x45;
}

/** A number is kept when a double, written back with as many digits as were sent, is the number sent. */
function numberProblem(literal: string): string | undefined {
  if (literal.length <= 15 && /^(?:0|-?[1-9]\d*)$/.test(literal)) {
    return undefined;
  }
  const value = Number(literal);
  if (Object.is(value, -0)) {
    return 'must not be minus zero';
  }
  if (!Number.isFinite(value)) {
    return 'must be a number that a double can hold';
  }
  // Also one sent as 1e20: it would be answered in plain digits, and refused when it is sent back.
  const isPlain = PLAIN_INTEGER.test(literal) || PLAIN_INTEGER.test(String(value));
  if (isPlain && !Number.isSafeInteger(value)) {
    return `must be an integer from -${Number.MAX_SAFE_INTEGER} to ${Number.MAX_SAFE_INTEGER}`;
  }
  const sent = significantDigits(literal);
  if (sent.length > DIGITS_MAX) {
    return `must have at most ${DIGITS_MAX} significant digits`;
  }
  // Shortest form first: where a double lies half-way between two, rounding to so many digits may differ.
  const isKept =
    significantDigits(String(value)) === sent ||
    (sent.length > 0 && significantDigits(value.toPrecision(sent.length)) === sent);
  return isKept ? undefined : 'must be a number that a double holds exactly as written';
}

/** The digits of a decimal number without the zeros at either end, whatever its sign and exponent. */
function significantDigits(literal: string): string {
  const mantissa = literal.split(/[eE]/, 1)[0] ?? '';
  const digits = mantissa.replace(/[-+.]/g, '').replace(/^0+/, '');
  let end = digits.length;
  while (digits.charCodeAt(end - 1) === 0x30) {
    end -= 1;
  }
  return digits.slice(0, end);
}
