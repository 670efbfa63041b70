// Null is what many clients send for a field that they have nothing to say about. Whatever a route makes of it, it
// must never be kept where a value belongs, and never stop the server.
import { startOwnServer, type OwnServer } from '../../scripts/own-server.js';
import type { Environment, Flow, Project, Version } from '../../scripts/client.js';
import { good, Http, problemOf, type Answer } from '../support/http.js';

let server: OwnServer;
let http: Http;

beforeAll(async () => {
  server = await startOwnServer();
  http = new Http(server.url, server.key);
  for (const name of ['source', 'target']) await good(http.post('/environments', { name }));
  await good(http.post('/flows', { name: 'known', content: { a: 1 } }));
  await good(http.post('/flows/known/versions', { content: { a: 2 } }));
  await good(http.post('/flows/known/versions/1/environments', { environment: 'source' }));
});
afterEach(async () => {
  const { body } = await http.send<{ failures: string[] }>('GET', '/health/ready');
  expect(body.failures).toEqual([]);
});
afterAll(() => server.stop());

/** Taken as left out, or refused: both are right. */
function answered(answer: Answer): boolean {
  if (answer.status < 300) return true;
  expect(problemOf(answer).status).toBe(422);
  return false;
}

describe('Null for a field', () => {
  it('of a new environment makes one that is not the default', async () => {
    const nulls = { slug: null, description: null, color: null, default: null };
    const answer = await http.post('/environments', { name: 'Nulls', ...nulls });
    if (answered(answer)) expect(answer.body).toMatchObject({ slug: 'nulls', color: null, isDefault: false });
  });

  it.each(['name', 'withoutEnvironment'])('%s of a project leaves it as it was', async (field) => {
    const before = await good(http.get<Project>('/projects/default'));
    answered(await http.patch('/projects/default', { [field]: null }));
    expect(await good(http.get('/projects/default'))).toEqual(before);
  });

  it.each(['name', 'slug'])('%s of an environment leaves it as it was', async (field) => {
    const before = await good(http.get('/environments/source'));
    answered(await http.patch('/environments/source', { [field]: null }));
    expect(await good(http.get('/environments/source'))).toEqual(before);
  });

  it('content of a draft leaves content and digest as they were', async () => {
    const { content, digest, number } = await good(
      http.post<Version>('/flows/known/versions', { content: { a: 3 } }),
    );
    const path = `/flows/known/versions/${number}`;
    answered(await http.patch(path, { content: null }));
    expect(await good(http.get(path))).toMatchObject({ content, digest });
    const fork = await http.post(`${path}/fork`, { content: null });
    if (answered(fork)) expect(fork.body).toMatchObject({ content, digest });
  });

  const promotion = [
    'flowIds',
    'comment',
    'prune',
    'dryRun',
    'expectedSourceRelease',
    'expectedTargetRelease',
  ];

  it.each(promotion)('%s of a promotion is as if it were left out', async (field) => {
    const { release } = await good(http.get<Environment>('/environments/target'));
    const body = { sourceEnvironment: 'source', targetEnvironment: 'target', [field]: null };
    const answer = await http.post('/environments/promote', body, { 'if-match': `"${release}"` });
    if (answered(answer)) expect(answer.body).toMatchObject({ dryRun: false });
  });

  it.each(['flowIds', 'toRelease', 'comment', 'dryRun'])(
    '%s of a rollback is as if it were left out',
    async (field) => {
      for (const version of [1, 2]) {
        await good(http.post(`/flows/known/versions/${version}/environments`, { environment: 'target' }));
      }
      const answer = await http.post('/environments/target/rollback', { [field]: null });
      if (answered(answer)) expect(answer.body).toMatchObject({ release: { changes: [{ toNumber: 1 }] } });
    },
  );

  it('comment of an activation is as if it were left out', async () => {
    await good(http.post('/environments', { name: 'third' }));
    const body = { environment: 'third', comment: null };
    const answer = await http.post('/flows/known/versions/1/environments', body);
    if (answered(answer)) expect(answer.body).toMatchObject({ release: { comment: null } });
  });

  it('of a new flow makes a flow without versions of the usual kind', async () => {
    const nulls = { slug: null, kind: null, content: null, comment: null };
    const answer = await http.post<Flow>('/flows', { name: 'Nulls', ...nulls });
    if (answered(answer)) expect(answer.body).toMatchObject({ slug: 'nulls', kind: 'flow', latest: null });
    const { status } = await http.get('/flows?limit=1');
    expect(status).toBe(200);
  });
});
