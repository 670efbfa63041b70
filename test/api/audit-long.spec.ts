// What only a long audit trail shows, over HTTP on the real server: its pages tell nobody of what somebody else did,
// and taking it out ends with the key that asked.
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { v7 as uuidv7 } from 'uuid';
import type { Page } from '../../scripts/client.js';
import type { AuditEntryAnswer } from '../../src/api/audit.answers.js';
import { readConfig } from '../../src/config.js';
import { SCHEMA, streamOf, type EventMetadata } from '../../src/domain/events.js';
import { encode } from '../../src/domain/recorded.js';
import { openEventStore } from '../../src/store/open-event-store.js';
import { NO_LIMITS } from '../isolation/world.js';
import { good, Http } from '../support/http.js';
import { ServerProcess, serversOfSuite } from '../support/server-process.js';

/** More than a page looks at in vain. */
const MANY = 17_000;
const EACH_APPEND = 500;
/** So that all of them are more than what sockets hold for a client that does not read: Linux may give one 33 MB. */
const LONG = 'long '.repeat(400);
const PAGES_MAX = 20;
const NOBODY = uuidv7();

interface Key {
  readonly id: string;
  readonly key: string;
}

const suite = serversOfSuite();
let server: ServerProcess;
let victim: Http;
let stranger: Http;
/** Of the same workspace as the victim, but sees development alone. */
let developer: Http;
/** Whose only deeds were in production. */
let operator: Key;
const correlationIds: string[] = [];

const newKey = (role: string, limits: object = {}) =>
  good(victim.post<Key>('/keys', { name: role, grants: [{ role, ...limits }] }));

async function releaseInProduction(comment: string): Promise<void> {
  const http = new Http(server.url, operator.key);
  const body = { environment: 'production', comment };
  const answer = await http.post('/flows/chat/versions/1/environments', body);
  correlationIds.push(answer.headers.get('x-request-id') ?? '');
  await good(Promise.resolve(answer));
  await good(http.delete('/flows/chat/environments/production'));
}

/** Straight into the log, as if development had been described again and again. */
async function describeOften(folder: string, { workspace, project, environment }: AuditEntryAnswer) {
  const store = await openEventStore(readConfig({ SWITCHYARD_DATA: folder }).eventStore);
  const stream = streamOf('project', project ?? '');
  const [newest] = await store.readStream(stream, { direction: 'backwards', limit: 1 });
  let revision = newest?.revision ?? -1;
  const ids = { requestId: 'often', $correlationId: 'often', $causationId: 'often', schema: SCHEMA };
  const actor = { type: 'system', id: 'tests' } as const;
  const meta: EventMetadata = { workspace, project, actor, time: new Date().toISOString(), ...ids };
  for (let made = 0; made < MANY; made += EACH_APPEND) {
    const events = Array.from({ length: EACH_APPEND }, (_, more) => {
      const description = `${made + more} ${LONG}`;
      const place = { environmentId: environment?.id ?? '', description, color: null };
      const event = { type: 'EnvironmentDescribed', ...place } as const;
      return { id: uuidv7(), type: event.type, data: encode(event), meta: JSON.stringify(meta) };
    });
    revision = (await store.append(stream, events, revision)).revision;
  }
  await store.close();
}

async function startOn(folder: string, adminKey: string): Promise<void> {
  const settings = { ...NO_LIMITS, SWITCHYARD_ADMIN_KEY: adminKey };
  server = suite.kept(await ServerProcess.start(folder, settings));
  victim = new Http(server.url, adminKey);
}

