// How keys are replaced and ended, on the real server: rotation with overlap, revocation, the administrator key of the
// settings; what the audit trail tells of it, and that a restart without views changes nothing.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { AuditEntryAnswer } from '../../src/api/audit.answers.js';
import type { MeAnswer } from '../../src/api/keys.answers.js';
import type { Page } from '../../scripts/client.js';
import { EventClient } from '../support/event-client.js';
import { good, Http, pointersOf, refused } from '../support/http.js';
import { holderOf, type Key, type NewKey } from '../support/keys.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';
import { until } from '../support/spec.js';

const suite = serversOfSuite();
const SECOND_ADMIN_KEY = 'another-administrator-key-for-tests';
const VIEWER = [{ role: 'viewer' }] as const;
let folder: string;
let server: ServerProcess;
let admin: Http;

const withKey = (key: string | null | undefined) => new Http(server.url, key ?? '');
const rotate = (id: string, body: object = {}) => good(admin.post<NewKey>(`/keys/${id}/rotate`, body));
const works = async (key: string | null | undefined) => (await withKey(key).get('/me')).status === 200;
const keysOf = async (http: Http) => (await good(http.get<Page<Key>>('/keys?limit=500'))).items;
const meOf = (http: Http) => good(http.get<MeAnswer>('/me'));

async function start(settings: Record<string, string | undefined> = {}): Promise<void> {
  server = suite.kept(await ServerProcess.start(folder, settings));
  admin = new Http(server.url, settings['SWITCHYARD_ADMIN_KEY'] ?? ADMIN_KEY);
}

beforeAll(async () => {
  folder = suite.newFolder();
  await start();
  await good(admin.post('/environments', { name: 'production' }));
});

describe('Rotating a key', () => {
  it('gives it another secret, and the one before goes on beside it for a day', async () => {
    const { issued, key } = await holderOf(admin, 'Turned', VIEWER);
    const turned = await rotate(issued.id);
    expect(turned).toMatchObject({ id: issued.id, name: 'Turned', grants: VIEWER });
    expect(turned.prefix).not.toBe(issued.prefix);
    expect(turned.key?.startsWith(turned.prefix ?? '?')).toBe(true);
    expect([await works(key), await works(turned.key)]).toEqual([true, true]);
    const aheadMs = Date.parse(turned.previousUntil ?? '') - Date.now();
    expect(Math.abs(aheadMs - 86_400_000)).toBeLessThan(60_000);
  });

  it('once more ends the secret before the last at once', async () => {
    const { issued, key } = await holderOf(admin, 'Twice', VIEWER);
    const [first, second] = [await rotate(issued.id), await rotate(issued.id)];
    expect([await works(key), await works(first.key), await works(second.key)]).toEqual([false, true, true]);
  });

  it('ends the one before when the overlap is over, or at once without one', async () => {
    const { issued, key } = await holderOf(admin, 'Soon', VIEWER);
    const soon = await rotate(issued.id, { overlapSeconds: 1 });
    await until(async () => !(await works(key)), 10_000);
    const atOnce = await rotate(issued.id, { overlapSeconds: 0 });
    expect([await works(soon.key), await works(atOnce.key)]).toEqual([false, true]);
  });

  it('ends the streams of the key, whose clients come back with the secret that they have by then', async () => {
    const { issued, http } = await holderOf(admin, 'Streams', VIEWER);
    const stream = await EventClient.open(http);
    await stream.until(({ told }) => told.length > 0);
    await rotate(issued.id);
    await stream.until(({ hasEnded }) => hasEnded);
  });

  it('takes an overlap of up to thirty days', async () => {
    const { issued } = await holderOf(admin, 'Bounds', VIEWER);
    for (const overlapSeconds of [-1, 30 * 86_400 + 1, 1.5, '60']) {
      const asked = admin.post(`/keys/${issued.id}/rotate`, { overlapSeconds });
      const pointers = pointersOf(await refused(asked, 422, 'invalid-body'));
      expect(new Set(pointers)).toEqual(new Set(['/overlapSeconds']));
    }
    await rotate(issued.id, { overlapSeconds: 30 * 86_400 });
  });

  it('of a key that nobody issued, or that is called by its name, is refused', async () => {
    const { id } = await meOf(admin);
    await refused(admin.post(`/keys/${id.replace(/.$/, '0')}/rotate`, {}), 404, 'key-not-found');
    await refused(admin.post('/keys/administrator/rotate', {}), 404, 'key-not-found');
  });
});

