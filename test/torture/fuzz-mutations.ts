// Ways to spoil a good request, one at a time and the rest as it should be, so that it gets as far as it can.
import type { Json } from '../support/api-document.js';
import type { Random } from '../support/random.js';
import type { Draft } from './fuzz-requests.js';
import { ODD_TEXTS, type Values } from './fuzz-values.js';

type Mutation = (draft: Draft, values: Values, random: Random) => void;

/** Changes the draft, and notes how. */
export function spoil(draft: Draft, values: Values, random: Random): void {
  const [name, mutate] = random.pick(draft.bodySchema === undefined ? WITHOUT_BODY : ALL);
  mutate(draft, values, random);
  draft.spoilt.push(name);
  // What is done next may well mend it, and a route that reads may not look at a body at all.
  draft.mustFail &&= draft.spoilt.length === 1 && draft.operation !== undefined;
}

const ODD_VALUES: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1.5, 1e308, 9_007_199_254_740_991, [], [null], [[]], {}, { a: { b: [] } }],
  ...ODD_TEXTS,
];
/** JSON that says what no JSON value can say, as it stands in a body. */
const ODD_JSON: readonly string[] = [
  '1e400',
  '-0',
  '9007199254740993',
  '1e20',
  '0.1000000000000000055511151231257827',
  '"\\ud800"',
  '"a\\u0000b"',
  '{"__proto__":{"polluted":true}}',
  '{"a":[{"constructor":{"prototype":{"polluted":true}}}]}',
  '{"prototype":1}',
  '{"a":1,"\\u0061":2}',
  '"\\udc00\\ud800"',
];
const CONTENT_TYPES = [
  ...['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/json', 'x'],
  ...['application/xml', 'application/json; charset=utf-16', 'application/problem+json', 'application/json;'],
];
const ODD_SEGMENTS = [
  ...['..%2f..%2fetc%2fpasswd', '%00', '%2e%2e', '__proto__', 'constructor', '%ff', '%zz', '%', '*', '%20'],
  ...['a%0d%0aX-Evil:%201', '%F0%9F%92%A9', '%E2%80%AE', 'CON', '-1', '1.5', '1e3', '999999999999999999999'],
  ...[
    '01890000-0000-7000-8000-000000000000',
    'x'.repeat(128),
    'x'.repeat(129),
    'UPPER',
    '0',
    "x'%20OR%201=1--",
  ],
];
const ODD_QUERIES = [
  ...['x=1', 'limit=1e9', 'limit=0', 'limit=501', 'limit=-1', 'cursor=%ff', 'minPosition=-1', '[]=1', '%'],
  ...['__proto__=1', 'constructor=1', 'toString=1', 'a[b]=1', 'limit=1&limit=2', '&&&=', 'at=%00', 'at=now'],
  ...[
    'cursor=',
    'at=2026-01-01T00:00:00+25:00',
    'at=99999999999999999999',
    'type=a,b',
    `q=${'x'.repeat(5_000)}`,
  ],
];
const ODD_HEADERS: readonly (readonly [string, string | string[]])[] = [
  ...['"-1"', 'W/"1", "2"', '1', '""', '"'.repeat(500), '"99999999999999999999"'].map(
    (tag) => ['if-match', tag] as const,
  ),
  ...['"'.repeat(500), '*', 'W/"0"', '"@1"', ','.repeat(900)].map((tag) => ['if-none-match', tag] as const),
  ...['x'.repeat(256), '"open', 'a b', '"a\\b"', '', 'grüße'].map((key) => ['idempotency-key', key] as const),
  ...["'".repeat(300), 'a b', '', '../x', 'é'].map((id) => ['x-request-id', id] as const),
  ...['-1', 'x', '99999999999999999999', ''].map((id) => ['last-event-id', id] as const),
  ...['text/html', 'x'.repeat(500), ''].map((type) => ['accept', type] as const),
  ['x-request-id', ['one', 'two']],
  ['idempotency-key', ['one', 'two']],
  ['if-match', ['"1"', '"2"']],
  ['x-http-method-override', 'DELETE'],
  ['x-forwarded-for', '127.0.0.1, ::1'],
  ['x-forwarded-host', 'evil.example'],
  ['range', 'bytes=0-1'],
  ['cookie', '__proto__=1; a='],
  ['origin', 'null'],
  ['expect', 'something'],
  ['user-agent', 'x'.repeat(3_000)],
];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'SEARCH'];
const ELSEWHERE = [
  ...['/', '/api', '/api/v2/flows', '/docs/../x', '/health/x', '/openapi.json', '/metrics', '/health/ready'],
  ...[
    '/docs',
    '/.env',
    '/api/v1/%66lows',
    '/api/v1//flows',
    '/api/v1/flows;a=b',
    '/API/V1/flows',
    '//evil.example/',
  ],
];

