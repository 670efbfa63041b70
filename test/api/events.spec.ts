// The stream of changes, told over HTTP to the real server: what each change looks like, who is told of it, and that
// whoever comes back goes on where it was.
import { v7 as uuidv7 } from 'uuid';
import { CHANGE_TYPES } from '../../src/api/change-events.js';
import type { ChangeEventAnswer } from '../../src/api/change.answers.js';
import { hashOfKey } from '../../src/commands/api-key.js';
import { readConfig } from '../../src/config.js';
import { access } from '../../src/domain/access.js';
import type { Decider } from '../../src/domain/decider.js';
import { streamOf, type DomainEvent } from '../../src/domain/events.js';
import { project } from '../../src/domain/project.js';
import { Engine } from '../../src/engine.js';
import type { Changed, Environment, Flow, Page, Project, Version } from '../../scripts/client.js';
import { EventClient } from '../support/event-client.js';
import { good, Http, pointersOf, refused } from '../support/http.js';
import { ADMIN_KEY, serversOfSuite, type ServerProcess } from '../support/server-process.js';

const OTHER_KEY = 'a-key-of-another-workspace-for-tests';
const STOP_MS_MAX = 10_000;
const suite = serversOfSuite();
let server: ServerProcess;
let http: Http;
/** In another workspace, and in another project of the same one. */
let stranger: Http;
let everything: EventClient;
let source: string;

/** A second workspace with a key of its own, and a second project beside the default one. */
async function settle(folder: string): Promise<void> {
  const config = readConfig({ SWITCHYARD_DATA: folder, SWITCHYARD_ADMIN_KEY: ADMIN_KEY });
  const engine = await Engine.open(config);
  const [own, other] = [engine.follower.live.directory.workspaceBySlug('default')?.id ?? '', uuidv7()];
  async function make<State, Command, Event extends DomainEvent>(
    [stream, workspaceId, projectId]: readonly [string, string, string | null],
    decider: Decider<State, Command, Event>,
    ...commands: readonly Command[]
  ): Promise<void> {
    const caller = {
      actor: { type: 'system', id: 'tests' },
      workspaceId,
      projectId,
      requestId: uuidv7(),
    } as const;
    const load = () => ({ state: decider.initial(), revision: -1 });
    const decide = (state: State) =>
      commands.flatMap((command) => {
        const events = decider.decide(state, command);
        for (const event of events) decider.evolve(state, event);
        return events;
      });
    await engine.commandLog.run({ stream, load, decide, caller });
  }
  await make(
    [streamOf('access', other), other, null],
    access,
    { type: 'CreateWorkspace', slug: 'other', name: 'Other' },
    { type: 'SetAdministratorKey', keyId: uuidv7(), hash: hashOfKey(OTHER_KEY) },
  );
  for (const [workspaceId, slug] of [
    [other, 'default'],
    [own, 'second'],
  ] as const) {
    const id = uuidv7();
    const create = { type: 'CreateProject', slug, name: slug } as const;
    await make([streamOf('project', id), workspaceId, id], project, create);
  }
  await engine.close();
}

beforeAll(async () => {
  const folder = suite.newFolder();
  await settle(folder);
  server = await suite.start(folder);
  http = new Http(server.url, ADMIN_KEY);
  stranger = new Http(server.url, OTHER_KEY);
  const { id } = await good(http.get<Project>('/projects/default'));
  source = `/api/v1/projects/${id}`;
  everything = await EventClient.open(http);
  await everything.until(({ told }) => told.length === 1);
});
afterAll(() => everything.close());

/** Until everybody has been told of all that there is. */
async function upToDate(client: EventClient): Promise<EventClient> {
  const { position } = await good(http.send<{ position: string }>('GET', '/health/ready'));
  return client.untilId(position);
}

/** Does something, and answers what everybody was told of it. */
async function toldOf(work: () => Promise<void>): Promise<ChangeEventAnswer[]> {
  const before = (await upToDate(everything)).changes.length;
  await work();
  return (await upToDate(everything)).events.slice(before);
}

const actor = { type: 'api-key', id: expect.stringMatching(/^[0-9a-f-]{36}$/), name: 'administrator' };

function changeOf(type: string, subject: string | undefined, data: object): unknown {
  return {
    specversion: '1.0',
    id: expect.stringMatching(/^[1-9][0-9]*$/),
    source,
    type: `io.switchyard.${type}`,
    ...(subject !== undefined && { subject }),
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    datacontenttype: 'application/json',
    data: { ...data, actor, position: expect.stringMatching(/^[1-9][0-9]*$/) },
  };
}

