// Time travel and the history of pointers over HTTP: how moments are named, what is refused, what may be kept, and
// pages that begin anywhere. That the answers are right is the matter of test/read/past.spec.ts.
import type { Changed, Environment, Flow, Release } from '../../scripts/client.js';
import { startOwnServer, type OwnServer } from '../../scripts/own-server.js';
import { good, Http, pointersOf, refused } from '../support/http.js';

interface AsOf {
  readonly position: string;
}

interface Active extends AsOf {
  readonly release: number;
  readonly items: readonly { readonly slug: string; readonly number: number }[];
}

interface StatesDiff {
  readonly from: AsOf & { readonly environment: string; readonly release: number };
  readonly to: AsOf & { readonly environment: string; readonly release: number };
  readonly summary: Record<string, number>;
  readonly items: readonly {
    readonly slug: string;
    readonly change: string;
    readonly from: unknown;
    readonly to: unknown;
  }[];
}

interface Page {
  readonly items: readonly {
    readonly environment: string;
    readonly flow: string;
    readonly flowId: string;
    readonly release: number;
    readonly kind: string;
    readonly from: { readonly number: number } | null;
    readonly to: { readonly number: number } | null;
    readonly comment: string | null;
    readonly time: string;
    readonly position: string;
    readonly links: { readonly release: string; readonly audit: string };
  }[];
  readonly nextCursor: string | null;
}

const FLOWS = 300;
const PAGES_MAX = 50;
const IMMUTABLE = 'private, max-age=31536000, immutable';

let server: OwnServer;
let http: Http;
/** Position and time of each release of production. */
const releases: Release[] = [];

async function release(pending: ReturnType<Http['post']>): Promise<Release> {
  const { release: made } = await good(pending as ReturnType<typeof http.post<Changed>>);
  if (made === null) throw new Error('Nothing was released');
  await later(made.createdAt);
  return made;
}

/** What comes next has another time. */
async function later(moment: string): Promise<void> {
  while (Date.now() <= Date.parse(moment)) await new Promise((resolve) => setTimeout(resolve, 1));
}

const activate = (version: number, environment: string, comment?: string) =>
  release(http.post(`/flows/chat/versions/${version}/environments`, { environment, comment }));

beforeAll(async () => {
  server = await startOwnServer();
  http = new Http(server.url, server.key);
  await good(http.post('/environments', { name: 'production' }));
  await good(http.post('/environments', { name: 'staging' }));
  await good(http.post('/flows', { name: 'chat', content: { wording: 1 } }));
  for (const wording of [2, 3]) await good(http.post('/flows/chat/versions', { content: { wording } }));
  releases.push(await activate(1, 'production', 'The first.'));
  releases.push(await activate(2, 'production'));
  await activate(3, 'staging');
  const rollback = http.post('/environments/production/rollback', { comment: 'Back.' });
  releases.push(await release(rollback));
});
afterAll(() => server.stop());

const at = (number: number): string => releases[number - 1]?.position ?? '';
const time = (number: number): string => releases[number - 1]?.createdAt ?? '';

