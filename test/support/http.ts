// Plain HTTP for tests: every answer with its status, its headers and its text, and no opinion on any of them.
import { deepEqual, equal, match } from 'node:assert/strict';
import type { ProblemBody } from '../../src/api/problem.js';

export interface Answer<Body = unknown> {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The text as JSON; undefined when it is none. */
  readonly body: Body;
}

export interface Sent {
  readonly headers?: Record<string, string>;
  /** Sent as JSON, unless it is text or bytes, which are sent as they are. */
  readonly body?: unknown;
}

export class Http {
  constructor(
    readonly url: string,
    readonly key: string | undefined,
  ) {}

  get<Body>(path: string, headers: Record<string, string> = {}): Promise<Answer<Body>> {
    return this.send('GET', `/api/v1${path}`, { headers });
  }

  post<Body>(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer<Body>> {
    return this.send('POST', `/api/v1${path}`, { body, headers });
  }

  put<Body>(path: string, body?: unknown): Promise<Answer<Body>> {
    return this.send('PUT', `/api/v1${path}`, { body });
  }

  patch<Body>(path: string, body?: unknown): Promise<Answer<Body>> {
    return this.send('PATCH', `/api/v1${path}`, { body });
  }

  delete<Body>(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer<Body>> {
    return this.send('DELETE', `/api/v1${path}`, { body, headers });
  }

  /** Any path of the server. */
  async send<Body>(method: string, path: string, { headers = {}, body }: Sent = {}): Promise<Answer<Body>> {
    const response = await fetch(this.url + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(this.key !== undefined && { authorization: `Bearer ${this.key}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: isRaw(body) ? body : JSON.stringify(body) }),
    });
    // A stream of events has no end; whoever wants to see more than its head opens it as a client of such streams.
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
    if (isStream) await response.body?.cancel();
    const text = isStream ? '' : await response.text();
    return { status: response.status, headers: response.headers, text, body: parsed(text) as Body };
  }
}

/** The body of an answer that has to be a success, so that a test stops at the first thing that goes wrong. */
export async function good<Body>(pending: Promise<Answer<Body>>): Promise<Body> {
  const { status, text, body } = await pending;
  if (status >= 300) throw new Error(`Status ${status}: ${text}`);
  return body;
}

/** Holds an answer to what every problem has, and hands its body on. */
export function problemOf(answer: Answer): ProblemBody {
  const body = answer.body as ProblemBody;
  const shown = `${answer.status}: ${answer.text}`;
  equal(answer.headers.get('content-type'), 'application/problem+json; charset=utf-8', shown);
  match(body.code, /^[a-z]+(-[a-z]+)*$/, shown);
  const { type, status, requestId } = body;
  deepEqual(
    { type, status, requestId },
    {
      type: `/problems/${body.code}`,
      status: answer.status,
      requestId: answer.headers.get('x-request-id'),
    },
  );
  for (const words of [body.title, body.detail]) match(words, /./, shown);
  for (const { pointer, detail } of body.errors ?? []) {
    match(pointer, /^(\/|$)/, shown);
    match(detail, /./, shown);
  }
  return body;
}

/** Waits for an answer that has to be this problem. */
export async function refused(pending: Promise<Answer>, status: number, code: string): Promise<ProblemBody> {
  const answer = await pending;
  const body = problemOf(answer);
  deepEqual({ status: answer.status, code: body.code }, { status, code });
  return body;
}

export function pointersOf(problem: ProblemBody): string[] {
  return (problem.errors ?? []).map(({ pointer }) => pointer);
}

function isRaw(body: unknown): body is string | Uint8Array<ArrayBuffer> {
  return typeof body === 'string' || body instanceof Uint8Array;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