/** More than a body may have; rare, since sending takes its time. */
const HUGE = 0.04;
const HUGE_CHARACTERS = 1_100_000;
const MANY = 60_000;

const mutations: Readonly<Record<string, Mutation>> = {
  segment(draft, _, random) {
    const parts = draft.path.split('/');
    const named = parts.flatMap((_part, at) =>
      draft.operation?.path.split('/')[at]?.startsWith('{') ? [at] : [],
    );
    if (named.length === 0) return;
    parts[random.pick(named)] = random.pick(ODD_SEGMENTS);
    draft.path = parts.join('/');
  },
  path(draft, _, random) {
    const odd = [`${draft.path}/`, `${draft.path}/x`, draft.path.replace(/\/[^/]*$/, ''), `${draft.path}//`];
    draft.path = random.pick([...odd, draft.path.toUpperCase(), random.pick(ELSEWHERE)]);
    leaveOperation(draft);
  },
  method(draft, _, random) {
    draft.method = random.pick(METHODS);
    leaveOperation(draft);
  },
  query(draft, _, random) {
    draft.tail = random.pick(ODD_QUERIES);
  },
  'value of the query'(draft, values, random) {
    const all = (draft.operation?.operation.parameters ?? []).filter((one) => one.in === 'query');
    const parameters = all.filter(({ name }) => name !== 'minPosition');
    if (parameters.length === 0) return;
    const parameter = random.pick(parameters);
    const value =
      random.below(2) === 0 ? random.pick(ODD_TEXTS) : values.atLimit(parameter.schema ?? {}, random);
    draft.query = draft.query.filter(([name]) => name !== parameter.name);
    // A lone surrogate has no encoding.
    draft.query.push([parameter.name, String(value).toWellFormed()]);
  },
  'forged cursor'(draft, values, random) {
    const cursor = values.good({ type: 'string', maxLength: 200 }, 'cursor', random, true) as string;
    const at = random.below(cursor.length + 1);
    const forged = random.pick([
      `${cursor.slice(0, at)}A${cursor.slice(at + 1)}`,
      cursor.slice(0, at),
      Buffer.from(JSON.stringify({ after: random.pick(ODD_VALUES) })).toString('base64url'),
    ]);
    draft.query = [...draft.query.filter(([name]) => name !== 'cursor'), ['cursor', forged.toWellFormed()]];
  },
  header(draft, _, random) {
    const [name, value] = random.pick(ODD_HEADERS);
    draft.headers[name] = value;
    if (name === 'expect') leaveOperation(draft);
  },
  key(draft, _, random) {
    const keys = ['', 'Bearer', 'Bearer x', 'Basic eDp4', `Bearer ${'x'.repeat(600)}`, 'Bearer ../../x'];
    draft.headers['authorization'] = random.pick(keys);
    draft.mustFail = true;
  },
};

