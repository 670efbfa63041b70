// Where requests meet the limits: the address before anybody looks at the key, then the key and its workspace, and the
// address again, far more strictly, when there was no key that works.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RateLimits as Settings } from '../http-config.js';
import type { Principal } from '../../projections/principal.js';
import { Problem } from './problem.js';
import { RateLimit } from './rate-limit.js';
import type { SecureResponse } from './security-headers.js';
import { addressOf, countedAs } from './source-address.js';

const WINDOW_SECONDS = 10;
/** People mistype keys, and programs start with old ones: a minute's worth at once does no harm. */
const UNAUTHORIZED_WINDOW_SECONDS = 60;
/** Each sign-in is written down for good. */
const SIGN_INS_PER_SECOND = 1;
const SIGN_IN_WINDOW_SECONDS = 60;
/** A server that were thought ill for being asked too often would be taken out of service. */
const HEALTH: ReadonlySet<string> = new Set(['/health/live', '/health/ready']);

/** Who somebody is was not shown, with a key or at the identity provider. */
const UNAUTHORIZED: ReadonlySet<string> = new Set(['unauthorized', 'sign-in-expired', 'sign-in-failed']);

type Caller = Pick<Principal, 'actor' | 'workspaceId'>;

interface CallerLimit {
  readonly limit: RateLimit;
  readonly subjectOf: (caller: Caller) => string;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Throws `rate-limited` for one who signs in: until then nobody knew who asks. */
    limitSignIn?: (caller: Caller, reply: FastifyReply) => void;
  }
  interface FastifyInstance {
    /** For what is refused before it comes to any route. */
    overLimit?: (request: FastifyRequest) => Problem | undefined;
  }
}

export class RateLimits {
  readonly all: readonly RateLimit[];
  private readonly address: RateLimit | undefined;
  private readonly unauthorized: RateLimit | undefined;
  /** The narrowest first: that one is told of in answers. */
  private readonly ofCaller: readonly CallerLimit[];
  private readonly ofSignIn: readonly CallerLimit[];

  constructor(settings: Settings) {
    const { address, unauthorized, key, workspace } = settings;
    this.address = limitOf('address', address, WINDOW_SECONDS);
    this.unauthorized = limitOf('unauthorized', unauthorized, UNAUTHORIZED_WINDOW_SECONDS);
    const ofActor = ({ actor }: Caller) => actor.id;
    const signIns = key === 0 ? 0 : SIGN_INS_PER_SECOND;
    this.ofCaller = [
      ...callerLimits('key', key, WINDOW_SECONDS, ofActor),
      ...callerLimits('workspace', workspace, WINDOW_SECONDS, ({ workspaceId }) => workspaceId),
    ];
    this.ofSignIn = [...callerLimits('sign-in', signIns, SIGN_IN_WINDOW_SECONDS, ofActor), ...this.ofCaller];
    const all = [this.address, this.unauthorized, ...this.ofSignIn.map(({ limit }) => limit)];
    this.all = all.filter((limit) => limit !== undefined);
  }

  /** Before it is known who asks. */
  limitAddresses(instance: FastifyInstance): void {
    const { address, unauthorized } = this;
    if (address !== undefined) {
      const overLimit = (request: FastifyRequest) =>
        refusal(address, countedAs(addressOf(request)), performance.now());
      instance.addHook('onRequest', (request, _reply, done) => {
        done(HEALTH.has(request.url) ? undefined : overLimit(request));
      });
      instance.decorate('overLimit', overLimit);
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
    const { ofCaller, ofSignIn } = this;
    if (ofCaller.length === 0) return;
    instance.addHook('onRequest', ({ principal }, reply, done) => {
      done(principal && refusalOf(ofCaller, principal, reply));
    });
    instance.decorateRequest('limitSignIn', (caller: Caller, reply: FastifyReply) => {
      const problem = refusalOf(ofSignIn, caller, reply);
      if (problem !== undefined) throw problem;
    });
  }
}

function refusalOf(limits: readonly CallerLimit[], caller: Caller, reply: FastifyReply): Problem | undefined {
  const nowMs = performance.now();
  let lines = '';
  for (const { limit, subjectOf } of limits) {
    const bucket = limit.bucketOf(subjectOf(caller), nowMs);
    const waitMs = limit.take(bucket, nowMs);
    if (waitMs > 0) return refused(limit, waitMs);
    if (lines === '') lines = limit.linesFor(bucket, nowMs);
  }
  (reply.raw as SecureResponse).lines += lines;
  return undefined;
}

function callerLimits(
  name: string,
  perSecond: number,
  windowSeconds: number,
  subjectOf: CallerLimit['subjectOf'],
): CallerLimit[] {
  const limit = limitOf(name, perSecond, windowSeconds);
  return limit === undefined ? [] : [{ limit, subjectOf }];
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
  'sign-in': 'Whoever this is signs in more often than one may.',
  workspace: 'The keys of this workspace send more requests than one workspace may.',
};

function refused(limit: RateLimit, waitMs: number): Problem {
  const detail = `${DETAILS[limit.name] ?? ''} Try again after the seconds that Retry-After says.`;
  return new Problem('rate-limited', detail, [], limit.headersAfter(waitMs));
}
