// `minPosition` on any read: the answer rests on everything up to that position, or there is none. So a caller who
// was answered by one server is never shown less by another.
import type { FastifyInstance } from 'fastify';
import type { LogFollower } from '../read/log-follower.js';
import { Problem } from './problem.js';

const WAIT_MS_MAX = 2_000;
const POSITION = /^(0|[1-9][0-9]{0,18})$/;

export function waitForPosition(instance: FastifyInstance, follower: LogFollower): void {
  instance.addHook('preValidation', (request, _reply, done) => {
    const query = request.query as { minPosition?: unknown };
    const { minPosition } = query;
    if (minPosition === undefined) {
      done();
      return;
    }
    if (request.method !== 'GET' || typeof minPosition !== 'string' || !POSITION.test(minPosition)) {
      const detail = 'must be one position, as an earlier answer gave it, on a read';
      done(new Problem('invalid-query', 'See errors.', [{ pointer: '/minPosition', detail }]));
      return;
    }
    // What is left of the query belongs to the route.
    delete query.minPosition;
    follower.live.progress.reached(BigInt(minPosition), WAIT_MS_MAX).then(() => done(), done);
  });
}