const ofBodies: Readonly<Record<string, Mutation>> = {
  'type of a field': (draft, _, random) => setSomewhere(draft, random, () => random.pick(ODD_VALUES)),
  'limit of a field'(draft, values, random) {
    const { properties } = values.resolved(draft.bodySchema ?? {});
    const names = Object.keys(properties ?? {});
    if (names.length === 0) return;
    const name = random.pick(names);
    draft.body = { ...fieldsOf(draft.body), [name]: values.atLimit(properties?.[name] ?? {}, random) };
  },
  'missing field'(draft, _, random) {
    const names = Object.keys(fieldsOf(draft.body));
    if (names.length === 0) return;
    const without = random.pick(names);
    draft.body = Object.fromEntries(
      Object.entries(fieldsOf(draft.body)).filter(([name]) => name !== without),
    );
  },
  'unknown field'(draft, _, random) {
    const name = random.pick(['tenantId', 'createdBy', 'toString', 'valueOf', 'hasOwnProperty', '', 'é']);
    draft.body = { ...fieldsOf(draft.body), [name]: random.pick(ODD_VALUES) };
    draft.mustFail = true;
  },
  'odd JSON'(draft, _, random) {
    setSomewhere(draft, random, () => MARK);
    if (!JSON.stringify(draft.body).includes(MARK)) draft.body = { [MARK]: MARK };
    draft.bytes = Buffer.from(JSON.stringify(draft.body).replace(`"${MARK}"`, random.pick(ODD_JSON)));
    draft.mustFail = true;
  },
  'no object'(draft, _, random) {
    draft.bytes = Buffer.from(
      random.pick(['[]', 'null', '"text"', '1', 'true', '[{}]', '{}{}', "{'a':1}", '{"a":1,}']),
    );
    draft.mustFail = true;
  },
  'cut off'(draft, _, random) {
    const bytes = bytesOf(draft);
    draft.bytes = bytes.subarray(0, random.below(bytes.length));
    draft.mustFail = draft.bytes.length > 0;
  },
  encoding(draft, _, random) {
    const text = bytesOf(draft).toString();
    draft.bytes = random.pick([
      Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(text)]),
      Buffer.from(text, 'utf16le'),
      Buffer.concat([Buffer.from('{"name":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]),
      Buffer.concat([Buffer.from(text), Buffer.from([0])]),
    ]);
    draft.mustFail = true;
  },
  'key twice'(draft) {
    const [first] = Object.entries(fieldsOf(draft.body));
    const [name, value] = first ?? ['a', 1];
    const inner = JSON.stringify({ ...fieldsOf(draft.body), [name]: value }).slice(1, -1);
    draft.bytes = Buffer.from(`{${inner},${JSON.stringify(name)}:${JSON.stringify(value)}}`);
    draft.mustFail = true;
  },
  'content type'(draft, _, random) {
    draft.headers['content-type'] = random.pick(CONTENT_TYPES);
  },
  'content encoding'(draft, _, random) {
    draft.headers['content-encoding'] = random.pick(['gzip', 'br', 'x', 'identity, gzip']);
    draft.mustFail = true;
  },
  size(draft, _, random) {
    const isHuge = random.next() < HUGE;
    const depth = isHuge ? 10_000 : 65;
    const keys = Array.from({ length: isHuge ? MANY : 300 }, (_key, at) => `"k${at}":0`).join();
    const text = 'x'.repeat(isHuge ? HUGE_CHARACTERS : 6_000);
    const odd = [`${'['.repeat(depth)}${']'.repeat(depth)}`, `{${keys}}`, `"${text}"`];
    setSomewhere(draft, random, () => MARK);
    draft.bytes = Buffer.from(JSON.stringify(draft.body ?? MARK).replace(`"${MARK}"`, random.pick(odd)));
  },
};

const MARK = 'here-it-is';
const WITHOUT_BODY = Object.entries(mutations);
const ALL = [...WITHOUT_BODY, ...Object.entries(ofBodies), ...Object.entries(ofBodies)];

/** From here on no one can say which route takes it, if any. */
function leaveOperation(draft: Draft): void {
  draft.operation = undefined;
}

export function bytesOf({ body, bytes }: Draft): Buffer {
  return bytes ?? (body === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(body)));
}

function fieldsOf(body: unknown): Json {
  return typeof body === 'object' && body !== null ? (body as Json) : {};
}

/** Some field at some depth gets another value. */
function setSomewhere(draft: Draft, random: Random, value: () => unknown): void {
  const change = (node: unknown, depth: number): unknown => {
    const entries = typeof node === 'object' && node !== null ? Object.entries(node) : [];
    if (entries.length === 0 || (depth > 0 && random.below(2) === 0)) return value();
    const [name] = random.pick(entries);
    const changed = entries.map(([key, child]): [string, unknown] => [
      key,
      key === name ? change(child, depth + 1) : child,
    ]);
    return Array.isArray(node) ? changed.map(([, child]) => child) : Object.fromEntries(changed);
  };
  draft.body = change(draft.body, 0);
}