describe('A moment', () => {
  it('is a position, or a time in any offset, with its plus escaped or not', async () => {
    const expected = await good(http.get<Active>(`/environments/production/active?at=${at(1)}`));
    expect(expected).toMatchObject({ release: 1, position: at(1), items: [{ slug: 'chat', number: 1 }] });
    const local = new Date(Date.parse(time(1)) + 2 * 3_600_000).toISOString().replace('Z', '');
    for (const moment of [
      time(1),
      time(1).toLowerCase(),
      `${local}+02:00`,
      `${local}%2B02:00`,
      `${local} 02:00`,
    ]) {
      const answer = await good(http.get<Active>(`/environments/production/active?at=${moment}`));
      expect(answer).toEqual(expected);
    }
  });

  it.each([
    ['', 'yesterday', '2026-03-03', '2026-03-03T14:05:00', '2026-02-30T00:00:00Z', '2026-03-03T25:00:00Z'],
    ['007', '-1', '1.5', '2026-03-03T14:05:00+24:00', '99999999999999999999', '2026-03-03T14:05Z'],
    ['9999-12-31T23:59:59-00:01', '9999-12-31T23:59:60Z', '0000-01-01T00:00:00+00:01'],
  ])('is nothing else: %s, %s …', async (...moments) => {
    const reads = ['/environments/production/active', '/environments/production', '/environments/default'];
    for (const read of [...reads, '/flows/chat', '/flows/chat/resolve', '/projects/default']) {
      for (const moment of moments) {
        const problem = await refused(http.get(`${read}?at=${moment}`), 400, 'invalid-query');
        expect(pointersOf(problem)).toEqual(['/at']);
      }
    }
  });

  it('that has not come yet is refused', async () => {
    const hour = new Date(Date.now() + 3_600_000).toISOString();
    for (const moment of ['999999999', hour]) {
      const problem = await refused(http.get(`/flows/chat/resolve?at=${moment}`), 422, 'at-not-reached');
      expect(pointersOf(problem)).toEqual(['/at']);
    }
    const problem = await refused(
      http.get(`/diff?from=production&to=staging@${hour}`),
      422,
      'at-not-reached',
    );
    expect(pointersOf(problem)).toEqual(['/to']);
  });

  it('before a thing existed knows nothing of it', async () => {
    await refused(http.get('/projects/default?at=0'), 404, 'project-not-found');
    const { position } = await good(http.post<Environment & AsOf>('/environments', { name: 'late' }));
    const before = String(BigInt(position) - 1n);
    await refused(http.get(`/environments/late?at=${before}`), 404, 'environment-not-found');
    await refused(http.get(`/environments/late/active?at=${before}`), 404, 'environment-not-found');
    const flow = await good(http.post<Flow & AsOf>('/flows', { name: 'later' }));
    await refused(http.get(`/flows/later?at=${position}`), 404, 'flow-not-found');
    await refused(http.get(`/flows/${flow.id}/resolve?at=${position}`), 404, 'flow-not-found');
    await refused(http.get(`/flows/chat/resolve?version=4&at=${position}`), 404, 'version-not-found');
  });

  it('is not asked of a route that knows none, nor of a command', async () => {
    for (const read of [
      '/flows',
      '/environments',
      '/environments/production/releases',
      '/flows/chat/versions/1',
    ]) {
      expect(pointersOf(await refused(http.get(`${read}?at=1`), 400, 'invalid-query'))).toEqual(['/at']);
    }
    await refused(http.post('/environments?at=1', { name: 'then' }), 400, 'invalid-query');
  });

  it('says which environment was the default one', async () => {
    const before = await good(http.get<AsOf & { environment: string | null }>('/environments/default'));
    expect(before.environment).toBeNull();
    await good(http.put('/environments/default', { environment: 'production' }));
    expect(await good(http.get('/environments/default'))).toMatchObject({ environment: 'production' });
    const then = await good(http.get(`/environments/default?at=${before.position}`));
    expect(then).toEqual(before);
    await good(http.put('/environments/default', { environment: null }));
  });
});

describe('An answer about the past', () => {
  const READS = (moment: string): string[] => [
    `/environments/production/active?at=${moment}`,
    `/environments/production?at=${moment}`,
    `/environments/default?at=${moment}`,
    `/environments/diff?sourceEnvironment=staging&targetEnvironment=production&at=${moment}`,
    `/flows/chat?at=${moment}`,
    `/flows/chat/resolve?environment=production&at=${moment}`,
    `/projects/default?at=${moment}`,
    `/diff?from=production@${moment}&to=staging@${moment}`,
  ];

  it('may be kept for ever once it is settled, and is not sent to whoever has it', async () => {
    // A later event, after which nothing can still belong to these moments.
    await good(http.post('/environments', { name: 'afterwards' }));
    for (const path of [...READS(at(1)), ...READS(time(3))]) {
      const { status, headers } = await http.get(path);
      expect({ path, status, caching: headers.get('cache-control') }).toEqual({
        path,
        status: 200,
        caching: IMMUTABLE,
      });
      const again = await http.get(path, { 'if-none-match': headers.get('etag') ?? '' });
      expect({ path, status: again.status, text: again.text }).toEqual({ path, status: 304, text: '' });
      expect(again.headers.get('cache-control')).toBe(IMMUTABLE);
    }
  });

  it('is asked for again while something may still belong to its moment', async () => {
    const now = new Date().toISOString();
    for (const path of READS(now)) {
      const { status, headers } = await http.get(path);
      expect({ path, status, caching: headers.get('cache-control') }).toMatchObject({
        caching: 'private, no-cache',
      });
      expect((await http.get(path, { 'if-none-match': headers.get('etag') ?? '' })).status).toBe(304);
    }
  });

  it('has another tag than the release of an environment, which pins commands', async () => {
    const { headers } = await http.get(`/environments/production?at=${at(1)}`);
    const pinned = http.post(
      '/environments/production/rollback',
      {},
      { 'if-match': headers.get('etag') ?? '' },
    );
    await refused(pinned, 400, 'invalid-header');
  });
});

