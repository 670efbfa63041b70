// The audit trail over HTTP, on the real server: what every command leaves in it, how it is asked, and what becomes of
// those who were denied something.
import { startOwnServer, type OwnServer } from '../../scripts/own-server.js';
import type { Environment, Flow, Page, Version } from '../../scripts/client.js';
import type { AuditEntryAnswer } from '../../src/api/audit.answers.js';
import { everyCommand, sendWithKey, type Command } from '../support/every-command.js';
import { good, Http, pointersOf, refused } from '../support/http.js';
import { serversOfSuite, ServerProcess } from '../support/server-process.js';
import { until } from '../support/spec.js';

type Entry = AuditEntryAnswer;

const trail = (http: Http, query = '', path = '/audit') =>
  good(http.get<Page<Entry>>(`${path}${query === '' ? '' : `?${query}`}`));

/** All of it, page after page. */
async function whole(http: Http, query: string): Promise<Entry[]> {
  const found: Entry[] = [];
  let cursor = '';
  for (;;) {
    const page = await trail(http, `${query}&limit=7${cursor}`);
    found.push(...page.items);
    if (page.nextCursor === null) return found;
    cursor = `&cursor=${page.nextCursor}`;
  }
}

const summaries = (entries: readonly Entry[]) => entries.map(({ summary }) => summary);

