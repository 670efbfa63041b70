// Not one byte about what a key may not know of: whatever it asks, and whatever it sends, neither a name nor an id of
// production, of another project or of another workspace comes back; and what it names although it may not know it is
// answered as something that never was.
import { bytesOf, type Asked, type Bytes } from '../isolation/answer-bytes.js';
import {
  BESIDE,
  CANARY,
  canaryWorldOn,
  comment,
  FOREIGN,
  NEIGHBOUR,
  NEVER,
  NEVER_BESIDE,
  NEVER_FOREIGN,
  NEVER_ID,
  PRODUCTION,
  promoteBack,
  secretly,
  type CanaryWorld,
} from '../isolation/canary-world.js';
import { ROLES, type Grant, type Role } from '../isolation/grants.js';
import { questionsTo, type Home, type Question } from '../isolation/questions.js';
import { issue, NO_LIMITS } from '../isolation/world.js';
import { operationsOf, type ApiDocument, type DescribedOperation } from '../support/api-document.js';
import { EventClient } from '../support/event-client.js';
import { good, Http } from '../support/http.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';
import { until } from '../support/spec.js';

/** Environments of the one project, of every project, all of the one, another project, another workspace. */
type Place = 'inside' | 'across' | 'whole' | 'beside' | 'aside';

/** Every so many of the questions are asked in other ways too. */
const SOME = 5;

interface Asker {
  readonly name: string;
  readonly key: string;
  readonly http: Http;
  readonly place: Place;
  readonly isInProject: boolean;
  /** None of them may come back. */
  readonly hidden: readonly string[];
}

const suite = serversOfSuite();
let url: string;
let world: CanaryWorld;
let operations: DescribedOperation[];
let askers: Asker[];

beforeAll(async () => {
  url = suite.kept(await ServerProcess.start(suite.newFolder(), NO_LIMITS)).url;
  world = await canaryWorldOn(url, ADMIN_KEY);
  operations = operationsOf(await good(world.admin.send<ApiDocument>('GET', '/openapi.json')));
  const inDevelopment = (role: Role): Grant => ({
    ...{ role, projects: ['default'], environments: ['development', 'staging'] },
  });
  const everything = ROLES.map(inDevelopment);
  const alone: Grant = { role: 'admin', environments: ['development'] };
  askers = [
    ...(await Promise.all(ROLES.map((role) => asker(`${role} of development`, [inDevelopment(role)])))),
    await asker('everything of development', everything),
    await asker('administrator of development', [alone, { ...alone, role: 'auditor' }], 'across'),
    await asker('auditor of the project', [{ role: 'auditor', projects: ['default'] }], 'whole'),
    await asker('administrator of the project', [{ role: 'admin', projects: ['default'] }], 'whole'),
    await asker('administrator beside', [{ role: 'admin', projects: [BESIDE] }], 'beside'),
    await asker('auditor beside', [{ role: 'auditor', projects: [BESIDE] }], 'beside'),
    await asker('administrator aside', [{ role: 'admin' }], 'aside', world.foreigner),
  ];
}, 120_000);

async function asker(
  name: string,
  grants: Grant[],
  place: Place = 'inside',
  by = world.admin,
): Promise<Asker> {
  const { key } = await issue(by, name, grants);
  const ofProduction = [CANARY, ...world.hiddenIds];
  const hidden = {
    inside: [...ofProduction, NEIGHBOUR, FOREIGN],
    across: [...ofProduction, FOREIGN],
    whole: [NEIGHBOUR, FOREIGN],
    beside: [...ofProduction, ...world.projectIds, FOREIGN],
    aside: [...ofProduction, ...world.projectIds, NEIGHBOUR],
  }[place];
  return { name, key, http: new Http(url, key), place, isInProject: homeOf(place) === 'project', hidden };
}

/** What of production is a secret to the environments beside it is none to the whole project, and so with projects. */
function questionsOf({ place }: Asker): Question[] {
  const questions = questionsTo(operations, world, homeOf(place));
  if (place === 'across') return questions.filter(({ path }) => !path.includes(BESIDE));
  return questions.filter(({ twin }) => place !== 'whole' || twin === undefined);
}

function homeOf(place: Place): Home {
  return place === 'beside' || place === 'aside' ? place : 'project';
}