describe('A stream of changes', () => {
  let production: Environment;
  let chat: Flow;
  let drafted: Version;
  const ofChat = () => ({ flow: 'chat', flowId: chat.id });
  const ofProduction = (slug = 'production') => ({ environment: slug, environmentId: production.id });
  const versionPath = (number: number) => `${source}/flows/${chat.id}/versions/${number}`;

  it('begins with what position it begins after, in an answer that nobody keeps', () => {
    const { headers, statusCode } = everything.answer;
    expect({ statusCode, headers }).toMatchObject({
      statusCode: 200,
      headers: {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
        'x-request-id': expect.stringMatching(/./),
      },
    });
    const [hello] = everything.told;
    expect(hello).toEqual({ id: hello?.id, event: 'hello', data: JSON.stringify({ position: hello?.id }) });
  });

  it('tells of what befalls environments', async () => {
    const told = await toldOf(async () => {
      const environment = { name: 'Production', color: '#00ff00', default: false };
      production = await good(http.post<Environment>('/environments', environment));
      await good(http.patch('/environments/production', { name: 'Live', slug: 'live' }));
      await good(http.patch('/environments/live', { description: 'Customers', color: null }));
      await good(http.post('/environments/live/archive'));
      await good(http.post('/environments/live/restore'));
      await good(http.put('/environments/default', { environment: 'live' }));
      await good(http.put('/environments/default', { environment: null }));
      await good(http.patch('/environments/live', { name: 'Production', slug: 'production' }));
    });
    expect(told).toEqual([
      changeOf('environment.created', 'environments/production', {
        ...{ ...ofProduction(), name: 'Production', description: null, color: '#00ff00' },
      }),
      changeOf('environment.renamed', 'environments/live', { ...ofProduction('live'), name: 'Live' }),
      changeOf('environment.described', 'environments/live', {
        ...{ ...ofProduction('live'), description: 'Customers', color: null },
      }),
      changeOf('environment.archived', 'environments/live', ofProduction('live')),
      changeOf('environment.restored', 'environments/live', ofProduction('live')),
      changeOf('default-environment.set', 'environments/live', ofProduction('live')),
      changeOf('default-environment.set', undefined, { environment: null, environmentId: null }),
      changeOf('environment.renamed', 'environments/production', { ...ofProduction(), name: 'Production' }),
    ]);
  });

  it('tells of what befalls flows and versions, and never of their content', async () => {
    const told = await toldOf(async () => {
      chat = await good(
        http.post<Flow>('/flows', { name: 'Chat', slug: 'chat', kind: 'prompt', content: { secret: 1 } }),
      );
      const draft = { content: { secret: 2 }, label: 'two', comment: 'why' };
      drafted = await good(http.post<Version>('/flows/chat/versions', draft));
      await good(http.patch('/flows/chat/versions/2', { content: { secret: 3 }, label: null }));
      await good(http.post('/flows/chat/versions/1/fork', { comment: 'c' }));
      await good(http.patch('/flows/chat', { name: 'Conversation' }));
      await good(http.post('/flows', { name: 'Spare' }));
      await good(http.post('/flows/spare/archive'));
    });
    const version = (number: number, data: object) => ({
      ...{ ...ofChat(), number, link: versionPath(number) },
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
      ...data,
    });
    const [one, two, three] = [1, 2, 3].map((number) => `flows/chat/versions/${number}`);
    const first = chat.latestVersionId;
    const versionId = expect.stringMatching(/^[0-9a-f-]{36}$/);
    const spare = { flow: 'spare', flowId: expect.stringMatching(/^[0-9a-f-]{36}$/) };
    expect(told).toEqual([
      changeOf('flow.created', 'flows/chat', { ...ofChat(), name: 'Chat', kind: 'prompt' }),
      changeOf(
        'version.drafted',
        one,
        version(1, { versionId: first, label: null, comment: null, forkedFrom: null }),
      ),
      changeOf('version.drafted', two, {
        ...version(2, { versionId: drafted.id, label: 'two', comment: 'why', forkedFrom: null }),
      }),
      changeOf('version.edited', two, version(2, { versionId: drafted.id, label: null, comment: 'why' })),
      changeOf(
        'version.drafted',
        three,
        version(3, { versionId, label: null, comment: 'c', forkedFrom: first }),
      ),
      changeOf('flow.renamed', 'flows/chat', { ...ofChat(), name: 'Conversation' }),
      changeOf('flow.created', 'flows/spare', { ...spare, name: 'Spare', kind: 'flow' }),
      changeOf('flow.archived', 'flows/spare', spare),
    ]);
    expect(JSON.stringify(told)).not.toContain('secret');
  });

  it('tells of releases as the API shows them, with a link to each', async () => {
    await good(http.post('/environments', { name: 'staging' }));
    const made: Changed[] = [];
    const told = await toldOf(async () => {
      const stage = { environment: 'staging', comment: 'first' };
      made.push(await good(http.post<Changed>('/flows/chat/versions/2/environments', stage)));
      const pair = { sourceEnvironment: 'staging', targetEnvironment: 'production', comment: 'go' };
      made.push(await good(http.post<Changed>('/environments/promote', pair)));
      made.push(await good(http.post<Changed>('/environments/production/rollback', { toRelease: 0 })));
      made.push(await good(http.delete<Changed>('/flows/chat/environments/staging')));
    });
    expect(told[0]).toEqual(
      changeOf('version.locked', 'flows/chat/versions/2', {
        ...{ ...ofChat(), versionId: drafted.id, number: 2, link: versionPath(2) },
        digest: expect.stringMatching(/^[0-9a-f]{64}$/),
      }),
    );
    const releases = told.slice(1);
    expect(releases.map(({ type, data }) => ({ type, kind: (data as { kind?: string }).kind }))).toEqual(
      ['activation', 'promotion', 'rollback', 'deactivation'].map((kind) => {
        return { type: 'io.switchyard.release.made', kind };
      }),
    );
    for (const [index, { id, subject, data }] of releases.entries()) {
      const { release } = made[index] as Changed;
      const { environmentId, changesTotal, link, ...shown } = data as unknown as Record<string, unknown>;
      expect(shown).toEqual(release);
      expect({ id, subject }).toEqual({
        id: release?.position,
        subject: `environments/${release?.environment}`,
      });
      expect(changesTotal).toBe(release?.changes.length);
      expect(await good(http.send('GET', String(link)))).toEqual(release);
      expect(link).toContain(String(environmentId));
    }
    for (const event of everything.events) {
      const { link } = event.data as { link?: string };
      if (link !== undefined) await good(http.send('GET', link));
    }
  });

  it('has told of every type of change by now, each at its position and under its type', () => {
    expect(new Set(everything.events.map(({ type }) => type))).toEqual(new Set(CHANGE_TYPES));
    for (const [index, { id, event }] of everything.changes.entries()) {
      const told = everything.events[index];
      expect({ id, event }).toEqual({ id: told?.id, event: told?.type });
      expect(told?.data.position).toBe(id);
    }
  });

  it('goes on after any message without a gap and without a repeat, by header or by query', async () => {
    const all = everything.changes;
    const ids = [everything.told[0]?.id ?? '', ...everything.ids];
    expect(ids.length).toBeGreaterThan(20);
    for (const [index, id] of ids.entries()) {
      const path = index % 2 === 0 ? '/events' : `/events?lastEventId=${id}`;
      const headers: Record<string, string> = index % 2 === 0 ? { 'last-event-id': id } : {};
      const client = await EventClient.open(http, path, headers);
      await client.until(({ changes }) => changes.length >= all.length - index);
      expect(client.told[0]).toMatchObject({ id, event: 'hello' });
      expect(client.ids).toEqual(ids.slice(index + 1));
      client.close();
    }
    const both = await EventClient.open(http, '/events?lastEventId=1', { 'last-event-id': ids.at(-2) ?? '' });
    await both.until(({ changes }) => changes.length > 0);
    expect(both.ids).toEqual(ids.slice(-1));
    both.close();
  });

  it('begins anew when it is asked for what this log has never held', async () => {
    const { position } = await good(http.send<{ position: string }>('GET', '/health/ready'));
    const client = await EventClient.openAfter(http, '99999999');
    await client.until(({ told }) => told.length === 1);
    const data = JSON.stringify({ reason: 'beyond-the-end', position });
    expect(client.told).toEqual([{ id: position, event: 'reset', data }]);
    const { release } = await good(
      http.post<Changed>('/flows/chat/versions/2/environments', { environment: 'staging' }),
    );
    await client.until(({ changes }) => changes.length === 1);
    expect(client.ids).toEqual([release?.position]);
    client.close();
  });
});

