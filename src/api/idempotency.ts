// `Idempotency-Key` on any command: sent again, it has one effect and the first answer, whichever server it is sent
// to. The header is that of draft-ietf-httpapi-idempotency-key-header; its value may stand in quotes or not.
import { hash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AnsweredCommands, FirstAnswer } from '../commands/answered-commands.js';
import { scopeIn } from './access.js';
import { Problem } from './problem.js';
import type { ProblemLog } from './problem.filter.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Only on a command that was sent with a key. */
    idempotency?: { readonly key: string; readonly requestHash: string };
    /** Whether the answer is the first one, given again. */
    replayed?: boolean;
  }
}

const KEY = /^("?)([\x21\x23-\x7e]{1,255})\1$/;
const COMMANDS: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

export function keepFirstAnswers(
  instance: FastifyInstance,
  answered: AnsweredCommands,
  log: ProblemLog,
): void {
  const underWay = new UnderWay();

  instance.addHook('preHandler', async (request, reply) => {
    const header = request.headers['idempotency-key'];
    if (header === undefined || !COMMANDS.has(request.method) || request.scope === undefined) return;
    request.idempotency = { key: keyIn(header), requestHash: hashOf(request) };
    const { caller } = scopeIn(request);
    await underWay.afterOthers(`${caller.actor.id} ${request.idempotency.key}`, reply);
    const first = await answered.find(caller);
    if (first === null) return;
    request.replayed = true;
    void reply.header('idempotency-replayed', 'true');
    // A long answer is worded again from its effect, by the route.
    if (first.body !== null) return send(reply, first);
  });

  instance.addHook('onSend', async (request, reply, payload) => {
    const { idempotency, replayed, id: requestId } = request;
    const isFirst = idempotency !== undefined && replayed !== true;
    if (!isFirst || reply.statusCode >= 300 || typeof payload !== 'string') return payload;
    try {
      const { body } = await answered.record(scopeIn(request).caller, {
        status: reply.statusCode,
        body: payload,
      });
      return body ?? payload;
    } catch (error) {
      // The effect is in the log all the same, so the answer is true; sent again, it is worded from there.
      const message = error instanceof Error ? error.message : String(error);
      log.warn({ requestId, error: { message } }, 'the answer to a command could not be kept');
      return payload;
    }
  });
}

/** Commands with one key, one after another: the second finds the answer of the first. */
class UnderWay {
  private readonly last = new Map<string, Promise<void>>();

  async afterOthers(name: string, reply: FastifyReply): Promise<void> {
    const before = this.last.get(name);
    const mine = new Promise<void>((resolve) => reply.raw.once('close', resolve));
    this.last.set(name, mine);
    void mine.then(() => {
      if (this.last.get(name) === mine) this.last.delete(name);
    });
    await before;
  }
}

function keyIn(header: string | string[]): string {
  const found = typeof header === 'string' ? KEY.exec(header) : null;
  const key = found?.[2];
  if (key !== undefined) return key;
  throw new Problem(
    'invalid-header',
    'Idempotency-Key takes 1 to 255 visible ASCII characters other than quotes.',
  );
}

/** Of everything that decides what the command does. */
function hashOf({ method, url, headers, body }: FastifyRequest): string {
  const asked = [method, url, headers['if-match'] ?? '', canonicalize(body ?? null) ?? ''];
  return hash('sha256', asked.join('\n'), 'hex');
}

function send(reply: FastifyReply, { status, body }: FirstAnswer): FastifyReply {
  return reply.code(status).header('content-type', 'application/json; charset=utf-8').send(body);
}
