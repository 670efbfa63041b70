// The story of keys, told over HTTP to the real server: what a team hands out to its pipeline, its applications and its
// auditor, what each of them can do with it, and how a key is replaced and ended.
import { KEY_PATTERN } from '../../src/commands/api-key.js';
import type { MeAnswer } from '../../src/api/keys.answers.js';
import type { Grant } from '../../src/domain/access.events.js';
import type { Changed, Environment, Page, Project, Resolved } from '../../scripts/client.js';
import { EventClient } from '../support/event-client.js';
import { good, Http, pointersOf, refused } from '../support/http.js';
import { holderOf, inMs, shownOf, type Holder, type Key, type NewKey } from '../support/keys.js';
import { ADMIN_KEY, serversOfSuite, type ServerProcess } from '../support/server-process.js';
import { until } from '../support/spec.js';

const suite = serversOfSuite();
let server: ServerProcess;
let admin: Http;

const CI: readonly Grant[] = [
  { role: 'viewer', projects: ['default'], environments: ['staging'] },
  { role: 'promoter', projects: ['default'], environments: ['production'] },
];
const promote = (http: Http, sourceEnvironment: string, targetEnvironment: string) =>
  http.post<Changed>('/environments/promote', { sourceEnvironment, targetEnvironment });
const activate = (http: Http, version: number, environment: string) =>
  http.post(`/flows/chat/versions/${version}/environments`, { environment });
const keysOf = async (http: Http) => (await good(http.get<Page<Key>>('/keys?limit=500'))).items;

beforeAll(async () => {
  server = await suite.start(suite.newFolder());
  admin = new Http(server.url, ADMIN_KEY);
  for (const name of ['development', 'staging', 'production']) {
    await good(admin.post('/environments', { name }));
  }
  await good(admin.post('/projects', { name: 'Blog' }));
  for (const name of ['staging', 'production']) {
    await good(admin.post('/projects/blog/environments', { name }));
  }
  await good(admin.post('/flows', { name: 'chat', content: { text: 'one' } }));
  await good(admin.post('/flows/chat/versions', { content: { text: 'two' } }));
  await good(activate(admin, 1, 'staging'));
});

describe('A key for the pipeline', () => {
  let ci: Holder;
  beforeAll(async () => {
    ci = await holderOf(admin, 'CI', CI);
  });

  it('promotes from staging to production, sees both, and takes production back', async () => {
    const { release } = await good(promote(ci.http, 'staging', 'production'));
    expect(release).toMatchObject({ environment: 'production', number: 1, actor: { name: 'CI' } });
    const { items } = await good(ci.http.get<Page<Environment>>('/environments'));
    expect(items.map(({ slug }) => slug)).toEqual(['staging', 'production']);
    await good(ci.http.post('/environments/production/rollback', { toRelease: 0 }));
  });

  it('cannot do anything else, and is told in the same words whether a thing exists or not', async () => {
    const here = { sourceEnvironment: 'staging', targetEnvironment: 'production' };
    const denied = [
      promote(ci.http, 'development', 'production'),
      promote(ci.http, 'staging', 'development'),
      activate(ci.http, 1, 'staging'),
      ci.http.post('/environments/staging/rollback', { toRelease: 0 }),
      ci.http.get('/flows/chat/resolve?environment=development'),
      ci.http.post('/flows', { name: 'Mine' }),
      ci.http.post('/environments', { name: 'Mine' }),
      ci.http.put('/environments/default', { environment: 'production' }),
      ci.http.post('/keys', { name: 'Mine', grants: [CI[1]] }),
      ...['/keys', '/audit', '/audit/checkpoint', '/views', '/workspaces'].map((path) => ci.http.get(path)),
    ];
    for (const answer of denied) await refused(answer, 403, 'forbidden');
    await refused(ci.http.get('/projects/blog/environments'), 404, 'project-not-found');
    const detailOf = async (name: string) =>
      (await refused(ci.http.get(`/environments/${name}`), 403, 'forbidden')).detail;
    expect(await detailOf('development')).toBe(await detailOf('nowhere'));
    expect(await good(promote(ci.http, here.sourceEnvironment, here.targetEnvironment))).toMatchObject({
      changed: true,
    });
  });
});