describe('The difference of two states', () => {
  it('goes from one release, position or time to another, of any environments', async () => {
    const diff = await good(http.get<StatesDiff>('/diff?from=production@r1&to=production@r2'));
    expect(diff.from).toEqual({ environment: 'production', release: 1, position: at(1) });
    expect(diff.to).toEqual({ environment: 'production', release: 2, position: at(2) });
    expect(diff.summary).toEqual({ added: 0, changed: 1, removed: 0, unchanged: 0 });
    expect(diff.items).toMatchObject([
      { slug: 'chat', change: 'changed', from: { number: 1 }, to: { number: 2 } },
    ]);
    for (const [from, to] of [
      [`production@${at(1)}`, `production@${at(2)}`],
      [`production@${time(1)}`, `production@${time(2)}`],
    ]) {
      expect(await good(http.get(`/diff?from=${from}&to=${to}`))).toEqual(diff);
    }
    const added = await good(http.get<StatesDiff>('/projects/default/diff?from=production@r0&to=staging'));
    expect(added.items).toMatchObject([{ change: 'added', from: null, to: { number: 3 } }]);
    const removed = await good(http.get<StatesDiff>('/diff?from=staging&to=production@r0'));
    expect(removed.items).toMatchObject([{ change: 'removed', from: { number: 3 }, to: null }]);
    const same = await good(
      http.get<StatesDiff>('/diff?from=production@r1&to=production&includeUnchanged=true'),
    );
    expect(same).toMatchObject({ summary: { unchanged: 1 }, items: [{ change: 'unchanged' }] });
  });

  it('refuses what names no state', async () => {
    await refused(http.get('/diff?from=production@r9&to=production'), 404, 'release-not-found');
    await refused(http.get('/diff?from=nowhere&to=production'), 404, 'environment-not-found');
    for (const wrong of [
      '',
      'production@',
      'production@r',
      'production@r1@2',
      'Production',
      'production@then',
    ]) {
      const problem = await refused(http.get(`/diff?from=production&to=${wrong}`), 400, 'invalid-query');
      expect(pointersOf(problem)).toEqual(['/to']);
    }
    expect(pointersOf(await refused(http.get('/diff'), 400, 'invalid-query'))).toEqual(['/from', '/to']);
  });

  it('may be kept for ever when both states are fixed, for which a release is named by id', async () => {
    const { id } = await good(http.get<Environment>('/environments/production'));
    const caching = async (path: string) => (await http.get(path)).headers.get('cache-control');
    expect(await caching(`/diff?from=${id}@r1&to=${id}@r2`)).toBe(IMMUTABLE);
    expect(await caching(`/diff?from=production@r1&to=${id}@r2`)).toBe('private, no-cache');
    expect(await caching(`/diff?from=${id}@r1&to=production`)).toBe('private, no-cache');
  });
});

