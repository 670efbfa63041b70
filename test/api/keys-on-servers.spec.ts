// Keys, projects and workspaces on two servers over one PostgreSQL: what one server was told, the other one knows.
import type { MeAnswer } from '../../src/api/keys.answers.js';
import type { Page } from '../../scripts/client.js';
import { EventClient } from '../support/event-client.js';
import { good, Http } from '../support/http.js';
import { holderOf, type Key, type NewKey, type NewWorkspace } from '../support/keys.js';
import { missing, PostgresServer } from '../support/postgres-server.js';
import { Servers } from '../support/servers.js';
import { unless, until } from '../support/spec.js';

const rule = unless(missing);
/** Of what another server was told, a server knows within a second; a busy machine gets a few more. */
const LAG_MS_MAX = 5_000;
let postgres: PostgresServer;
let two: Servers;
let a: Http;
let b: Http;

beforeAll(async () => {
  if (missing !== '') return;
  postgres = await PostgresServer.start();
  two = await Servers.start(await postgres.newDatabase());
  [a, b] = [two.http(0), two.http(1)];
});
afterAll(async () => {
  if (missing !== '') return;
  await two.stop();
  await postgres.remove();
});

const statusAt = async (http: Http, key: string | null) =>
  (await new Http(http.url, key ?? '').get('/me')).status;

describe('Two servers on one log', () => {
  rule('take a new key, a rotated one and the end of one, soon after each other', async () => {
    const { issued, key } = await holderOf(a, 'CI', [{ role: 'viewer' }]);
    await until(async () => (await statusAt(b, key)) === 200, LAG_MS_MAX);
    const turned = await good(b.post<NewKey>(`/keys/${issued.id}/rotate`, { overlapSeconds: 0 }));
    await until(async () => (await statusAt(a, turned.key)) === 200, LAG_MS_MAX);
    expect(await statusAt(a, key)).toBe(401);
    const stream = await EventClient.open(new Http(b.url, turned.key ?? ''));
    await good(a.delete(`/keys/${issued.id}`));
    await until(async () => (await statusAt(b, turned.key)) === 401, LAG_MS_MAX);
    await stream.until(({ hasEnded }) => hasEnded);
  });

  rule('answer a command that is sent to both with one key, and show its secret once', async () => {
    const headers = { 'idempotency-key': 'to-both' };
    const body = { name: 'Both', grants: [{ role: 'viewer' }] };
    const answers = await Promise.all(
      [a, b, a, b].map((http) => good(http.post<NewKey>('/keys', body, headers))),
    );
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    expect(answers.filter(({ key }) => key !== null)).toHaveLength(1);
  });

  rule('make one workspace of a slug, whole, whichever is asked', async () => {
    const answers = await Promise.all(
      [a, b, a, b].map((http) => http.post<NewWorkspace>('/workspaces', { name: 'Rush' })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409]);
    const made = answers.find(({ status }) => status === 201)?.body as NewWorkspace;
    for (const { url } of [a, b]) {
      const inside = new Http(url, made.key ?? '');
      await until(async () => (await inside.get('/me')).status === 200, LAG_MS_MAX);
      expect(await good(inside.get<MeAnswer>('/me'))).toMatchObject({
        ...{ workspace: { slug: 'rush' }, project: { slug: 'default' }, administersInstallation: false },
      });
    }
    await good(b.post('/workspaces/rush/archive'));
    await until(async () => (await statusAt(a, made.key)) === 401, LAG_MS_MAX);
  });

  rule('show the same, and so does a third one that knows nothing but the log', async () => {
    const look = async (http: Http) => {
      const { items } = await good(http.get<Page<Key>>('/keys?limit=500'));
      const rest = ['/workspaces', '/projects'].map(async (path) => (await http.get(path)).text);
      return { keys: items.map(({ lastUsedOn: _, ...shown }) => shown), rest: await Promise.all(rest) };
    };
    const { position } = await good(a.post<{ position: string }>('/projects', { name: 'Last' }));
    await good(b.get(`/projects?minPosition=${position}`));
    const one = await look(a);
    expect(await look(b)).toEqual(one);
    expect(await two.fresh(look)).toEqual(one);
  });
});
