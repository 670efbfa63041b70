// The story of environments and projects, told over HTTP to the real server.
import { startOwnServer, type OwnServer } from '../../scripts/own-server.js';
import type { Environment, Page, Project } from '../../scripts/client.js';
import { good, Http, pointersOf, refused } from '../support/http.js';

let server: OwnServer;
let http: Http;

beforeAll(async () => {
  server = await startOwnServer();
  http = new Http(server.url, server.key);
});
afterAll(() => server.stop());

const create = (body: object) => good(http.post<Environment & { position: string }>('/environments', body));
const slugsIn = async (path: string) => {
  const { items } = await good(http.get<Page<Environment>>(path));
  return items.map(({ slug }) => slug);
};

describe('An environment', () => {
  it('is created empty, under a slug made from its name', async () => {
    const { status, body } = await http.post<Environment>('/environments', {
      name: 'EU Prod – Café',
      description: 'For customers in Europe',
      color: '#12ab9F',
    });
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{14}7/),
      slug: 'eu-prod-cafe',
      name: 'EU Prod – Café',
      description: 'For customers in Europe',
      color: '#12ab9F',
      isDefault: false,
      release: 0,
      activeCount: 0,
      createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
      archivedAt: null,
      position: expect.stringMatching(/^\d+$/),
    });
    const { position: _, ...environment } = body as Environment & { position: string };
    expect(await good(http.get('/environments/eu-prod-cafe'))).toEqual(environment);
    expect(await good(http.get(`/environments/${body.id}`))).toEqual(environment);
  });

  it('may be given a slug of its own', async () => {
    expect(await create({ name: 'Variant A', slug: 'variant.a_1' })).toMatchObject({ slug: 'variant.a_1' });
  });

  it('needs a slug when its name has none to offer, and cannot have one that is a route', async () => {
    expect(
      pointersOf(await refused(http.post('/environments', { name: '日本' }), 422, 'invalid-body')),
    ).toEqual(['/slug']);
    await refused(http.post('/environments', { name: 'Diff' }), 422, 'invalid-body');
    await refused(http.post('/environments', { name: 'X', slug: 'promote' }), 422, 'invalid-body');
    expect(await create({ name: '日本', slug: 'japan' })).toMatchObject({ name: '日本' });
  });

  it('shares neither name nor slug with another', async () => {
    await create({ name: 'Unique' });
    const byName = await refused(
      http.post('/environments', { name: 'Unique', slug: 'u2' }),
      409,
      'environment-exists',
    );
    expect(pointersOf(byName)).toEqual(['/name']);
    const bySlug = await refused(
      http.post('/environments', { name: 'Other', slug: 'unique' }),
      409,
      'environment-exists',
    );
    expect(pointersOf(bySlug)).toEqual(['/slug']);
  });

  it('keeps its id through a rename, and its old slug as an alias until another environment takes it', async () => {
    const { id } = await create({ name: 'Before' });
    const renamed = await good(http.patch<Environment>('/environments/before', { name: 'After' }));
    expect(renamed).toMatchObject({ id, slug: 'after', name: 'After' });
    expect(await good(http.get('/environments/before'))).toMatchObject({ id, slug: 'after' });
    const taker = await create({ name: 'Taker', slug: 'before' });
    expect(await good(http.get('/environments/before'))).toMatchObject({ id: taker.id });
    expect(await good(http.get('/environments/after'))).toMatchObject({ id });
  });

  it('is described anew without being renamed, and what is left out stays', async () => {
    await create({ name: 'Described', description: 'old', color: '#000000' });
    const path = '/environments/described';
    expect(await good(http.patch(path, { description: 'new' }))).toMatchObject({
      slug: 'described',
      description: 'new',
      color: '#000000',
    });
    expect(await good(http.patch(path, { color: null }))).toMatchObject({ description: 'new', color: null });
    const { release } = await good(http.get<Environment>(path));
    expect(release).toBe(0);
  });

  it('answers its release number as its ETag', async () => {
    await create({ name: 'Tagged' });
    const { headers } = await http.get('/environments/tagged');
    expect(headers.get('etag')).toBe('"0"');
  });

  it('is hidden by archiving, is still readable by name, and comes back by restoring', async () => {
    await create({ name: 'Attic' });
    const archived = await good(http.post<Environment>('/environments/attic/archive'));
    expect(archived.archivedAt).toMatch(/Z$/);
    expect(await slugsIn('/environments?limit=500')).not.toContain('attic');
    expect(await slugsIn('/environments?archived=true')).toContain('attic');
    expect(await good(http.get('/environments/attic'))).toMatchObject({ archivedAt: archived.archivedAt });
    expect(await good(http.get('/environments/attic/releases'))).toEqual({ items: [], nextCursor: null });
    await refused(http.patch('/environments/attic', { name: 'Loft' }), 404, 'environment-archived');
    expect(await good(http.post('/environments/attic/archive'))).toMatchObject({ slug: 'attic' });
    expect(await good(http.post('/environments/attic/restore'))).toMatchObject({ archivedAt: null });
    expect(await slugsIn('/environments?limit=500')).toContain('attic');
  });

  it('that is archived takes part in nothing', async () => {
    await create({ name: 'Gone' });
    await create({ name: 'Here' });
    await good(http.post('/flows', { name: 'Traveller', content: { a: 1 } }));
    await good(http.post('/environments/gone/archive'));
    const archived = [404, 'environment-archived'] as const;
    const activation = http.post('/flows/traveller/versions/1/environments', { environment: 'gone' });
    await refused(activation, ...archived);
    const pair = { sourceEnvironment: 'gone', targetEnvironment: 'here' };
    await refused(http.post('/environments/promote', pair), ...archived);
    const back = { sourceEnvironment: 'here', targetEnvironment: 'gone' };
    await refused(http.post('/environments/promote', back), ...archived);
    await refused(http.post('/environments/gone/rollback', {}), ...archived);
    await refused(http.put('/environments/default', { environment: 'gone' }), ...archived);
    await refused(http.get('/flows/traveller/resolve?environment=gone'), ...archived);
  });

  it('that nobody made is not found', async () => {
    const detail = 'There is no environment "nowhere".';
    const { detail: said } = await refused(http.get('/environments/nowhere'), 404, 'environment-not-found');
    expect(said).toBe(detail);
    await refused(http.post('/environments/nowhere/archive'), 404, 'environment-not-found');
    await refused(
      http.put('/environments/default', { environment: 'nowhere' }),
      404,
      'environment-not-found',
    );
  });
});

