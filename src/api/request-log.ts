// One line in the log for a request: which route, what came of it and how long that took. Never what was sent: no
// address with its query, no header and no body. What changed, and who was denied what, is in the record anyway.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { LoggedRequests } from '../http-config.js';
import { RateLimit } from './rate-limit.js';
import type { Scope } from './scope.js';

/** What pino offers, as far as it is needed here. */
export interface RequestLines {
  info(fields: object, message: string): void;
}

const WANTED: Readonly<Record<LoggedRequests, (request: FastifyRequest, reply: FastifyReply) => boolean>> = {
  none: () => false,
  problems: (_, reply) => isProblem(reply),
  commands: (request, reply) => isProblem(reply) || !READS.has(request.method),
  all: () => true,
};
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** Whoever is refused can ask again at once, and must not fill the disk with it: so many lines a second. */
const PROBLEM_LINES = 100;

export function logRequests(instance: FastifyInstance, which: LoggedRequests, log: RequestLines): void {
  if (which === 'none') return;
  const isWanted = WANTED[which];
  const room = new RateLimit('problem-lines', PROBLEM_LINES, 1);
  const bucket = room.bucketOf('', performance.now());
  let leftOut = 0;
  instance.addHook('onResponse', (request, reply, done) => {
    done();
    if (!isWanted(request, reply)) return;
    if (isProblem(reply) && room.take(bucket, performance.now()) > 0) {
      leftOut += 1;
      return;
    }
    log.info({ ...lineOf(request, reply), ...(leftOut > 0 && { leftOut }) }, 'request');
    leftOut = 0;
  });
}

function isProblem({ statusCode }: FastifyReply): boolean {
  return statusCode >= 400;
}

function lineOf(request: FastifyRequest, { statusCode: status, elapsedTime }: FastifyReply) {
  const { id: requestId, method, routeOptions, problemCode: code, sourceAddress: ip, scope } = request;
  return {
    requestId,
    method,
    route: routeOptions.url ?? 'none',
    status,
    ms: Math.round(elapsedTime * 10) / 10,
    ...(code && { code }),
    ...(scope && { ...callerIn(scope), workspaceId: scope.workspaceId }),
    ...(ip !== undefined && { ip }),
  };
}

function callerIn({ principal: { actor } }: Scope) {
  return actor.type === 'person' ? { personId: actor.id } : { keyId: actor.id };
}
