// Where requests meet the limits: the address before anybody looks at the key, then the key and its workspace, and the
// address again, far more strictly, when there was no key that works.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RateLimits as Settings } from '../http-config.js';
import { Problem } from './problem.js';
import { RateLimit } from './rate-limit.js';
import type { Scope } from './scope.js';
import type { SecureResponse } from './security-headers.js';
import { addressOf, countedAs } from './source-address.js';

const WINDOW_SECONDS = 10;
/** People mistype keys, and programs start with old ones: a minute's worth at once does no harm. */
const UNAUTHORIZED_WINDOW_SECONDS = 60;
/** A server that were thought ill for being asked too often would be taken out of service. */
const HEALTH = '/health/';

/** Who somebody is was not shown, with a key or at the identity provider. */
const UNAUTHORIZED: ReadonlySet<string> = new Set(['unauthorized', 'sign-in-expired', 'sign-in-failed']);

type SubjectOf = (scope: Scope) => string;

export class RateLimits {
  readonly all: readonly RateLimit[];
  private readonly address: RateLimit | undefined;
  private readonly unauthorized: RateLimit | undefined;
  /** The narrowest first: that one is told of in answers. */
  private readonly ofCaller: readonly { readonly limit: RateLimit; readonly subjectOf: SubjectOf }[];

  constructor(settings: Settings) {
    const { address, unauthorized, key, workspace } = settings;
    this.address = limitOf('address', address, WINDOW_SECONDS);
    this.unauthorized = limitOf('unauthorized', unauthorized, UNAUTHORIZED_WINDOW_SECONDS);
    const subjects: [RateLimit | undefined, SubjectOf][] = [
      [limitOf('key', key, WINDOW_SECONDS), ({ principal }) => principal.actor.id],
      [limitOf('workspace', workspace, WINDOW_SECONDS), ({ workspaceId }) => workspaceId],
    ];
    this.ofCaller = subjects.flatMap(([limit, subjectOf]) => (limit ? [{ limit, subjectOf }] : []));
    const all = [this.address, this.unauthorized, ...this.ofCaller.map(({ limit }) => limit)];
    this.all = all.filter((limit) => limit !== undefined);
  }

  /** Before it is known who asks. */
  limitAddresses(instance: FastifyInstance): void {
    const { address, unauthorized } = this;
    if (address !== undefined) {
      instance.addHook('onRequest', (request, _reply, done) => {
        if (request.url.startsWith(HEALTH)) done();
        else done(refusal(address, countedAs(addressOf(request)), performance.now()));
      });
    }
    if (unauthorized !== undefined) {
      instance.decorateRequest('reconsider', function (this: FastifyRequest, problem: Problem): Problem {
        if (!UNAUTHORIZED.has(problem.code)) return problem;
        return refusal(unauthorized, countedAs(addressOf(this)), performance.now()) ?? problem;
      });
    }
  }

  /** Once it is known. */
  limitCallers(instance: FastifyInstance): void {
    const { ofCaller } = this;
    if (ofCaller.length === 0) return;
    instance.addHook('onRequest', ({ scope }, reply, done) => {
      done(scope && this.refusalOf(scope, reply));
    });
  }

  private refusalOf(scope: Scope, reply: FastifyReply): Problem | undefined {
    const nowMs = performance.now();
    let lines = '';
    for (const { limit, subjectOf } of this.ofCaller) {
      const bucket = limit.bucketOf(subjectOf(scope), nowMs);
      const waitMs = limit.take(bucket, nowMs);
      if (waitMs > 0) return refused(limit, waitMs);
      if (lines === '') lines = limit.linesFor(bucket, nowMs);
    }
    (reply.raw as SecureResponse).lines += lines;
    return undefined;
  }
}

function limitOf(name: string, perSecond: number, windowSeconds: number): RateLimit | undefined {
  return perSecond === 0 ? undefined : new RateLimit(name, perSecond, windowSeconds);
}

function refusal(limit: RateLimit, subject: string, nowMs: number): Problem | undefined {
  const waitMs = limit.take(limit.bucketOf(subject, nowMs), nowMs);
  return waitMs > 0 ? refused(limit, waitMs) : undefined;
}

const DETAILS: Readonly<Record<string, string>> = {
  address: 'This address sends more requests than one address may.',
  unauthorized: 'This address has sent too many requests without a valid key.',
  key: 'This key is used for more requests than one key may send.',
  workspace: 'The keys of this workspace send more requests than one workspace may.',
};

function refused(limit: RateLimit, waitMs: number): Problem {
  const detail = `${DETAILS[limit.name] ?? ''} Try again after the seconds that Retry-After says.`;
  return new Problem('rate-limited', detail, [], limit.headersAfter(waitMs));
}