describe('The default environment', () => {
  it('is none until it is asked for', async () => {
    expect(await good(http.get('/projects/default'))).toMatchObject({ defaultEnvironment: null });
  });

  it('may be set on creation, set later, and cleared', async () => {
    await create({ name: 'First Default', default: true });
    const first = await good(http.get<Environment>('/environments/first-default'));
    expect(first.isDefault).toBe(true);
    await create({ name: 'Second Default' });
    const project = await good(http.put('/environments/default', { environment: 'second-default' }));
    expect(project).toMatchObject({ defaultEnvironment: 'second-default' });
    expect(await good(http.get('/environments/first-default'))).toMatchObject({ isDefault: false });
    expect(await good(http.put('/environments/default', { environment: first.id }))).toMatchObject({
      defaultEnvironment: 'first-default',
    });
    expect(await good(http.put('/environments/default', { environment: null }))).toMatchObject({
      defaultEnvironment: null,
    });
  });

  it('cannot be archived, and follows a rename', async () => {
    await create({ name: 'Kept', default: true });
    await refused(http.post('/environments/kept/archive'), 409, 'environment-is-default');
    await good(http.patch('/environments/kept', { name: 'Kept Anew' }));
    expect(await good(http.get('/projects/default'))).toMatchObject({ defaultEnvironment: 'kept-anew' });
    await good(http.put('/environments/default', { environment: null }));
    expect(await good(http.post('/environments/kept/archive'))).toMatchObject({ isDefault: false });
  });

  it('has to be named, if only by null', async () => {
    const problem = await refused(http.put('/environments/default', {}), 422, 'invalid-body');
    expect(new Set(pointersOf(problem))).toEqual(new Set(['/environment']));
  });
});

describe('A project', () => {
  it('is there from the start, called default', async () => {
    const { items, nextCursor } = await good(http.get<Page<Project>>('/projects'));
    expect(items).toHaveLength(1);
    expect(nextCursor).toBeNull();
    expect(items[0]).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      slug: 'default',
      name: 'default',
      defaultEnvironment: null,
      withoutEnvironment: 'first-active',
      createdAt: expect.stringMatching(/Z$/),
      archivedAt: null,
    });
    expect(await good(http.get(`/projects/${items[0]?.id}`))).toEqual(items[0]);
  });

  it('is renamed and told what resolves without an environment, and keeps its slug', async () => {
    const changed = await good(
      http.patch('/projects/default', { name: 'Main', withoutEnvironment: 'latest' }),
    );
    expect(changed).toMatchObject({ slug: 'default', name: 'Main', withoutEnvironment: 'latest' });
    const back = await good(http.patch('/projects/default', { withoutEnvironment: 'first-active' }));
    expect(back).toMatchObject({ name: 'Main', withoutEnvironment: 'first-active' });
  });

  it('has every route of its environments and flows below it', async () => {
    const { id } = await create({ name: 'Twin' });
    expect(await good(http.get('/projects/default/environments/twin'))).toMatchObject({ id });
    const project = await good(http.get<Project>('/projects/default'));
    const made = await good(
      http.post(`/projects/${project.id}/flows`, { name: 'Twin Flow', content: { a: 1 } }),
    );
    expect(await good(http.get('/flows/twin-flow'))).toMatchObject({ id: (made as { id: string }).id });
    const activation = '/projects/default/flows/twin-flow/versions/1/environments';
    await good(http.post(activation, { environment: 'twin' }));
    expect(await good(http.get('/projects/default/flows/twin-flow/resolve?environment=twin'))).toMatchObject({
      number: 1,
    });
    expect(await good(http.get('/projects/default/environments/twin/releases/1'))).toMatchObject({
      number: 1,
    });
  });

  it('that does not exist answers 404 for itself and for whatever would be below it', async () => {
    await refused(http.get('/projects/elsewhere'), 404, 'project-not-found');
    await refused(http.get('/projects/elsewhere/environments'), 404, 'project-not-found');
    await refused(http.get('/projects/elsewhere/flows/x/resolve'), 404, 'project-not-found');
    await refused(http.post('/projects/elsewhere/flows', { name: 'X' }), 404, 'project-not-found');
  });
});
