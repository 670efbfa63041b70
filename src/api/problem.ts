// Every answer that is not a success: a closed list of codes, each with one status and one title (RFC 9457).
// Whatever is thrown anywhere becomes one of them here, and nothing of the inside of the server goes with it.
import { HttpException } from '@nestjs/common';
import { LogFenced } from '../audit/fence.js';
import { ContentTooLarge } from '../commands/content.js';
import { Refused, type FieldError, type RefusalCode } from '../domain/refused.js';
import { ViewHalted } from '../read/halt.js';
import { NotCaughtUp } from '../read/progress.js';
import { AppendTooLarge, OutcomeUnknown, StorageFull, StoreUnavailable } from '../store/event-store.js';
import { MalformedJson, UnacceptableJson } from './strict-json.js';

export type ProblemCode =
  | RefusalCode
  | 'body-too-large'
  | 'content-too-large'
  | 'cross-site-request'
  | 'forbidden'
  | 'headers-too-large'
  | 'internal-error'
  | 'invalid-body'
  | 'invalid-header'
  | 'invalid-query'
  | 'invalid-reference'
  | 'log-fenced'
  | 'malformed-json'
  | 'method-not-allowed'
  | 'not-caught-up'
  | 'not-found'
  | 'outcome-unknown'
  | 'person-not-found'
  | 'rate-limited'
  | 'recent-sign-in-needed'
  | 'rebuild-under-way'
  | 'request-timeout'
  | 'session-not-found'
  | 'shutting-down'
  | 'sign-in-expired'
  | 'sign-in-failed'
  | 'sign-in-unavailable'
  | 'storage-full'
  | 'store-unavailable'
  | 'too-many-streams'
  | 'unsupported-media-type'
  | 'url-too-long'
  | 'view-halted';

