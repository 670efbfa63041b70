import fc from 'fast-check';
import { MalformedJson, parseStrictJson, UnacceptableJson } from '../../src/api/strict-json.js';

const parse = (text: string) => parseStrictJson(Buffer.from(text));

function refusal(input: string | Buffer): MalformedJson | UnacceptableJson {
  try {
    parseStrictJson(Buffer.from(input));
  } catch (error) {
    if (error instanceof MalformedJson || error instanceof UnacceptableJson) {
      return error;
    }
    throw error;
  }
  throw new Error('nothing was refused');
}

const pointers = (input: string) => refusal(input).errors.map((error) => error.pointer);

function milliseconds(work: () => void): number {
  work();
  const times = [1, 2, 3].map(() => {
    const start = performance.now();
    work();
    return performance.now() - start;
  });
  return Math.min(...times);
}

describe('strict JSON', () => {
  it('keeps every value it accepts exactly, whatever the spacing', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(4), (value, indent) => {
        const isUnsafe = (item: unknown) => Number.isInteger(item) && !Number.isSafeInteger(item);
        const text = JSON.stringify(value, (_key, item: unknown) => (isUnsafe(item) ? 1 : item), indent);
        if (/__proto__|constructor|prototype|\\ud|\\u0000|-0(?![.\d])/.test(text)) {
          return;
        }
        expect(JSON.stringify(parse(text), null, indent)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  it.each(['true', 'false', 'null', '0', '-1', '""', '"a\\"b\\\\"', '[]', '{}', ' [ true , null ] '])(
    'accepts %s',
    (text) => {
      expect(parse(text)).toEqual(JSON.parse(text));
    },
  );

  it.each([
    '',
    ' ',
    '{',
    '{"a":1,}',
    "{'a':1}",
    '[1,]',
    'nul',
    '01',
    '1.',
    '"a\nb"',
    '{"a":1}x',
    'NaN',
    '[[[[',
  ])('refuses %j as malformed', (text) => {
    expect(refusal(text)).toBeInstanceOf(MalformedJson);
  });

  it('refuses bytes that are not UTF-8, and a byte order mark', () => {
    expect(refusal(Buffer.from([0x22, 0xff, 0x22]))).toBeInstanceOf(MalformedJson);
    expect(refusal(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]))).toBeInstanceOf(MalformedJson);
    expect(refusal('\uFEFF{}').message).toContain('byte order mark');
    expect(refusal(Buffer.from('{}', 'utf16le'))).toBeInstanceOf(MalformedJson);
  });

  it('refuses a key that is there twice and points at it, however it is written', () => {
    expect(refusal('{"a":1,"b":2,"a":3}')).toBeInstanceOf(MalformedJson);
    expect(pointers('{"a":[{"x":1},{"y":{"k":1,"\\u006b":2}}]}')).toEqual(['/a/1/y/k']);
    expect(pointers('{"":1,"":2}')).toEqual(['/']);
    expect(pointers('{"a/b~":{"c":1,"c":2}}')).toEqual(['/a~1b~0/c']);
  });

  it('allows the same key in different objects', () => {
    expect(parse('{"a":{"a":1},"b":[{"a":1},{"a":1}]}')).toEqual({ a: { a: 1 }, b: [{ a: 1 }, { a: 1 }] });
  });

  it.each(['__proto__', 'constructor', 'prototype', '\\u005f_proto__'])(
    'refuses the key %s at any depth and leaves Object.prototype alone',
    (key) => {
      const before = Object.getOwnPropertyNames(Object.prototype);
      const refused = refusal(`{"a":[{"${key}":{"polluted":true}}]}`);
      expect(refused).toBeInstanceOf(UnacceptableJson);
      expect(refused.errors[0]?.pointer).toMatch(/^\/a\/0\/./);
      expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
    },
  );

  it('keeps keys that only look like members every object inherits', () => {
    const text = '{"toString":1,"hasOwnProperty":2,"valueOf":3}';
    expect(JSON.stringify(parse(text))).toBe(text);
  });

  it.each(['"\\ud800"', '"a\\udc00b"', '"\\ud800\\ud800"', '"\\u0000"', '"a\\u0000"'])(
    'refuses the string %s, as a value and as a key',
    (text) => {
      expect(refusal(`[${text}]`)).toBeInstanceOf(UnacceptableJson);
      expect(pointers(`[1,${text}]`)).toEqual(['/1']);
      expect(refusal(`{${text}:1}`)).toBeInstanceOf(UnacceptableJson);
    },
  );

  it('keeps what an escape may name', () => {
    expect(parse('"\\ud83d\\ude00 \\\\u0000 \\u00e9"')).toBe('😀 \\u0000 é');
  });

  it.each([
    '1e400',
    '-1e400',
    '9007199254740993',
    '9007199254740992',
    '-9007199254740993',
    '-0',
    '-0.0',
    '-0e5',
    '0.1234567890123456789',
    '1e-400',
    '1e20',
    '0.1000000000000000055511151231257827',
    `0.${'1'.repeat(200)}`,
    '1000000000000000000000',
    '9007199254740993.0',
    '123456789012345678901',
    '3e-324',
  ])('refuses the number %s, which a double would change', (text) => {
    expect(refusal(`{"n":[${text}]}`)).toBeInstanceOf(UnacceptableJson);
    expect(pointers(`{"n":[${text}]}`)).toEqual(['/n/0']);
  });

  it.each([
    '9007199254740991',
    '-9007199254740991',
    '0.1',
    '0.30000000000000004',
    '0.10000000000000001',
    '1e21',
    '0.0',
    '1.50000000000000000000',
    '5e-324',
    '1.7976931348623157e308',
    '1E+2',
    '100000000000000.5',
    '0e7',
    '-12.5',
  ])('keeps the number %s', (text) => {
    expect(parse(text)).toBe(Number(text));
  });

  it('accepts every double as JavaScript writes it, but for minus zero and unsafe integers', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        const text = String(number);
        fc.pre(!/^-?\d{16,}$/.test(text));
        expect(parse(text)).toBe(number === 0 ? 0 : number);
      }),
      { numRuns: 2_000 },
    );
  });

  it('takes 64 levels and refuses 65, and a million levels end the same way', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(parse(nested(64))).toBeInstanceOf(Array);
    expect(refusal(nested(65))).toBeInstanceOf(UnacceptableJson);
    expect(refusal(nested(10_000))).toBeInstanceOf(UnacceptableJson);
    expect(refusal(nested(524_288))).toBeInstanceOf(UnacceptableJson);
    expect(refusal('{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000))).toBeInstanceOf(UnacceptableJson);
    expect(refusal('['.repeat(1_000_000))).toBeInstanceOf(MalformedJson);
  });

  it('takes 50,000 values and refuses one more', () => {
    const array = (length: number) => `[${Array(length).fill('1').join(',')}]`;
    expect(parse(array(50_000))).toHaveLength(50_000);
    expect(refusal(array(50_001))).toBeInstanceOf(UnacceptableJson);
    const keys = Array.from({ length: 100_000 }, (_, index) => `"k${index}":0`).join(',');
    expect(refusal(`{${keys}}`)).toBeInstanceOf(UnacceptableJson);
  });

  it('names every fault up to twenty, and keeps pointers short whatever the keys are', () => {
    expect(pointers('{"a":-0,"b":["\\u0000",1e999]}')).toEqual(['/a', '/b/0', '/b/1']);
    expect(pointers(`[${Array(100).fill('-0').join(',')}]`)).toHaveLength(20);
    expect(pointers(`{"a":{"${'k'.repeat(100_000)}":-0}}`)).toEqual(['/a']);
  });

  it('reads 512 KiB fast, and 100 KB of anything adversarial too', () => {
    const row = { id: 'a'.repeat(20), text: 'lorem "ipsum" \n dolor', numbers: [1.5, -2, 3e10], flag: true };
    const big = Buffer.from(JSON.stringify({ rows: Array(4_500).fill(row) }));
    expect(big.length).toBeGreaterThan(400_000);
    expect(milliseconds(() => void parseStrictJson(big))).toBeLessThan(60);
    const attacks = [
      `"${'\\\\'.repeat(50_000)}"`,
      `"${'\\"'.repeat(50_000)}"`,
      `"${'\\ud800'.repeat(17_000)}"`,
      '1'.repeat(100_000),
      `0.${'0'.repeat(100_000)}`,
      `1${'0'.repeat(100_000)}.0`,
      `1e${'9'.repeat(100_000)}`,
      `[${Array(5_500).fill('0.12345678901234567').join(',')}]`,
      `[${Array(5_500).fill('1.797693134862315e308').join(',')}]`,
      ' '.repeat(100_000),
      `{${Array.from({ length: 12_000 }, (_, index) => `"${index}":0`).join(',')}}`,
      '[{"a":'.repeat(16_000),
    ];
    for (const attack of attacks) {
      const bytes = Buffer.from(attack);
      const work = () => {
        try {
          parseStrictJson(bytes);
        } catch (error) {
          expect(error).not.toBeInstanceOf(RangeError);
        }
      };
      expect(milliseconds(work)).toBeLessThan(50);
    }
  });
});
