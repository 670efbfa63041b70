// Which command had which effect is known at every moment: while rows are made anew and changed over to, on a server
// that only follows the others, and after a restart.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import { SCHEMA } from '../../src/domain/events.js';
import { LogFollower } from '../../src/read/log-follower.js';
import type { NewEvent } from '../../src/store/event-store.js';
import { MemoryEventStore } from '../../src/store/memory.event-store.js';
import { idempotencyKeys, RecentKeys } from '../../projections/idempotency-keys.js';
import { Log } from '../support/log.js';

const REBUILDS = 5;
const OWNER = { workspaceId: 'w', actorId: 'k' };

const folder = mkdtempSync(join(tmpdir(), 'switchyard-keys-'));
afterAll(() => rmSync(folder, { recursive: true }));

function keyed(key: string): NewEvent {
  const time = new Date(1_800_000_000_000).toISOString();
  const actor = { type: 'api-key', id: 'k' };
  const meta = {
    actor,
    workspace: 'w',
    project: 'p',
    time,
    schema: SCHEMA,
    ...{ requestId: key, $correlationId: key, $causationId: key },
    idempotencyKey: key,
    requestHash: key,
  };
  const data = JSON.stringify({ slug: key, name: key, kind: 'prompt' });
  return { id: uuidv7(), type: 'FlowCreated', data, meta: JSON.stringify(meta) };
}

describe('The effect of a command with a key', () => {
  it(`is found at every moment of ${REBUILDS} rebuilds, and after a restart`, async () => {
    const store = new MemoryEventStore();
    const path = join(folder, 'views.db');
    const follower = await LogFollower.start(store, path);
    const isKnown = (n: number) => follower.effectOf(OWNER, `key-${n}`)?.stream === `flow-${n}`;
    let written = 0;
    let rebuilding = true;
    const missing: number[] = [];
    const look = () => {
      for (let n = Math.max(0, written - 30); n < written; n += 1) if (!isKnown(n)) missing.push(n);
    };
    const writing = (async () => {
      while (rebuilding) {
        await store.append(`flow-${written}`, [keyed(`key-${written}`)], 'no-stream');
        written += 1;
        look();
        if (written % 2 === 0) await follower.rows(idempotencyKeys);
        look();
        if (written % 5 === 0) await new Promise(setImmediate);
      }
    })();
    for (let turn = 0; turn < REBUILDS; turn += 1) await follower.rebuild();
    rebuilding = false;
    await writing;
    expect(missing).toEqual([]);
    await follower.close();

    const next = await LogFollower.start(store, path);
    for (let n = 0; n < written; n += 1) {
      expect(next.effectOf(OWNER, `key-${n}`)).toEqual({
        requestHash: `key-${n}`,
        stream: `flow-${n}`,
        revision: 0,
      });
    }
    await next.close();
  });
});

describe('What memory holds of the keys', () => {
  it('is what the rows do not hold yet, although nobody ever asks', () => {
    const log = new Log();
    const recent = new RecentKeys();
    for (let n = 0; n < 1_000; n += 1) {
      const event = { type: 'FlowRenamed', name: `${n}` } as const;
      const recorded = log.append('flow-a', event, { idempotencyKey: `key-${n}`, requestHash: 'asked' });
      recent.take(recorded, recorded.position - 100n);
    }
    expect(recent.size).toBeLessThan(12);
    const owner = { workspaceId: 'w1', actorId: 'key-ada' };
    expect(recent.find(owner, 'key-999')).toMatchObject({ stream: 'flow-a', revision: 999 });
    expect(recent.find({ ...owner, actorId: 'key-bob' }, 'key-999')).toBeUndefined();
  });
});
