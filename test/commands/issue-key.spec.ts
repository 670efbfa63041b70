// How many keys a workspace may have: each is held in memory, and a list of them is looked through.
import type { AccessStream } from '../../src/commands/access-stream.js';
import { IssueKey, IssueKeyHandler, KEYS_MAX } from '../../src/commands/issue-key.js';
import type { Streams } from '../../src/commands/streams.js';
import { access, type ApiKey } from '../../src/domain/access.js';

const by = { id: 'k0', grants: [{ role: 'admin' }], expiresAt: null, secretHash: null } as const;
const request = { name: 'one more', grants: [], expiresAt: null };

/** In a workspace that has so many keys. */
async function issue(count: number, hasEffect?: boolean): Promise<unknown> {
  const state = access.initial();
  for (let n = 0; n < count; n += 1) state.keys.set(`k${n}`, { id: `k${n}` } as ApiKey);
  const run = async () => ({ events: [{ type: 'ApiKeyIssued', keyId: 'new', hash: '' }], position: 1n });
  const handler = new IssueKeyHandler(
    { run } as unknown as AccessStream,
    { access: () => ({ state, revision: count }) } as unknown as Streams,
  );
  const idempotency = hasEffect === undefined ? undefined : { key: 'i', requestHash: 'r', hasEffect };
  const actor = { type: 'api-key', id: 'k0' } as const;
  const caller = { actor, workspaceId: 'w', projectId: null, requestId: 'r', idempotency };
  return handler.execute(new IssueKey(caller, request, by));
}

describe('A workspace', () => {
  it('takes the ten thousandth key and not the one after', async () => {
    expect(KEYS_MAX).toBe(10_000);
    await expect(issue(KEYS_MAX - 1)).resolves.toMatchObject({ keyId: 'new' });
    await expect(issue(KEYS_MAX)).rejects.toMatchObject({ code: 'too-many-keys' });
  });

  it('that is full still says what a command that is sent again has done', async () => {
    await expect(issue(KEYS_MAX, true)).resolves.toMatchObject({ keyId: 'new' });
    await expect(issue(KEYS_MAX, false)).rejects.toMatchObject({ code: 'too-many-keys' });
  });
});
