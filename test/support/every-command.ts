// Every command that HTTP knows, in an order in which each of them has something to do or rightly has nothing to do.
import { good, type Answer, type Http } from './http.js';

export interface Command {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
}

/** What the commands below are in need of. */
export async function inNeed(http: Http): Promise<void> {
  for (const name of ['development', 'staging']) await good(http.post('/environments', { name }));
  await good(http.post('/flows', { name: 'Greeting', content: { text: 'Hello' } }));
}

export function sendWithKey(http: Http, { method, path, body }: Command, key: string): Promise<Answer> {
  const headers = { 'idempotency-key': key };
  return http.send(method, `/api/v1${path}`, { headers, ...(body === undefined ? {} : { body }) });
}

export const EVERY_COMMAND: readonly Command[] = [
  { method: 'POST', path: '/environments', body: { name: 'production', default: true } },
  { method: 'PATCH', path: '/environments/production', body: { name: 'Live', description: 'Real' } },
  { method: 'PUT', path: '/environments/default', body: { environment: 'staging' } },
  { method: 'PUT', path: '/environments/default', body: { environment: null } },
  { method: 'PATCH', path: '/projects/default', body: { name: 'Shop', withoutEnvironment: 'latest' } },
  { method: 'POST', path: '/flows', body: { name: 'Farewell', content: { text: 'Bye' } } },
  { method: 'PATCH', path: '/flows/farewell', body: { name: 'Good bye' } },
  { method: 'POST', path: '/flows/greeting/versions', body: { content: { text: 'Hi' } } },
  { method: 'PATCH', path: '/flows/greeting/versions/2', body: { content: { text: 'Hi!' } } },
  { method: 'PATCH', path: '/flows/greeting/versions/2', body: { content: { text: 'Hi!' } } },
  { method: 'POST', path: '/flows/greeting/versions/2/fork', body: { comment: 'Once more' } },
  {
    method: 'POST',
    path: '/flows/greeting/versions/1/environments',
    body: { environment: 'development' },
  },
  {
    method: 'POST',
    path: '/environments/promote',
    body: { sourceEnvironment: 'development', targetEnvironment: 'staging' },
  },
  {
    method: 'POST',
    path: '/environments/promote',
    body: { sourceEnvironment: 'development', targetEnvironment: 'staging' },
  },
  { method: 'POST', path: '/environments/staging/rollback', body: { toRelease: 0 } },
  { method: 'DELETE', path: '/flows/greeting/environments/development', body: {} },
  { method: 'POST', path: '/flows/farewell/archive', body: {} },
  { method: 'POST', path: '/environments/live/archive', body: {} },
  { method: 'POST', path: '/environments/live/restore', body: {} },
];
