// The running server that a command talks to: named by SWITCHYARD_URL and SWITCHYARD_KEY, as for every other client.
import type { Command } from 'commander';
import { refusedAsPlain } from '../src/plain-addresses.js';
import { EXIT, examplesAndCodes, Failure } from './exit.js';

export interface Server {
  readonly url: string;
  readonly key: string;
}

interface Sent {
  readonly method?: 'POST' | 'PATCH' | 'DELETE';
  readonly body?: object;
}

const USUAL_URL = 'http://127.0.0.1:3000';
const PAGE_ITEMS = 500;

/** Throws a `Failure` without a key, and where others could read the key on its way. */
export function serverFrom(environment: NodeJS.ProcessEnv): Server {
  const { SWITCHYARD_URL: url = USUAL_URL, SWITCHYARD_KEY: key } = environment;
  if (key === undefined || key === '') {
    throw new Failure(
      'Set SWITCHYARD_KEY to an API key; the server prints one at its first start',
      EXIT.usage,
    );
  }
  const refusal = refusedAsPlain('SWITCHYARD_URL', url, environment);
  if (refusal !== undefined) throw new Failure(refusal, EXIT.usage);
  return { url: url.replace(/\/+$/, ''), key };
}

/** Throws a `Failure` with what the server says of what is wrong. */
export async function fetched(
  { url, key }: Server,
  path: string,
  { method, body }: Sent = {},
): Promise<Response> {
  const headers = { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) };
  let response: Response;
  try {
    response = await fetch(`${url}/api/v1${path}`, {
      headers,
      ...(method && { method }),
      ...(body && { body: JSON.stringify(body) }),
    });
  } catch (error) {
    const cause =
      error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new Failure(`No answer from ${url}: ${cause}`);
  }
  if (response.ok) return response;
  const text = await response.text();
  throw new Failure(`${url} answers ${response.status}: ${detailIn(text)}`);
}

/** The answer, which has to be JSON. */
export async function asked<Answer>(server: Server, path: string, sent?: Sent): Promise<Answer> {
  const response = await fetched(server, path, sent);
  try {
    return (await response.json()) as Answer;
  } catch {
    throw new Failure(`${server.url} does not answer in the way of Switchyard`);
  }
}

/** Every item of a list, page after page. */
export async function listed<Item>(server: Server, path: string): Promise<readonly Item[]> {
  const items: Item[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const query: string = `limit=${PAGE_ITEMS}${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`;
    const page: { readonly items: readonly Item[]; readonly nextCursor: string | null } = await asked(
      server,
      `${path}?${query}`,
    );
    items.push(...page.items);
    cursor = page.nextCursor;
  }
  return items;
}

interface ProblemSeen {
  readonly code?: string;
  readonly detail?: string;
  readonly errors?: readonly { readonly pointer?: string; readonly detail?: string }[];
}

function detailIn(text: string): string {
  try {
    const { code, detail, errors = [] } = JSON.parse(text) as ProblemSeen;
    const fields = errors.map((error) => ` ${error.pointer ?? ''} ${error.detail ?? ''}.`);
    return `${code ?? 'no code'}. ${detail ?? ''}${fields.join('')}`;
  } catch {
    return 'not in the way of Switchyard';
  }
}

const CODES = [EXIT.ok, EXIT.failed, EXIT.usage];

/** A command that asks the server. */
export function commandIn(
  parent: Command,
  name: string,
  description: string,
  examples: readonly string[],
): Command {
  return parent
    .command(name)
    .description(description)
    .option('--json', 'print the outcome as one line of JSON')
    .helpOption('-h, --help', 'print this')
    .allowExcessArguments(false)
    .addHelpText('after', examplesAndCodes(examples, CODES));
}
