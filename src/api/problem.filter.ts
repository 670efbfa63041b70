// The one place where a problem goes out, whether a controller, Nest or Fastify itself has thrown.
import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { Problem, problemBody, problemHeaders, toProblem, type ProblemCode } from './problem.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Of what it was answered, where that was a problem. */
    problemCode?: ProblemCode;
    /** May put another problem in the place of the one that is about to be answered. */
    reconsider?: (problem: Problem) => Problem;
  }
}

/** What pino offers, as far as it is needed here. */
export interface ProblemLog {
  error(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly log: ProblemLog) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const { id } = http.getRequest<FastifyRequest>();
    sendProblem(http.getResponse<FastifyReply>(), error, id, this.log);
  }
}

export function sendProblem(reply: FastifyReply, error: unknown, requestId: string, log: ProblemLog): void {
  const found = toProblem(error);
  const problem = reply.request.reconsider?.(found) ?? found;
  reply.request.problemCode = problem.code;
  logProblem(problem, error, requestId, log);
  if (reply.sent || reply.raw.headersSent) {
    // Half an answer is out, as with a stream of events: cutting it off is the only way left to say so.
    if (!reply.raw.writableEnded) {
      reply.raw.destroy();
    }
    return;
  }
  void reply
    .code(problem.status)
    .headers(problemHeaders(problem))
    .header('x-request-id', requestId)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .send(JSON.stringify(problemBody(problem, requestId)));
}

/** Only what describes the fault: an error may carry the request, its body or a key in other properties. */
function logProblem(problem: Problem, error: unknown, requestId: string, log: ProblemLog): void {
  if (problem.status < 500 || error instanceof Problem) {
    return;
  }
  const fault =
    error instanceof Error
      ? { name: error.name, message: error.message, stack: error.stack }
      : { name: typeof error };
  const fields = { requestId, code: problem.code, error: fault };
  if (problem.code === 'internal-error') {
    log.error(fields, 'a request failed');
  } else {
    log.warn(fields, 'a request could not be served');
  }
}

const METHODS: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** A path that takes other methods is 405 and names them; one that takes none is 404. */
export function noRoute(request: FastifyRequest): Problem {
  const path = request.raw.url?.split('?', 1)[0] ?? '/';
  const allowed = METHODS.filter((method) => request.server.findRoute({ method, url: path }) !== null);
  if (allowed.length === 0 || allowed.some((method) => method === request.method)) {
    return new Problem('not-found', 'There is no such route.');
  }
  const allow = allowed.join(', ');
  return new Problem('method-not-allowed', `This path takes ${allow}.`, [], { allow });
}
