// The story of releases, told over HTTP to the real server: activation, diff, promotion, rollback and the history
// that they leave.
import { startOwnServer, type OwnServer } from '../../scripts/own-server.js';
import type { Changed, Diff, Environment, Flow, Page, Release } from '../../scripts/client.js';
import type { ActiveAnswer } from '../../src/api/answers.js';
import { good, Http, pointersOf, refused } from '../support/http.js';

let server: OwnServer;
let http: Http;
let places = 0;

beforeAll(async () => {
  server = await startOwnServer();
  http = new Http(server.url, server.key);
  for (const name of ['One', 'Two', 'Three']) {
    await good(http.post('/flows', { name, content: { version: 1 } }));
    for (const version of [2, 3, 4])
      await good(http.post(`/flows/${name.toLowerCase()}/versions`, { content: { version } }));
  }
});
afterAll(() => server.stop());

/** Environments of its own for each test, so that none depends on another. */
async function place(): Promise<string> {
  const slug = `place-${(places += 1)}`;
  await good(http.post('/environments', { name: slug }));
  return slug;
}

const activate = (flow: string, version: number, environment: string, headers = {}) =>
  http.post<Changed>(`/flows/${flow}/versions/${version}/environments`, { environment }, headers);
const promote = (sourceEnvironment: string, targetEnvironment: string, more: object = {}, headers = {}) =>
  http.post<Changed>('/environments/promote', { sourceEnvironment, targetEnvironment, ...more }, headers);
const rollback = (environment: string, body: object = {}, headers = {}) =>
  http.post<Changed>(`/environments/${environment}/rollback`, body, headers);
const diff = (source: string, target: string, more = '') =>
  good(http.get<Diff>(`/environments/diff?sourceEnvironment=${source}&targetEnvironment=${target}${more}`));
const history = async (environment: string) =>
  (await good(http.get<Page<Release>>(`/environments/${environment}/releases?limit=500`))).items;

/** What runs there: flow slug to version number. */
async function runs(environment: string): Promise<Record<string, number>> {
  const { items } = await good(http.get<ActiveAnswer>(`/environments/${environment}/active`));
  return Object.fromEntries(items.map(({ slug, number }) => [slug, number]));
}

describe('An activation', () => {
  it('is a release of one change, with who, when and why', async () => {
    const slug = await place();
    const body = { environment: slug, comment: 'go' };
    const made = await good(http.post<Changed>('/flows/one/versions/2/environments', body));
    const one = await good(http.get<Flow>('/flows/one'));
    expect(made).toEqual({
      changed: true,
      dryRun: false,
      receipt: `/api/v1/audit/proof/inclusion?position=${made.position}`,
      position: expect.stringMatching(/^\d+$/),
      release: {
        number: 1,
        kind: 'activation',
        environment: slug,
        createdAt: expect.stringMatching(/Z$/),
        actor: { type: 'api-key', id: expect.stringMatching(/./), name: 'administrator' },
        comment: 'go',
        position: made.position,
        changes: [
          {
            flowId: one.id,
            slug: 'one',
            from: null,
            to: one.activeVersions[slug],
            fromNumber: null,
            toNumber: 2,
            fromDigest: null,
            toDigest: expect.stringMatching(/^[0-9a-f]{64}$/),
          },
        ],
      },
    });
    expect(await good(http.get(`/environments/${slug}/releases/1`))).toEqual(made.release);
    expect(await good(http.get(`/environments/${slug}`))).toMatchObject({ release: 1, activeCount: 1 });
  });

  it('is refused when the release that was seen has moved', async () => {
    const slug = await place();
    await good(activate('one', 1, slug, { 'if-match': '"0"' }));
    await refused(activate('one', 2, slug, { 'if-match': '"0"' }), 412, 'release-moved');
    await refused(activate('one', 2, slug, { 'if-match': '"2"' }), 412, 'release-moved');
    await refused(activate('one', 2, slug, { 'if-match': '1' }), 400, 'invalid-header');
    expect(await runs(slug)).toEqual({ one: 1 });
    await good(activate('one', 2, slug, { 'if-match': '"1"' }));
    const off = (tag: string) =>
      http.delete(`/flows/one/environments/${slug}`, undefined, { 'if-match': tag });
    await refused(off('"1"'), 412, 'release-moved');
    await good(off('"2"'));
    expect(await runs(slug)).toEqual({});
  });
});