describe('A filter', () => {
  let one: EventClient;

  beforeAll(async () => {
    for (const name of ['left', 'right']) {
      await good(http.post('/environments', { name }));
      await good(http.post('/flows', { name, content: { name } }));
    }
    for (const [flow, environment] of ['left left', 'right left', 'right right'].map((pair) =>
      pair.split(' '),
    )) {
      await good(http.post(`/flows/${flow}/versions/1/environments`, { environment }));
    }
    await good(http.patch('/environments/left', { description: 'd' }));
    await good(http.post('/flows/left/versions', { content: {} }));
    one = await upToDate(await EventClient.openAfter(http, '0'));
  });
  afterAll(() => one.close());

  const released = ({ type }: ChangeEventAnswer) => type === 'io.switchyard.release.made';
  const touches = ({ data }: ChangeEventAnswer, slug: string) =>
    'changes' in data && data.changes.some((change) => change.slug === slug);
  const at = ({ data }: ChangeEventAnswer, slug: string) =>
    'environment' in data && data.environment === slug;

  const cases: [string, (event: ChangeEventAnswer) => boolean, number][] = [
    ['environment=left', (event) => at(event, 'left'), 4],
    [
      'flow=right',
      (event) => touches(event, 'right') || event.subject?.startsWith('flows/right') === true,
      5,
    ],
    ['environment=left&flow=right', (event) => at(event, 'left') && touches(event, 'right'), 1],
    [
      'type=io.switchyard.release.made&environment=right',
      (event) => released(event) && at(event, 'right'),
      1,
    ],
    ['type=io.switchyard.release&flow=left', (event) => released(event) && touches(event, 'left'), 1],
    [
      'type=io.switchyard.flow,io.switchyard.version.locked&flow=left',
      (event) =>
        /flow\.|version\.locked/.test(event.type) && event.subject?.startsWith('flows/left') === true,
      2,
    ],
    [
      'type=io.switchyard.environment.described&type=io.switchyard.flow.created',
      ({ type }) => /environment\.described|flow\.created/.test(type),
      6,
    ],
  ];

  it.each(cases)('%s lets through what it names', async (query, accepts, count) => {
    const expected = one.events.filter(accepts);
    expect(expected).toHaveLength(count);
    const client = await EventClient.openAfter(http, '0', `/events?${query}`);
    await client.until(({ changes }) => changes.length >= count);
    expect(client.events).toEqual(expected);
    client.close();
  });

  it('takes ids as well as slugs, and lets through as much of what comes as of what has been', async () => {
    const { id } = await good(http.get<Environment>('/environments/left'));
    const flow = await good(http.get<Flow>('/flows/right'));
    const client = await EventClient.open(http, `/events?environment=${id}&flow=${flow.id}`);
    await good(http.post('/flows/right/versions', { content: { again: true } }));
    for (const environment of ['right', 'left']) {
      await good(http.post('/flows/right/versions/2/environments', { environment }));
    }
    await good(http.delete('/flows/left/environments/left'));
    const { release } = await good(http.delete<Changed>('/flows/right/environments/left'));
    await client.untilId(release?.position ?? '');
    expect(client.events.map(({ subject }) => subject)).toEqual(['environments/left', 'environments/left']);
    client.close();
  });

  it.each([
    ['x=1', 400, 'invalid-query', ['/x']],
    ['type=io.switchyard.nothing', 400, 'invalid-query', ['/type']],
    ['type=io.switchyard.rel', 400, 'invalid-query', ['/type']],
    ['type=', 400, 'invalid-query', ['/type']],
    ['type=io.switchyard.flow,', 400, 'invalid-query', ['/type']],
    ['lastEventId=x', 400, 'invalid-query', ['/lastEventId']],
    ['lastEventId=1&lastEventId=2', 400, 'invalid-query', expect.arrayContaining(['/lastEventId'])],
    ['lastEventId=-1', 400, 'invalid-query', ['/lastEventId']],
    ['environment=%20', 422, 'invalid-reference', ['/environment']],
    ['environment=nowhere', 404, 'environment-not-found', []],
    ['flow=nobody', 404, 'flow-not-found', []],
  ])('%s is refused', async (query, status, code, pointers) => {
    const problem = await refused(http.get(`/events?${query}`), status, code);
    expect(pointersOf(problem)).toEqual(pointers);
  });

  it.each(['', 'x', '-1', '1.5', '01', '12345678901234567890', '1, 2'])(
    'a Last-Event-ID of %j is refused',
    async (id) => {
      await refused(http.get('/events', { 'last-event-id': id }), 400, 'invalid-header');
    },
  );

  it('is for GET alone', async () => {
    for (const method of ['HEAD', 'POST', 'DELETE']) {
      const { status, headers } = await http.send(method, '/api/v1/events');
      expect({ method, status, allow: headers.get('allow') }).toEqual({ method, status: 405, allow: 'GET' });
    }
    const nobody = new Http(server.url, undefined);
    await refused(nobody.get('/events'), 401, 'unauthorized');
  });
});