describe('Revoking a key', () => {
  it('ends it at once, with its streams, and it is listed no more', async () => {
    const { issued, http } = await holderOf(admin, 'Ended', VIEWER);
    const turned = await rotate(issued.id);
    const stream = await EventClient.open(http);
    expect(await good(admin.delete<Key>(`/keys/${issued.id}`))).toMatchObject({
      id: issued.id,
      name: 'Ended',
    });
    expect([await works(issued.key), await works(turned.key)]).toEqual([false, false]);
    await stream.until(({ hasEnded }) => hasEnded);
    expect((await keysOf(admin)).map(({ id }) => id)).not.toContain(issued.id);
    await refused(admin.get(`/keys/${issued.id}`), 404, 'key-not-found');
    await refused(admin.delete(`/keys/${issued.id}`), 404, 'key-not-found');
  });

  it('is refused for the last administrator, until there is another one without limits and end', async () => {
    const { id } = await meOf(admin);
    await holderOf(admin, 'Half', [{ role: 'admin', projects: ['default'] }]);
    await refused(admin.delete(`/keys/${id}`), 409, 'last-administrator');
    const second = await holderOf(admin, 'Ada', [{ role: 'admin' }]);
    await good(second.http.delete(`/keys/${id}`));
    expect(await works(ADMIN_KEY)).toBe(false);
    await refused(second.http.delete(`/keys/${second.issued.id}`), 409, 'last-administrator');
    admin = second.http;
  });
});

describe('The administrator key of the settings', () => {
  it('comes back with a restart, and other keys are left as they are', async () => {
    const before = await keysOf(admin);
    const ada = admin.key;
    await server.kill('SIGTERM');
    await start();
    expect(await works(ADMIN_KEY)).toBe(true);
    const after = await keysOf(admin);
    expect(after.slice(0, -1).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    expect(after.at(-1)).toMatchObject({ name: 'administrator', createdBy: null });
    expect(await works(ada)).toBe(true);
  });

  it('is replaced alone by a restart with another one', async () => {
    const { key } = await holderOf(admin, 'Stays', VIEWER);
    await server.kill('SIGTERM');
    await start({ SWITCHYARD_ADMIN_KEY: SECOND_ADMIN_KEY });
    expect([await works(ADMIN_KEY), await works(SECOND_ADMIN_KEY), await works(key)]).toEqual([
      false,
      true,
      true,
    ]);
    expect((await keysOf(admin)).filter(({ createdBy }) => createdBy === null)).toHaveLength(1);
  });

  it('wins over a rotation: with the setting as it was, a restart brings its key back at once', async () => {
    const { id } = await meOf(admin);
    const turned = await rotate(id, { overlapSeconds: 0 });
    expect([await works(SECOND_ADMIN_KEY), await works(turned.key)]).toEqual([false, true]);
    await server.kill('SIGTERM');
    await start({ SWITCHYARD_ADMIN_KEY: SECOND_ADMIN_KEY });
    expect([await works(SECOND_ADMIN_KEY), await works(turned.key)]).toEqual([true, false]);
  });
});

describe('The audit trail', () => {
  it('tells all of it in plain sentences, of no project, and with no secret', async () => {
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const grants = [{ role: 'promoter', environments: ['production'] }, { role: 'viewer' }] as const;
    const { issued, key } = await holderOf(admin, 'Told', grants, { expiresAt });
    const turned = await rotate(issued.id);
    await good(admin.delete(`/keys/${issued.id}`));
    const { id } = await meOf(admin);
    const answer = await admin.get<Page<AuditEntryAnswer>>(`/audit?actor=${id}&limit=3`);
    const { items } = await good(Promise.resolve(answer));
    expect(items.map(({ summary }) => summary)).toEqual([
      'API key Told was revoked',
      `API key Told was rotated; its secret of before works until ${turned.previousUntil}`,
      `API key Told was issued (promoter on production, viewer) until ${expiresAt}`,
    ]);
    expect(items.map(({ actor, project }) => [actor.name, project])).toEqual(
      Array(3).fill(['administrator', null]),
    );
    expect(items[2]?.after).toMatchObject({
      keyId: issued.id,
      name: 'Told',
      prefix: issued.prefix,
      expiresAt,
    });
    for (const secret of [key, turned.key ?? '']) expect(answer.text).not.toContain(secret.slice(17));
    expect(answer.text).not.toMatch(/"hash"/);
  });
});

describe('A restart without views', () => {
  it('knows every key as before: those that work, those that worked, and who they were', async () => {
    const { issued, key } = await holderOf(admin, 'Kept', [{ role: 'viewer', projects: ['default'] }]);
    const turned = await rotate(issued.id);
    const gone = await holderOf(admin, 'Gone', VIEWER);
    await good(admin.delete(`/keys/${gone.issued.id}`));
    const seen = async () => ({
      keys: (await keysOf(admin)).map(({ lastUsedOn: _, ...shown }) => shown),
      works: [await works(key), await works(turned.key), await works(gone.key)],
    });
    const before = await seen();
    expect(before.works).toEqual([true, true, false]);
    await server.kill('SIGTERM');
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(folder, `views.db${suffix}`), { force: true });
    await start({ SWITCHYARD_ADMIN_KEY: SECOND_ADMIN_KEY });
    expect(await seen()).toEqual(before);
    const denied = `/audit?type=AttemptDenied&actor=${gone.issued.id}`;
    await until(async () => (await good(admin.get<Page<object>>(denied))).items.length > 1);
  });
});