describe('A key for an application', () => {
  it('resolves what runs in production and nothing else', async () => {
    const app = await holderOf(admin, 'Shop', [{ role: 'resolver', environments: ['production'] }]);
    const path = '/flows/chat/resolve?environment=production';
    expect(await good(app.http.get<Resolved>(path))).toMatchObject({ number: 1 });
    const denied = ['/flows/chat/resolve?environment=staging', '/flows/chat', '/environments', '/events'];
    for (const asked of denied) await refused(app.http.get(asked), 403, 'forbidden');
    await refused(activate(app.http, 2, 'production'), 403, 'forbidden');
  });
});

describe('A key for an auditor', () => {
  it('reads everything, the trail and its proofs, and changes nothing', async () => {
    const auditor = await holderOf(admin, 'Audit', [{ role: 'auditor' }]);
    for (const path of ['/environments', '/flows', '/audit', '/audit/keys', '/audit/export?format=ndjson']) {
      expect({ path, status: (await auditor.http.get(path)).status }).toEqual({ path, status: 200 });
    }
    expect((await auditor.http.get('/audit/checkpoint')).text).toContain('switchyard/');
    await refused(activate(auditor.http, 2, 'staging'), 403, 'forbidden');
    await refused(auditor.http.post('/flows', { name: 'Mine' }), 403, 'forbidden');
    await refused(auditor.http.get('/keys'), 403, 'forbidden');
  });
});

describe('Who asks who it is', () => {
  it('is told what it may do, where, and on which project routes without one act', async () => {
    const expiresAt = inMs(3_600_000);
    const { http, issued } = await holderOf(admin, 'Me', CI, { expiresAt });
    const project = await good(admin.get<Project>('/projects/default'));
    expect(await good(http.get<MeAnswer>('/me'))).toEqual({
      ...{ id: issued.id, type: 'api-key', name: 'Me', grants: CI, expiresAt },
      workspace: { id: expect.stringMatching(/^[0-9a-f-]{36}$/), slug: 'default', name: 'default' },
      project: { id: project.id, slug: 'default', name: 'default' },
      permissions: ['read', 'resolve', 'activate', 'promote', 'roll-back'],
      administersInstallation: false,
    });
    expect(await good(admin.get<MeAnswer>('/me'))).toMatchObject({
      ...{ name: 'administrator', grants: [{ role: 'admin' }], expiresAt: null },
      administersInstallation: true,
    });
  });

  it('has to name the project where it has several, and may not where it has one', async () => {
    const both = await holderOf(admin, 'Both', [{ role: 'viewer', projects: ['default', 'blog'] }]);
    expect(await good(both.http.get<MeAnswer>('/me'))).toMatchObject({ project: { slug: 'default' } });
    const others = await good(admin.post<Project>('/projects', { name: 'Third' }));
    const apart = await holderOf(admin, 'Apart', [{ role: 'viewer', projects: ['blog', others.id] }]);
    expect(await good(apart.http.get<MeAnswer>('/me'))).toMatchObject({ project: null });
    await refused(apart.http.get('/flows'), 403, 'forbidden');
    await good(apart.http.get('/projects/third/flows'));
    const one = await holderOf(admin, 'One', [{ role: 'viewer', projects: ['blog'] }]);
    expect(await good(one.http.get<MeAnswer>('/me'))).toMatchObject({ project: { slug: 'blog' } });
    const { items } = await good(one.http.get<Page<Environment>>('/environments'));
    expect(items.map(({ slug }) => slug)).toEqual(['staging', 'production']);
  });
});

