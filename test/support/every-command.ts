// Every command that HTTP knows, in an order in which each of them has something to do or rightly has nothing to do.
import { good, type Answer, type Http } from './http.js';
import type { NewKey } from './keys.js';

export interface Command {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  /** Its answer shows a `key` once. */
  readonly hasSecret?: true;
}

/** The commands, and before them whatever they are in need of. */
export async function everyCommand(http: Http): Promise<readonly Command[]> {
  for (const name of ['development', 'staging']) await good(http.post('/environments', { name }));
  await good(http.post('/flows', { name: 'Greeting', content: { text: 'Hello' } }));
  const { id } = await good(http.post<NewKey>('/keys', { name: 'Old', grants: [{ role: 'viewer' }] }));
  return [...EVERY_COMMAND, ...ON_PLACES, ...commandsOnKey(id)];
}

/** The text that the same command answers with once it has been answered. */
export function textAgain({ hasSecret }: Command, { text, body }: Answer): string {
  return hasSecret === true ? JSON.stringify({ ...(body as object), key: null }) : text;
}

export function sendWithKey(http: Http, { method, path, body }: Command, key: string): Promise<Answer> {
  const headers = { 'idempotency-key': key };
  return http.send(method, `/api/v1${path}`, { headers, ...(body === undefined ? {} : { body }) });
}

/** Those in the project that is there from the start, whose paths are known before. */
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

const ON_PLACES: readonly Command[] = [
  { method: 'POST', path: '/projects', body: { name: 'Garden' } },
  { method: 'POST', path: '/projects/garden/archive', body: {} },
  { method: 'POST', path: '/projects/garden/restore', body: {} },
  { method: 'POST', path: '/workspaces', body: { name: 'Elsewhere' }, hasSecret: true },
  { method: 'PATCH', path: '/workspaces/elsewhere', body: { name: 'Somewhere' } },
  { method: 'POST', path: '/workspaces/elsewhere/archive', body: {} },
  { method: 'POST', path: '/workspaces/elsewhere/restore', body: {} },
];

function commandsOnKey(id: string): readonly Command[] {
  const grants = [{ role: 'promoter', environments: ['staging'] }];
  return [
    { method: 'POST', path: '/keys', body: { name: 'New', grants }, hasSecret: true },
    { method: 'POST', path: `/keys/${id}/rotate`, body: { overlapSeconds: 60 }, hasSecret: true },
    { method: 'DELETE', path: `/keys/${id}`, body: {} },
  ];
}
