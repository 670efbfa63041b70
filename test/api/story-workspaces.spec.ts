// The story of projects and workspaces, told over HTTP to the real server: how they are made, renamed, archived and
// brought back, and that a workspace is complete and alone from the first moment.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { KEY_PATTERN } from '../../src/commands/api-key.js';
import type { AuditEntryAnswer } from '../../src/api/audit.answers.js';
import type { MeAnswer, WorkspaceAnswer } from '../../src/api/keys.answers.js';
import type { Environment, Page, Project } from '../../scripts/client.js';
import { run } from '../support/command-line.js';
import { EventClient } from '../support/event-client.js';
import { good, Http, pointersOf, refused } from '../support/http.js';
import { holderOf, type NewWorkspace } from '../support/keys.js';
import { ADMIN_KEY, serversOfSuite, type ServerProcess } from '../support/server-process.js';

const suite = serversOfSuite();
let folder: string;
let server: ServerProcess;
let admin: Http;

const newWorkspace = (body: object) => good(admin.post<NewWorkspace>('/workspaces', body));
const inside = ({ key }: NewWorkspace) => new Http(server.url, key ?? '');
const slugsOf = async (http: Http, path: string) => {
  const { items } = await good(http.get<Page<{ slug: string }>>(`${path}?limit=500`));
  return items.map(({ slug }) => slug);
};
const trailOf = async (http: Http, query = '') =>
  (await good(http.get<Page<AuditEntryAnswer>>(`/audit?limit=500${query}`))).items;

beforeAll(async () => {
  folder = suite.newFolder();
  server = await suite.start(folder);
  admin = new Http(server.url, ADMIN_KEY);
});

