// What callers may ask of the audit trail.
import { ApiProperty } from '@nestjs/swagger';
import { IsIn, Matches, MaxLength, ValidateBy } from 'class-validator';
import { isId } from '../domain/naming.js';
import { wordsOf } from '../../projections/audit-tokens.js';
import { AT_EXPECTED, parseAt } from './at.js';
import { PageQuery } from './paging.js';
import { IfGiven, IsReference } from './validation.js';

export const POSITION = /^(0|[1-9][0-9]{0,18})$/;
const VERSION_NUMBER = /^[1-9][0-9]{0,8}$/;
const WORDS_MAX = 20;

export const DIRECTIONS = ['backwards', 'forwards'] as const;
export type Direction = (typeof DIRECTIONS)[number];

function isQuestion(value: unknown): boolean {
  const words = typeof value === 'string' ? wordsOf(value) : '';
  return words !== '' && words.split(' ').length <= WORDS_MAX;
}

function Must(name: string, validate: (value: unknown) => boolean, expected: string): PropertyDecorator {
  return ValidateBy({ name, validator: { validate, defaultMessage: () => `$property must be ${expected}` } });
}

function IsPlace(): PropertyDecorator {
  return Must('isPlace', (value) => typeof value === 'string' && parseAt(value) !== undefined, AT_EXPECTED);
}

export class AuditQuery extends PageQuery {
  /** Slug or id: what happened to this environment. */
  @IfGiven()
  @IsReference()
  environment?: string;

  /** Slug or id: what happened to this flow and its versions, releases of many flows too. */
  @IfGiven()
  @IsReference()
  flow?: string;

  /** Id, or with `flow` a number: what happened to this version, also where another took its place. */
  @IfGiven()
  @Must(
    'isVersion',
    (value) => typeof value === 'string' && (isId(value) || VERSION_NUMBER.test(value)),
    'an id or a number',
  )
  version?: string;

  /** Id of a key, or `system`. */
  @IfGiven()
  @Must(
    'isActor',
    (value) => typeof value === 'string' && (isId(value) || value === 'system'),
    'the id of a key, or system',
  )
  actor?: string;

  /** Of the event. */
  @IfGiven()
  @Matches(/^[A-Za-z][A-Za-z0-9]{0,99}$/, { message: 'type must be a type of event' })
  type?: string;

  /** The first time, or position, that counts. */
  @IfGiven()
  @IsPlace()
  from?: string;

  /** The last time, or position, that counts. */
  @IfGiven()
  @IsPlace()
  to?: string;

  @IfGiven()
  @Matches(/^[\x21-\x7e]{1,128}$/, { message: 'correlationId must be 1 to 128 visible ASCII characters' })
  correlationId?: string;

  /** Every word of it occurs in the comment or the summary; the last one may be the beginning of a word. */
  @IfGiven()
  @MaxLength(200)
  @Must('isQuestion', isQuestion, `text with 1 to ${WORDS_MAX} words`)
  q?: string;

  /** `backwards`, the newest first, or `forwards`, the oldest first. */
  @IfGiven()
  @IsIn(DIRECTIONS)
  @ApiProperty({ enum: DIRECTIONS, required: false, default: 'backwards' })
  direction: Direction = 'backwards';
}
