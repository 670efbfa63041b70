// Answers as of a moment: worded as everything was called then, with the position they are as of, and good for ever
// once nothing that happens can belong to that moment any more.
import { applyDecorators, type Type } from '@nestjs/common';
import { ApiExtraModels, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Past } from '../read/past.js';
import type { PastViews } from '../read/past-views.js';
import { parseAt } from './at.js';
import { answerOnce, momentTag } from './headers.js';
import type { Scope } from './scope.js';

interface Asked {
  readonly scope: Scope;
  /** As the query was checked to hold it. */
  readonly at: string;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** What `word` says about the moment; nothing where the caller has it already. */
export async function answerAsOf<Body extends object>(
  past: Past,
  { scope, at, request, reply }: Asked,
  word: (then: PastViews) => Body,
): Promise<(Body & { readonly position: string }) | undefined> {
  const { position, isSettled } = await past.moment(parseAt(at) ?? { position: 0n });
  const answer = { ...word(await past.views(scope.project, position)), position: String(position) };
  return answerOnce(request, reply, momentTag(position), () => answer, isSettled);
}

/** For a route that takes `at`: then its answer has a position, and the caller may have it already. */
export function AnswersAsOf(answer: Type): MethodDecorator {
  const description = 'What the answer is as of; only with `at`.';
  const position = { type: 'object', properties: { position: { type: 'string', description } } };
  const schema = { allOf: [{ $ref: getSchemaPath(answer) }, position] };
  return applyDecorators(
    ApiExtraModels(answer),
    ApiResponse({ status: 200, schema }),
    ApiResponse({ status: 304, description: 'The caller has this answer already.' }),
  );
}