describe('A diff', () => {
  it('tells what is added, changed, removed and, if asked, unchanged', async () => {
    const [source, target] = [await place(), await place()];
    await good(http.post('/flows', { name: 'Four', content: { version: 1 } }));
    for (const [flow, there, here] of [
      ['one', 1, 0],
      ['two', 2, 1],
      ['three', 0, 3],
      ['four', 1, 1],
    ] as const) {
      if (there > 0) await good(activate(flow, there, source));
      if (here > 0) await good(activate(flow, here, target));
    }
    const shown = await diff(source, target);
    expect(shown).toMatchObject({
      sourceEnvironment: source,
      targetEnvironment: target,
      sourceRelease: 3,
      targetRelease: 3,
      summary: { added: 1, changed: 1, removed: 1, unchanged: 1 },
    });
    const row = (slug: string, change: string, there: number | null, here: number | null) => ({
      slug,
      change,
      source: there && expect.objectContaining({ number: there }),
      target: here && expect.objectContaining({ number: here }),
    });
    const rows = [
      row('one', 'added', 1, null),
      row('three', 'removed', null, 3),
      row('two', 'changed', 2, 1),
    ];
    expect(shown.items).toEqual(rows.map((expected): unknown => expect.objectContaining(expected)));
    const all = await diff(source, target, '&includeUnchanged=true');
    expect(all.summary).toEqual(shown.summary);
    expect(all.items.map(({ slug, change }) => `${slug} ${change}`)).toEqual([
      'four unchanged',
      'one added',
      'three removed',
      'two changed',
    ]);
  });

  it('needs two environments that exist', async () => {
    const slug = await place();
    const query = (target: string) =>
      http.get(`/environments/diff?sourceEnvironment=${slug}&targetEnvironment=${target}`);
    await refused(query('nowhere'), 404, 'environment-not-found');
    const problem = await refused(
      http.get(`/environments/diff?sourceEnvironment=${slug}`),
      422,
      'invalid-reference',
    );
    expect(pointersOf(problem)).toEqual(['/targetEnvironment']);
  });
});

describe('A promotion', () => {
  it('brings over what differs, in one release that names its source, and never removes', async () => {
    const [source, target] = [await place(), await place()];
    for (const flow of ['one', 'two']) await good(activate(flow, 2, source));
    for (const [flow, version] of [
      ['two', 2],
      ['three', 3],
    ] as const)
      await good(activate(flow, version, target));
    const { id } = await good(http.get<Environment>(`/environments/${source}`));
    const made = await good(promote(source, target, { comment: 'ship it' }));
    expect(made.release).toMatchObject({
      number: 3,
      kind: 'promotion',
      comment: 'ship it',
      source: { environment: source, environmentId: id, release: 2 },
      changes: [{ slug: 'one', from: null, toNumber: 2 }],
    });
    expect(await runs(target)).toEqual({ one: 2, two: 2, three: 3 });
    expect(await good(promote(source, target))).toMatchObject({ changed: false, release: null });
    expect(await history(target)).toHaveLength(3);
  });

  it('takes the flows that it is given, by slug or id, and refuses all when it does not know one', async () => {
    const [source, target] = [await place(), await place()];
    for (const flow of ['one', 'two', 'three']) await good(activate(flow, 1, source));
    const { id } = await good(http.get<Flow>('/flows/two'));
    const stranger = '00000000-0000-7000-8000-000000000000';
    const wrong = { flowIds: ['one', 'nobody', id, stranger, 'four'] };
    const problem = await refused(promote(source, target, wrong), 422, 'flows-not-active');
    expect(pointersOf(problem)).toEqual(['/flowIds/1', '/flowIds/3', '/flowIds/4']);
    expect(problem.detail).toContain('nobody');
    expect(problem.detail).toContain(stranger);
    expect(await runs(target)).toEqual({});
    await good(promote(source, target, { flowIds: ['one', id, 'one'] }));
    expect(await runs(target)).toEqual({ one: 1, two: 1 });
  });

  it('removes what the source no longer has only when it is told to prune', async () => {
    const [source, target] = [await place(), await place()];
    await good(activate('one', 1, source));
    for (const flow of ['two', 'three']) await good(activate(flow, 1, target));
    await good(promote(source, target, { flowIds: ['two'], prune: true }));
    expect(await runs(target)).toEqual({ three: 1 });
    await good(promote(source, target, { prune: true }));
    expect(await runs(target)).toEqual({ one: 1 });
    expect(await diff(source, target)).toMatchObject({ items: [] });
  });

  it('previews without doing anything', async () => {
    const [source, target] = [await place(), await place()];
    await good(activate('one', 1, source));
    const preview = await good(promote(source, target, { dryRun: true }));
    expect(preview).toMatchObject({ changed: true, dryRun: true, release: { number: 1, position: null } });
    expect(await runs(target)).toEqual({});
    expect(await good(http.get(`/environments/${target}`))).toMatchObject({ release: 0 });
    expect((await good(promote(source, target))).release?.changes).toEqual(preview.release?.changes);
  });

  it('happens only on the releases that were reviewed', async () => {
    const [source, target] = [await place(), await place()];
    await good(activate('one', 1, source));
    await refused(promote(source, target, { expectedSourceRelease: 0 }), 412, 'release-moved');
    await refused(promote(source, target, { expectedTargetRelease: 1 }), 412, 'release-moved');
    await refused(promote(source, target, {}, { 'if-match': '"1"' }), 412, 'release-moved');
    const torn = promote(source, target, { expectedTargetRelease: 0 }, { 'if-match': '"1"' });
    await refused(torn, 412, 'release-moved');
    expect(await runs(target)).toEqual({});
    const pins = { expectedSourceRelease: 1, expectedTargetRelease: 0 };
    expect(await good(promote(source, target, pins, { 'if-match': '"0"' }))).toMatchObject({ changed: true });
  });

  it('goes from one environment to another', async () => {
    const slug = await place();
    const { id } = await good(http.get<Environment>(`/environments/${slug}`));
    const problem = await refused(promote(slug, id), 422, 'same-environment');
    expect(pointersOf(problem)).toEqual(['/targetEnvironment']);
    await refused(promote(slug, 'nowhere'), 404, 'environment-not-found');
  });
});

