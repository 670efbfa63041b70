// Following the log: what one bad event stops and what goes on, a subscription that dies, and rows that are made anew
// while they are read from.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { v7 as uuidv7 } from 'uuid';
import { SCHEMA, type DomainEvent } from '../../src/domain/events.js';
import { encode } from '../../src/domain/recorded.js';
import { LogFollower } from '../../src/read/log-follower.js';
import { NotCaughtUp } from '../../src/read/progress.js';
import { PROJECTIONS } from '../../src/read/row-views.js';
import { ViewsStatus } from '../../src/read/views-status.js';
import { MemoryEventStore } from '../../src/store/memory.event-store.js';
import type { NewEvent, Subscriber, Subscription } from '../../src/store/event-store.js';
import { flows } from '../../projections/flows.js';
import { versions } from '../../projections/versions.js';
import { until } from '../store/event-store.contract.js';

const folder = mkdtempSync(join(tmpdir(), 'switchyard-follower-'));
const followers: LogFollower[] = [];
let files = 0;
let times = 0;

afterAll(async () => {
  await Promise.all(followers.map((follower) => follower.close()));
  rmSync(folder, { recursive: true });
});

const newFile = (): string => join(folder, `views-${(files += 1)}.db`);

async function follow(store: MemoryEventStore, path = newFile(), watching = { everyMs: 20, silentMs: 100 }) {
  const follower = await LogFollower.start(store, path, watching);
  followers.push(follower);
  return follower;
}

function stored(event: DomainEvent | { readonly type: string }, schema = SCHEMA): NewEvent {
  const time = new Date(1_800_000_000_000 + (times += 1)).toISOString();
  const request = { requestId: 'r', $correlationId: 'r', $causationId: 'r' };
  const meta = { actor: { type: 'system', id: 's' }, workspace: 'w', project: 'p', time, schema, ...request };
  return { id: uuidv7(), type: event.type, data: encode(event as DomainEvent), meta: JSON.stringify(meta) };
}

const created = (slug: string) => stored({ type: 'FlowCreated', slug, name: slug, kind: 'prompt' });
const drafted = (versionId: string, number: number) => {
  const text = { content: { number }, digest: 'd', label: null, comment: null, forkedFrom: null };
  return stored({ type: 'VersionDrafted', versionId, number, ...text });
};

/** Everything in the tables of some view files, in an order of its own. */
function contentOf(path: string): unknown {
  const database = new Database(path, { readonly: true });
  const tables = database
    .prepare<[], string>(
      `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
       AND name NOT LIKE 'sqlite_%' ORDER BY name`,
    )
    .pluck()
    .all();
  const rows = tables.map((table) => {
    const all = database.prepare(`SELECT * FROM ${table}`).all();
    return { table, rows: all.map((row) => JSON.stringify(row)).sort() };
  });
  database.close();
  return rows;
}

