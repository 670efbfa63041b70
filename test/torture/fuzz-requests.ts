// Requests for the fuzz: good ones for any operation of the document, and some of them spoilt in one way or two.
import { randomUUID } from 'node:crypto';
import type { DescribedOperation, Json } from '../support/api-document.js';
import type { Random } from '../support/random.js';
import type { Knowledge } from './fuzz-knowledge.js';
import { spoil } from './fuzz-mutations.js';
import type { Values } from './fuzz-values.js';

/** A request that can still be changed in any way. */
export interface Draft {
  method: string;
  path: string;
  query: [name: string, value: string][];
  /** What follows the query as it is, encoded or not. */
  tail: string;
  headers: Record<string, string | string[]>;
  /** Sent as JSON, unless `bytes` are there. */
  body: unknown;
  bytes: Buffer | undefined;
  /** How the operation says that its body is. */
  readonly bodySchema: Json | undefined;
  /** Whose answer this is; none once nobody can say which route takes it. */
  operation: DescribedOperation | undefined;
  /** Whatever else happens, this may not succeed. */
  mustFail: boolean;
  /** Names of what was done to it. */
  readonly spoilt: string[];
}

/** Waits for what never comes take two seconds each: few of them are enough. */
const ABSURD_POSITION = 0.001;
const SPOILT = 0.55;
const SPOILT_TWICE = 0.2;
const RECENT_KEYS_MAX = 20;
/** Long work, as `202 Accepted` says, and what takes nothing but a name, which as a rule is its end, are rarer. */
const LONG_WORK = 0.02;
const ENDS = 0.2;

export class Requests {
  private readonly recentKeys: string[] = [];

  constructor(
    private readonly operations: readonly DescribedOperation[],
    private readonly knowledge: Knowledge,
    private readonly values: Values,
  ) {}

  next(random: Random): Draft {
    let described = random.pick(this.operations);
    while (random.next() >= this.chanceOf(described)) described = random.pick(this.operations);
    const draft = this.good(described, random);
    const times = random.next() >= SPOILT ? 0 : random.next() < SPOILT_TWICE ? 2 : 1;
    for (let time = 0; time < times; time += 1) spoil(draft, this.values, random);
    return this.endsWhatIsNeeded(draft) ? this.next(random) : draft;
  }

  private chanceOf({ operation: { responses, requestBody } }: DescribedOperation): number {
    if ('202' in responses) return LONG_WORK;
    if (requestBody === undefined) return 1;
    const { properties = {} } = this.values.resolved(requestBody.content['application/json']?.schema ?? {});
    return Object.keys(properties).length === 0 ? ENDS : 1;
  }

  /** A change to the thing itself; making something in one of its collections is none. */
  private endsWhatIsNeeded({ method, path }: Draft): boolean {
    if (method === 'GET') return false;
    const filled = path.split('/');
    return this.operations.some((operation) => {
      const parts = operation.path.split('/');
      const last = parts.findLastIndex((part) => part.startsWith('{'));
      if (operation.method !== method || parts.length !== filled.length || last < parts.length - 2)
        return false;
      if (!parts.every((part, at) => part.startsWith('{') || part === filled[at])) return false;
      const isCollection = this.operations.some((other) => other.path.startsWith(`${operation.path}/{`));
      return !isCollection && this.knowledge.isPrecious(filled[last] ?? '');
    });
  }

  good(described: DescribedOperation, random: Random): Draft {
    const { method, path, operation } = described;
    const bodySchema = operation.requestBody?.content['application/json']?.schema;
    const unknown = (name: string) => this.knowledge.valueFor(name, random) ?? String(1 + random.below(3));
    const draft: Draft = {
      method,
      path: this.knowledge.pathFor(path, random, unknown),
      query: [],
      tail: '',
      headers: {},
      body: bodySchema === undefined ? undefined : this.values.good(bodySchema, '', random),
      bytes: undefined,
      bodySchema,
      operation: described,
      mustFail: false,
      spoilt: [],
    };
    for (const { name, in: where, required, schema = {} } of operation.parameters) {
      if (where === 'query') this.addToQuery(draft, { name, schema, required: required === true }, random);
      if (where === 'header' && random.next() < 0.15) draft.headers[name] = this.header(name, schema, random);
    }
    if ('304' in operation.responses && random.next() < 0.1) draft.headers['if-none-match'] = '*';
    return draft;
  }

  /** Those that have a default are called required by the document, and may be left out all the same. */
  private addToQuery(
    draft: Draft,
    { name, schema, required }: { name: string; schema: Json; required: boolean },
    random: Random,
  ): void {
    const isNeeded = required && !('default' in schema);
    if (!isNeeded && random.next() > 0.2) return;
    if (name === 'minPosition') {
      const known = this.knowledge.valueFor('position', random) ?? '0';
      draft.query.push([name, random.next() < ABSURD_POSITION ? '999999999999' : known]);
      return;
    }
    const value = this.values.good(schema, name, random, true);
    if (value !== null) draft.query.push([name, typeof value === 'string' ? value : JSON.stringify(value)]);
  }

  private header(name: string, schema: Json, random: Random): string {
    if (/key$/i.test(name)) return this.key(random);
    const known = this.knowledge.valueFor(name, random);
    if (/match$/i.test(name)) return `"${this.knowledge.valueFor('release', random) ?? 0}"`;
    // Anything else a client would not send; bare sockets try that.
    return (known ?? JSON.stringify(this.values.good(schema, name, random))).replace(
      /[^\x20-\x7e\x80-\xff]/g,
      '?',
    );
  }

  /** New for the most part, now and then one that was sent before. */
  private key(random: Random): string {
    if (this.recentKeys.length > 0 && random.next() < 0.2) return random.pick(this.recentKeys);
    const key = randomUUID();
    this.recentKeys.push(key);
    if (this.recentKeys.length > RECENT_KEYS_MAX) this.recentKeys.shift();
    return key;
  }
}
