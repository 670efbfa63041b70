// Several servers on one log behave as one. A read takes `minPosition`: the answer rests on everything up to there, or
// there is none. A command always rests on everything that any server had answered when it came.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { LogFollower } from '../read/log-follower.js';
import type { Position } from '../store/event-store.js';
import { Problem } from './problem.js';

const READS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
const WAIT_MS_MAX = 2_000;
export const POSITION = /^(0|[1-9][0-9]{0,18})$/;

export function waitForPosition(instance: FastifyInstance, follower: LogFollower): void {
  instance.addHook('preValidation', (request, _reply, done) => {
    try {
      const position = takeMinPosition(request);
      if (READS.has(request.method) && position === undefined) return done();
      const waiting =
        position === undefined ? follower.upToDate(WAIT_MS_MAX) : follower.reached(position, WAIT_MS_MAX);
      waiting.then(() => done(), done);
    } catch (error) {
      done(error as Error);
    }
  });
}

/** What is left of the query belongs to the route. */
function takeMinPosition({ method, query }: FastifyRequest): Position | undefined {
  const known = query as { minPosition?: unknown };
  const { minPosition } = known;
  if (minPosition === undefined) return undefined;
  if (!READS.has(method) || typeof minPosition !== 'string' || !POSITION.test(minPosition)) {
    const detail = 'must be one position, as an earlier answer gave it, on a read';
    throw new Problem('invalid-query', 'See errors.', [{ pointer: '/minPosition', detail }]);
  }
  delete known.minPosition;
  return BigInt(minPosition);
}
