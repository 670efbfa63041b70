// The story of resolving, told over HTTP to the real server: which version runs for a caller, and why this one.
import { startOwnServer, type OwnServer } from '../../scripts/own-server.js';
import type { Flow, Resolved } from '../../scripts/client.js';
import { good, Http, refused } from '../support/http.js';

let server: OwnServer;
let http: Http;
let flow: Flow;

beforeAll(async () => {
  server = await startOwnServer();
  http = new Http(server.url, server.key);
  for (const name of ['Development', 'Staging', 'Empty']) await good(http.post('/environments', { name }));
  flow = await good(http.post<Flow>('/flows', { name: 'Hello', content: { say: 1 } }));
  for (const say of [2, 3]) await good(http.post('/flows/hello/versions', { content: { say } }));
});
afterAll(() => server.stop());

const resolve = (query = '', headers = {}) => http.get<Resolved>(`/flows/hello/resolve${query}`, headers);
const resolved = (query = '') => good(resolve(query));
const activate = (version: number, environment: string) =>
  good(http.post(`/flows/hello/versions/${version}/environments`, { environment }));

/** The tests below tell one story, each going on where the last one ended. */
describe('Resolving a flow', () => {
  it('takes the latest version, draft or not, while it is active nowhere', async () => {
    expect(await resolved()).toEqual({
      ...(await good(http.get<object>('/flows/hello/versions/3'))),
      resolution: {
        reason: 'latest',
        requestedEnvironment: null,
        environment: null,
        release: null,
        position: expect.stringMatching(/^\d+$/),
      },
    });
  });

  it('answers 404 for a flow without any version', async () => {
    await good(http.post('/flows', { name: 'Blank' }));
    await refused(http.get('/flows/blank/resolve'), 404, 'version-not-found');
  });

  it('takes the first environment where it is active, in the order of activation', async () => {
    await activate(2, 'staging');
    await activate(1, 'development');
    const first = await resolved();
    expect(first).toMatchObject({
      number: 2,
      state: 'locked',
      content: { say: 2 },
      resolution: { reason: 'first-active', requestedEnvironment: null, environment: 'staging', release: 1 },
    });
  });

  it('leaves archived environments out of account', async () => {
    await good(http.post('/environments/staging/archive'));
    expect(await resolved()).toMatchObject({ number: 1, resolution: { environment: 'development' } });
    expect((await good(http.get<Flow>('/flows/hello'))).activeVersions).not.toHaveProperty('staging');
    await good(http.post('/environments/staging/restore'));
    expect(await resolved()).toMatchObject({ number: 2, resolution: { environment: 'staging' } });
  });

  it('takes the latest version when the project says so', async () => {
    await good(http.patch('/projects/default', { withoutEnvironment: 'latest' }));
    expect(await resolved()).toMatchObject({
      number: 3,
      resolution: { reason: 'latest', environment: null },
    });
    await good(http.patch('/projects/default', { withoutEnvironment: 'first-active' }));
  });

  it('takes the default environment before the policy', async () => {
    await good(http.put('/environments/default', { environment: 'development' }));
    expect(await resolved()).toMatchObject({
      number: 1,
      resolution: { reason: 'default-environment', environment: 'development', requestedEnvironment: null },
    });
  });

  it('never falls back from a default environment where the flow is not active', async () => {
    await good(http.put('/environments/default', { environment: 'empty' }));
    const { detail } = await refused(resolve(), 404, 'not-active');
    expect(detail).toContain('empty');
    await good(http.put('/environments/default', { environment: 'development' }));
  });

  it('takes the environment that is named before the default one, by slug, id or former slug', async () => {
    const { id } = await good(http.get<{ id: string }>('/environments/staging'));
    await good(http.patch('/environments/staging', { name: 'Stage' }));
    for (const name of ['stage', id, 'staging']) {
      expect(await resolved(`?environment=${name}`)).toMatchObject({
        number: 2,
        resolution: { reason: 'environment', requestedEnvironment: name, environment: 'stage', release: 1 },
      });
    }
  });

  it('never falls back from the environment that is named', async () => {
    await refused(resolve('?environment=nowhere'), 404, 'environment-not-found');
    const { detail } = await refused(resolve('?environment=empty'), 404, 'not-active');
    expect(detail).toContain('empty');
    await good(http.post('/environments/empty/archive'));
    await refused(resolve('?environment=empty'), 404, 'environment-archived');
  });

  it('takes the version that is named before everything, and says which environment it passed over', async () => {
    const { id } = await good(http.get<{ id: string }>('/flows/hello/versions/3'));
    for (const version of ['3', id]) {
      expect(await resolved(`?version=${version}&environment=stage`)).toMatchObject({
        number: 3,
        state: 'draft',
        resolution: { reason: 'version', requestedEnvironment: 'stage', environment: null, release: null },
      });
    }
    expect(await resolved('?version=1')).toMatchObject({ resolution: { requestedEnvironment: null } });
    await refused(resolve('?version=9'), 404, 'version-not-found');
  });

  it('works by the id of the flow, too', async () => {
    const { text } = await resolve('?environment=stage');
    expect((await http.get(`/flows/${flow.id}/resolve?environment=stage`)).text).toBe(text);
  });

  it('answers 304 until something about the answer changes', async () => {
    const tagOf = async (query: string) => (await resolve(query)).headers.get('etag') ?? '';
    for (const query of ['', '?environment=stage', '?version=3']) {
      const tag = await tagOf(query);
      expect(tag).toMatch(/^"[\x21\x23-\x7e]+"$/);
      const again = await resolve(query, { 'if-none-match': tag });
      expect({ status: again.status, text: again.text }).toEqual({ status: 304, text: '' });
      expect(again.headers.get('etag')).toBe(tag);
      expect((await resolve(query, { 'if-none-match': `"other", W/${tag}` })).status).toBe(304);
      expect((await resolve(query, { 'if-none-match': '"other"' })).status).toBe(200);
    }
    const [draft, staged] = [await tagOf('?version=3'), await tagOf('?environment=stage')];
    await good(http.patch('/flows/hello/versions/3', { content: { say: 33 } }));
    expect(await resolve('?version=3', { 'if-none-match': draft })).toMatchObject({
      status: 200,
      body: { content: { say: 33 } },
    });
    await good(http.patch('/flows/hello/versions/3', { label: 'named' }));
    expect(await resolved('?version=3')).toMatchObject({ label: 'named', content: { say: 33 } });
    await activate(3, 'stage');
    const moved = await resolve('?environment=stage', { 'if-none-match': staged });
    expect(moved).toMatchObject({ status: 200, body: { number: 3, resolution: { release: 2 } } });
  });

  it('shows a draft as locked as soon as it has been activated, although it was asked for before', async () => {
    await good(http.post('/flows/hello/versions', { content: { say: 4 } }));
    expect(await resolved('?version=4')).toMatchObject({ state: 'draft' });
    await activate(4, 'development');
    expect(await resolved('?version=4')).toMatchObject({ state: 'locked' });
    expect(await resolved()).toMatchObject({ number: 4, state: 'locked' });
  });

  it('follows a rollback at once', async () => {
    expect(await resolved('?environment=stage')).toMatchObject({ number: 3 });
    await good(http.post('/environments/stage/rollback', {}));
    expect(await resolved('?environment=stage')).toMatchObject({ number: 2, resolution: { release: 3 } });
  });
});
