// A small typed client of the HTTP API, for the scripts and for tests that speak to a running server.
// Node's fetch keeps its connections open between calls, so one client is all that a script needs.
import { setTimeout as pause } from 'node:timers/promises';
import type {
  DiffAnswer,
  EnvironmentAnswer,
  FlowAnswer,
  ProjectAnswer,
  ReleaseAnswer,
  ReleaseMadeAnswer,
  ResolvedAnswer,
  VersionAnswer,
} from '../src/api/answers.js';

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
}

/** What every command answers that may make a release. */
export type Changed = ReleaseMadeAnswer;
export type Diff = DiffAnswer;
export type Environment = EnvironmentAnswer;
export type Flow = FlowAnswer;
export type Project = ProjectAnswer;
export type Release = ReleaseAnswer;
export type Resolved = ResolvedAnswer;
export type Version = VersionAnswer;

/** The server understood and said no: the fields of its problem document. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    /** One line for each field that is wrong, with its JSON pointer. */
    readonly fields: readonly string[] = [],
  ) {
    super(`${code} (${status}): ${[detail, ...fields].join(' ')}`);
  }
}

/** Nothing answered, or what answered does not speak the protocol. */
export class NotReached extends Error {
  override readonly name = 'NotReached';
}

export interface CallOptions {
  readonly idempotencyKey?: string;
}

const ATTEMPTS_MAX = 5;
const FIRST_PAUSE_MS = 100;

export class Client {
  readonly url: string;

  constructor(
    url: string,
    private readonly key: string,
  ) {
    this.url = url.replace(/\/+$/, '');
  }

  get<Answer>(path: string): Promise<Answer> {
    return this.call('GET', path);
  }

  /** Null where the server says 404 with this code. */
  async find<Answer>(path: string, missing: string): Promise<Answer | null> {
    try {
      return await this.get<Answer>(path);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404 && error.code === missing) return null;
      throw error;
    }
  }

  /** Every item of a list, page after page. */
  async *list<Item>(path: string): AsyncGenerator<Item> {
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page: Page<Item> = await this.get(`${path}?limit=500${query}`);
      yield* page.items;
      cursor = page.nextCursor;
    } while (cursor !== null);
  }

  post<Answer>(path: string, body: object, options?: CallOptions): Promise<Answer> {
    return this.call('POST', path, body, options);
  }

  put<Answer>(path: string, body: object, options?: CallOptions): Promise<Answer> {
    return this.call('PUT', path, body, options);
  }

  /**
   * A question is repeated while the server is away, and so is a command with an idempotency key. Any other command
   * is sent once: whoever gave it knows how to find out what became of it.
   */
  private async call<Answer>(
    method: string,
    path: string,
    body?: object,
    { idempotencyKey }: CallOptions = {},
  ): Promise<Answer> {
    const send = () => this.send<Answer>(method, path, body, idempotencyKey);
    return method === 'GET' || idempotencyKey !== undefined ? repeatWhile(isAway, send) : send();
  }

  private async send<Answer>(method: string, path: string, body?: object, key?: string): Promise<Answer> {
    const headers: Record<string, string> = {
      authorization: `Bearer ${this.key}`,
      accept: 'application/json',
    };
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (key !== undefined) headers['idempotency-key'] = key;
    let status: number;
    let text: string;
    try {
      const response = await fetch(`${this.url}/api/v1${path}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      status = response.status;
      text = await response.text();
    } catch (error) {
      throw new NotReached(`No answer from ${this.url}: ${reasonOf(error)}`);
    }
    const answer = parsed(text);
    if (status >= 400) throw apiErrorFrom(status, answer);
    if (answer === undefined) throw new NotReached(`${this.url} does not answer in JSON; is it Switchyard?`);
    return answer as Answer;
  }
}

/** The server is away, or cannot tell what became of a command. */
function isAway(error: unknown): boolean {
  return error instanceof NotReached || (error instanceof ApiError && error.status === 503);
}

/** Tries again, a few times and ever more slowly, as long as the error is one that passes. */
export async function repeatWhile<Answer>(
  passes: (error: unknown) => boolean,
  attempt: () => Promise<Answer>,
): Promise<Answer> {
  for (let number = 1; ; number++) {
    try {
      return await attempt();
    } catch (error) {
      if (!passes(error) || number === ATTEMPTS_MAX) throw error;
      await pause(FIRST_PAUSE_MS * 2 ** (number - 1));
    }
  }
}

function parsed(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function apiErrorFrom(status: number, answer: unknown): ApiError {
  const problem = (answer ?? {}) as {
    code?: string;
    title?: string;
    detail?: string;
    errors?: readonly { pointer?: string; detail?: string }[];
  };
  const fields = (problem.errors ?? []).map(({ pointer, detail }) => `${pointer ?? ''}: ${detail ?? ''}`);
  const detail = problem.detail ?? problem.title ?? 'The server gave no reason.';
  return new ApiError(status, problem.code ?? 'no-code', detail, fields);
}

/** Behind fetch's own "fetch failed" stands what the network said. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error) return (cause as NodeJS.ErrnoException).code ?? cause.message;
  return error instanceof Error ? error.message : String(error);
}