describe('An event that one view cannot take', () => {
  it('stops that view alone, which is named; what it held stays, and nobody is shown less than there is', async () => {
    const store = new MemoryEventStore();
    const follower = await follow(store);
    await store.append('flow-a', [created('a'), drafted('v1', 1)], 'no-stream');
    await follower.rows(versions);
    await store.append('flow-a', [drafted('v2', 2), drafted('v1', 3), drafted('v4', 4)], 1);
    await until(() => follower.views.halts.length > 0);
    expect(follower.views.halts).toMatchObject([
      { view: 'versions', type: 'VersionDrafted', position: 4n, reason: expect.stringContaining('UNIQUE') },
    ]);
    const rows = await follower.rows(flows);
    expect(rows.get('SELECT latest_number FROM flows')).toEqual({ latest_number: 4 });
    expect(rows.all('SELECT id FROM versions ORDER BY id')).toEqual([{ id: 'v1' }, { id: 'v2' }]);
    const sentence = 'View versions has stopped at VersionDrafted, position 4.';
    await expect(follower.rows(versions)).rejects.toThrow(sentence);
    const status = new ViewsStatus(store, follower);
    expect(status.failures).toEqual([sentence]);
    expect(status.views.filter(({ state }) => state === 'halted')).toEqual([
      { name: 'versions', state: 'halted', position: 3n, stoppedAt: 'VersionDrafted' },
    ]);
    follower.refuseOnceHalted();

    await store.append('flow-b', [created('b')], 'no-stream');
    expect((await follower.rows(flows)).all('SELECT slug FROM flows')).toHaveLength(2);
  });

  it('leaves none of what that view had begun to write', async () => {
    const store = new MemoryEventStore();
    const follower = await follow(store);
    const change = (flowId: string, toSince: number | null) => {
      const to = { versionId: `${flowId}-v1`, number: 1, digest: 'd' };
      return { flowId, from: null, to, fromSince: 0, toSince };
    };
    const release = { release: 1, comment: null, inEffect: 1 };
    // The second of its rows cannot be written.
    const changes = [change('a', 1), change('b', null)];
    await store.append(
      'environment-e',
      [stored({ type: 'VersionActivated', ...release, changes } as unknown as DomainEvent)],
      'no-stream',
    );
    await until(() => follower.views.halts.length > 0);
    expect(follower.views.halts).toMatchObject([
      { view: 'active_versions', position: 1n },
      { view: 'environment_history', position: 1n },
    ]);
    const rows = await follower.rows(flows);
    expect(rows.all('SELECT * FROM placements')).toEqual([]);
  });

  it('stops it again after a restart, and lets it go on once the log can be folded', async () => {
    const store = new MemoryEventStore();
    const path = newFile();
    const first = await follow(store, path);
    await store.append('flow-a', [created('a'), drafted('v1', 1), drafted('v1', 2)], 'no-stream');
    await until(() => first.views.halts.length > 0);
    await first.close();
    const second = await follow(store, path);
    await until(() => second.views.halts.length > 0);
    await second.close();

    const mended = new MemoryEventStore();
    await mended.append('flow-a', [created('a'), drafted('v1', 1), drafted('v2', 2)], 'no-stream');
    const third = await follow(mended, path);
    expect((await third.rows(versions)).all('SELECT id FROM versions')).toHaveLength(2);
    expect(third.halts).toEqual([]);
  });

  it.each([
    { what: 'an unknown type', event: stored({ type: 'FlowTeleported' }) },
    { what: 'a newer schema', event: stored({ type: 'FlowRenamed', name: 'x' }, SCHEMA + 1) },
  ])(
    'because it is of $what stops the views of its kind of stream, and commands with them',
    async ({ event }) => {
      const store = new MemoryEventStore();
      const follower = await follow(store);
      await store.append('flow-a', [created('a')], 'no-stream');
      await store.append('flow-a', [event], 0);
      await until(() => follower.views.halts.length === 3);
      expect(follower.halts.map(({ view }) => view)).toEqual([
        'directory',
        'flows',
        'versions',
        'idempotency_keys',
      ]);
      expect(() => follower.refuseOnceHalted()).toThrow(`has stopped at ${event.type}, position 2`);
      await expect(follower.reached(2n, 100)).rejects.toThrow('has stopped');
      await expect(follower.reached(1n, 100)).resolves.toBeUndefined();
      await expect(LogFollower.start(store, newFile())).rejects.toThrow('written by a newer version');
    },
  );

  it('stops every view of events when not even its kind of stream is known', async () => {
    const store = new MemoryEventStore();
    const follower = await follow(store);
    await store.append('teleport-a', [stored({ type: 'Teleported' })], 'no-stream');
    await until(() => follower.halts.length === PROJECTIONS.filter((view) => 'streams' in view).length + 2);
  });
});

/** Lets a test decide what becomes of a subscription. */
class FrailStore extends MemoryEventStore {
  readonly subscribers: Subscriber[] = [];
  deaf = false;

  override subscribe(subscriber: Subscriber): Subscription {
    this.subscribers.push(subscriber);
    return super.subscribe({
      ...subscriber,
      onEvents: (events) => (this.deaf ? undefined : subscriber.onEvents(events)),
    });
  }
}

describe('A subscription', () => {
  it('that dies without a sign is noticed, and nothing is missed or taken twice', async () => {
    const store = new FrailStore();
    const follower = await follow(store);
    const taken: bigint[] = [];
    follower.onEvent(({ position }) => taken.push(position));
    await store.append('flow-a', [created('a')], 'no-stream');
    store.deaf = true;
    await store.append('flow-b', [created('b'), drafted('v1', 1)], 'no-stream');
    await until(() => new ViewsStatus(store, follower).head === 3n && follower.watchdog.lagSeconds > 0);
    store.deaf = false;
    await until(() => follower.live.progress.position === 3n);
    expect(store.subscribers.length).toBeGreaterThan(1);
    expect(taken).toEqual([1n, 2n, 3n]);
    await until(() => follower.watchdog.lagSeconds === 0);
  });

  it('that ends with an error is begun again from where the views stand', async () => {
    const store = new FrailStore();
    const follower = await follow(store);
    await store.append('flow-a', [created('a')], 'no-stream');
    store.subscribers.at(-1)?.onError(new Error('cut'));
    expect(follower.failures).toEqual(['The log is not followed at the moment: Error: cut']);
    await until(() => store.subscribers.length === 2);
    expect(store.subscribers.at(-1)?.after).toBe(1n);
    await store.append('flow-b', [created('b')], 'no-stream');
    expect(follower.live.progress.position).toBe(2n);
    expect(follower.failures).toEqual([]);
  });

  it('may bring an event again: it is taken once', async () => {
    const store = new FrailStore();
    const follower = await follow(store);
    await store.append('flow-a', [created('a'), drafted('v1', 1)], 'no-stream');
    const events = await store.readAll();
    const again = store.subscribers[0] as Subscriber;
    await again.onEvents(events);
    await again.onEvents(events.slice(1));
    await store.append('flow-b', [created('b')], 'no-stream');
    await again.onEvents(await store.readAll());
    expect((await follower.rows(flows)).all('SELECT slug FROM flows')).toHaveLength(2);
    expect(follower.halts).toEqual([]);
  });

  it('is not needed to know that the log is away', async () => {
    const store = new MemoryEventStore();
    const follower = await follow(store);
    await store.close();
    await until(() => new ViewsStatus(store, follower).failures.some((line) => line.includes('reached')));
  });
});