beforeAll(async () => {
  const [folder, adminKey] = [suite.newFolder(), 'an-administrator-key-of-a-long-trail'];
  await startOn(folder, adminKey);
  for (const name of ['development', 'production']) await good(victim.post('/environments', { name }));
  await good(victim.post('/flows', { name: 'chat', content: {} }));
  operator = await newKey('admin');
  const { key } = await newKey('auditor', { projects: ['default'], environments: ['development'] });
  const other = await good(victim.post<Key>('/workspaces', { name: 'Stranger' }));
  // Once before and once after what there is so much of.
  await releaseInProduction('xqacquisition of globex');
  const trail = await good(victim.get<Page<AuditEntryAnswer>>('/audit?environment=development'));
  await server.kill('SIGTERM');
  await describeOften(folder, trail.items[0] as AuditEntryAnswer);
  await startOn(folder, adminKey);
  await releaseInProduction('xqacquisition of globex');
  stranger = new Http(server.url, other.key);
  developer = new Http(server.url, key);
}, 120_000);

/** Page after page, with the cursors. */
async function pagesOf(http: Http, query: string): Promise<Page<AuditEntryAnswer>[]> {
  const pages: Page<AuditEntryAnswer>[] = [];
  let cursor = '';
  for (let more = 0; more < PAGES_MAX; more += 1) {
    const page = await good(http.get<Page<AuditEntryAnswer>>(`/audit?${query}${cursor}`));
    pages.push(page);
    if (page.nextCursor === null) return pages;
    cursor = `&cursor=${page.nextCursor}`;
  }
  throw new Error(`There are more than ${PAGES_MAX} pages`);
}

describe('A search of a long trail', () => {
  /** What was done where the caller must not look, and what nobody ever did. */
  const pairs = (): (readonly [string, string])[] => [
    ['q=globex', 'q=globez'],
    ['q=xqa', 'q=xqb'],
    ['q=production', 'q=prodigious'],
    ['type=VersionActivated', 'type=LogRestored'],
    [`actor=${operator.id}`, `actor=${NOBODY}`],
    ...correlationIds.map((id) => [`correlationId=${id}`, `correlationId=${NOBODY}`] as const),
    ['type=VersionActivated&q=xqacq', 'type=LogRestored&q=nobody'],
  ];

  it.each(['backwards', 'forwards'])('%s finds what was done', async (direction) => {
    for (const [done] of pairs()) {
      const pages = await pagesOf(victim, `${done}&direction=${direction}`);
      expect([done, pages.flatMap(({ items }) => items).length > 0]).toEqual([done, true]);
    }
  });

  it.each(['backwards', 'forwards'])(
    '%s tells another workspace nothing, nor by where pages end',
    async (direction) => {
      for (const [done, never] of pairs()) {
        const pages = await pagesOf(stranger, `${done}&direction=${direction}`);
        expect([done, pages]).toEqual([done, await pagesOf(stranger, `${never}&direction=${direction}`)]);
      }
    },
  );

  it.each(['backwards', 'forwards'])(
    '%s tells an auditor of one environment nothing of another',
    async (direction) => {
      for (const [done, never] of pairs()) {
        const pages = await pagesOf(developer, `${done}&direction=${direction}`);
        expect([done, pages]).toEqual([done, await pagesOf(developer, `${never}&direction=${direction}`)]);
        // It does look through what that auditor may see.
        expect(pages.map(({ items }) => items.length)).toEqual([0, 0]);
      }
    },
  );
});

describe('Taking a long trail out', () => {
  /** Begins to read, does something, and reads on to the end. */
  async function readWith(
    path: string,
    key: string,
    meanwhile: () => Promise<unknown>,
  ): Promise<IncomingMessage> {
    const request = get(`${server.url}/api/v1/audit/${path}`, {
      headers: { authorization: `Bearer ${key}` },
    });
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    expect(answer.statusCode).toBe(200);
    await once(answer, 'readable');
    await meanwhile();
    answer.on('error', () => undefined).resume();
    await new Promise((resolve) => answer.on('close', resolve));
    return answer;
  }

  it.each(['export', 'export?format=csv', 'evidence'])(
    'as %s breaks off once its key is revoked',
    async (path) => {
      const { id, key } = await newKey('auditor');
      expect((await readWith(path, key, async () => undefined)).complete).toBe(true);
      expect((await readWith(path, key, () => good(victim.delete(`/keys/${id}`)))).complete).toBe(false);
    },
  );
});