describe('Every command', () => {
  let server: OwnServer;
  let http: Http;
  let commands: readonly Command[];
  beforeAll(async () => {
    server = await startOwnServer();
    http = new Http(server.url, server.key);
    commands = await everyCommand(http);
  });
  afterAll(() => server.stop());

  it('leaves entries that say who did what, by which request', async () => {
    let silent = 0;
    for (const [index, command] of commands.entries()) {
      const before = (await trail(http, 'limit=1')).items[0];
      const { headers } = await sendWithKey(http, command, `key-${index}`);
      const requestId = headers.get('x-request-id') ?? '';
      const { items } = await trail(http, `correlationId=${requestId}&direction=forwards`);
      const effects = items.filter(({ type }) => type !== 'CommandAnswered');
      // What befalls another workspace is in the trail of that one.
      if (effects.length === 0 && !command.path.startsWith('/workspaces')) silent += 1;
      expect(items.length).toBe(effects.length + 1);
      for (const entry of items) {
        expect(BigInt(entry.position)).toBeGreaterThan(BigInt(before?.position ?? 0));
        expect(entry).toMatchObject({
          ...{ outcome: 'success', requestId, correlationId: requestId, causationId: requestId },
          actor: { type: 'api-key', name: 'administrator', id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
          ...{ ip: '127.0.0.1', userAgent: 'node' },
          ...{ summary: expect.stringMatching(/^\S.*\S$/), time: expect.stringMatching(/Z$/) },
        });
        expect(await good(http.get(`/audit/${entry.position}`))).toEqual(entry);
        const inProject = http.get(`/projects/${entry.project ?? 'default'}/audit/${entry.position}`);
        if (entry.project === null) await refused(inProject, 404, 'position-not-found');
        else expect(await good(inProject)).toEqual(entry);
        const isNew = command.path === '/projects' && entry.type !== 'CommandAnswered';
        expect(entry.project === null).toBe(!isNew && /^\/(keys|workspaces|projects$)/.test(command.path));
      }
    }
    // One command of the list promotes what was promoted already, one edits to what is there.
    expect(silent).toBeLessThanOrEqual(3);
  });

  it('is worded with the names of then, though they are others now', async () => {
    const { items } = await trail(http, 'environment=live&direction=forwards');
    expect(summaries(items).slice(0, 3)).toEqual([
      'Environment production was created',
      'production became the default environment',
      'Environment production was renamed to live',
    ]);
    expect(items.map(({ environment }) => environment?.slug).slice(0, 3)).toEqual([
      ...['production', 'production', 'live'],
    ]);
    const [release] = (await trail(http, 'environment=staging&type=EnvironmentRolledBack')).items;
    expect(release).toMatchObject({
      summary: 'staging was rolled back to before its first release: greeting 1 → none',
      ...{ release: 2, flow: { slug: 'greeting' }, version: { number: 1 } },
      before: { flows: [{ slug: 'greeting', version: 1 }] },
      after: { flows: [{ slug: 'greeting', version: null }] },
    });
  });

  it('keeps every secret and every content out', async () => {
    const texts = JSON.stringify([await whole(http, ''), await whole(http, 'actor=system')]);
    expect(texts).not.toContain(server.key);
    expect(texts).not.toMatch(/"hash"|requestHash|"content"|"body"|Hello|key-0/);
  });

  it('can be gone through backwards and forwards while others go on', async () => {
    const backwards = await whole(http, '');
    const forwards: Entry[] = [];
    let page = await trail(http, 'direction=forwards&limit=5');
    for (let more = 0; ; more += 1) {
      forwards.push(...page.items);
      if (page.nextCursor === null) break;
      if (more < 3) await good(http.post('/flows', { name: `More ${more}` }));
      page = await trail(http, `direction=forwards&limit=5&cursor=${page.nextCursor}`);
    }
    expect(forwards.slice(0, backwards.length)).toEqual([...backwards].reverse());
    expect(summaries(forwards.slice(backwards.length))).toEqual(
      [0, 1, 2].flatMap((more) => [
        `The slug more-${more} was reserved for a flow`,
        `Flow more-${more} was created (kind flow)`,
      ]),
    );
  });
});

describe('The trail is asked', () => {
  let server: OwnServer;
  let http: Http;
  let flow: Flow;
  let versionId: string;
  beforeAll(async () => {
    server = await startOwnServer();
    http = new Http(server.url, server.key);
    for (const name of ['production', 'staging']) await good(http.post('/environments', { name }));
    for (const name of ['summarizer', 'ranker']) await good(http.post('/flows', { name, content: { v: 1 } }));
    flow = await good(http.get<Flow>('/flows/summarizer'));
    const drafted = { content: { v: 2 }, comment: 'Größere Überschriften' };
    versionId = (await good(http.post<Version>('/flows/summarizer/versions', drafted))).id;
    for (const version of [1, 2]) {
      const body = { environment: 'staging', comment: `Try ${version} in the café` };
      await good(http.post(`/flows/summarizer/versions/${version}/environments`, body));
    }
    await good(http.post('/flows/ranker/versions/1/environments', { environment: 'staging' }));
    const promotion = { sourceEnvironment: 'staging', targetEnvironment: 'production', comment: 'All of it' };
    await good(http.post('/environments/promote', promotion));
    await good(http.post('/environments/staging/rollback', { toRelease: 1 }));
  });
  afterAll(() => server.stop());

  it('by environment, flow, version, actor and type, and by several at once', async () => {
    const { id } = await good(http.get<Environment>('/environments/production'));
    const promoted = 'Promoted 2 flows from staging (release 3) to production, release 1';
    for (const reference of ['production', id]) {
      expect(summaries((await trail(http, `environment=${reference}`)).items)).toEqual([
        promoted,
        'Environment production was created',
      ]);
    }
    const second = [
      'staging was rolled back to release 1: 2 flows changed',
      promoted,
      'summarizer version 2 was activated in staging in place of version 1, release 2',
      'summarizer version 2 was locked',
      'summarizer version 2 was drafted',
    ];
    for (const query of ['flow=summarizer&version=2', `flow=${flow.id}&version=2`, `version=${versionId}`]) {
      expect(summaries((await trail(http, query)).items)).toEqual(second);
    }
    const both = `flow=summarizer&environment=staging&type=VersionActivated`;
    expect((await trail(http, both)).items.map(({ release }) => release)).toEqual([2, 1]);
    const system = await whole(http, 'actor=system');
    expect(system.every(({ actor }) => actor.type === 'system' && actor.name === 'Switchyard')).toBe(true);
    const keyId = (await trail(http, 'limit=1')).items[0]?.actor.id ?? '';
    const mine = await whole(http, `actor=${keyId}`);
    expect(mine.length + system.length).toBe((await whole(http, '')).length);
    expect(await trail(http, `actor=${flow.id}`)).toEqual({ items: [], nextCursor: null });
    expect(await trail(http, 'type=Dreamt')).toEqual({ items: [], nextCursor: null });
  });

  it('by words, whatever their case and accents, the last one by its beginning', async () => {
    const ask = async (q: string) => summaries((await trail(http, `q=${encodeURIComponent(q)}`)).items);
    expect(await ask('GROSSERE uber')).toEqual([]);
    expect(await ask('größere über')).toEqual(['summarizer version 2 was drafted']);
    expect(await ask('GROßERE UBERschr')).toEqual(['summarizer version 2 was drafted']);
    expect(await ask('try cafe')).toHaveLength(2);
    expect(await ask('cafe tr')).toHaveLength(2);
    expect(await ask('caf try')).toEqual([]);
    expect(await ask('rolled back summarizer')).toEqual([]);
  });

  it('from a time or position to another', async () => {
    const all = await whole(http, 'direction=forwards');
    const [first, last] = [all[5], all[9]];
    const expected = all.slice(5, 10);
    expect(await whole(http, `from=${first?.position}&to=${last?.position}&direction=forwards`)).toEqual(
      expected,
    );
    const [from, to] = [first?.time ?? '', last?.time ?? ''];
    const between = all.filter(({ time }) => time >= from && time <= to);
    expect(await whole(http, `from=${from}&to=${to}&direction=forwards`)).toEqual(between);
    const inZurich = new Date(Date.parse(to) + 3_600_000).toISOString().replace('Z', '%2B01:00');
    expect(await whole(http, `from=${from}&to=${inZurich}&direction=forwards`)).toEqual(between);
    expect((await trail(http, `from=${to}&to=${from}`)).items.length).toBe(to === from ? all.length : 0);
  });

  it('for what there is: whatever names nothing is not found', async () => {
    const nobody = '00000000-0000-7000-8000-000000000000';
    await refused(http.get('/audit?environment=nowhere'), 404, 'environment-not-found');
    await refused(http.get('/audit?flow=nothing'), 404, 'flow-not-found');
    await refused(http.get(`/audit?flow=${nobody}`), 404, 'flow-not-found');
    await refused(http.get('/audit?flow=summarizer&version=9'), 404, 'version-not-found');
    await refused(http.get(`/audit?version=${nobody}`), 404, 'version-not-found');
    await refused(http.get(`/audit?flow=ranker&version=${versionId}`), 404, 'version-not-found');
    await refused(http.get('/audit/9007199254740993'), 404, 'position-not-found');
    await refused(http.get('/audit/0'), 404, 'position-not-found');
    await refused(http.get('/projects/nothing/audit'), 404, 'project-not-found');
  });

  it('in its own terms: anything else is refused with the field that is wrong', async () => {
    const wrong = async (query: string, status = 400, code = 'invalid-query') =>
      pointersOf(await refused(http.get(`/audit?${query}`), status, code));
    for (const [name, value] of [
      ...[
        ['version', '1'],
        ['version', 'latest'],
        ['actor', 'me'],
        ['type', 'a-b'],
        ['from', 'yesterday'],
      ],
      ...[
        ['to', '2026-02-30T25:00:00Z'],
        ['from', '2026-03-01T00:00:00'],
        ['direction', 'up'],
        ['q', '...'],
      ],
      ...[
        ['cursor', 'MDE'],
        ['limit', '0'],
        ['correlationId', ''],
        ['q', 'a '.repeat(21)],
        ['colour', 'red'],
      ],
    ]) {
      expect(await wrong(`${name}=${encodeURIComponent(value ?? '')}`)).toEqual([`/${name}`]);
    }
    expect(await wrong('environment=No', 422, 'invalid-reference')).toEqual(['/environment']);
    expect(await wrong('flow=a&flow=b')).toContain('/flow');
    await refused(http.get('/audit/newest'), 422, 'invalid-reference');
  });

  it('of one project, or of all that belongs to the workspace', async () => {
    const inProject = await trail(http, 'limit=500', '/projects/default/audit');
    const everywhere = await trail(http, 'limit=500');
    expect(inProject.items).toEqual(everywhere.items.filter(({ project }) => project !== null));
    const created = everywhere.items.find(({ type }) => type === 'WorkspaceCreated');
    expect(created?.project).toBeNull();
    const path = `/projects/default/audit/${created?.position}`;
    await refused(http.get(path), 404, 'position-not-found');
  });
});

describe('Who is denied something', () => {
  const suite = serversOfSuite();
  const [OLD_KEY, KEY] = ['the-old-key-of-the-administrator-1', 'the-new-key-of-the-administrator-2'];
  let folder: string;
  let server: ServerProcess;
  let http: Http;
  const start = async (key: string) => {
    server = suite.kept(await ServerProcess.start(folder, { SWITCHYARD_ADMIN_KEY: key }));
    http = new Http(server.url, key);
  };
  const denied = () => whole(http, 'type=AttemptDenied');
  beforeAll(async () => {
    folder = suite.newFolder();
    await start(OLD_KEY);
    await good(http.post('/environments', { name: 'production' }));
    await server.kill('SIGTERM');
    await start(KEY);
  });

  it('with a key that was revoked is in the trail, by the id of the key, also after a restart', async () => {
    const issued = await whole(http, 'type=ApiKeyIssued');
    expect(issued).toHaveLength(2);
    for (const times of [1, 2]) {
      await refused(
        new Http(server.url, OLD_KEY).get('/environments/production?secret=1'),
        401,
        'unauthorized',
      );
      await refused(
        new Http(server.url, 'a-key-that-nobody-knows').get('/environments'),
        401,
        'unauthorized',
      );
      await until(async () => (await denied()).length === times);
      await server.kill('SIGTERM');
      await start(KEY);
    }
    const [entry] = await denied();
    const { id } = await good(http.get<Environment>('/environments/production'));
    expect(entry).toMatchObject({
      summary: 'An attempt was denied: unauthorized on GET /api/v1/environments/:environment',
      ...{ outcome: 'denied', comment: null, before: null, after: null },
      actor: { type: 'api-key', id: (issued[1]?.after as { keyId?: string }).keyId, name: 'administrator' },
      environment: { id, slug: 'production' },
    });
    expect(await whole(http, `actor=${entry?.actor.id}&environment=production`)).toHaveLength(3);
  });

  it('because the release had moved is in the trail, with the environment that was meant', async () => {
    const pinned = (key: string) =>
      http.post(
        '/environments/production/rollback',
        { comment: 'PRIVATE' },
        { 'if-match': '"7"', 'idempotency-key': key },
      );
    const count = (await denied()).length;
    await refused(pinned('k1'), 412, 'release-moved');
    const promotion = {
      sourceEnvironment: 'staging',
      targetEnvironment: 'production',
      expectedTargetRelease: 7,
    };
    await good(http.post('/environments', { name: 'staging' }));
    await refused(http.post('/environments/promote', promotion), 412, 'release-moved');
    await until(async () => (await denied()).length === count + 2);
    const newest = (await denied()).slice(0, 2);
    expect(newest.map(({ environment }) => environment?.slug)).toEqual(['production', 'production']);
    expect(summaries(newest)).toEqual([
      'An attempt was denied: release-moved on POST /api/v1/environments/promote',
      'An attempt was denied: release-moved on POST /api/v1/environments/:environment/rollback',
    ]);
    // What is kept is no effect of the command: with its key it is decided again.
    await refused(pinned('k1'), 412, 'release-moved');
  });

  it('again and again is there ten times a minute, and how often more once that is over', async () => {
    const { id } = await good(http.get<{ id: string }>('/me'));
    const before = (await denied()).filter(({ actor }) => actor.id === id).length;
    for (let more = 0; more < 15; more += 1) {
      const body = { toRelease: 0 };
      await refused(
        http.post('/environments/production/rollback', body, { 'if-match': '"7"' }),
        412,
        'release-moved',
      );
    }
    const mine = async () => (await denied()).filter(({ actor }) => actor.id === id);
    await until(async () => (await mine()).length === 10);
    await good(http.post('/flows', { name: 'After' }));
    expect(await mine()).toHaveLength(10);
    expect(before).toBeLessThan(10);
  });

  it('leaves nothing of what was sent in the clear', async () => {
    const text = JSON.stringify(await denied());
    expect(text).not.toMatch(/PRIVATE|secret|production\/rollback|of-the-administrator/);
  });

  it('the trail is the same once every row was made anew', async () => {
    const before = await whole(http, '');
    await good(http.post('/views/rebuild'));
    await until(async () => {
      const { lastRebuild } = await good(http.get<{ lastRebuild: { equal: boolean } | null }>('/views'));
      return lastRebuild?.equal === true;
    });
    expect(await whole(http, '')).toEqual(before);
    await server.kill('SIGTERM');
    await start(KEY);
    expect(await whole(http, '')).toEqual(before);
  });
});
