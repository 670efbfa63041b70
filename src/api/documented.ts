// What a route says of itself in the API document: the shape of its answer where TypeScript cannot tell, and the
// problems it may answer beside those that any route may.
import { applyDecorators, Header, type Type } from '@nestjs/common';
import { ApiExtraModels, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import { ReleaseMadeAnswer } from './answers.js';
import { problems, type ProblemCode } from './problem.js';

const ANY_ROUTE: readonly ProblemCode[] = [
  'unauthorized',
  'forbidden',
  'project-not-found',
  'invalid-reference',
  'invalid-query',
  'headers-too-large',
  'url-too-long',
  'request-timeout',
  'rate-limited',
  'internal-error',
  'not-caught-up',
  'view-halted',
  'shutting-down',
];

const ANY_COMMAND: readonly ProblemCode[] = [
  ...ANY_ROUTE,
  'cross-site-request',
  'malformed-json',
  'unsupported-media-type',
  'body-too-large',
  'invalid-body',
  'invalid-header',
  'idempotency-key-reused',
  'project-archived',
  'concurrent-change',
  'log-fenced',
  'outcome-unknown',
  'store-unavailable',
  'storage-full',
];

/** For a route that only reads. */
export function Reads(...codes: ProblemCode[]): MethodDecorator {
  return applyDecorators(...problemResponses([...ANY_ROUTE, ...codes]));
}

/** For a route that may change something. */
export function Commands(...codes: ProblemCode[]): MethodDecorator {
  return applyDecorators(...problemResponses([...ANY_COMMAND, ...codes]));
}

/** A page of a list. */
export function Paged(item: Type): MethodDecorator {
  const properties = {
    items: { type: 'array', items: { $ref: getSchemaPath(item) } },
    nextCursor: { type: ['string', 'null'], description: 'Leads to the next page; null on the last.' },
  };
  const schema = { type: 'object', properties, required: ['items', 'nextCursor'] };
  return applyDecorators(ApiExtraModels(item), answer(200, schema));
}

/** What a command changed, and where in the log. */
export function WithPosition(changed: Type, status = 200): MethodDecorator {
  const position = { type: 'object', properties: { position: { type: 'string' } }, required: ['position'] };
  const schema = { allOf: [{ $ref: getSchemaPath(changed) }, position] };
  return applyDecorators(ApiExtraModels(changed), answer(status, schema));
}

/** A release, as text that is JSON already. */
export function AnswersRelease(): MethodDecorator {
  return applyDecorators(
    Header('content-type', 'application/json; charset=utf-8'),
    ApiExtraModels(ReleaseMadeAnswer),
    answer(200, { $ref: getSchemaPath(ReleaseMadeAnswer) }),
  );
}

function answer(status: number, schema: object): MethodDecorator {
  return ApiResponse({ status, schema });
}

/** The responses of an operation, by status: which codes each may carry. */
export function problemsByStatus(codes: readonly ProblemCode[]): Map<number, ProblemCode[]> {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of [...new Set(codes)].sort()) {
    const { status } = problems[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return byStatus;
}

/** One problem response of the document. */
export function problemResponse(codes: readonly ProblemCode[]) {
  return {
    description: codes.map((code) => `\`${code}\`: ${problems[code].title}.`).join(' '),
    content: {
      'application/problem+json': {
        schema: {
          allOf: [
            { $ref: '#/components/schemas/Problem' },
            { type: 'object', properties: { code: { type: 'string', enum: [...codes] } } },
          ],
        },
      },
    },
  };
}

export const READ_PROBLEMS = ANY_ROUTE;

function problemResponses(codes: readonly ProblemCode[]): MethodDecorator[] {
  return [...problemsByStatus(codes)].map(([status, ofStatus]) =>
    ApiResponse({ status, ...problemResponse(ofStatus) }),
  );
}