describe('A new key', () => {
  it('is shown once, is named as its finder needs it, and is listed without its secret', async () => {
    const { issued, key } = await holderOf(admin, 'Shown', CI);
    expect(key).toMatch(KEY_PATTERN);
    const me = await good(admin.get<MeAnswer>('/me'));
    expect(shownOf(issued)).toEqual({
      ...{
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        name: 'Shown',
        prefix: key.slice(0, 16),
        grants: CI,
      },
      ...{ createdAt: expect.stringMatching(/Z$/), createdBy: me.id },
      ...{ expiresAt: null, lastUsedOn: null, previousUntil: null },
    });
    expect(await good(admin.get(`/keys/${issued.id}`))).toEqual(shownOf(issued));
    expect((await keysOf(admin)).find(({ id }) => id === issued.id)).toEqual(shownOf(issued));
    expect((await admin.get('/keys?limit=500')).text).not.toMatch(/"hash"|"key"/);
  });

  it('tells on which day it was last used, for which a request writes nothing', async () => {
    const { http, issued } = await holderOf(admin, 'Used', CI);
    await good(http.get('/me'));
    const { lastUsedOn } = await good(admin.get<Key>(`/keys/${issued.id}`));
    expect(lastUsedOn).toMatch(/^\d{4}-\d\d-\d\d$/);
    expect(Date.now() - Date.parse(lastUsedOn ?? '')).toBeLessThan(2 * 86_400_000);
    expect((await good(admin.get<Page<object>>('/audit?type=ApiKeyUsed'))).items).toEqual([]);
  });

  it('is listed oldest first, in pages', async () => {
    const all = await keysOf(admin);
    const first = await good(admin.get<Page<Key>>('/keys?limit=2'));
    const second = await good(admin.get<Page<Key>>(`/keys?limit=2&cursor=${first.nextCursor}`));
    expect([...first.items, ...second.items]).toEqual(all.slice(0, 4));
    expect(all[0]).toMatchObject({ name: 'administrator', createdBy: null, prefix: null });
  });

  it('is told with a pointer which role, project or environment there is not', async () => {
    const wrong = async (...asked: object[]) => {
      const body = { name: 'Wrong', grants: asked };
      return pointersOf(await refused(admin.post('/keys', body), 422, 'invalid-body'));
    };
    const viewer = { role: 'viewer' };
    expect(await wrong({ ...viewer, environments: ['staging', 'nowhere'] })).toEqual([
      '/grants/0/environments/1',
    ]);
    expect(
      await wrong(viewer, { ...viewer, projects: ['nowhere', 'blog'], environments: ['development'] }),
    ).toEqual(['/grants/1/projects/0', '/grants/1/environments/0']);
    expect(await wrong({ role: 'owner' })).toEqual(['/grants/0/role']);
    expect(await wrong({ ...viewer, projects: [] })).toEqual(['/grants/0/projects']);
    expect(await wrong({ ...viewer, projects: 'blog' })).toContain('/grants/0/projects');
    expect(await wrong({ ...viewer, flows: ['chat'] })).toEqual(['/grants/0/flows']);
    expect(await wrong()).toEqual(['/grants']);
  });

  it('names up to two hundred projects and environments in all its grants, however they are counted', async () => {
    const asked = (count: number, grant: object) =>
      admin.post('/keys', { name: 'Wide', grants: Array<object>(count).fill({ role: 'viewer', ...grant }) });
    const both = { projects: ['default', 'blog'], environments: ['staging', 'production'] };
    await good(asked(33, both));
    // Each of the slugs stands for an environment of either project.
    const problem = await refused(asked(34, both), 422, 'invalid-body');
    expect(pointersOf(problem)).toEqual(['/grants/33']);
    const nowhere = { environments: Array<string>(100).fill('nowhere') };
    expect(pointersOf(await refused(asked(3, nowhere), 422, 'invalid-body'))).toEqual(['/grants/2']);
  });

  it('for an environment that several projects have holds in each of them', async () => {
    const asked: Grant[] = [{ role: 'resolver', environments: ['production'] }];
    const { issued, http } = await holderOf(admin, 'Everywhere', asked);
    expect(issued.grants).toEqual(asked);
    await good(http.get('/flows/chat/resolve?environment=production'));
    const inBlog = '/projects/blog/flows/chat/resolve?environment=';
    await refused(http.get(`${inBlog}production`), 404, 'flow-not-found');
    await refused(http.get(`${inBlog}staging`), 403, 'forbidden');
  });

  it('keeps its environment through a rename, and is shown with what that is called now', async () => {
    await good(admin.post('/environments', { name: 'Before' }));
    const asked: Grant[] = [{ role: 'viewer', projects: ['default'], environments: ['before'] }];
    const { issued, http } = await holderOf(admin, 'Renamed', asked);
    await good(admin.patch('/environments/before', { name: 'After' }));
    await good(admin.post('/environments', { name: 'Second', slug: 'before' }));
    const [grant] = (await good(admin.get<Key>(`/keys/${issued.id}`))).grants;
    expect(grant).toEqual({ role: 'viewer', projects: ['default'], environments: ['after'] });
    await good(http.get('/environments/after'));
    await refused(http.get('/environments/before'), 403, 'forbidden');
  });
});

