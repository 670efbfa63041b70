// Values for the fuzz: good ones as a schema asks for them, and those that programs have always stumbled over.
import { stringMatching, sample } from 'fast-check';
import type { ApiDocument, Json } from '../support/api-document.js';
import type { Random } from '../support/random.js';
import type { Knowledge } from './fuzz-knowledge.js';

const SAMPLES = 60;
const WORDS = ['alpha', 'Beta flow', 'grüße', '日本', 'v1.2', 'order-lookup', '😀', 'a_b', 'x'];
/** Nothing is promised of larger ones, and they would only take time. */
const SIZE_MAX = 50_000;

type Schema = Json & {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly [limit: `m${string}`]: number | undefined;
  readonly pattern?: string;
};

export class Values {
  private readonly samples = new Map<string, readonly string[]>();
  private made = 0;

  constructor(
    private readonly document: ApiDocument,
    private readonly knowledge: Knowledge,
    private readonly seed: number,
  ) {}

  /** One that the schema allows. `name` is that of its field; what texts are about is guessed from it. */
  good(schema: Json, name: string, random: Random, isQuery = false): unknown {
    const { type: types = 'object', ...rest } = this.resolved(schema);
    if (rest.enum !== undefined) return random.pick(rest.enum);
    const type = typeof types === 'string' ? types : random.next() < 0.1 ? 'null' : types[0];
    switch (type) {
      case 'null':
        return null;
      case 'boolean':
        return random.below(2) === 0;
      case 'integer':
      case 'number':
        return this.number(rest, name, random);
      case 'array':
        return this.array(rest, name, random);
      case 'string':
        return this.text(rest, name, random, isQuery);
      default:
        return rest.properties === undefined ? anyContent(random) : this.object(rest, random);
    }
  }

  /** The schema that a reference or the first of several leads to. */
  resolved(schema: Json): Schema {
    const { $ref, allOf, anyOf, oneOf } = schema as {
      readonly $ref?: string;
      readonly allOf?: readonly Json[];
      readonly anyOf?: readonly Json[];
      readonly oneOf?: readonly Json[];
    };
    if ($ref !== undefined)
      return this.resolved(this.document.components.schemas[$ref.split('/').at(-1) ?? ''] ?? {});
    if (allOf !== undefined)
      return allOf.map((one) => this.resolved(one)).reduce((all, one) => ({ ...all, ...one }));
    const [first] = anyOf ?? oneOf ?? [];
    return first === undefined ? (schema as Schema) : this.resolved(first);
  }

  /** Just beyond or at what a schema allows. */
  atLimit(schema: Json, random: Random): unknown {
    const { minLength, maxLength, minItems, maxItems, minimum, maximum, pattern } = this.resolved(schema);
    const lengths = [minLength, maxLength].filter((limit) => limit !== undefined);
    const sizes = [minItems, maxItems].filter((limit) => limit !== undefined);
    const numbers = [minimum, maximum].filter((limit) => limit !== undefined);
    const near = (limit: number) => Math.max(0, Math.min(SIZE_MAX, limit + random.below(3) - 1));
    if (lengths.length > 0) return 'x'.repeat(near(random.pick(lengths)));
    if (sizes.length > 0) return Array.from({ length: near(random.pick(sizes)) }, (_, i) => `item-${i}`);
    if (numbers.length > 0) return random.pick(numbers) + random.below(3) - 1;
    return pattern === undefined ? random.pick(ODD_TEXTS) : `${this.matching(pattern, random)}!`;
  }

  private number({ minimum = 0, maximum }: Schema, name: string, random: Random): number {
    if (random.next() < 0.1) return random.pick([minimum, maximum ?? 500]);
    const known = Number(this.knowledge.valueFor(name, random) ?? NaN);
    const value = Number.isSafeInteger(known) && random.next() < 0.8 ? known : minimum + random.below(6);
    return Math.max(minimum, Math.min(maximum ?? value, value));
  }

