// What is hidden from a key may change as it likes: nothing that the key is shown changes with it, neither a body nor
// an entity tag nor the words of a refusal. A position of the log is no secret.
import { bytesOf } from '../isolation/answer-bytes.js';
import { issue, NO_LIMITS } from '../isolation/world.js';
import { EventClient } from '../support/event-client.js';
import { good, Http } from '../support/http.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';

const suite = serversOfSuite();
const PATHS = [
  ...[
    '/environments',
    '/environments/default',
    '/environments/development',
    '/environments/development/active',
  ],
  ...['/environments/development/releases', '/environments/development/releases/2', '/projects/default'],
  ...[
    '/environments/development/history',
    '/flows',
    '/flows/chat',
    '/flows/chat/history',
    '/flows/chat/resolve',
  ],
  ...[
    '/flows/chat/versions',
    '/flows/chat/resolve?environment=development',
    '/diff?from=development&to=development@r1',
  ],
];

let admin: Http;
let key: string;

beforeAll(async () => {
  const server = suite.kept(await ServerProcess.start(suite.newFolder(), NO_LIMITS));
  admin = new Http(server.url, ADMIN_KEY);
  for (const name of ['development', 'production']) await good(admin.post('/environments', { name }));
  await good(admin.post('/flows', { name: 'Chat', content: { text: 'Hello' } }));
  await activate('development');
  await activate('production');
  const promotion = { sourceEnvironment: 'production', targetEnvironment: 'development', prune: true };
  await good(admin.post('/flows', { name: 'Elsewhere', content: { text: 'Nothing' } }));
  await good(admin.post('/flows/elsewhere/versions/1/environments', { environment: 'production' }));
  await good(admin.post('/environments/promote', promotion));
  const limits = { projects: ['default'], environments: ['development'] };
  key = (await issue(admin, 'of development', [{ role: 'viewer', ...limits }])).key;
}, 60_000);

const activate = (environment: string) =>
  good(admin.post('/flows/chat/versions/1/environments', { environment }));
const setDefault = (environment: string | null) =>
  good(admin.send('PUT', '/api/v1/environments/default', { body: { environment } }));

/** All that the key is shown, by path. */
async function shown(): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for (const path of PATHS) {
    const answer = await bytesOf(admin.url, key, { method: 'GET', path: `/api/v1${path}` });
    all[path] = answer.all
      .replace(/"@[0-9-]+"/g, '')
      .replace(/"(position|requestId)":"[^"]*"/g, '')
      .replace(/\n(date|x-request-id|content-length|ratelimit)\n[^\n]*/gi, '');
  }
  return all;
}

it.each<[string, () => Promise<unknown>]>([
  ['an environment is created', () => good(admin.post('/environments', { name: 'Secret' }))],
  ['it becomes the default one', () => setDefault('secret')],
  ['another one does', () => setDefault('production')],
  ['there is no default one any more', () => setDefault(null)],
  ['it is archived', () => good(admin.post('/environments/secret/archive'))],
  ['the source of a promotion is renamed', () => rename('production', 'Live')],
  ['something is deactivated there', () => good(admin.delete('/flows/chat/environments/live'))],
])('Nothing that a key is shown changes when, where it may not look, %s', async (_, change) => {
  const before = await shown();
  await change();
  expect(await shown()).toEqual(before);
});

it('A stream tells nothing of the default environment to a key that may not know which one it was', async () => {
  const client = await EventClient.open(new Http(admin.url, key));
  const everything = await EventClient.open(admin);
  for (const environment of ['live', null, 'development']) await setDefault(environment);
  for (const one of [client, everything]) await one.until(({ events }) => events.some(isDevelopment));
  expect(everything.events).toHaveLength(3);
  expect(client.events).toHaveLength(1);
  for (const one of [client, everything]) one.close();
});

const isDevelopment = ({ data }: { readonly data: unknown }) => JSON.stringify(data).includes('development');
const rename = (slug: string, name: string) =>
  good(admin.send('PATCH', `/api/v1/environments/${slug}`, { body: { name } }));
