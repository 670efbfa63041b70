// The story of flows and their versions, told over HTTP to the real server.
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { applyPatch, type Operation } from 'rfc6902';
import { startOwnServer, type OwnServer } from '../../scripts/own-server.js';
import type { Environment, Flow, Page, Version } from '../../scripts/client.js';
import type { VersionDiffAnswer } from '../../src/api/answers.js';
import { good, Http, pointersOf, refused } from '../support/http.js';

let server: OwnServer;
let http: Http;

beforeAll(async () => {
  server = await startOwnServer();
  http = new Http(server.url, server.key);
  for (const name of ['development', 'staging']) await good(http.post('/environments', { name }));
});
afterAll(() => server.stop());

const create = (body: object) => good(http.post<Flow>('/flows', body));
const activate = (flow: string, version: number | string, environment: string) =>
  good(http.post(`/flows/${flow}/versions/${version}/environments`, { environment }));
const digestOf = (content: object) =>
  createHash('sha256')
    .update(canonicalize(content) ?? '')
    .digest('hex');

describe('A flow', () => {
  it('is created with version 1 when it comes with content', async () => {
    const { status, body } = await http.post<Flow & { position: string }>('/flows', {
      name: 'Welcome Mail',
      kind: 'prompt',
      content: { z: 1, a: [true, null] },
      comment: 'first try',
    });
    expect(status).toBe(201);
    const { position, ...flow } = body;
    expect(position).toMatch(/^\d+$/);
    expect(flow).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      slug: 'welcome-mail',
      name: 'Welcome Mail',
      kind: 'prompt',
      latest: 1,
      latestVersionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      activeVersions: {},
      createdAt: expect.stringMatching(/Z$/),
      archivedAt: null,
    });
    expect(await good(http.get('/flows/welcome-mail'))).toEqual(flow);
    expect(await good(http.get(`/flows/${flow.id}/versions/1`))).toMatchObject({
      id: flow.latestVersionId,
      flowId: flow.id,
      number: 1,
      state: 'draft',
      digest: digestOf({ z: 1, a: [true, null] }),
      label: null,
      comment: 'first try',
      forkedFrom: null,
      actor: { type: 'api-key', name: 'administrator' },
      content: { z: 1, a: [true, null] },
    });
  });

  it('has no version without content, and is a flow unless it says what else', async () => {
    expect(await create({ name: 'Empty' })).toMatchObject({
      kind: 'flow',
      latest: null,
      latestVersionId: null,
    });
    expect(await good(http.get('/flows/empty/versions'))).toEqual({ items: [], nextCursor: null });
  });

  it('has a slug that nobody else has, and that outlives every name', async () => {
    const { id } = await create({ name: 'Old Name' });
    const problem = await refused(http.post('/flows', { name: 'Old Name' }), 409, 'flow-exists');
    expect(pointersOf(problem)).toEqual(['/slug']);
    expect(await good(http.patch('/flows/old-name', { name: 'New Name' }))).toMatchObject({
      id,
      slug: 'old-name',
      name: 'New Name',
    });
    expect(await good(http.post('/flows', { name: 'New Name' }))).toMatchObject({ slug: 'new-name' });
  });

  it('shows where it is active, in the order in which the environments came to it', async () => {
    for (const name of ['late', 'early', 'canary']) await good(http.post('/environments', { name }));
    await create({ name: 'Everywhere', content: { a: 1 } });
    for (const environment of ['late', 'early', 'canary']) await activate('everywhere', 1, environment);
    const { text } = await http.get('/flows/everywhere');
    const shown = /"activeVersions":(\{.*?\})/.exec(text)?.[1] ?? '';
    expect([...shown.matchAll(/"([^"]+)":/g)].map(([, slug]) => slug)).toEqual(['late', 'early', 'canary']);
  });

  it('is archived only where it is active nowhere, and takes nothing new from then on', async () => {
    await create({ name: 'Retired', content: { a: 1 } });
    await activate('retired', 1, 'development');
    const { detail } = await refused(http.post('/flows/retired/archive'), 409, 'flow-is-active');
    expect(detail).toContain('development');
    await good(http.delete('/flows/retired/environments/development'));
    const archived = await good(http.post<Flow>('/flows/retired/archive'));
    expect(archived.archivedAt).toMatch(/Z$/);
    const taken = [409, 'flow-archived'] as const;
    await refused(http.post('/flows/retired/versions', { content: {} }), ...taken);
    await refused(http.post('/flows/retired/versions/1/fork', {}), ...taken);
    await refused(http.post('/flows/retired/versions/1/environments', { environment: 'staging' }), ...taken);
    await refused(http.patch('/flows/retired', { name: 'Again' }), ...taken);
    const lists = await Promise.all(
      ['/flows?limit=500', '/flows?archived=true'].map((path) => good(http.get<Page<Flow>>(path))),
    );
    expect(lists.map(({ items }) => items.some(({ slug }) => slug === 'retired'))).toEqual([false, true]);
    expect(await good(http.get('/flows/retired/versions/1'))).toMatchObject({ state: 'locked' });
  });

  it('is listed by kind', async () => {
    await create({ name: 'A Scorer', kind: 'scorer' });
    const { items } = await good(http.get<Page<Flow>>('/flows?kind=scorer'));
    expect(items.map(({ slug }) => slug)).toEqual(['a-scorer']);
  });

  it('that nobody made is not found', async () => {
    await refused(http.get('/flows/nothing'), 404, 'flow-not-found');
    await refused(http.get('/flows/nothing/resolve'), 404, 'flow-not-found');
    await refused(http.get('/flows/nothing/versions/1'), 404, 'flow-not-found');
    await refused(http.get('/flows/welcome-mail/versions/99'), 404, 'version-not-found');
  });

  it('does not know the versions of another flow', async () => {
    const { latestVersionId } = await create({ name: 'Stranger', content: { a: 1 } });
    await refused(http.get(`/flows/welcome-mail/versions/${latestVersionId}`), 404, 'version-not-found');
    const resolve = http.get(`/flows/welcome-mail/resolve?version=${latestVersionId}`);
    await refused(resolve, 404, 'version-not-found');
    const activation = `/flows/welcome-mail/versions/${latestVersionId}/environments`;
    await refused(http.post(activation, { environment: 'development' }), 404, 'version-not-found');
  });
});

