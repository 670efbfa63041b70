// Everybody sees the sessions that are one's own, wherever they were opened, and may end each of them; of those of
// others nobody is told.
import type { SessionsAnswer } from '../../src/api/session.dto.js';
import { DocumentSchemas, type ApiDocument } from '../support/api-document.js';
import { Browser } from '../support/browser.js';
import { good, Http, refused } from '../support/http.js';
import { ADMIN_KEY, type ServerProcess, serversOfSuite } from '../support/server-process.js';

const suite = serversOfSuite();
let server: ServerProcess;
let admin: Http;

beforeAll(async () => {
  server = await suite.start(suite.newFolder());
  admin = new Http(server.url, ADMIN_KEY);
});

async function newKey(): Promise<{ readonly id: string; readonly key: string }> {
  const body = { name: `viewer ${Math.random()}`, grants: [{ role: 'viewer' }] };
  return good(admin.post<{ id: string; key: string }>('/keys', body));
}

async function signedIn(key: string): Promise<Browser> {
  const browser = new Browser();
  await good(browser.fetch(`${server.url}/api/v1/session`, { method: 'POST', body: { key } }));
  return browser;
}

async function listed(browser: Browser): Promise<SessionsAnswer['items']> {
  return (await good(browser.fetch<SessionsAnswer>(`${server.url}/api/v1/sessions`))).items;
}

async function idOf(browser: Browser): Promise<string> {
  return (await listed(browser)).find(({ isThis }) => isThis)?.id ?? '';
}

function end(by: Browser, id: string, headers: Record<string, string> = {}) {
  return by.fetch<{ position: string }>(`${server.url}/api/v1/sessions/${id}`, { method: 'DELETE', headers });
}

describe('The sessions of somebody', () => {
  it('are all that are open, the oldest first, and say which one asks', async () => {
    const { key } = await newKey();
    const before = Date.now();
    const [desk, phone] = [await signedIn(key), await signedIn(key)];
    const [first, second, ...more] = await listed(phone);
    expect(more).toEqual([]);
    expect([first?.isThis, second?.isThis]).toEqual([false, true]);
    expect(await idOf(desk)).toBe(first?.id);
    for (const session of [first, second]) {
      const createdAt = Date.parse(session?.createdAt ?? '');
      expect(createdAt).toBeGreaterThanOrEqual(before);
      expect(createdAt).toBeLessThanOrEqual(Date.now());
      expect(Math.abs(Date.parse(session?.expiresAt ?? '') - createdAt - 43_200_000)).toBeLessThan(5_000);
    }
    const withKey = await good(new Http(server.url, key).get<SessionsAnswer>('/sessions'));
    expect(withKey.items).toEqual([first, { ...second, isThis: false }]);
    await good(desk.fetch(`${server.url}/api/v1/session`, { method: 'DELETE' }));
    expect((await listed(phone)).map(({ id }) => id)).toEqual([second?.id]);
  });

  it('can be ended one by one, and that is in the audit trail', async () => {
    const { key, id: keyId } = await newKey();
    const [desk, phone] = [await signedIn(key), await signedIn(key)];
    const stolen = await idOf(desk);
    const { position } = await good(end(phone, stolen));
    await refused(desk.fetch(`${server.url}/api/v1/me`), 401, 'unauthorized');
    expect(await listed(phone)).toHaveLength(1);
    await refused(end(phone, stolen), 404, 'session-not-found');
    const entry = await good(admin.get<{ type: string; actor: { id: string } }>(`/audit/${position}`));
    expect(entry).toMatchObject({ type: 'SessionClosed', actor: { id: keyId } });
  });

  it('are ended once by a command that is sent again', async () => {
    const { key } = await newKey();
    const [desk, phone] = [await signedIn(key), await signedIn(key)];
    const id = await idOf(desk);
    const headers = { 'idempotency-key': 'end-the-other-one' };
    const [first, again] = [await end(phone, id, headers), await end(phone, id, headers)];
    expect([first.status, again.status]).toEqual([200, 200]);
    expect(again.text).toBe(first.text);
  });

  it('are gone from the list once the key is rotated', async () => {
    const { key, id } = await newKey();
    await signedIn(key);
    const rotated = await good(admin.post<{ key: string }>(`/keys/${id}/rotate`, { overlapSeconds: 600 }));
    const { items } = await good(new Http(server.url, rotated.key).get<SessionsAnswer>('/sessions'));
    expect(items).toEqual([]);
  });

  it('are those of nobody else: what somebody else has does not exist, also for an administrator', async () => {
    const mine = await signedIn((await newKey()).key);
    const ruler = await signedIn(ADMIN_KEY);
    const id = await idOf(mine);
    expect((await listed(ruler)).map((session) => session.id)).not.toContain(id);
    const told = await refused(end(ruler, id), 404, 'session-not-found');
    const never = await refused(end(ruler, '01890000-0000-7000-8000-000000000000'), 404, 'session-not-found');
    expect({ ...told, requestId: '' }).toEqual({ ...never, requestId: '' });
    expect(await idOf(mine)).toBe(id);
  });

  it('are answered as the document says', async () => {
    const { key } = await newKey();
    const [desk, phone] = [await signedIn(key), await signedIn(key)];
    const document = await good(admin.send<ApiDocument>('GET', '/openapi.json'));
    const schemas = new DocumentSchemas(document);
    const schemaOf = (path: string, method: string) =>
      document.paths[path]?.[method]?.responses['200']?.content?.['application/json']?.schema;
    const list = await good(phone.fetch(`${server.url}/api/v1/sessions`));
    expect(schemas.faultsIn(schemaOf('/api/v1/sessions', 'get'), list)).toEqual([]);
    const ended = await good(end(phone, await idOf(desk)));
    expect(schemas.faultsIn(schemaOf('/api/v1/sessions/{session}', 'delete'), ended)).toEqual([]);
  });
});