describe('A rollback', () => {
  const threeReleases = async (): Promise<string> => {
    const slug = await place();
    for (const version of [1, 2, 3]) await good(activate('one', version, slug));
    return slug;
  };

  it('goes further back each time, and ends before the first release', async () => {
    const slug = await threeReleases();
    const first = await good(rollback(slug, { comment: 'bad' }));
    expect(first.release).toMatchObject({ number: 4, kind: 'rollback', restores: 2, comment: 'bad' });
    expect(first.release).not.toHaveProperty('source');
    expect(await runs(slug)).toEqual({ one: 2 });
    expect(await good(rollback(slug))).toMatchObject({ release: { number: 5, restores: 1 } });
    expect(await runs(slug)).toEqual({ one: 1 });
    await refused(rollback(slug), 409, 'no-prior-release');
    expect(await good(rollback(slug, { toRelease: 0 }))).toMatchObject({
      release: { number: 6, restores: 0 },
    });
    expect(await runs(slug)).toEqual({});
    await refused(rollback(await place()), 409, 'no-prior-release');
  });

  it('is undone by restoring a later release', async () => {
    const slug = await threeReleases();
    await good(rollback(slug, { toRelease: 1 }));
    expect(await runs(slug)).toEqual({ one: 1 });
    await good(rollback(slug, { toRelease: 3 }));
    expect(await runs(slug)).toEqual({ one: 3 });
    expect(await good(rollback(slug, { toRelease: 3 }))).toMatchObject({ changed: false });
    const problem = await refused(rollback(slug, { toRelease: 6 }), 422, 'unknown-release');
    expect(pointersOf(problem)).toEqual(['/toRelease']);
    await good(rollback(slug));
    expect(await runs(slug)).toEqual({ one: 2 });
  });

  it('leaves every other environment as it was', async () => {
    const staging = await threeReleases();
    const production = await place();
    await good(promote(staging, production));
    const pages = [
      `/environments/${production}`,
      `/environments/${production}/active`,
      `/environments/${production}/releases`,
    ];
    const look = () => Promise.all(pages.map(async (path) => (await http.get(path)).text));
    const before = await look();
    await good(rollback(staging));
    await good(rollback(staging, { toRelease: 0 }));
    expect(await look()).toEqual(before);
    expect(await runs(staging)).toEqual({});
  });

  it('of one flow touches that flow alone, and goes by its own history', async () => {
    const slug = await place();
    for (const [flow, version] of [
      ['one', 1],
      ['two', 1],
      ['one', 2],
      ['two', 2],
      ['three', 1],
    ] as const) {
      await good(activate(flow, version, slug));
    }
    const made = await good(rollback(slug, { flowIds: ['one'] }));
    expect(made.release).toMatchObject({
      restores: null,
      changes: [{ slug: 'one', fromNumber: 2, toNumber: 1 }],
    });
    expect(await runs(slug)).toEqual({ one: 1, two: 2, three: 1 });
    await refused(rollback(slug, { flowIds: ['one'] }), 409, 'no-prior-release');
    const problem = await refused(rollback(slug, { flowIds: ['two', 'three'] }), 409, 'no-prior-release');
    expect(pointersOf(problem)).toEqual(['/flowIds/1']);
    await good(rollback(slug, { flowIds: ['two'], toRelease: 1 }));
    expect(await runs(slug)).toEqual({ one: 1, three: 1 });
    const unknown = await refused(rollback(slug, { flowIds: ['nobody'] }), 422, 'flows-not-active');
    expect(pointersOf(unknown)).toEqual(['/flowIds/0']);
  });

  it('previews without doing anything, and happens only on the release that was reviewed', async () => {
    const slug = await threeReleases();
    const preview = await good(rollback(slug, { dryRun: true }));
    expect(preview).toMatchObject({ changed: true, dryRun: true, release: { number: 4, restores: 2 } });
    expect(await runs(slug)).toEqual({ one: 3 });
    await refused(rollback(slug, {}, { 'if-match': '"2"' }), 412, 'release-moved');
    const made = await good(rollback(slug, {}, { 'if-match': '"3"' }));
    expect(made.release?.changes).toEqual(preview.release?.changes);
  });
});