describe('Nobody is told', () => {
  it('of what happens in another project or workspace', async () => {
    const clients = await Promise.all([
      EventClient.openAfter(stranger, '0'),
      EventClient.openAfter(http, '0', '/projects/second/events'),
    ]);
    await refused(stranger.get('/projects/second/events'), 404, 'project-not-found');
    await refused(stranger.get('/events?environment=production'), 404, 'environment-not-found');
    await good(http.post('/environments', { name: 'hidden' }));
    const [theirs, second] = [
      await good(stranger.post<Environment>('/environments', { name: 'theirs' })),
      await good(http.post<Environment>('/projects/second/environments', { name: 'second' })),
    ];
    for (const [index, { id }] of [theirs, second].entries()) {
      const client = clients[index] as EventClient;
      await client.until(({ changes }) => changes.length > 0);
      expect(client.events.map(({ data }) => (data as { environmentId: string }).environmentId)).toEqual([
        id,
      ]);
      client.close();
    }
  });
});

describe('A release of very many changes', () => {
  const FLOWS = 2_010;
  const AT_ONCE = 32;
  const TEST_MS_MAX = 180_000;

  it(
    'is one message, with a hundred of them and a link to all; whoever follows any of its flows is told',
    async () => {
      let next = 0;
      const create = async (): Promise<void> => {
        for (let number = (next += 1); number <= FLOWS; number = next += 1) {
          await good(http.post('/flows', { name: `many-${number}`, content: { number } }));
          await good(http.post(`/flows/many-${number}/versions/1/environments`, { environment: 'staging' }));
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, create));
      const pair = { sourceEnvironment: 'staging', targetEnvironment: 'production' };
      const followed = await EventClient.open(http, `/events?flow=many-${FLOWS}&environment=production`);
      const { release } = await good(http.post<Changed>('/environments/promote', pair));
      const before = String(BigInt(release?.position ?? 0) - 1n);
      expect(release?.changes.length).toBeGreaterThanOrEqual(FLOWS);
      // After its first part: the log holds it in two.
      const late = await EventClient.openAfter(http, before, '/events?type=io.switchyard.release');
      for (const client of [followed, late]) {
        await client.until(({ changes }) => changes.length > 0);
        const [event] = client.events as unknown as { id: string; data: Record<string, unknown> }[];
        expect(event?.data).toMatchObject({ changesTotal: release?.changes.length });
        expect(event?.data['changes']).toEqual(release?.changes.slice(0, 100));
        expect(event?.id).toBe(release?.position);
        const { changes } = await good(http.send<{ changes: unknown[] }>('GET', String(event?.data['link'])));
        expect(changes).toHaveLength(release?.changes.length ?? 0);
        client.close();
      }
      const { items } = await good(http.get<Page<unknown>>('/environments/production/releases?limit=1'));
      expect(items).toHaveLength(1);
    },
    TEST_MS_MAX,
  );
});

describe('A server that stops', () => {
  it('ends its streams, and whoever comes back later has missed nothing', async () => {
    const folder = suite.newFolder();
    const first = await suite.start(folder);
    const here = new Http(first.url, ADMIN_KEY);
    const clients = await Promise.all(Array.from({ length: 20 }, () => EventClient.open(here)));
    const silent = await Promise.all(Array.from({ length: 5 }, () => EventClient.open(here)));
    for (const { answer } of silent) answer.pause();
    const { position } = await good(here.post<{ position: string }>('/environments', { name: 'one' }));
    await Promise.all(clients.map((client) => client.untilId(position)));
    const asked = performance.now();
    const { code, stderr } = await first.kill('SIGTERM');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(performance.now() - asked).toBeLessThan(STOP_MS_MAX / 2);
    await Promise.all(clients.map((client) => client.until(({ hasEnded }) => hasEnded)));
    const second = await suite.start(folder);
    const again = new Http(second.url, ADMIN_KEY);
    const { position: next } = await good(again.post<{ position: string }>('/environments', { name: 'two' }));
    const client = await EventClient.openAfter(again, clients[0]?.lastId ?? '');
    await client.untilId(next);
    expect(client.ids).toEqual([next]);
    client.close();
  });
});
