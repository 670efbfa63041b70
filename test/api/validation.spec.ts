import 'reflect-metadata';
import type { ArgumentMetadata } from '@nestjs/common';
import { Type } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsOptional, ValidateNested } from 'class-validator';
import { Problem } from '../../src/api/problem.js';
import { parseStrictJson } from '../../src/api/strict-json.js';
import {
  IsComment,
  IsContent,
  IsEnvironmentSlug,
  IsName,
  IsQueryBoolean,
  IsQueryInteger,
  IsReference,
  IsSlug,
  ReferencePipe,
  RequestPipe,
} from '../../src/api/validation.js';

class Inner {
  @IsName()
  name: string;
}

class Body {
  @IsName()
  name: string;

  @IsOptional()
  @IsSlug()
  slug?: string;

  @IsOptional()
  @IsContent()
  content?: Record<string, unknown>;

  @IsOptional()
  @IsComment()
  comment?: string;

  @IsOptional()
  @IsArray()
  @ArrayMaxSize(3)
  @IsReference({ each: true })
  flowIds?: string[];

  @IsOptional()
  @IsArray()
  @ValidateNested({ each: true })
  @Type(() => Inner)
  inner?: Inner[];
}

class Derived extends Body {
  @IsOptional()
  @IsEnvironmentSlug()
  environment?: string;
}

class Optional {
  @IsOptional()
  @IsComment()
  comment?: string;
}

class Query {
  @IsOptional()
  @IsReference()
  environment?: string;

  @IsOptional()
  @IsQueryInteger(1, 500)
  limit?: number;

  @IsOptional()
  @IsQueryBoolean()
  includeUnchanged?: boolean;
}

const pipe = new RequestPipe();
const body = (value: unknown, metatype: ArgumentMetadata['metatype'] = Body) =>
  pipe.transform(value, { type: 'body', metatype });
const query = (value: unknown) => pipe.transform(value, { type: 'query', metatype: Query });