describe('A project', () => {
  it('is created empty, under a slug made from its name, and is named by its routes', async () => {
    const { status, body } = await admin.post<Project>('/projects', { name: 'Étoile Shop' });
    expect(status).toBe(201);
    expect(body).toEqual({
      ...{ id: expect.stringMatching(/^[0-9a-f-]{36}$/), slug: 'etoile-shop', name: 'Étoile Shop' },
      ...{ defaultEnvironment: null, withoutEnvironment: 'first-active', archivedAt: null },
      ...{ createdAt: expect.stringMatching(/Z$/), position: expect.stringMatching(/^\d+$/) },
    });
    expect(await slugsOf(admin, '/projects/etoile-shop/environments')).toEqual([]);
    await good(admin.post(`/projects/${body.id}/environments`, { name: 'production' }));
    expect(await slugsOf(admin, '/projects/etoile-shop/environments')).toEqual(['production']);
    expect(await slugsOf(admin, '/environments')).toEqual([]);
    expect(await slugsOf(admin, '/projects')).toEqual(['default', 'etoile-shop']);
  });

  it('shares its slug with no other, and needs one', async () => {
    const taken = await refused(admin.post('/projects', { name: 'étoile shop' }), 409, 'project-exists');
    expect(pointersOf(taken)).toEqual(['/slug']);
    const none = await refused(admin.post('/projects', { name: '日本' }), 422, 'invalid-body');
    expect(pointersOf(none)).toEqual(['/slug']);
    expect(await good(admin.post('/projects', { name: '日本', slug: 'japan' }))).toMatchObject({
      slug: 'japan',
    });
  });

  it('is renamed and keeps its slug', async () => {
    expect(await good(admin.patch('/projects/japan', { name: 'Nippon' }))).toMatchObject({
      ...{ slug: 'japan', name: 'Nippon' },
    });
  });

  it('is created once by a command that is sent again', async () => {
    const headers = { 'idempotency-key': 'project-once' };
    const answers = await Promise.all(
      [1, 2, 3].map(() => good(admin.post<Project>('/projects', { name: 'Once' }, headers))),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  });

  it('that is archived can be read as before, and nothing in it resolves or changes', async () => {
    const at = '/projects/attic';
    await good(admin.post('/projects', { name: 'Attic' }));
    for (const name of ['staging', 'production']) await good(admin.post(`${at}/environments`, { name }));
    await good(admin.post(`${at}/flows`, { name: 'chat', content: { text: 'Hello' } }));
    const activation = [`${at}/flows/chat/versions/1/environments`, { environment: 'staging' }] as const;
    const headers = { 'idempotency-key': 'before-the-archive' };
    const first = await good(admin.post(...activation, headers));
    const reads = ['', '/environments', '/environments/staging/active', '/flows/chat/versions/1', '/audit'];
    const read = async () =>
      Promise.all(reads.slice(1, 4).map(async (path) => (await admin.get(`${at}${path}`)).text));
    const before = await read();

    const archived = await good(admin.post<Project>(`${at}/archive`));
    expect(archived.archivedAt).toMatch(/Z$/);
    expect(await read()).toEqual(before);
    expect(await good(admin.get(at))).toMatchObject({ archivedAt: archived.archivedAt });
    expect(await slugsOf(admin, '/projects')).toContain('attic');
    expect(await good(admin.get<Page<object>>(`${at}/audit`))).toMatchObject({ items: expect.any(Array) });
    const pair = { sourceEnvironment: 'staging', targetEnvironment: 'production' };
    for (const answer of [
      admin.get(`${at}/flows/chat/resolve?environment=staging`),
      admin.post(...activation),
      admin.post(`${at}/environments/promote`, pair),
      admin.post(`${at}/environments`, { name: 'third' }),
      admin.post(`${at}/flows`, { name: 'Second' }),
      admin.patch(at, { name: 'Loft' }),
    ]) {
      await refused(answer, 404, 'project-archived');
    }
    // What was carried out before is told again.
    expect(await good(admin.post(...activation, headers))).toEqual(first);
    expect(await good(admin.post(`${at}/archive`))).toMatchObject({ archivedAt: archived.archivedAt });

    expect(await good(admin.post(`${at}/restore`))).toMatchObject({ archivedAt: null });
    expect(await good(admin.get(`${at}/flows/chat/resolve?environment=staging`))).toMatchObject({
      number: 1,
    });
    expect(await good(admin.post(`${at}/environments/promote`, pair))).toMatchObject({ changed: true });
  });

  it('is made and archived by administrators of the workspace alone, and renamed by its own', async () => {
    const { http } = await holderOf(admin, 'Of one', [{ role: 'admin', projects: ['japan'] }]);
    await refused(http.post('/projects', { name: 'More' }), 403, 'forbidden');
    await refused(http.post('/projects/japan/archive'), 403, 'forbidden');
    await good(http.patch('/projects/japan', { name: 'Japan' }));
    expect(await slugsOf(http, '/projects')).toEqual(['japan']);
    await refused(http.get('/projects/default'), 404, 'project-not-found');
  });
});

describe('A workspace', () => {
  it('comes with its key and a project, and with nothing of any other workspace', async () => {
    const { status, body } = await admin.post<NewWorkspace>('/workspaces', { name: 'Team Blue' });
    expect(status).toBe(201);
    expect(body).toEqual({
      ...{ id: expect.stringMatching(/^[0-9a-f-]{36}$/), slug: 'team-blue', name: 'Team Blue' },
      ...{ createdAt: expect.stringMatching(/Z$/), archived: false, key: expect.stringMatching(KEY_PATTERN) },
      ...{ keyId: expect.stringMatching(/^[0-9a-f-]{36}$/), position: expect.stringMatching(/^\d+$/) },
    });
    const blue = inside(body);
    expect(await good(blue.get<MeAnswer>('/me'))).toMatchObject({
      ...{ id: body.keyId, name: 'administrator', grants: [{ role: 'admin' }] },
      ...{ workspace: { id: body.id, slug: 'team-blue' }, project: { slug: 'default' } },
      administersInstallation: false,
    });
    expect(await slugsOf(blue, '/projects')).toEqual(['default']);
    expect(await slugsOf(blue, '/environments')).toEqual([]);
    await good(blue.post<Environment>('/environments', { name: 'production' }));
    await good(blue.post('/flows', { name: 'chat', content: { text: 'Hello' } }));
    await good(blue.post('/flows/chat/versions/1/environments', { environment: 'production' }));
    expect(await good(blue.get('/flows/chat/resolve?environment=production'))).toMatchObject({ number: 1 });
    expect(await slugsOf(admin, '/flows')).toEqual([]);
    const { id } = await good(admin.get<Project>('/projects/default'));
    await refused(blue.get(`/projects/${id}`), 404, 'project-not-found');
    const { items } = await good(blue.get<Page<{ id: string }>>('/keys'));
    expect(items.map((key) => key.id)).toEqual([body.keyId]);
  });

  it('tells in its own trail how it came, and the other trail tells nothing of it', async () => {
    const blue = inside(await newWorkspace({ name: 'Told' }));
    const ours = (await trailOf(blue)).map(({ summary }) => summary).reverse();
    expect(ours.filter((summary) => !summary.startsWith('The signing key'))).toEqual([
      'The slug told was reserved for a workspace',
      'The slug default was reserved for a project',
      'Project default was created',
      'Workspace told was created',
      'API key administrator was issued (admin)',
    ]);
    expect(JSON.stringify(await trailOf(admin, '&q=told'))).not.toContain('Workspace told');
  });

  it('is created once by a command that is sent again, and its key is in the first answer alone', async () => {
    const headers = { 'idempotency-key': 'workspace-once' };
    const body = { name: 'Once' };
    const first = await good(admin.post<NewWorkspace>('/workspaces', body, headers));
    const again = await admin.post<NewWorkspace>('/workspaces', body, headers);
    expect(again.body).toEqual({ ...first, key: null });
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    const other = admin.post('/workspaces', { name: 'Other' }, headers);
    await refused(other, 422, 'idempotency-key-reused');
    await good(inside(first).get('/me'));
  });

  it('shares its slug with no other, archived or not, and is made whole when several are at it', async () => {
    const asked = Array.from({ length: 5 }, () => admin.post<NewWorkspace>('/workspaces', { name: 'Rush' }));
    const answers = await Promise.all(asked);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409]);
    const made = answers.find(({ status }) => status === 201)?.body as NewWorkspace;
    expect(await slugsOf(inside(made), '/projects')).toEqual(['default']);
    await good(admin.post('/workspaces/rush/archive'));
    const taken = await refused(admin.post('/workspaces', { name: 'rush' }), 409, 'workspace-exists');
    expect(pointersOf(taken)).toEqual(['/slug']);
  });

  it('is listed, read by slug and id, and renamed without another slug', async () => {
    const { id } = await newWorkspace({ name: 'Green', slug: 'green-1' });
    const expected = { id, slug: 'green-1', name: 'Grün', archived: false };
    expect(await good(admin.patch('/workspaces/green-1', { name: 'Grün' }))).toMatchObject(expected);
    for (const reference of ['green-1', id]) {
      expect(await good(admin.get(`/workspaces/${reference}`))).toMatchObject(expected);
    }
    expect(await slugsOf(admin, '/workspaces')).toEqual(expect.arrayContaining(['default', 'green-1']));
    const first = await good(admin.get<Page<WorkspaceAnswer>>('/workspaces?limit=1'));
    expect(first.items.map(({ slug }) => slug)).toEqual(['default']);
    await refused(admin.get('/workspaces/nowhere'), 404, 'workspace-not-found');
  });

  it('that is archived knows no key and ends its streams, and is as it was once it is restored', async () => {
    const made = await newWorkspace({ name: 'Asleep' });
    const asleep = inside(made);
    const reader = await holderOf(asleep, 'Reader', [{ role: 'viewer' }]);
    await good(asleep.post('/environments', { name: 'production' }));
    const streams = [await EventClient.open(asleep), await EventClient.open(reader.http)];
    const ours = await EventClient.open(admin);
    expect(await good(admin.post('/workspaces/asleep/archive'))).toMatchObject({ archived: true });
    for (const http of [asleep, reader.http]) await refused(http.get('/me'), 401, 'unauthorized');
    for (const stream of streams) await stream.until(({ hasEnded }) => hasEnded);
    expect(ours.hasEnded).toBe(false);
    ours.close();
    expect(await good(admin.post('/workspaces/asleep/archive'))).toMatchObject({ archived: true });
    expect(await good(admin.post(`/workspaces/${made.id}/restore`))).toMatchObject({ archived: false });
    expect(await slugsOf(reader.http, '/environments')).toEqual(['production']);
  });

  it('that came first cannot be archived: the others are looked after from it', async () => {
    await refused(admin.post('/workspaces/default/archive'), 409, 'workspace-is-first');
  });

  it('is none of the business of whoever administers another one, or a part of the first', async () => {
    const other = inside(await newWorkspace({ name: 'Nosy' }));
    const part = await holderOf(admin, 'Part', [{ role: 'admin', projects: ['default'] }]);
    for (const http of [other, part.http]) {
      for (const path of ['/workspaces', '/workspaces/default', '/workspaces/nowhere']) {
        await refused(http.get(path), 403, 'forbidden');
      }
      await refused(http.post('/workspaces', { name: 'Mine' }), 403, 'forbidden');
      await refused(http.patch('/workspaces/nosy', { name: 'Mine' }), 403, 'forbidden');
      await refused(http.post('/workspaces/nosy/archive'), 403, 'forbidden');
    }
  });
});