export const problems: Readonly<Record<ProblemCode, { readonly status: number; readonly title: string }>> = {
  'at-not-reached': { status: 422, title: 'That moment has not come yet' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'concurrent-change': { status: 409, title: 'Somebody else changed this at the same time' },
  'content-too-large': { status: 413, title: 'The content of a version is too large' },
  'cross-site-request': { status: 403, title: 'The request comes from a page of another site' },
  'environment-archived': { status: 404, title: 'The environment is archived' },
  'environment-exists': { status: 409, title: 'An environment of this name or slug exists' },
  'environment-is-default': { status: 409, title: 'The environment is the default one' },
  'environment-not-found': { status: 404, title: 'There is no such environment' },
  'flow-archived': { status: 409, title: 'The flow is archived' },
  'flow-exists': { status: 409, title: 'A flow of this slug exists' },
  'flow-is-active': { status: 409, title: 'The flow is active in an environment' },
  'flow-not-found': { status: 404, title: 'There is no such flow' },
  forbidden: { status: 403, title: 'The key may not do that' },
  'flows-not-active': { status: 422, title: 'Some of the flows are not active in the environment' },
  'grant-too-wide': { status: 403, title: 'The key cannot pass on more than it has' },
  'headers-too-large': { status: 431, title: 'The headers are too large' },
  'idempotency-key-reused': { status: 422, title: 'The idempotency key was used for another command' },
  'internal-error': { status: 500, title: 'Something went wrong on the server' },
  'invalid-body': { status: 422, title: 'The body is not what is expected' },
  'invalid-header': { status: 400, title: 'A header is not what is expected' },
  'invalid-query': { status: 400, title: 'The query is not what is expected' },
  'invalid-reference': { status: 422, title: 'A reference is neither a slug nor an id' },
  'key-not-found': { status: 404, title: 'There is no such key' },
  'last-administrator': { status: 409, title: 'It is the last administrator of the workspace' },
  'log-fenced': { status: 503, title: 'The log is not the one that was here before' },
  'malformed-json': { status: 400, title: 'The body is not JSON' },
  'method-not-allowed': { status: 405, title: 'This path does not take that method' },
  'no-prior-release': { status: 409, title: 'There is no release to go back to' },
  'not-active': { status: 404, title: 'The flow is not active there' },
  'not-caught-up': { status: 503, title: 'The answer is not up to date yet' },
  'not-found': { status: 404, title: 'There is nothing at this path' },
  'outcome-unknown': { status: 503, title: 'It is not known whether the change was made' },
  'person-not-found': { status: 404, title: 'There is no such person' },
  'position-not-found': { status: 404, title: 'There is no such position' },
  'project-archived': { status: 404, title: 'The project is archived' },
  'project-exists': { status: 409, title: 'A project of this slug exists' },
  'project-not-found': { status: 404, title: 'There is no such project' },
  'rate-limited': { status: 429, title: 'Too many requests' },
  'rebuild-under-way': { status: 409, title: 'The views are being made anew already' },
  'recent-sign-in-needed': { status: 403, title: 'The sign-in was too long ago for this' },
  'release-moved': { status: 412, title: 'The release is no longer the one that was reviewed' },
  'release-not-found': { status: 404, title: 'There is no such release' },
  'release-too-large': { status: 413, title: 'The release is too large' },
  'request-timeout': { status: 408, title: 'The request took too long to arrive' },
  'same-environment': { status: 422, title: 'Source and target are the same environment' },
  'session-not-found': { status: 404, title: 'There is no such session' },
  'shutting-down': { status: 503, title: 'The server is shutting down' },
  'sign-in-expired': { status: 400, title: 'The sign-in took too long, or was finished before' },
  'sign-in-failed': { status: 400, title: 'The sign-in did not come to an end' },
  'sign-in-unavailable': { status: 503, title: 'The identity provider cannot be reached' },
  'storage-full': { status: 503, title: 'The event store has no room left' },
  'store-unavailable': { status: 503, title: 'The event store cannot be reached' },
  'too-many-keys': { status: 409, title: 'The workspace has as many keys as it takes' },
  'too-many-streams': { status: 503, title: 'Too many clients follow the changes on this server' },
  unauthorized: { status: 401, title: 'A valid key is needed' },
  'unknown-release': { status: 422, title: 'The release is not one of this environment' },
  'unsupported-media-type': { status: 415, title: 'The body must be JSON' },
  'url-too-long': { status: 414, title: 'The URL is too long' },
  'view-halted': { status: 503, title: 'A view that is needed has stopped' },
  'version-locked': { status: 409, title: 'The version is locked' },
  'version-not-found': { status: 404, title: 'There is no such version' },
  'workspace-exists': { status: 409, title: 'A workspace of this slug exists' },
  'workspace-is-first': { status: 409, title: 'The installation is looked after from this workspace' },
  'workspace-not-found': { status: 404, title: 'There is no such workspace' },
};

export class Problem extends Error {
  override readonly name = 'Problem';

  constructor(
    readonly code: ProblemCode,
    readonly detail: string,
    readonly errors: readonly FieldError[] = [],
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(detail);
  }

  get status(): number {
    return problems[this.code].status;
  }
}

export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ProblemCode;
  readonly requestId: string;
  readonly outcome?: 'unknown';
  readonly errors?: readonly FieldError[];
}

export function problemBody(problem: Problem, requestId: string): ProblemBody {
  const { status, title } = problems[problem.code];
  return {
    type: `/problems/${problem.code}`,
    title,
    status,
    detail: problem.detail,
    code: problem.code,
    requestId,
    ...(problem.code === 'outcome-unknown' && { outcome: 'unknown' }),
    ...(problem.errors.length > 0 && { errors: problem.errors }),
  };
}

export function problemHeaders(problem: Problem): Record<string, string> {
  return {
    ...(problem.status === 503 && { 'retry-after': '1' }),
    ...(problem.status === 401 && { 'www-authenticate': 'Bearer' }),
    ...problem.headers,
  };
}