async function refused(promise: Promise<unknown>): Promise<Problem> {
  const outcome: unknown = await promise.then(
    (value) => ({ accepted: value }),
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(Problem);
  return outcome as Problem;
}

const pointers = async (promise: Promise<unknown>) =>
  (await refused(promise)).errors.map((error) => error.pointer);

describe('a body', () => {
  it('becomes an instance that has the fields that were sent and no others', async () => {
    const dto = await body({ name: 'Greeter', flowIds: ['a', 'b'], inner: [{ name: 'x' }] });
    expect(dto).toBeInstanceOf(Body);
    expect(Object.keys(dto as object).sort()).toEqual(['flowIds', 'inner', 'name']);
    expect((dto as Body).inner?.[0]).toBeInstanceOf(Inner);
  });

  it('is refused with a pointer to every field that is wrong and a word on what is expected', async () => {
    const problem = await refused(body({ name: ' x', slug: 'Ä', comment: 7, content: [] }));
    expect(problem).toMatchObject({ code: 'invalid-body', status: 422 });
    expect(problem.errors.map((error) => error.pointer)).toEqual(['/name', '/slug', '/content', '/comment']);
    expect(problem.errors[0]?.detail).toBe(
      'name must be 1 to 100 visible characters, with no space at either end',
    );
  });

  it('points into arrays and nested objects', async () => {
    expect(await pointers(body({ name: 'a', flowIds: ['ok', 'NOT', 'fine', '../x'] }))).toEqual([
      '/flowIds/1',
      '/flowIds/3',
      '/flowIds',
    ]);
    expect(await pointers(body({ name: 'a', inner: [{ name: 'b' }, { name: 1, x: 1 }] }))).toEqual([
      '/inner/1/x',
      '/inner/1/name',
    ]);
  });

  it('may have no field that is not known, not even one that every object inherits', async () => {
    const sent = parseStrictJson(
      Buffer.from('{"name":"a","tenantId":"x","toString":1,"hasOwnProperty":2,"a/b~c":3}'),
    );
    expect(await pointers(body(sent))).toEqual(['/tenantId', '/toString', '/hasOwnProperty', '/a~1b~0c']);
    const polluting = JSON.parse('{"name":"a","__proto__":{"slug":"x"},"constructor":{}}') as unknown;
    expect(await pointers(body(polluting))).toEqual(['/__proto__', '/constructor']);
  });

  it.each([[null], ['text'], [7], [true], [[]], [[{ name: 'a' }]]])(
    'that is %j is no object',
    async (value) => {
      const problem = await refused(body(value));
      expect(problem).toMatchObject({ code: 'invalid-body', errors: [{ pointer: '' }] });
    },
  );

  it('may be missing only where nothing has to be in it', async () => {
    expect(await pointers(body(undefined))).toEqual(['']);
    expect(await body(undefined, Optional)).toEqual({});
    expect(await pointers(body(null, Optional))).toEqual(['']);
  });

  it('of a derived class is checked by the rules of both', async () => {
    expect(await pointers(body({ name: '', environment: 'promote' }, Derived))).toEqual([
      '/environment',
      '/name',
    ]);
    const content = { toString: 1 };
    expect(await body({ name: 'a', content, environment: 'prod' }, Derived)).toMatchObject({ content });
  });

  it('keeps content exactly as it came', async () => {
    const texts = [
      '{"toString":"x","hasOwnProperty":1,"valueOf":null,"then":{"then":"y"},"length":3}',
      '{"constructor":1,"nested":{"constructor":{"prototype":{"a":1}}}}',
      '{"a":{"__proto__":{"polluted":true}}}',
      `{"deep":${'{"a":['.repeat(31)}1${']}'.repeat(31)}}`,
      '{"":{"":[[],{},null,false,0,"",1.5]}}',
    ];
    for (const text of texts) {
      const dto = await body({ name: 'a', content: JSON.parse(text) as unknown });
      expect(JSON.stringify((dto as Body).content)).toBe(text);
    }
    expect({}).not.toHaveProperty('polluted');
  });
});

describe('a query', () => {
  it('is read as numbers and booleans where it should be', async () => {
    expect(await query({ limit: '500', includeUnchanged: 'true' })).toEqual({
      limit: 500,
      includeUnchanged: true,
    });
    expect(await query({ includeUnchanged: 'false' })).toEqual({ includeUnchanged: false });
    expect(await query({})).toEqual({});
  });

  it.each([
    [{ limit: '1e9' }, '/limit'],
    [{ limit: '501' }, '/limit'],
    [{ limit: '0' }, '/limit'],
    [{ limit: '-1' }, '/limit'],
    [{ limit: '0x10' }, '/limit'],
    [{ limit: '' }, '/limit'],
    [{ limit: ' 5' }, '/limit'],
    [{ includeUnchanged: 'yes' }, '/includeUnchanged'],
    [{ unknown: 'x' }, '/unknown'],
    [{ 'a[b]': 'x' }, '/a[b]'],
    [{ environment: 'NOPE', limit: 'x' }, '/environment'],
  ])('%j is 400', async (value, pointer) => {
    const problem = await refused(query(value));
    expect(problem).toMatchObject({ code: 'invalid-query', status: 400 });
    expect(problem.errors[0]?.pointer).toBe(pointer);
  });

  it('may give a parameter once only', async () => {
    const problem = await refused(query({ limit: ['1', '2'] }));
    expect(problem).toMatchObject({ code: 'invalid-query', status: 400 });
    expect(problem.errors[0]).toEqual({ pointer: '/limit', detail: 'must be given once only' });
    const single = pipe.transform(['1', '2'], { type: 'query', metatype: String, data: 'at' });
    expect(await pointers(single)).toEqual(['/at']);
  });

  it('that can name nothing is an invalid reference', async () => {
    for (const environment of ['../prod', 'PROD', 'x'.repeat(300), 'prоd', '', 'a b']) {
      expect(await refused(query({ environment }))).toMatchObject({ code: 'invalid-reference', status: 422 });
    }
  });
});

describe('single values', () => {
  it('in a path are a slug or an id', () => {
    const references = new ReferencePipe();
    const metadata: ArgumentMetadata = { type: 'param', metatype: String, data: 'environment' };
    expect(references.transform('prod', metadata)).toBe('prod');
    const id = '0190a6f4-0000-7000-8000-000000000000';
    expect(references.transform(id, metadata)).toBe(id);
    for (const text of ['..', 'CON', '%2e', 'x'.repeat(64), 'constructor!']) {
      expect(() => references.transform(text, metadata)).toThrow(Problem);
    }
  });

  it('pass through the pipe when no class describes them', async () => {
    expect(await pipe.transform('x', { type: 'param', metatype: String, data: 'id' })).toBe('x');
    expect(await pipe.transform({ a: 1 }, { type: 'body', metatype: Object })).toEqual({ a: 1 });
    expect(await pipe.transform('x', { type: 'custom', metatype: Body })).toBe('x');
  });
});

describe('a comment', () => {
  it('holds up to 5,000 characters, whatever their size, and nothing ill-formed', async () => {
    const accepted = ['', 'x'.repeat(5_000), '😀'.repeat(5_000), 'line\nline'];
    for (const comment of accepted) {
      expect(await body({ comment }, Optional)).toEqual({ comment });
    }
    for (const comment of ['x'.repeat(5_001), '😀'.repeat(5_001), 'a\0b', 'a\ud800b', {}, ['x']]) {
      expect(await pointers(body({ comment }, Optional))).toEqual(['/comment']);
    }
  });
});
