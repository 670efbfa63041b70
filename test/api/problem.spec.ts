import { readFileSync } from 'node:fs';
import {
  BadRequestException,
  ForbiddenException,
  NotFoundException,
  UnauthorizedException,
} from '@nestjs/common';
import { errorCodes } from 'fastify';
import {
  Problem,
  problemBody,
  problemHeaders,
  problems,
  toProblem,
  type ProblemCode,
} from '../../src/api/problem.js';
import { MalformedJson, UnacceptableJson } from '../../src/api/strict-json.js';
import { Refused } from '../../src/domain/refused.js';
import { AppendTooLarge, OutcomeUnknown, StoreUnavailable } from '../../src/store/event-store.js';

const bodyOf = (error: unknown) => problemBody(toProblem(error), 'request-1');

describe('problems', () => {
  it('are a closed list of kebab-case codes, each with a status of its kind and a title', () => {
    for (const [code, { status, title }] of Object.entries(problems)) {
      expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(600);
      expect(title).toMatch(/^[A-Z].*[^.]$/);
    }
    const titles = Object.values(problems).map((problem) => problem.title);
    expect(new Set(titles).size).toBe(titles.length);
  });

  it('are told in docs/http.md, all of them and no others', () => {
    const rows = readFileSync('docs/http.md', 'utf8').matchAll(/^\| ([45][0-9 ]+) \| (`.*) \|$/gm);
    const told = [...rows].flatMap(([, statuses = '', codes = '']) =>
      [...codes.matchAll(/`([a-z-]+)`/g)].map(([, code]) => [code, statuses.split(' ')] as const),
    );
    for (const [code, statuses] of told) {
      expect(statuses).toContain(String(problems[code as ProblemCode].status));
    }
    expect(told.map(([code]) => code).sort()).toEqual(Object.keys(problems).sort());
  });

  it('have the members of RFC 9457, the code and the request id', () => {
    expect(bodyOf(new Problem('not-found', 'There is no such route.'))).toEqual({
      type: '/problems/not-found',
      title: 'There is nothing at this path',
      status: 404,
      detail: 'There is no such route.',
      code: 'not-found',
      requestId: 'request-1',
    });
  });

  it('carry the errors of a refusal and of a body', () => {
    const errors = [{ pointer: '/flowIds/0', detail: 'is not active in dev' }];
    expect(bodyOf(new Refused('flows-not-active', 'One is not active.', errors))).toMatchObject({
      status: 422,
      code: 'flows-not-active',
      detail: 'One is not active.',
      errors,
    });
    expect(bodyOf(new UnacceptableJson(errors))).toMatchObject({ status: 422, code: 'invalid-body', errors });
    expect(bodyOf(new MalformedJson('Twice.', errors))).toMatchObject({
      status: 400,
      code: 'malformed-json',
      errors,
    });
  });

  it('say what the store says: too large with both figures, unknown as unknown, unavailable', () => {
    const tooLarge = bodyOf(new AppendTooLarge(2_000_001, 1_000_000));
    expect(tooLarge).toMatchObject({ status: 413, code: 'release-too-large' });
    expect(tooLarge.detail).toContain('2000001');
    expect(tooLarge.detail).toContain('1000000');
    expect(bodyOf(new OutcomeUnknown('fsync'))).toMatchObject({ status: 503, outcome: 'unknown' });
    expect(bodyOf(new StoreUnavailable('disk'))).toMatchObject({ status: 503, code: 'store-unavailable' });
    expect(bodyOf(new StoreUnavailable('disk'))).not.toHaveProperty('outcome');
  });

  it.each<[string, Error, ProblemCode]>([
    ['media type', new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE('text/plain'), 'unsupported-media-type'],
    ['body size', new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE(), 'body-too-large'],
    ['empty body', new errorCodes.FST_ERR_CTP_EMPTY_JSON_BODY(), 'malformed-json'],
    ['content length', new errorCodes.FST_ERR_CTP_INVALID_CONTENT_LENGTH(), 'invalid-header'],
    ['not found', new errorCodes.FST_ERR_NOT_FOUND(), 'not-found'],
    ['bad URL', new errorCodes.FST_ERR_BAD_URL('/%zz'), 'invalid-reference'],
    ['long part', new errorCodes.FST_ERR_MAX_PARAM_LENGTH('/x'), 'invalid-reference'],
    ['Nest 404', new NotFoundException('Cannot GET /secret'), 'not-found'],
    ['Nest 401', new UnauthorizedException(), 'unauthorized'],
    ['Nest 400', new BadRequestException('x'), 'invalid-query'],
    ['Nest 403', new ForbiddenException('x'), 'internal-error'],
    ['anything else', new TypeError('x'), 'internal-error'],
  ])('of the framework have a code of ours: %s', (_name, error, code) => {
    expect(bodyOf(error)).toMatchObject({ code, status: problems[code].status });
  });

  it('never let out what an unexpected error says', () => {
    const secret = 'sk-secret at /var/lib/switchyard/events.db';
    const thrown: unknown[] = [
      new Error(secret),
      new TypeError(secret),
      new NotFoundException(secret),
      new BadRequestException(secret),
      new StoreUnavailable(secret),
      new OutcomeUnknown(secret),
      Object.assign(new Error(secret), { code: 'ENOENT', statusCode: 404 }),
      { message: secret, statusCode: 418 },
      secret,
      undefined,
    ];
    for (const error of thrown) {
      const text = JSON.stringify({ body: bodyOf(error), headers: problemHeaders(toProblem(error)) });
      expect(text).not.toContain('sk-secret');
      expect(text).not.toContain('events.db');
      expect(text).not.toContain('stack');
    }
  });

  it('tell when to try again and how to authenticate', () => {
    expect(problemHeaders(new Problem('not-caught-up', ''))).toEqual({ 'retry-after': '1' });
    expect(problemHeaders(new Problem('unauthorized', ''))).toEqual({ 'www-authenticate': 'Bearer' });
    expect(problemHeaders(new Problem('not-found', '', [], { allow: 'GET' }))).toEqual({ allow: 'GET' });
  });
});