  private array({ items = {}, minItems = 0 }: Schema, name: string, random: Random): unknown[] {
    return Array.from({ length: Math.max(minItems, random.below(4)) }, () => this.good(items, name, random));
  }

  private object({ properties = {}, required = [] }: Schema, random: Random): Json {
    const names = Object.keys(properties).filter((name) => required.includes(name) || random.below(2) === 0);
    return Object.fromEntries(names.map((name) => [name, this.good(properties[name] ?? {}, name, random)]));
  }

  /** What has a limit or a form is new text for the most part; anything else names something that is there. */
  private text(schema: Schema, name: string, random: Random, isQuery: boolean): string {
    const { pattern, minLength, maxLength } = schema;
    const isNew = !isQuery && (pattern !== undefined || maxLength !== undefined);
    const known = this.knowledge.valueFor(name, random);
    if (known !== undefined && random.next() < (isNew ? 0.1 : 0.85)) return known;
    if (pattern !== undefined) return this.matching(pattern, random);
    const edges = [minLength, maxLength].filter((limit) => limit !== undefined);
    if (edges.length > 0 && random.next() < 0.1) return 'x'.repeat(random.pick(edges));
    if (isNew) return `${random.pick(WORDS)} ${(this.made += 1).toString(36)}`;
    return this.reference(random);
  }

  /** A state of some environment at some time, as the document has them in words alone, or just a word. */
  private reference(random: Random): string {
    const place = this.knowledge.valueFor('environment', random) ?? 'place';
    const position = this.knowledge.valueFor('position', random) ?? '1';
    const time = this.knowledge.valueFor('createdAt', random) ?? '2026-01-01T00:00:00Z';
    const states = ['', `@r${random.below(4)}`, `@${position}`, `@${time}`];
    return random.pick([`${place}${random.pick(states)}`, position, time, random.pick(WORDS)]);
  }

  private matching(pattern: string, random: Random): string {
    const known =
      this.samples.get(pattern) ??
      sample(stringMatching(new RegExp(pattern)), { numRuns: SAMPLES, seed: this.seed });
    this.samples.set(pattern, known);
    return random.pick(known);
  }
}

/** Any JSON object, small for the most part. */
function anyContent(random: Random, depth = 0): Json {
  const value = (): unknown => {
    switch (random.below(depth > 2 ? 5 : 7)) {
      case 0:
        return random.below(1_000_000) / 8;
      case 1:
        return random.below(2) === 0;
      case 2:
        return null;
      case 3:
        return random.next() < 0.05 ? 'long '.repeat(2_000) : random.pick(WORDS);
      case 4:
        return random.pick(ODD_TEXTS);
      case 5:
        return Array.from({ length: random.below(4) }, () => random.below(10));
      default:
        return anyContent(random, depth + 1);
    }
  };
  const names = Array.from({ length: random.below(5) }, () => random.pick(KEYS));
  return Object.fromEntries(names.map((name) => [name, value()]));
}

const KEYS = ['a', 'prompt', 'toString', 'valueOf', 'hasOwnProperty', '', 'a/b~c', 'é', '$ref', 'then', '0'];

/** Text that is text, and that nothing may take for anything else. */
export const ODD_TEXTS: readonly string[] = [
  '',
  ' ',
  'null',
  'constructor',
  '__proto__',
  '../../etc/passwd',
  "' OR 1=1; DROP TABLE events; --",
  '${7*7}{{7*7}}%s%n',
  '=cmd()',
  '<script>alert(1)</script>',
  'a\r\nX-Evil: 1',
  'pr\u043ed',
  '\u202egnp.exe',
  '\u200b',
  '\ufeff',
  'e\u0301',
  'NaN',
  '1e400',
  '-0',
  '9007199254740993',
  '2026-02-30T25:61:61Z',
  '+275760-09-13T00:00:00.001Z',
  '01890000-0000-7000-8000-000000000000',
  'x'.repeat(300),
  '%00%0d%0a',
];