describe('The releases of an environment', () => {
  it('are listed newest first, page by page, and never change', async () => {
    const slug = await place();
    for (const version of [1, 2, 3, 4]) await good(activate('one', version, slug));
    await good(rollback(slug));
    const seen: Release[] = [];
    let cursor = '';
    for (let page = 1; page <= 3; page += 1) {
      const path = `/environments/${slug}/releases?limit=2${cursor}`;
      const { items, nextCursor } = await good(http.get<Page<Release>>(path));
      seen.push(...items);
      cursor = `&cursor=${nextCursor}`;
      expect(nextCursor === null).toBe(page === 3);
    }
    expect(seen.map(({ number }) => number)).toEqual([5, 4, 3, 2, 1]);
    expect(await history(slug)).toEqual(seen);
    const path = `/environments/${slug}/releases/3`;
    const { headers, body } = await http.get(path);
    expect(body).toEqual(seen[2]);
    const again = await http.get(path, { 'if-none-match': headers.get('etag') ?? '' });
    expect({ status: again.status, text: again.text }).toEqual({ status: 304, text: '' });
    for (const number of ['0', '6', '99999999']) {
      await refused(http.get(`/environments/${slug}/releases/${number}`), 404, 'release-not-found');
    }
    await refused(http.get(`/environments/${slug}/releases/last`), 422, 'invalid-reference');
  });

  it('tell by their number whether what is active has changed', async () => {
    const slug = await place();
    await good(activate('two', 1, slug));
    const { headers } = await http.get(`/environments/${slug}/active`);
    const known = { 'if-none-match': headers.get('etag') ?? '' };
    expect(await http.get(`/environments/${slug}/active`, known)).toMatchObject({ status: 304, text: '' });
    await good(activate('two', 2, slug));
    const changed = await http.get<ActiveAnswer>(`/environments/${slug}/active`, known);
    expect(changed.status).toBe(200);
    expect(changed.body).toMatchObject({
      environment: slug,
      release: 2,
      items: [{ slug: 'two', number: 2 }],
    });
  });

  it('of one environment are never taken for those of another that has its slug now', async () => {
    const slug = await place();
    await good(activate('one', 1, slug));
    const active = await http.get(`/environments/${slug}/active`);
    const release = await http.get(`/environments/${slug}/releases/1`);
    await good(http.patch(`/environments/${slug}`, { name: `${slug}-before` }));
    await good(http.post('/environments', { name: 'successor', slug }));
    await good(activate('two', 1, slug));
    for (const [path, known] of [
      ['active', active],
      ['releases/1', release],
    ] as const) {
      const tag = { 'if-none-match': known.headers.get('etag') ?? '' };
      const now = await http.get(`/environments/${slug}/${path}`, tag);
      expect({ path, status: now.status }).toEqual({ path, status: 200 });
    }
  });
});