describe('A version', () => {
  it('is a draft that can be edited until it is activated, and locked for ever after', async () => {
    await create({ name: 'Draft', content: { a: 1 } });
    const edited = await good(
      http.patch<Version>('/flows/draft/versions/1', { content: { a: 2 }, label: 'v1' }),
    );
    expect(edited).toMatchObject({
      number: 1,
      state: 'draft',
      label: 'v1',
      content: { a: 2 },
      digest: digestOf({ a: 2 }),
    });
    expect(await good(http.patch('/flows/draft/versions/1', { label: null }))).toMatchObject({
      label: null,
      content: { a: 2 },
      digest: digestOf({ a: 2 }),
    });
    await activate('draft', 1, 'development');
    expect(await good(http.get('/flows/draft/versions/1'))).toMatchObject({ state: 'locked' });
    const { detail } = await refused(
      http.patch('/flows/draft/versions/1', { content: { a: 3 } }),
      409,
      'version-locked',
    );
    expect(detail).toContain('fork');
    await good(http.delete('/flows/draft/environments/development'));
    await refused(http.patch('/flows/draft/versions/1', { content: { a: 3 } }), 409, 'version-locked');
  });

  it('is forked into a draft that remembers where it came from', async () => {
    const { latestVersionId } = await create({ name: 'Forked', content: { a: 1 } });
    await activate('forked', 1, 'development');
    const { status, body } = await http.post<Version>('/flows/forked/versions/1/fork', {
      comment: 'try again',
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      number: 2,
      state: 'draft',
      forkedFrom: latestVersionId,
      content: { a: 1 },
      digest: digestOf({ a: 1 }),
      comment: 'try again',
    });
    const other = await good(http.post('/flows/forked/versions/1/fork', { content: { b: 1 } }));
    expect(other).toMatchObject({ number: 3, content: { b: 1 }, forkedFrom: latestVersionId });
    expect(await good(http.patch('/flows/forked/versions/2', { content: { a: 9 } }))).toMatchObject({
      content: { a: 9 },
    });
    expect(await good(http.get('/flows/forked'))).toMatchObject({ latest: 3 });
  });

  it('has a digest that does not know in which order its keys came', async () => {
    await create({ name: 'Digest', content: { b: [1, { y: 1, x: 2 }], a: 'é' } });
    const second = await good(
      http.post<Version>('/flows/digest/versions', { content: { a: 'é', b: [1, { x: 2, y: 1 }] } }),
    );
    const first = await good(http.get<Version>('/flows/digest/versions/1'));
    expect(second.digest).toBe(first.digest);
    expect(first.digest).toBe(digestOf({ a: 'é', b: [1, { x: 2, y: 1 }] }));
  });

  it('holds up to 512 KiB, and says so beyond', async () => {
    await create({ name: 'Large' });
    const holding = (bytes: number) => ({ content: { a: 'x'.repeat(bytes - '{"a":""}'.length) } });
    const { number } = await good(http.post<Version>('/flows/large/versions', holding(512 * 1024)));
    expect(number).toBe(1);
    const tooLarge = http.post('/flows/large/versions', holding(512 * 1024 + 1));
    await refused(tooLarge, 413, 'content-too-large');
    expect(await good(http.get('/flows/large'))).toMatchObject({ latest: 1 });
  });

  it('keeps content exactly, whatever its keys are called', async () => {
    const content = {
      toString: 'a',
      hasOwnProperty: { valueOf: 1 },
      '': 0,
      '/~"\\': '\u0001\u2028😀',
      n: 1e-7,
    };
    await create({ name: 'Exact', content });
    expect(await good(http.get('/flows/exact/versions/1'))).toMatchObject({
      content,
      digest: digestOf(content),
    });
    expect(await good(http.get('/flows/exact/resolve'))).toMatchObject({ content });
  });

  it('is active in an environment once only: doing it twice changes nothing', async () => {
    await create({ name: 'Twice', content: { a: 1 } });
    expect(await activate('twice', 1, 'staging')).toMatchObject({ changed: true });
    const { release } = await good(http.get<Environment>('/environments/staging'));
    expect(await activate('twice', 1, 'staging')).toMatchObject({ changed: false, release: null });
    expect(await activate('twice', 1, 'staging')).toMatchObject({ changed: false, release: null });
    expect(await good(http.get('/environments/staging'))).toMatchObject({ release });
    const off = '/flows/twice/environments/staging';
    expect(await good(http.delete(off))).toMatchObject({ changed: true, release: { kind: 'deactivation' } });
    expect(await good(http.delete(off))).toMatchObject({ changed: false, release: null });
  });
});