describe('Rows that are made anew', () => {
  it('are the same, while others write and read; the file is the one that the next start looks for', async () => {
    const store = new MemoryEventStore();
    const path = newFile();
    const follower = await follow(store, path);
    await seed(store, 3_000);
    let writing = true;
    const writers = [0, 1, 2, 3, 4, 5, 6, 7].map(async (writer) => {
      let written = 0;
      for (; writing; written += 1) {
        await store.append(`flow-w${writer}-${written}`, [created(`w${writer}-${written}`)], 'no-stream');
        const slug = `w${writer}-${written}`;
        const found = (await follower.rows(flows)).get('SELECT 1 FROM flows WHERE slug = ?', slug);
        if (found === undefined) throw new Error(`${slug} was written and is not shown`);
      }
      return written;
    });
    const rebuilt = await follower.rebuild();
    writing = false;
    expect((await Promise.all(writers)).every((written) => written > 0)).toBe(true);
    expect(rebuilt.equal).toBe(true);
    await follower.rows(flows);
    await follower.close();

    const fresh = await follow(store);
    await fresh.rows(flows);
    expect(contentOf(path)).toEqual(contentOf(fresh.views.path));
    const next = await follow(store, path);
    expect(next.live.progress.position).toBe(await store.head());
  });

  it('leave those before to whoever has them in hand', async () => {
    const store = new MemoryEventStore();
    const follower = await follow(store);
    await seed(store, 3);
    const inHand = await follower.rows(flows);
    await follower.rebuild();
    await follower.rebuild();
    expect(inHand.get(`SELECT name FROM flows WHERE slug = 'f-2'`)).toEqual({ name: 'f-2' });
  });

  it('are put in the place of others that differ, and that is said', async () => {
    const store = new MemoryEventStore();
    const follower = await follow(store);
    await seed(store, 50);
    await follower.rows(flows);
    const spoiler = new Database(follower.views.path);
    spoiler.prepare(`UPDATE flows SET name = 'spoiled' WHERE slug = 'f-7'`).run();
    spoiler.close();
    expect((await follower.rebuild()).equal).toBe(false);
    const nameOf = (await follower.rows(flows)).get(`SELECT name FROM flows WHERE slug = 'f-7'`);
    expect(nameOf).toEqual({ name: 'f-7' });
    expect((await follower.rebuild()).equal).toBe(true);
  });

  it('are waited for after a start for as long as they come nearer', async () => {
    const follower = await follow(new MemoryEventStore());
    const { views } = follower;
    let waits = 0;
    follower.rows = () => {
      if (waits === 3) return Promise.resolve(views.rows);
      waits += 1;
      views.progress.advance(views.progress.position + 1n);
      return Promise.reject(new NotCaughtUp(9n, views.progress.position, 'Waited.'));
    };
    await follower.rowsAtLast(flows);
    expect(waits).toBe(3);
    follower.rows = () => Promise.reject(new NotCaughtUp(9n, views.progress.position, 'Waited.'));
    await expect(follower.rowsAtLast(flows)).rejects.toThrow(NotCaughtUp);
  });

  it('are the same whatever batches the log came in', async () => {
    const store = new MemoryEventStore();
    const slow = await follow(store);
    for (let i = 0; i < 40; i += 1) {
      await store.append(`flow-${i}`, [created(`s-${i}`), drafted(`v-${i}`, 1)], 'no-stream');
      if (i % 3 === 0) await slow.rows(flows);
    }
    await slow.rows(flows);
    const quick = await follow(store);
    await quick.rows(flows);
    expect(contentOf(quick.views.path)).toEqual(contentOf(slow.views.path));
  });
});

async function seed(store: MemoryEventStore, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    await store.append(`flow-${i}`, [created(`f-${i}`), drafted(`version-${i}`, 1)], 'no-stream');
  }
}