export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) {
    return error;
  }
  if (error instanceof Refused) {
    return new Problem(error.code, error.message, error.errors);
  }
  if (error instanceof MalformedJson) {
    return new Problem('malformed-json', error.message, error.errors);
  }
  if (error instanceof UnacceptableJson) {
    return new Problem('invalid-body', error.message, error.errors);
  }
  if (error instanceof ContentTooLarge) {
    return new Problem('content-too-large', error.message, [{ pointer: '/content', detail: error.message }]);
  }
  if (error instanceof NotCaughtUp) {
    return new Problem('not-caught-up', error.message);
  }
  if (error instanceof ViewHalted) {
    return new Problem('view-halted', error.message);
  }
  if (error instanceof LogFenced) {
    return new Problem('log-fenced', `Nothing was changed. ${error.message}`);
  }
  return storeProblem(error) ?? frameworkProblem(error) ?? new Problem('internal-error', INTERNAL);
}

const INTERNAL = 'The server could not answer. Its log has the reason, under the id of this request.';

function storeProblem(error: unknown): Problem | undefined {
  if (error instanceof AppendTooLarge) {
    const detail = `The change takes ${error.bytes} bytes; one change may take ${error.bytesMax}.`;
    return new Problem('release-too-large', detail);
  }
  if (error instanceof OutcomeUnknown) {
    return new Problem(
      'outcome-unknown',
      'The change may or may not have been made. Sent again with the same Idempotency-Key, it has one effect.',
    );
  }
  if (error instanceof StorageFull) {
    return new Problem('storage-full', 'Nothing was changed. The server goes on once there is room.');
  }
  if (error instanceof StoreUnavailable) {
    return new Problem('store-unavailable', 'Nothing was changed. Try again in a moment.');
  }
  return undefined;
}

const BY_FASTIFY_CODE = new Map<string, readonly [ProblemCode, string]>([
  ['FST_ERR_BAD_URL', ['invalid-reference', 'The path is not a valid URL: its percent-encoding is broken.']],
  ['FST_ERR_MAX_PARAM_LENGTH', ['invalid-reference', 'A part of the path is too long for a slug or an id.']],
  ['FST_ERR_NOT_FOUND', ['not-found', 'There is no such route.']],
  // The pages of the API document are files, and no path may lead out of their folder or to what no file is called.
  ['FST_STATIC_FORBIDDEN_PATH', ['not-found', 'There is no such route.']],
  ['FST_ERR_CTP_BODY_TOO_LARGE', ['body-too-large', 'A body may have 1,048,576 bytes.']],
  ['FST_ERR_CTP_EMPTY_JSON_BODY', ['malformed-json', 'The body is empty.']],
  ['FST_ERR_CTP_INVALID_JSON_BODY', ['malformed-json', 'The body is not JSON.']],
  ['FST_ERR_CTP_INVALID_CONTENT_LENGTH', ['invalid-header', 'Content-Length is not the length of the body.']],
  ['FST_ERR_CTP_INVALID_MEDIA_TYPE', ['unsupported-media-type', 'Send the body as application/json.']],
  // The client went away, or was cut off, before its body was complete: nobody may be left to read this.
  ['ECONNRESET', ['request-timeout', 'The request ended before its body was complete.']],
]);

const BY_STATUS = new Map<number, readonly [ProblemCode, string]>([
  [400, ['invalid-query', 'The request is not what is expected.']],
  [401, ['unauthorized', 'Send a valid key as Authorization: Bearer <key>.']],
  [404, ['not-found', 'There is no such route.']],
  [405, ['method-not-allowed', 'This path does not take that method.']],
  [408, ['request-timeout', 'The request took too long to arrive.']],
  [413, ['body-too-large', 'A body may have 1,048,576 bytes.']],
  [415, ['unsupported-media-type', 'Send the body as application/json.']],
  [422, ['invalid-body', 'The body is not what is expected.']],
  [431, ['headers-too-large', 'All headers together may have 16,384 bytes.']],
]);

/** The words are ours: a framework's message may quote what the caller sent, or name a file. */
function frameworkProblem(error: unknown): Problem | undefined {
  if (!(error instanceof Error)) {
    return undefined;
  }
  if (error instanceof HttpException) {
    return ofEntry(BY_STATUS.get(error.getStatus()));
  }
  return 'code' in error && 'statusCode' in error
    ? ofEntry(BY_FASTIFY_CODE.get(String(error.code)))
    : undefined;
}

function ofEntry(entry: readonly [ProblemCode, string] | undefined): Problem | undefined {
  return entry && new Problem(...entry);
}