describe('The difference of two versions', () => {
  const before = { model: 'small', tags: ['a', 'b'], nested: { deep: { x: 1 } }, gone: true };
  const after = { model: 'large', tags: ['a', 'c', 'd'], nested: { deep: { x: 2, y: null } }, 'new/key': 1 };

  it('is a patch that makes the one into the other, and a text for people', async () => {
    await create({ name: 'Compared', content: before });
    await good(http.post('/flows/compared/versions', { content: after }));
    const diff = await good(http.get<VersionDiffAnswer>('/flows/compared/versions/1/diff/2'));
    const patched = structuredClone(before) as object;
    expect(applyPatch(patched, diff.patch as Operation[]).filter((error) => error !== null)).toEqual([]);
    expect(patched).toEqual(after);
    expect(diff.from).toMatchObject({ number: 1, digest: digestOf(before) });
    expect(diff.to).toMatchObject({ number: 2, digest: digestOf(after) });
    expect(diff.text).toMatch(/^-\s+"model": "small"/m);
    expect(diff.text).toMatch(/^\+\s+"model": "large"/m);
    expect(diff.text).toMatch(/^\s+"a",/m);
    const back = await good(http.get<VersionDiffAnswer>('/flows/compared/versions/2/diff/1'));
    applyPatch(patched, back.patch as Operation[]);
    expect(patched).toEqual(before);
  });

  it('of a version with itself is empty', async () => {
    const diff = await good(http.get<VersionDiffAnswer>('/flows/compared/versions/1/diff/1'));
    expect(diff.patch).toEqual([]);
    expect(diff.text).not.toMatch(/^[-+] /m);
  });

  it('needs both versions', async () => {
    await refused(http.get('/flows/compared/versions/1/diff/7'), 404, 'version-not-found');
  });
});