describe('The record of a workspace that came while the server ran', () => {
  it('is signed by a key that it names, and its evidence verifies', async () => {
    const made = await newWorkspace({ name: 'Proven' });
    await good(inside(made).post('/environments', { name: 'production' }));
    const keys = await good(inside(made).get<{ items: { isCurrent: boolean }[] }>('/audit/keys'));
    expect((await inside(made).get('/audit/checkpoint')).text).toContain(`switchyard/${made.id}/e1`);
    const after = await good(inside(made).get<{ items: { isCurrent: boolean }[] }>('/audit/keys'));
    expect(after.items.map(({ isCurrent }) => isCurrent)).toEqual([true]);
    expect(keys.items.length).toBeLessThanOrEqual(1);
    const settings = { SWITCHYARD_URL: server.url, SWITCHYARD_KEY: made.key ?? '' };
    const bundle = join(suite.newFolder(), 'evidence');
    expect(await run(['audit', 'export', '--out', bundle], settings)).toMatchObject({ code: 0, stderr: '' });
    expect(await run(['audit', 'verify', bundle])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^OK /),
    });
  });
});

describe('A restart without views', () => {
  it('changes nothing of it', async () => {
    const made = await newWorkspace({ name: 'Before' });
    await good(admin.post('/projects/japan/archive'));
    const look = async () => ({
      workspaces: (await admin.get('/workspaces?limit=500')).text,
      projects: (await admin.get('/projects?limit=500')).text,
      theirs: (await inside(made).get('/projects')).text,
      me: (await inside(made).get('/me')).text,
      trail: (await trailOf(inside(made), '&type=WorkspaceCreated')).map(({ summary }) => summary),
    });
    const before = await look();
    await server.kill('SIGTERM');
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(folder, `views.db${suffix}`), { force: true });
    server = await suite.start(folder);
    admin = new Http(server.url, ADMIN_KEY);
    expect(await look()).toEqual(before);
    await refused(admin.post('/workspaces/default/archive'), 409, 'workspace-is-first');
    await refused(inside(made).get('/workspaces'), 403, 'forbidden');
  });
});
