// `Idempotency-Key` on any command: sent again, it has one effect and the first answer, whichever server it is sent
// to. The header is that of draft-ietf-httpapi-idempotency-key-header; its value may stand in quotes or not.
import { hash } from 'node:crypto';
import { RouteConfig } from '@nestjs/platform-fastify';
import canonicalize from 'canonicalize';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AnsweredCommands, FirstAnswer } from '../commands/answered-commands.js';
import type { Idempotency } from '../commands/command-log.js';
import type { PeopleNames } from '../../projections/principal.js';
import { scopeIn } from './access.js';
import { withNames, withoutNames } from './kept-names.js';
import { Problem } from './problem.js';
import type { ProblemLog } from './problem.filter.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Only on a command that was sent with a key. */
    idempotency?: Idempotency;
    /** Its answer is to be kept: it is the first one. */
    keepsAnswer?: boolean;
  }
  interface FastifyContextConfig {
    answerNotKept?: boolean;
    answerHasSecret?: boolean;
  }
}

// Without spaces when bare: a header that is sent twice arrives as one, with a comma and a space.
const KEY = /^(?:"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x5b\x5d-\x7e]{1,255}))$/;
const COMMANDS: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** For a command whose answer is about this server alone: sent again, it is carried out again. */
export function AnswerNotKept(): MethodDecorator {
  return RouteConfig({ answerNotKept: true });
}

/** For a command whose answer shows a `key`: it is kept, and given again, without it. */
export function AnswerHasSecret(): MethodDecorator {
  return RouteConfig({ answerHasSecret: true });
}

/** What has no key goes through without a promise: nothing becomes slower for it. */
export function keepFirstAnswers(
  instance: FastifyInstance,
  answered: Pick<AnsweredCommands, 'find' | 'record'>,
  people: PeopleNames,
  log: ProblemLog,
): void {
  const underWay = new UnderWay();
  const named = (body: string) => withNames(body, (id) => people.nameOf(id));

  instance.addHook('preHandler', (request, reply, done) => {
    const header = request.headers['idempotency-key'];
    if (header === undefined || !COMMANDS.has(request.method) || request.scope === undefined) return done();
    answerAgain(header, request, reply).then((isAnswered) => {
      if (!isAnswered) done();
    }, done);
  });

  async function answerAgain(
    header: string | string[],
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<boolean> {
    const key = keyIn(header);
    request.idempotency = { key, requestHash: hashOf(request), hasEffect: false };
    if (request.routeOptions.config.answerNotKept === true) return false;
    const { callerInWorkspace: caller } = scopeIn(request);
    await underWay.afterOthers(`${caller.actor.id} ${key}`, reply);
    const { answer, hasEffect } = await answered.find(caller);
    request.idempotency = { ...request.idempotency, hasEffect };
    request.keepsAnswer = answer === null;
    if (answer === null) return false;
    void reply.header('idempotency-replayed', 'true');
    // A long answer is worded again from its effect, by the route.
    if (answer.body === null) return false;
    send(reply, { ...answer, body: named(answer.body) });
    return true;
  }

  instance.addHook('onSend', (request, reply, payload, done) => {
    if (request.keepsAnswer !== true || reply.statusCode >= 300 || typeof payload !== 'string') {
      return done(null, payload);
    }
    const { statusCode: status } = reply;
    const hasSecret = request.routeOptions.config.answerHasSecret === true;
    const body = withoutNames(hasSecret ? withoutSecret(payload) : payload);
    answered.record(scopeIn(request).callerInWorkspace, { status, body }).then(
      (kept) => done(null, hasSecret || kept.body === null ? payload : named(kept.body)),
      (error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        log.warn({ requestId: request.id, error: { message } }, 'the answer to a command could not be kept');
        // Where the effect is in the log the answer is true, and sent again it is worded from there. That nothing was
        // to be done may be otherwise then, and there is nothing that would say so.
        if (request.idempotency?.hasEffect === true) done(null, payload);
        else done(error as Error);
      },
    );
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
  const key = found?.[1] ?? found?.[2];
  if (key !== undefined) return key;
  throw new Problem(
    'invalid-header',
    'Idempotency-Key takes 1 to 255 printable ASCII characters but no quotes and backslashes; with spaces, in quotes.',
  );
}

/** Of everything that decides what the command does. */
function hashOf({ method, url, headers, body }: FastifyRequest): string {
  const asked = [method, url, headers['if-match'] ?? '', canonicalize(body ?? null) ?? ''];
  return hash('sha256', asked.join('\n'), 'hex');
}

/** What was made up for whoever asked first is in no log. */
function withoutSecret(answer: string): string {
  return JSON.stringify({ ...(JSON.parse(answer) as object), key: null });
}

function send(reply: FastifyReply, { status, body }: FirstAnswer): void {
  void reply.code(status).header('content-type', 'application/json; charset=utf-8').send(body);
}