describe('An end', () => {
  it('has to be ahead', async () => {
    const body = { name: 'Late', grants: [{ role: 'viewer' }] };
    for (const expiresAt of ['2020-01-01T00:00:00Z', inMs(-1_000)]) {
      const problem = await refused(admin.post('/keys', { ...body, expiresAt }), 422, 'invalid-body');
      expect(pointersOf(problem)).toEqual(['/expiresAt']);
    }
    const noTime = await refused(admin.post('/keys', { ...body, expiresAt: 'soon' }), 422, 'invalid-body');
    expect(pointersOf(noTime)).toEqual(['/expiresAt']);
  });

  it('comes: then the key is refused, its streams are over, and the trail tells who tried', async () => {
    const asked: Grant[] = [{ role: 'viewer' }];
    const { issued, http } = await holderOf(admin, 'Short', asked, { expiresAt: inMs(2_000) });
    const stream = await EventClient.open(http);
    await until(async () => (await http.get('/me')).status === 401, 10_000);
    await stream.until(({ hasEnded }) => hasEnded);
    await refused(http.get('/environments/production'), 401, 'unauthorized');
    const denied = `/audit?type=AttemptDenied&actor=${issued.id}`;
    await until(async () => (await good(admin.get<Page<object>>(denied))).items.length > 0);
    // It is still there to be seen, and to be revoked.
    expect(await good(admin.get<Key>(`/keys/${issued.id}`))).toMatchObject({ name: 'Short' });
    await good(admin.delete(`/keys/${issued.id}`));
  });

  it('of the key that asks is one for the keys that it hands out', async () => {
    const expiresAt = inMs(3_600_000);
    const { http } = await holderOf(admin, 'Temporary', [{ role: 'admin' }], { expiresAt });
    const body = { name: 'Longer', grants: [{ role: 'viewer' }] };
    for (const later of [{}, { expiresAt: inMs(7_200_000) }]) {
      const problem = await refused(http.post('/keys', { ...body, ...later }), 403, 'grant-too-wide');
      expect(pointersOf(problem)).toEqual(['/expiresAt']);
    }
    await good(http.post('/keys', { ...body, expiresAt }));
    const me = await good(admin.get<MeAnswer>('/me'));
    await refused(http.post(`/keys/${me.id}/rotate`, {}), 403, 'grant-too-wide');
  });
});