function found(words: readonly string[], text: string): string[] {
  const all = text.toLowerCase();
  return words.filter((word) => all.includes(word));
}

/** What was named in vain is said back; apart from that it has to be the answer to what never was. */
function neverSeen({ all }: Bytes): string {
  return [world.productionId, world.deployerId, ...world.projectIds]
    .reduce((text, id) => text.replaceAll(id, NEVER_ID), all.replaceAll(CANARY, NEVER))
    .replaceAll(BESIDE, NEVER_BESIDE)
    .replaceAll(FOREIGN, NEVER_FOREIGN)
    .replace(/"requestId":"[^"]*"/g, '')
    .replace(/\n(date|x-request-id)\n[^\n]*/gi, '');
}

async function faultsOf({ key, hidden }: Pick<Asker, 'key' | 'hidden'>, asked: Asked, twin?: Asked) {
  const answer = await bytesOf(url, key, asked);
  const shown = `${asked.method} ${asked.path}: ${answer.status}`;
  if (twin === undefined) {
    const words = found(hidden, answer.all);
    return words.length === 0 ? [] : [`${shown} tells ${words.join()}: ${answer.all}`];
  }
  const never = await bytesOf(url, key, twin);
  const words = found(hidden, never.all);
  if (words.length > 0) return [`${shown} tells ${words.join()}: ${never.all}`];
  return neverSeen(answer) === neverSeen(never) ? [] : [`${shown} is not ${never.all} but ${answer.all}`];
}

function asGet({ path, twin }: Question, method = 'GET', headers = {}): [Asked, Asked?] {
  return [{ method, path, headers }, ...(twin === undefined ? [] : [{ method, path: twin, headers }])] as [
    Asked,
    Asked?,
  ];
}

