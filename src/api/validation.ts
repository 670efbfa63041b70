// What a request may hold: each body, query and path is a class whose decorators say so, and whatever does
// not fit is refused with a pointer to every field that is wrong and a sentence on what is expected there.
import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import { plainToInstance, Transform } from 'class-transformer';
import {
  buildMessage,
  getMetadataStorage,
  ValidateBy,
  ValidateIf,
  validate,
  type ValidationError,
  type ValidationOptions,
} from 'class-validator';
import { isEnvironmentSlug, isId, isName, isSlug } from '../domain/naming.js';
import type { FieldError } from '../domain/refused.js';
import { Problem } from './problem.js';
import { jsonPointer } from './strict-json.js';

type Fields = Record<string, unknown>;
type Dto = new () => object;

const COMMENT_CHARACTERS_MAX = 5_000;
const CONTENT = 'isContent';
const REFERENCE = 'isReference';

/** The global pipe. Arguments that are no class, such as a single path parameter, pass through. */
export class RequestPipe implements PipeTransform {
  async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    const { type, data } = metadata;
    if (type === 'query' && Array.isArray(value)) {
      const errors = [{ pointer: jsonPointer([data ?? '']), detail: ONCE }];
      throw new Problem('invalid-query', 'The query has a parameter that is repeated.', errors);
    }
    const dto = dtoOf(metadata);
    return dto ? await read(dto, value, type) : value;
  }
}

/** For `@Param()` and `@Query()` of one value that names something: a slug or an id. */
export class ReferencePipe implements PipeTransform<string, string> {
  transform(value: string, metadata: ArgumentMetadata): string {
    if (!isReference(value)) {
      const errors = [{ pointer: jsonPointer([metadata.data ?? '']), detail: 'must be a slug or an id' }];
      throw new Problem('invalid-reference', 'A slug or an id is expected.', errors);
    }
    return value;
  }
}

/** For `@Param()` of a release number. */
export class NumberPipe implements PipeTransform<string, number> {
  transform(value: string, metadata: ArgumentMetadata): number {
    if (/^(0|[1-9][0-9]{0,14})$/.test(value)) return Number(value);
    const errors = [{ pointer: jsonPointer([metadata.data ?? '']), detail: 'must be a whole number' }];
    throw new Problem('invalid-reference', 'A number is expected.', errors);
  }
}

const ONCE = 'must be given once only';

function dtoOf({ type, metatype }: ArgumentMetadata): Dto | undefined {
  const plain: unknown[] = [undefined, String, Number, Boolean, Array, Object];
  return type === 'custom' || plain.includes(metatype) ? undefined : (metatype as Dto);
}

async function read(dto: Dto, value: unknown, type: ArgumentMetadata['type']): Promise<object> {
  const isMissing = value === undefined && type === 'body';
  const fields = isMissing ? {} : value;
  if (!isObject(fields)) {
    throw new Problem('invalid-body', 'The body must be a JSON object.', [OBJECT_EXPECTED]);
  }
  const errors = type === 'query' ? repeated(fields) : [];
  const { known, content } = fieldsOf(dto);
  for (const name of Object.keys(fields)) {
    if (!known.has(name)) {
      errors.push({ pointer: jsonPointer([name]), detail: 'is not known here' });
    }
  }
  const instance = instantiate(dto, fields, known, content);
  // Of a class without any rule the validator would say that it does not know it.
  const invalid =
    known.size === 0
      ? []
      : await validate(instance, {
          whitelist: true,
          forbidNonWhitelisted: true,
          forbidUnknownValues: true,
          stopAtFirstError: false,
          validationError: { target: false },
        });
  collect(invalid, [], errors);
  if (errors.length > 0) {
    // A body is only missed when something had to be in it.
    const reported = isMissing ? [OBJECT_EXPECTED] : errors.slice(0, ERRORS_MAX);
    throw problemOf(type, reported, invalid);
  }
  return instance;
}

const OBJECT_EXPECTED: FieldError = { pointer: '', detail: 'must be a JSON object' };
const ERRORS_MAX = 50;

function repeated(query: Fields): FieldError[] {
  const names = Object.keys(query).filter((name) => Array.isArray(query[name]));
  return names.map((name) => ({ pointer: jsonPointer([name]), detail: ONCE }));
}

/** The names a class knows, and which of them hold content; what it inherits counts. */
function fieldsOf(dto: Dto): { known: Set<string>; content: Set<string> } {
  const rules = getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false);
  const content = rules.filter((rule) => rule.name === CONTENT);
  return {
    known: new Set(rules.map((rule) => rule.propertyName)),
    content: new Set(content.map((rule) => rule.propertyName)),
  };
}

/**
 * Content never goes through class-transformer, which drops whatever an object inherits by the same name:
 * a `toString` in somebody's prompt must survive. Fields that were not sent are not there at all.
 */
function instantiate(dto: Dto, fields: Fields, known: Set<string>, content: Set<string>): object {
  const plain: Fields = {};
  const aside: Fields = {};
  for (const name of known) {
    if (Object.hasOwn(fields, name)) {
      (content.has(name) ? aside : plain)[name] = fields[name];
    }
  }
  const instance: Fields = Object.assign(plainToInstance(dto, plain), aside);
  for (const name of Object.keys(instance)) {
    if (instance[name] === undefined) {
      delete instance[name];
    }
  }
  return instance;
}

