// Sessions end for want of use as well: one that was not used on this server for so long is over here. When it was used
// is kept in memory alone, so a start counts as a use, and each of several servers judges for itself.
import type { FastifyInstance } from 'fastify';
import { openedAt } from '../commands/open-session.js';
import { Problem } from './problem.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** When its session is over unless something else is asked with it, in milliseconds since 1970. */
    idleAt?: number;
  }
}

/** Has to be called once callers are identified. */
export function endIdleSessions(instance: FastifyInstance, idleMs: number): void {
  const startedAt = Date.now();
  /** By id, the one that was used longest ago first. */
  const usedAt = new Map<string, number>();
  instance.addHook('onRequest', (request, _reply, done) => {
    const id = request.principal?.sessionId;
    if (id === undefined) return done();
    const now = Date.now();
    // Those are as good as never used.
    for (const [each, at] of usedAt) {
      if (at + idleMs > now) break;
      usedAt.delete(each);
    }
    const at = usedAt.get(id) ?? Math.max(startedAt, openedAt(id));
    if (at + idleMs <= now)
      return done(new Problem('unauthorized', 'Nothing was asked for too long: sign in again.'));
    usedAt.delete(id);
    usedAt.set(id, now);
    request.idleAt = now + idleMs;
    done();
  });
}