describe('Whatever a key asks', () => {
  it('it is not told of what it may not know, and what it names of that is nothing that ever was', async () => {
    const faults: string[] = [];
    for (const one of askers) {
      for (const question of questionsOf(one)) {
        for (const fault of await faultsOf(one, ...asGet(question))) faults.push(`${one.name}: ${fault}`);
      }
    }
    expect(faults.slice(0, 20)).toEqual([]);
  }, 240_000);

  it('somebody who may know of it is told by the same questions, so that they would find it', async () => {
    const told = new Set<string>();
    for (const { path } of questionsTo(operations, world, 'project')) {
      const { all } = await bytesOf(url, ADMIN_KEY, { method: 'GET', path });
      if (all.includes(CANARY)) told.add(path.replace(/\?.*/, '').replace(/\/\d+$/, ''));
    }
    expect([...told].sort()).toEqual(
      expect.arrayContaining([
        '/api/v1/audit',
        '/api/v1/audit/export',
        '/api/v1/environments',
        '/api/v1/environments/default',
        '/api/v1/environments/development/releases',
        '/api/v1/flows/chat',
        '/api/v1/flows/chat/history',
        '/api/v1/flows/chat/resolve',
        '/api/v1/keys',
        '/api/v1/projects',
      ]),
    );
  }, 60_000);

  it('pages lead nowhere else, its own and those of others', async () => {
    const faults: string[] = [];
    const lists = ['/audit', '/projects/default/audit', '/environments', '/flows', '/keys', '/projects'];
    lists.push('/environments/development/releases', '/environments/development/history');
    lists.push('/flows/chat/history', '/flows/chat/versions');
    for (const one of askers) {
      for (const list of lists) {
        for (const cursors of [one.key, ADMIN_KEY]) {
          let path: string | null = `/api/v1${list}?limit=1`;
          for (let page = 0; path !== null && page < 60; page += 1) {
            faults.push(...(await faultsOf(one, { method: 'GET', path })));
            const { body } = await bytesOf(url, cursors, { method: 'GET', path });
            const { nextCursor = null } = JSON.parse(body) as { nextCursor?: string | null };
            path = nextCursor === null ? null : `/api/v1${list}?limit=1&cursor=${nextCursor}`;
          }
        }
      }
    }
    expect(faults.slice(0, 20)).toEqual([]);
  }, 120_000);

  it('neither the head alone, nor what a path takes, nor an answer that it has already tells it', async () => {
    const faults: string[] = [];
    for (const one of askers) {
      const named = questionsOf(one).filter(({ twin }) => twin !== undefined);
      for (const question of named.filter((_, index) => index % SOME === 0)) {
        for (const method of ['HEAD', 'OPTIONS']) {
          faults.push(...(await faultsOf(one, ...asGet(question, method))));
        }
        for (const tag of ['*', ...world.entityTags]) {
          faults.push(...(await faultsOf(one, ...asGet(question, 'GET', { 'if-none-match': tag }))));
        }
      }
    }
    expect(world.entityTags).toEqual([
      expect.stringMatching(/^"/),
      expect.stringMatching(/^"/),
      expect.stringMatching(/^"/),
    ]);
    expect(faults.slice(0, 20)).toEqual([]);
  }, 120_000);

  it('an answer that may be kept for ever is kept for the key that got it alone', async () => {
    const path = `/environments/development/active?at=${world.promotedPosition}`;
    const { headers } = await world.admin.get(path);
    expect(headers.get('cache-control')).toContain('immutable');
    expect(headers.get('vary')?.toLowerCase()).toContain('authorization');
  });
});

describe('Whatever a key sends', () => {
  /** Each with the same about what never was; alone where it names nothing hidden. */
  const commands = (): [Asked, Asked?][] => {
    const about = (make: (name: string, id: string) => Asked): [Asked, Asked][] => [
      [make(PRODUCTION, world.deployerId), make(`${NEVER}-prod`, NEVER_ID)],
      [make(world.productionId, world.deployerId), make(NEVER_ID, NEVER_ID)],
    ];
    const send = (method: string, path: string, body: unknown, headers = {}): Asked => {
      return { method, path: `/api/v1${path}`, body, headers };
    };
    const replayed = { 'idempotency-key': 'of-the-administrator' };
    return [
      ...about((name) => send('POST', '/flows/chat/versions/1/environments', { environment: name })),
      ...about((name) => send('DELETE', `/flows/chat/environments/${name}`, {})),
      ...about((name) => send('POST', `/environments/${name}/rollback`, {}, { 'if-match': '"1"' })),
      ...about((name) => send('POST', `/environments/${name}/archive`, {})),
      ...about((name) => send('PATCH', `/environments/${name}`, { name: 'x' })),
      ...about((name) => send('PUT', '/environments/default', { environment: name })),
      ...about((name) => {
        const body = { sourceEnvironment: name, targetEnvironment: 'development', expectedSourceRelease: 99 };
        return send('POST', '/environments/promote', body);
      }),
      ...about((name) => {
        const body = { sourceEnvironment: 'development', targetEnvironment: name, comment };
        return send('POST', '/environments/promote', body, { ...replayed, 'if-match': '"99"' });
      }),
      ...about((name) => {
        return send('POST', '/keys', { name: 'k', grants: [{ role: 'viewer', environments: [name] }] });
      }),
      ...about((name) => {
        const grants = [{ role: 'viewer', projects: ['default'], environments: [name, 'development'] }];
        return send('POST', '/keys', { name: 'k', grants });
      }),
      ...about((_, id) => send('DELETE', `/keys/${id}`, {})),
      ...about((_, id) => send('POST', `/keys/${id}/rotate`, {})),
      ...about((name) => send('POST', '/workspaces', { name })),
      [send('POST', '/environments/promote', promotion(PRODUCTION), replayed)],
      [send('POST', '/flows/elsewhere/archive', {})],
      [send('PATCH', '/flows/elsewhere/versions/1', { content: {} })],
      [send('POST', '/environments/development/rollback', { toRelease: 99 })],
      [send('POST', '/environments/development/rollback', { dryRun: true })],
      [send('POST', '/environments/promote', { ...promotion('staging'), flowIds: ['elsewhere'] })],
      [send('POST', '/environments/promote', { ...promotion('staging'), expectedTargetRelease: 99 })],
      [send('POST', '/environments/promote', promotion('development'))],
    ];
  };
  const promotion = (targetEnvironment: string) => ({
    sourceEnvironment: 'development',
    targetEnvironment,
    comment: 'c',
  });

  it('it is refused in words that tell nothing, with the key of a command that was carried out as well', async () => {
    const faults: string[] = [];
    for (const one of askers.filter(({ place }) => place !== 'whole')) {
      for (const [asked, twin] of commands()) {
        const hidden = JSON.stringify(asked).includes(PRODUCTION) && twin === undefined ? [] : one.hidden;
        for (const fault of await faultsOf({ ...one, hidden }, asked, twin))
          faults.push(`${one.name}: ${fault}`);
        const { all } = await bytesOf(url, one.key, asked);
        if (/idempotency-replayed/i.test(all))
          faults.push(`${one.name} was given an answer of another: ${all}`);
      }
    }
    expect(faults.slice(0, 20)).toEqual([]);
  }, 120_000);

  it('a flow that runs only there is kept from the archive without a word on where', async () => {
    const editor = askers.find(({ name }) => name === 'editor of development');
    const { status, body } = await bytesOf(url, editor?.key, {
      ...{ method: 'POST', path: '/api/v1/flows/elsewhere/archive', body: {} },
    });
    expect({ status, code: (JSON.parse(body) as { code: string }).code }).toEqual({
      status: 409,
      code: 'flow-is-active',
    });
    const all = await world.admin.post('/flows/elsewhere/archive', {});
    expect(all.text).toContain(PRODUCTION);
  });
});

describe('A stream of changes', () => {
  it('tells nothing while production changes, to a key that may not know of it', async () => {
    const readers = askers.filter(({ name, place }) => place !== 'whole' && !name.startsWith('resolver'));
    const followers = await Promise.all(
      readers.map(async (reader) => ({ ...reader, client: await EventClient.openAfter(reader.http, '0') })),
    );
    const everything = await EventClient.openAfter(world.admin, '0');
    await good(
      world.admin.send('PATCH', `/api/v1/environments/${PRODUCTION}`, {
        body: { description: comment },
        headers: secretly(),
      }),
    );
    const body = { sourceEnvironment: 'staging', targetEnvironment: PRODUCTION, comment };
    await good(world.admin.post('/environments/promote', { ...body, prune: true }, secretly()));
    await good(world.admin.post(`/environments/${PRODUCTION}/rollback`, { comment }, secretly()));
    const position = await promoteBack(world.admin);
    const made = (client: EventClient) => client.events.find(({ id }) => id === position);
    await everything.until((client) => made(client) !== undefined);
    expect(JSON.stringify(made(everything))).toContain(PRODUCTION);
    expect(everything.told.filter(({ data }) => data.includes(CANARY)).length).toBeGreaterThan(10);
    for (const { name, client, isInProject, hidden } of followers) {
      if (isInProject) await client.until((one) => made(one) !== undefined);
      expect({ name, told: found(hidden, JSON.stringify(client.told)) }).toEqual({ name, told: [] });
      expect(JSON.stringify(made(client) ?? {})).not.toContain('"source":{');
      client.close();
    }
    everything.close();
  }, 60_000);
});

describe('A promotion from production to development', () => {
  it('is a release of development without where it came from, for whoever may not know that', async () => {
    const development = askers.find(({ name }) => name === 'everything of development');
    const position = await promoteBack(world.admin);
    const audited = await entryAt(development?.http, `/audit/${position}`);
    expect(audited.summary).toMatch(/^Promoted chat .* to development, release \d+$/);
    expect(audited).toMatchObject({ before: null, after: null, environment: { slug: 'development' } });
    const known = await entryAt(world.admin, `/audit/${position}`);
    expect(known.summary).toContain(`from ${PRODUCTION} (release `);
    const number = known.release;
    const path = `/environments/development/releases/${number}`;
    const release = await good((development?.http ?? world.admin).get<Record<string, unknown>>(path));
    expect(release).toMatchObject({ kind: 'promotion', number });
    expect(release).not.toHaveProperty('source');
    expect(await good(world.admin.get(path))).toMatchObject({ source: { environment: PRODUCTION } });
  });

  interface Entry {
    readonly summary: string;
    readonly release: number;
  }

  async function entryAt(http: Http | undefined, path: string): Promise<Entry> {
    let entry: Entry | undefined;
    await until(async () => {
      const { status, body } = await (http ?? world.admin).get<Entry>(path);
      if (status === 200) entry = body;
      return status === 200;
    });
    if (entry === undefined) throw new Error('There is no entry');
    return entry;
  }
});
