// The running server that a command talks to: named by SWITCHYARD_URL and SWITCHYARD_KEY, as for every other client.
import { EXIT, Failure } from './exit.js';

export interface Server {
  readonly url: string;
  readonly key: string;
}

const USUAL_URL = 'http://127.0.0.1:3000';

/** Throws a `Failure` without a key. */
export function serverFrom({ SWITCHYARD_URL: url, SWITCHYARD_KEY: key }: NodeJS.ProcessEnv): Server {
  if (key === undefined || key === '') {
    throw new Failure(
      'Set SWITCHYARD_KEY to an API key; the server prints one at its first start',
      EXIT.usage,
    );
  }
  return { url: (url ?? USUAL_URL).replace(/\/+$/, ''), key };
}

/** Throws a `Failure` with what the server says of what is wrong. */
export async function fetched({ url, key }: Server, path: string): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(`${url}/api/v1${path}`, { headers: { authorization: `Bearer ${key}` } });
  } catch (error) {
    const cause =
      error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new Failure(`No answer from ${url}: ${cause}`);
  }
  if (response.ok) return response;
  const text = await response.text();
  throw new Failure(`${url} answers ${response.status}: ${detailIn(text)}`);
}

function detailIn(text: string): string {
  try {
    const { code, detail } = JSON.parse(text) as { readonly code?: string; readonly detail?: string };
    return `${code ?? 'no code'}. ${detail ?? ''}`;
  } catch {
    return 'not in the way of Switchyard';
  }
}