function collect(invalid: readonly ValidationError[], above: readonly string[], errors: FieldError[]): void {
  for (const error of invalid) {
    const path = [...above, error.property ?? ''];
    for (const [rule, message] of Object.entries(error.constraints ?? {})) {
      if (rule === 'whitelistValidation') {
        errors.push({ pointer: jsonPointer(path), detail: 'is not known here' });
        continue;
      }
      // Without a context the whole array is at fault; with one, just the elements that it does not accept.
      const accepts = (error.contexts?.[rule] as Rule | undefined)?.accepts;
      const elements = accepts && Array.isArray(error.value) ? error.value : undefined;
      const wrong = elements?.flatMap((element, index) => (accepts?.(element) ? [] : [[...path, index]]));
      for (const pointed of wrong?.length ? wrong : [path]) {
        errors.push({ pointer: jsonPointer(pointed), detail: message });
      }
    }
    collect(error.children ?? [], path, errors);
  }
}

function problemOf(
  type: ArgumentMetadata['type'],
  errors: readonly FieldError[],
  invalid: readonly ValidationError[],
): Problem {
  if (type === 'body') {
    return new Problem('invalid-body', 'The body is not what is expected; see errors.', errors);
  }
  const rules = invalid.flatMap((error) => Object.keys(error.constraints ?? {}));
  const isOnlyReferences = rules.length === errors.length && rules.every((rule) => rule === REFERENCE);
  return type === 'param' || isOnlyReferences
    ? new Problem('invalid-reference', 'A slug or an id is expected; see errors.', errors)
    : new Problem('invalid-query', 'The query is not what is expected; see errors.', errors);
}

/** The field may be left out, but null is not a way to leave it out. `@IsOptional()` is for what may be null. */
export function IfGiven(): PropertyDecorator {
  return ValidateIf((_, value) => value !== undefined);
}

/** The body of a command that has nothing to say: none, or an empty object. */
export class NoBody {}

interface Rule {
  readonly accepts: (value: unknown) => boolean;
}

function rule(
  name: string,
  accepts: Rule['accepts'],
  expected: string,
  options?: ValidationOptions,
): PropertyDecorator {
  const defaultMessage = buildMessage((each) => `${each}$property must be ${expected}`, options);
  const context: Rule = { accepts };
  return ValidateBy({ name, validator: { validate: accepts, defaultMessage } }, { ...options, context });
}

export function IsName(options?: ValidationOptions): PropertyDecorator {
  const expected = '1 to 100 visible characters, with no space at either end';
  return rule('isName', (value) => typeof value === 'string' && isName(value), expected, options);
}

const SLUG = '1 to 63 of a-z, 0-9, dot, dash and underscore, starting with a letter or digit';

export function IsSlug(options?: ValidationOptions): PropertyDecorator {
  const accepts: Rule['accepts'] = (value) => typeof value === 'string' && isSlug(value);
  return rule('isSlug', accepts, `${SLUG}, and not a UUID`, options);
}

export function IsEnvironmentSlug(options?: ValidationOptions): PropertyDecorator {
  const accepts: Rule['accepts'] = (value) => typeof value === 'string' && isEnvironmentSlug(value);
  const expected = `${SLUG}, not a UUID and none of default, diff and promote`;
  return rule('isEnvironmentSlug', accepts, expected, options);
}

export function IsReference(options?: ValidationOptions): PropertyDecorator {
  return rule(REFERENCE, isReference, 'a slug or an id', options);
}

/** A word or two on a version: what a name may be. */
export function IsLabel(options?: ValidationOptions): PropertyDecorator {
  const expected = '1 to 100 visible characters, with no space at either end';
  return rule('isLabel', (value) => typeof value === 'string' && isName(value), expected, options);
}

export function IsComment(options?: ValidationOptions): PropertyDecorator {
  const expected = `text of at most ${COMMENT_CHARACTERS_MAX} characters, well-formed and without NUL`;
  return rule('isComment', isComment, expected, options);
}

export function IsContent(options?: ValidationOptions): PropertyDecorator {
  return rule(CONTENT, isObject, 'a JSON object', options);
}

/** A whole number of a query, where everything arrives as text. */
export function IsQueryInteger(min: number, max: number, options?: ValidationOptions): PropertyDecorator {
  const accepts: Rule['accepts'] = (value) =>
    Number.isInteger(value) && Number(value) >= min && Number(value) <= max;
  const decorators = [
    Transform(({ value }) => (/^\d{1,15}$/.test(String(value)) ? Number(value) : (value as unknown))),
    rule('isQueryInteger', accepts, `a whole number from ${min} to ${max}`, options),
  ];
  return (target, key) => decorators.forEach((decorate) => decorate(target, key));
}

/** `true` or `false` in a query. */
export function IsQueryBoolean(options?: ValidationOptions): PropertyDecorator {
  const words = new Map<unknown, boolean>([
    ['true', true],
    ['false', false],
  ]);
  const decorators = [
    Transform(({ value }) => words.get(value) ?? (value as unknown)),
    rule('isQueryBoolean', (value) => typeof value === 'boolean', 'true or false', options),
  ];
  return (target, key) => decorators.forEach((decorate) => decorate(target, key));
}

function isReference(value: unknown): value is string {
  return typeof value === 'string' && (isSlug(value) || isId(value));
}

function isComment(value: unknown): boolean {
  // Counted as characters only when that can make a difference: no character takes more than two units.
  return (
    typeof value === 'string' &&
    value.length <= 2 * COMMENT_CHARACTERS_MAX &&
    [...value].length <= COMMENT_CHARACTERS_MAX &&
    !/[\0\p{Surrogate}]/u.test(value)
  );
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