describe('Whoever administers one project', () => {
  let blogger: Holder;
  beforeAll(async () => {
    blogger = await holderOf(admin, 'Blogger', [{ role: 'admin', projects: ['blog'] }]);
  });

  it('hands out keys for it, and for nothing beyond', async () => {
    const inside: Grant[] = [{ role: 'editor', projects: ['blog'], environments: ['staging'] }];
    const { issued, http } = await holderOf(blogger.http, 'Writer', inside);
    expect(issued.createdBy).toBe(blogger.issued.id);
    await good(http.post('/flows', { name: 'Post', content: { text: 'Hello' } }));
    const wider = [...inside, { role: 'viewer' }, { role: 'viewer', environments: ['staging'] }];
    const problem = await refused(
      blogger.http.post('/keys', { name: 'Wider', grants: wider }),
      403,
      'grant-too-wide',
    );
    expect(pointersOf(problem)).toEqual(['/grants/1', '/grants/2']);
  });

  it('cannot tell a project or an environment beyond from one that there is not', async () => {
    const detailsOf = async (grant: object) => {
      const asked = blogger.http.post('/keys', { name: 'Curious', grants: [{ role: 'viewer', ...grant }] });
      return (await refused(asked, 422, 'invalid-body')).errors;
    };
    expect(await detailsOf({ projects: ['default'] })).toEqual(await detailsOf({ projects: ['nowhere'] }));
    expect(await detailsOf({ environments: ['development'] })).toEqual(
      await detailsOf({ environments: ['nowhere'] }),
    );
    const part: Grant = { role: 'admin', projects: ['blog'], environments: ['staging'] };
    const { http } = await holderOf(blogger.http, 'Part', [part]);
    const named = async (environment: string) => {
      const grants = [{ role: 'viewer', projects: ['blog'], environments: [environment] }];
      return (await refused(http.post('/keys', { name: 'Curious', grants }), 422, 'invalid-body')).errors;
    };
    expect(await named('production')).toEqual(await named('nowhere'));
    await holderOf(http, 'Same', [part]);
  });

  it('sees and ends the keys that reach no further, and no others', async () => {
    const { issued: other } = await holderOf(admin, 'Not theirs', CI);
    expect((await keysOf(blogger.http)).map(({ name }) => name).sort()).toEqual(
      expect.arrayContaining(['Blogger', 'Writer']),
    );
    expect((await keysOf(blogger.http)).map(({ id }) => id)).not.toContain(other.id);
    for (const answer of [
      blogger.http.get(`/keys/${other.id}`),
      blogger.http.delete(`/keys/${other.id}`),
      blogger.http.post(`/keys/${other.id}/rotate`, {}),
    ]) {
      await refused(answer, 404, 'key-not-found');
    }
    await refused(blogger.http.post('/projects', { name: 'Mine' }), 403, 'forbidden');
    await good(blogger.http.patch('/projects/blog', { name: 'The blog' }));
  });
});

/** A key that was not kept by whoever got it cannot be asked for again. */
describe('A command that is sent again', () => {
  it('issues one key, whose secret is in the first answer alone', async () => {
    const body = { name: 'Once', grants: [{ role: 'viewer' }] };
    const headers = { 'idempotency-key': 'issue-once' };
    const first = await good(admin.post<NewKey>('/keys', body, headers));
    const again = await admin.post<NewKey>('/keys', body, headers);
    expect(again.status).toBe(201);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.body).toEqual({ ...first, key: null });
    expect((await keysOf(admin)).filter(({ name }) => name === 'Once')).toHaveLength(1);
    await good(new Http(server.url, first.key ?? '').get('/me'));
    const other = admin.post('/keys', { ...body, name: 'Other' }, headers);
    await refused(other, 422, 'idempotency-key-reused');
    await refused(admin.post('/projects', { name: 'Other' }, headers), 422, 'idempotency-key-reused');
    await good(admin.delete(`/keys/${first.id}`));
    expect((await admin.post<NewKey>('/keys', body, headers)).body).toEqual({ ...first, key: null });
  });

  it('rotates a key once, and twenty at once do too', async () => {
    const { issued } = await holderOf(admin, 'Turned', CI);
    const headers = { 'idempotency-key': 'rotate-once' };
    const path = `/keys/${issued.id}/rotate`;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => good(admin.post<NewKey>(path, {}, headers))),
    );
    expect(answers.filter(({ key }) => key !== null)).toHaveLength(1);
    expect(new Set(answers.map(({ prefix, position }) => `${prefix} ${position}`)).size).toBe(1);
    await good(new Http(server.url, answers.find(({ key }) => key !== null)?.key ?? '').get('/me'));
    await good(new Http(server.url, issued.key ?? '').get('/me'));
  });
});