describe('The history of a pointer', () => {
  it('is told newest first, with who, why and where to read on', async () => {
    const { items } = await good(http.get<Page>('/flows/chat/history'));
    expect(
      items.map(({ environment, release: number, kind, from, to }) => [
        environment,
        number,
        kind,
        from?.number,
        to?.number,
      ]),
    ).toEqual([
      ['production', 3, 'rollback', 2, 1],
      ['staging', 1, 'activation', undefined, 3],
      ['production', 2, 'activation', 1, 2],
      ['production', 1, 'activation', undefined, 1],
    ]);
    expect(items[0]).toMatchObject({ flow: 'chat', comment: 'Back.', time: time(3), position: at(3) });
    expect(items[0]).toMatchObject({ actor: { type: 'api-key', name: 'administrator' } });
    const { links } = items[0] ?? {};
    expect(links?.audit).toBe(`/api/v1/audit/${at(3)}`);
    expect(await good(http.send<Release>('GET', links?.release ?? ''))).toMatchObject({
      number: 3,
      position: at(3),
    });
  });

  it('is that of one environment or one flow when asked so', async () => {
    const staging = await good(http.get<Page>('/flows/chat/history?environment=staging'));
    expect(staging.items.map(({ environment }) => environment)).toEqual(['staging']);
    const chat = await good(http.get<Page>('/environments/production/history?flow=chat'));
    expect(chat.items.map(({ release: number }) => number)).toEqual([3, 2, 1]);
    await refused(http.get('/flows/chat/history?environment=nowhere'), 404, 'environment-not-found');
    await refused(http.get('/environments/production/history?flow=nothing'), 404, 'flow-not-found');
    await refused(http.get('/flows/nothing/history'), 404, 'flow-not-found');
    await refused(http.get('/flows/chat/history?cursor=AAAA'), 400, 'invalid-query');
  });

  it('comes in pages that join without a gap or a repeat', async () => {
    const whole = await good(http.get<Page>('/flows/chat/history'));
    expect(await inPages('/flows/chat/history', 1)).toEqual(whole.items);
    const environment = await good(http.get<Page>('/environments/production/history'));
    expect(await inPages('/environments/production/history', 2)).toEqual(environment.items);
  });

  it('is paged by what it shows, which counts nothing that happens elsewhere', async () => {
    for (const path of ['/flows/chat/history', '/environments/production/history']) {
      const { items, nextCursor } = await good(http.get<Page>(`${path}?limit=1`));
      const { position, release: number, flowId } = items[0] ?? {};
      const said = Buffer.from(nextCursor ?? '', 'base64url').toString();
      expect([position, `${number} ${flowId}`]).toContain(said);
    }
    const numbered = Buffer.from('7').toString('base64url');
    const cursor = `/environments/production/history?cursor=${numbered}`;
    expect(pointersOf(await refused(http.get(cursor), 400, 'invalid-query'))).toEqual(['/cursor']);
  });

  it('goes on inside a release of many flows', async () => {
    await good(http.post('/environments', { name: 'wide' }));
    await good(http.post('/environments', { name: 'copy' }));
    const slugs = Array.from({ length: FLOWS }, (_, number) => `wide-${number}`);
    for (let from = 0; from < FLOWS; from += 100) {
      const made = slugs.slice(from, from + 100).map(async (name) => {
        await good(http.post('/flows', { name, content: { name } }));
        await good(http.post(`/flows/${name}/versions/1/environments`, { environment: 'wide' }));
      });
      await Promise.all(made);
    }
    const pair = { sourceEnvironment: 'wide', targetEnvironment: 'copy', comment: 'All of it.' };
    const made = await release(http.post('/environments/promote', pair));
    expect(made.changes).toHaveLength(FLOWS);
    const items = await inPages('/environments/copy/history', 70);
    expect(new Set(items.map(({ flow }) => flow))).toEqual(new Set(slugs));
    expect(items).toHaveLength(FLOWS);
    expect(new Set(items.map(({ position, comment }) => `${position} ${comment}`))).toEqual(
      new Set([`${made.position} All of it.`]),
    );
  }, 60_000);
});

async function inPages(path: string, limit: number): Promise<Page['items']> {
  const items = [];
  let cursor = '';
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const page = await good(http.get<Page>(`${path}?limit=${limit}${cursor}`));
    expect(page.items.length).toBeLessThanOrEqual(limit);
    items.push(...page.items);
    if (page.nextCursor === null) return items;
    cursor = `&cursor=${page.nextCursor}`;
  }
  throw new Error(`${path} has more than ${PAGES_MAX} pages`);
}
