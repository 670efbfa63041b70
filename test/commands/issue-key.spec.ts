// How many keys a workspace may have: each is held in memory, and a list of them is looked through.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AccessStream } from '../../src/commands/access-stream.js';
import { CommandLog } from '../../src/commands/command-log.js';
import { FirstStart } from '../../src/commands/first-start.js';
import { IssueKey, IssueKeyHandler } from '../../src/commands/issue-key.js';
import { Streams } from '../../src/commands/streams.js';
import { KEYS_MAX } from '../../src/domain/access.js';
import type { ApiKeyIssued } from '../../src/domain/access.events.js';
import { SCHEMA, streamOf } from '../../src/domain/events.js';
import { encode } from '../../src/domain/recorded.js';
import { LogFollower } from '../../src/read/log-follower.js';
import { MemoryEventStore } from '../../src/store/memory.event-store.js';

const folder = mkdtempSync(join(tmpdir(), 'switchyard-keys-'));
const store = new MemoryEventStore();
const by = { id: 'k0', grants: [{ role: 'admin' }], expiresAt: null, secretHash: null } as const;
const request = { name: 'one more', grants: [], expiresAt: null };
const actor = { type: 'api-key', id: 'k0' } as const;
let follower: LogFollower;
let handler: IssueKeyHandler;
let workspaceId: string;

beforeAll(async () => {
  follower = await LogFollower.start(store, join(folder, 'views.db'));
  const commandLog = new CommandLog(store, follower);
  const streams = new Streams(store, follower);
  await new FirstStart({ commandLog, streams, follower }).prepare(undefined);
  handler = new IssueKeyHandler(new AccessStream(commandLog, streams));
  workspaceId = follower.live.directory.workspaceBySlug('default')?.id ?? '';
  const { state, revision } = streams.access(workspaceId);
  const keys = Array.from({ length: KEYS_MAX - 1 - state.keys.size }, (_, number) => keyIssued(`k${number}`));
  await store.append(streamOf('access', workspaceId), keys, revision);
  await follower.upToDate(10_000);
});
afterAll(async () => {
  await follower.close();
  await store.close();
  rmSync(folder, { recursive: true });
});

function keyIssued(keyId: string) {
  const event: ApiKeyIssued = { type: 'ApiKeyIssued', keyId, name: keyId, hash: keyId, grants: [] };
  const of = { workspace: workspaceId, project: null, requestId: 'r' };
  const meta = { actor, ...of, time: '2026-03-02T08:00:00.000Z', schema: SCHEMA };
  return { id: keyId, type: event.type, data: encode(event), meta: JSON.stringify(meta) };
}

function issue(key: string) {
  const idempotency = { key, requestHash: 'asked', hasEffect: false };
  const caller = { actor, workspaceId, projectId: null, requestId: 'r', idempotency };
  return handler.execute(new IssueKey(caller, request, by));
}

it('A workspace takes the ten thousandth key and not the one after, however many ask at once', async () => {
  expect(KEYS_MAX).toBe(10_000);
  const asked = await Promise.allSettled(['a', 'b', 'c'].map(issue));
  expect(asked.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
  expect(asked[1]).toMatchObject({ reason: { code: 'too-many-keys' } });
  expect(follower.live.directory.workspace(workspaceId)?.state.keys.size).toBe(KEYS_MAX);
});

it('One that is full still says what a command that is sent again has done', async () => {
  await expect(issue('a')).resolves.toMatchObject({ key: null });
  await expect(issue('d')).rejects.toMatchObject({ code: 'too-many-keys' });
});
