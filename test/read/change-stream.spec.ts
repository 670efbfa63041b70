// Following the changes, apart from HTTP: each change once and in order, from wherever a client comes, and no client
// that costs the others anything.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import type { Change as FlowChange, EnvironmentEvent } from '../../src/domain/environment.events.js';
import { isEnvironmentEvent, SCHEMA, type DomainEvent } from '../../src/domain/events.js';
import { encode } from '../../src/domain/recorded.js';
import { inParts } from '../../src/domain/release-parts.js';
import type { ChangeReader, Outlet } from '../../src/read/change-reader.js';
import { CHANGE_LIMITS, ChangeStream, type Change, type Wording } from '../../src/read/change-stream.js';
import { LogFollower } from '../../src/read/log-follower.js';
import { ReleaseLog } from '../../src/read/release-log.js';
import type { Wanted } from '../../src/read/recent-messages.js';
import type { NewEvent, Position, Subscriber } from '../../src/store/event-store.js';
import { MemoryEventStore } from '../../src/store/memory.event-store.js';
import { until } from '../store/event-store.contract.js';
import { Random, seed } from '../support/random.js';

const folder = mkdtempSync(join(tmpdir(), 'switchyard-changes-'));
const closing: (() => Promise<void>)[] = [];
let files = 0;

afterAll(async () => {
  for (const close of closing) await close();
  rmSync(folder, { recursive: true });
});

const GAP = 10n;

/** Its positions leave gaps, as those of some stores do. */
class StoreWithGaps extends MemoryEventStore {
  override async append(...[stream, events, expected]: Parameters<MemoryEventStore['append']>) {
    const { revision, position } = await super.append(stream, events, expected);
    return { revision, position: position * GAP };
  }

  override async readAll({ after = 0n, limit = 1_000 } = {}) {
    const page = await super.readAll({ after: after / GAP, limit });
    return page.map((event) => ({ ...event, position: event.position * GAP }));
  }

  override async head() {
    return (await super.head()) * GAP;
  }

  override subscribe(subscriber: Subscriber) {
    return super.subscribe({
      after: subscriber.after / GAP,
      onEvents: (events) =>
        subscriber.onEvents(events.map((event) => ({ ...event, position: event.position * GAP }))),
      onError: (error) => subscriber.onError(error),
    });
  }
}

const BYTES_BESIDES = 12;

/** Tells of everything in a project: `<position> <number of flows>`, filled up with spaces where that is asked for. */
class PlainWording implements Wording {
  failsAt: Position | undefined;

  constructor(private readonly bytes = 0) {}

  topicOf({ event, recorded: { meta, stream, position } }: Change) {
    if (position === this.failsAt) throw new Error('There are no words for this');
    if (meta.project === null) return undefined;
    const flowIds = isEnvironmentEvent(event) ? event.changes.map(({ flowId }) => flowId) : [stream];
    const ids = { workspaceId: meta.workspace, projectId: meta.project, environmentId: null, isOfAll: false };
    return { ...ids, type: event.type, flowIds: new Set(flowIds), sourceId: null };
  }

  bytesOf({ event, recorded: { position } }: Change) {
    const flows = isEnvironmentEvent(event) ? event.changes.length : 1;
    return Buffer.from(`${position} ${flows}`.padEnd(this.bytes + BYTES_BESIDES));
  }
}

async function streamOver(options: {
  readonly store?: MemoryEventStore;
  readonly limits?: Partial<typeof CHANGE_LIMITS>;
  readonly wording?: Wording;
}) {
  const { store = new MemoryEventStore(), limits = {}, wording = new PlainWording() } = options;
  const follower = await LogFollower.start(store, join(folder, `views-${(files += 1)}.db`));
  const all = { ...CHANGE_LIMITS, tickMs: 5, ...limits };
  const changes = new ChangeStream(store, follower, new ReleaseLog(store, follower), wording, all);
  closing.push(async () => {
    changes.close();
    await follower.close();
  });
  return { store, follower, changes };
}

type Engine = Awaited<ReturnType<typeof streamOver>>;

const WHO = { workspaceId: 'w1', actorId: 'key' };

/** A client that takes as much as it has room for. */
class TestClient implements Outlet {
  readonly got: string[] = [];
  readonly beats: Position[] = [];
  ended = false;
  reason: string | undefined;
  reader: ChangeReader | undefined;

  constructor(public room = Number.POSITIVE_INFINITY) {}

  follow(
    { changes }: Pick<Engine, 'changes'>,
    position: Position,
    wanted: Wanted = () => true,
    who = WHO,
  ): this {
    this.reader = changes.follow(position, { ...who, worksUntil: Infinity, wanted, outlet: this });
    return this;
  }

  /** The last one that it has room for is taken, and the next one waits. */
  write(bytes: Uint8Array): boolean {
    this.got.push(Buffer.from(bytes).toString().trimEnd());
    this.room -= 1;
    return this.room > 0;
  }

  beat(position: Position): boolean {
    this.beats.push(position);
    return true;
  }

  end(): void {
    this.ended = true;
  }

  cut(reason: string): void {
    this.reason = reason;
  }

  giveRoom(room: number): void {
    this.room = room;
    this.reader?.resume();
  }

  get positions(): bigint[] {
    return this.got.map((text) => BigInt(text.split(' ', 1)[0] ?? ''));
  }
}

function written(event: DomainEvent | { readonly type: string }, project: string | null = 'p'): NewEvent {
  const time = '2026-03-02T08:16:31.132Z';
  const meta = { actor: { type: 'system', id: 's' }, workspace: 'w', project, time, schema: SCHEMA };
  return { id: uuidv7(), type: event.type, data: encode(event as DomainEvent), meta: JSON.stringify(meta) };
}

/** One event each, on a stream of its own. */
async function createFlows({ store }: Pick<Engine, 'store'>, count: number, project = 'p'): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const slug = uuidv7();
    const created = written({ type: 'FlowCreated', slug, name: slug, kind: 'prompt' }, project);
    await store.append(`flow-${slug}`, [created], 'no-stream');
  }
}

/** The events of one release with so many changes, in parts where it has to be. */
function releaseOf(flows: number): EnvironmentEvent[] {
  const changes = Array.from({ length: flows }, (_, n): FlowChange => {
    const to = { versionId: `v${n}`, number: 1, digest: 'd' };
    return { flowId: `flow-${n}`, from: null, to, fromSince: 0, toSince: 1 };
  });
  const source = { environmentId: 'source', release: 1 };
  return inParts({ type: 'VersionsPromoted', release: 1, comment: null, changes, source });
}

const numbers = (from: number, to: number): bigint[] =>
  Array.from({ length: to - from + 1 }, (_, n) => BigInt(from + n));

describe('Whoever follows the changes', () => {
  it('is told of each once and in order, whether from what is newest or from the log', async () => {
    const engine = await streamOver({});
    await createFlows(engine, 700);
    const clients = [0n, 1n, 499n, 500n, 501n, 699n, 700n].map((after) =>
      new TestClient().follow(engine, after),
    );
    await createFlows(engine, 300);
    const ahead = new TestClient().follow(engine, 1_003n);
    await createFlows(engine, 5);
    await until(() => [...clients, ahead].every(({ positions }) => positions.at(-1) === 1_005n));
    expect(clients.map(({ positions }) => positions)).toEqual(
      [1, 2, 500, 501, 502, 700, 701].map((first) => numbers(first, 1_005)),
    );
    expect(ahead.positions).toEqual([1_004n, 1_005n]);
  });

  it(`misses and repeats nothing, however slow, and wherever it drops and comes back (seed ${seed})`, async () => {
    const random = new Random(seed);
    // So little is kept that a client falls behind it again and again.
    const engine = await streamOver({ limits: { recentBytesMax: 6_000 } });
    const seen = Array.from({ length: 30 }, (): bigint[] => []);
    const clients: (TestClient | undefined)[] = seen.map(() => undefined);
    const step = async (): Promise<void> => {
      if (random.next() < 0.7) await createFlows(engine, 1 + random.below(12));
      const number = random.below(clients.length);
      const client = clients[number];
      if (client === undefined) {
        clients[number] = new TestClient(1 + random.below(20)).follow(engine, seen[number]?.at(-1) ?? 0n);
      } else if (random.next() < 0.5) client.giveRoom(1 + random.below(30));
      else drop(number);
      if (random.next() < 0.3) await new Promise((resolve) => setImmediate(resolve));
    };
    const drop = (number: number): void => {
      const client = clients[number];
      if (client === undefined) return;
      seen[number]?.push(...client.positions);
      if (client.reader !== undefined) engine.changes.leave(client.reader);
      clients[number] = undefined;
    };
    for (let turn = 0; turn < 500; turn += 1) await step();
    const head = Number(await engine.store.head());
    expect(head).toBeGreaterThan(300);
    for (const [number, positions] of seen.entries()) {
      drop(number);
      const last = new TestClient().follow(engine, positions.at(-1) ?? 0n);
      await until(() => (last.positions.at(-1) ?? positions.at(-1)) === BigInt(head));
      expect([...positions, ...last.positions]).toEqual(numbers(1, head));
    }
  });

  it('is told of nothing that it does not want, and goes on past it', async () => {
    const engine = await streamOver({ limits: { heartbeatMs: 20 } });
    await createFlows(engine, 5);
    const mine: Wanted = ({ projectId }) => projectId === 'mine';
    const client = new TestClient().follow(engine, 0n, mine);
    await createFlows(engine, 5);
    await createFlows(engine, 1, 'mine');
    await createFlows(engine, 2);
    await until(() => client.beats.at(-1) === 13n);
    expect(client.positions).toEqual([11n]);
  });

  it('hears that the connection lives when there is nothing else, and up to where nothing is missing', async () => {
    const engine = await streamOver({ limits: { heartbeatMs: 30 } });
    const client = new TestClient().follow(engine, 0n);
    const blocked = new TestClient(1).follow(engine, 0n);
    await createFlows(engine, 3);
    await until(() => client.beats.length >= 3);
    expect(new Set(client.beats.slice(1))).toEqual(new Set([3n]));
    expect(blocked.beats).toEqual([]);
  });
});

describe('A release in several parts', () => {
  it.each([
    ['as it happens', (engine: Engine) => new TestClient().follow(engine, 0n), 0],
    ['from the log', (engine: Engine) => new TestClient().follow(engine, 0n), 4],
    ['from the log, after its first part', (engine: Engine) => new TestClient().follow(engine, 1n), 4],
    ['from the log, after all but its last', (engine: Engine) => new TestClient().follow(engine, 2n), 4],
  ])('is told of once, whole, at its last part: %s', async (_, follow, before) => {
    const engine = await streamOver({});
    const parts = releaseOf(4_001).map((event) => written(event));
    expect(parts).toHaveLength(3);
    const client = before === 0 ? follow(engine) : undefined;
    await engine.store.append('environment-e', parts, 'no-stream');
    await createFlows(engine, 1);
    const late = client ?? follow(engine);
    await until(() => late.positions.at(-1) === 4n);
    expect(late.got).toEqual(['3 4001', '4 1']);
  });

  it('is told of whole to those who came between its parts', async () => {
    const engine = await streamOver({});
    const [first, second, third] = releaseOf(4_001).map((event) => written(event));
    const { store } = engine;
    if (first === undefined || second === undefined || third === undefined) throw new Error('Three parts');
    await store.append('environment-e', [first], 'no-stream');
    const early = new TestClient().follow(engine, 0n);
    const client = new TestClient().follow(engine, 1n);
    await store.append('environment-e', [second], 0);
    const later = new TestClient().follow(engine, 2n);
    await store.append('environment-e', [third], 1);
    await createFlows(engine, 1);
    for (const each of [early, client, later]) {
      await until(() => each.positions.at(-1) === 4n);
      expect(each.got).toEqual(['3 4001', '4 1']);
    }
  });
});

describe('A client that does not keep up', () => {
  const limits = { behindBytesMax: 10_000, stallMs: 60_000 };

  it('is cut off once it is further behind than it may be, and the others go on', async () => {
    const wording = new PlainWording(1_000 - BYTES_BESIDES);
    const engine = await streamOver({ limits, wording });
    const [slow, quick] = [new TestClient(1).follow(engine, 0n), new TestClient().follow(engine, 0n)];
    const elsewhere = new TestClient(1).follow(engine, 0n, ({ projectId }) => projectId !== 'p');
    await createFlows(engine, 1, 'q');
    await createFlows(engine, 10);
    await until(() => quick.got.length === 11);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(slow.reason).toBeUndefined();
    await createFlows(engine, 1);
    await until(() => slow.reason !== undefined);
    expect(slow.reason).toBe('It is more than 10000 bytes behind.');
    expect(slow.positions).toEqual([1n]);
    expect({ quick: quick.reason, elsewhere: elsewhere.reason }).toEqual({});
  });

  it('may take its time over what it has missed, as long as it takes something', async () => {
    const wording = new PlainWording(1_000 - BYTES_BESIDES);
    const engine = await streamOver({ limits: { ...limits, recentBytesMax: 20_000 }, wording });
    await createFlows(engine, 200);
    const client = new TestClient(1).follow(engine, 0n);
    for (let got = 1; got <= 200; got += 1) {
      await until(() => client.got.length === got);
      client.giveRoom(1);
    }
    expect(client.positions).toEqual(numbers(1, 200));
    expect(client.reason).toBeUndefined();
  });

  it('does not wait for all that many of another workspace have missed', async () => {
    class StoreThatTakesTime extends MemoryEventStore {
      override async readAll(options = {}) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        return super.readAll(options);
      }
    }
    const engine = await streamOver({ store: new StoreThatTakesTime() });
    await createFlows(engine, 700);
    await until(() => engine.follower.live.progress.position === 700n);
    const others = Array.from({ length: 30 }, () => new TestClient().follow(engine, 0n));
    let toldToOthers = 0;
    class Alone extends TestClient {
      override write(bytes: Uint8Array): boolean {
        toldToOthers = others.reduce((sum, { got }) => sum + got.length, 0);
        return super.write(bytes);
      }
    }
    const client = new Alone().follow(engine, 0n, undefined, { workspaceId: 'w2', actorId: 'k2' });
    await until(() => client.got.length === 700);
    expect(toldToOthers).toBeLessThan(2 * 700);
    await until(() => others.every(({ got }) => got.length === 700));
  });

  it('is cut off when it takes nothing at all', async () => {
    const engine = await streamOver({ limits: { stallMs: 50 } });
    await createFlows(engine, 3);
    const [stuck, well] = [new TestClient(1).follow(engine, 0n), new TestClient().follow(engine, 0n)];
    await until(() => stuck.reason !== undefined);
    expect(stuck.reason).toBe('It has taken nothing for 50 ms.');
    expect({ got: well.positions, reason: well.reason }).toEqual({ got: [1n, 2n, 3n], reason: undefined });
  });
});

describe('A client that comes back', () => {
  it.each([
    ['as they come', () => new MemoryEventStore(), 1n],
    ['with gaps between them', () => new StoreWithGaps(), GAP],
  ])('goes on where it was, unless it missed too much: positions %s', async (_, newStore, gap) => {
    const engine = await streamOver({ store: newStore(), limits: { missedEventsMax: 20 } });
    await createFlows(engine, 50);
    const { changes } = engine;
    expect(await changes.beginning(undefined, WHO)).toEqual({ position: 50n * gap });
    expect(await changes.beginning(50n * gap, WHO)).toEqual({ position: 50n * gap });
    expect(await changes.beginning(30n * gap, WHO)).toEqual({ position: 30n * gap });
    for (const old of [29n, 0n, 28n, 29n]) {
      expect(await changes.beginning(old * gap, WHO)).toEqual({ position: 50n * gap, reset: 'too-old' });
    }
    expect(await changes.beginning(30n * gap, WHO)).toEqual({ position: 30n * gap });
    await createFlows(engine, 1);
    expect(await changes.beginning(30n * gap, WHO)).toEqual({ position: 51n * gap, reset: 'too-old' });
    const client = new TestClient().follow(engine, 31n * gap);
    await until(() => client.positions.at(-1) === 51n * gap);
    expect(client.positions).toEqual(numbers(32, 51).map((position) => position * gap));
  });

  it('begins anew when the log has never been where it says', async () => {
    const engine = await streamOver({});
    await createFlows(engine, 5);
    expect(await engine.changes.beginning(6n, WHO)).toEqual({ position: 5n, reset: 'beyond-the-end' });
  });

  it('is told of nothing that the views here do not hold yet, although the log does', async () => {
    let arrive: () => void = () => undefined;
    class LateStore extends MemoryEventStore {
      override subscribe(subscriber: Subscriber) {
        const arrived = new Promise<void>((resolve) => (arrive = resolve));
        const onEvents: Subscriber['onEvents'] = async (events) => {
          if ((events[0]?.position ?? 0n) > 5n) await arrived;
          await subscriber.onEvents(events);
        };
        return super.subscribe({ ...subscriber, onEvents });
      }
    }
    const engine = await streamOver({ store: new LateStore() });
    await createFlows(engine, 5);
    await until(() => engine.follower.live.progress.position === 5n);
    await createFlows(engine, 3);
    const client = new TestClient().follow(engine, 0n);
    await until(() => client.got.length >= 5);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(client.positions).toEqual(numbers(1, 5));
    arrive();
    await until(() => client.got.length === 8);
    expect(client.positions).toEqual(numbers(1, 8));
  });

  it('may know more of the log than this server does as yet', async () => {
    class FartherStore extends MemoryEventStore {
      override async head() {
        return (await super.head()) + this.hidden;
      }
      hidden = 0n;
    }
    const store = new FartherStore();
    const engine = await streamOver({ store });
    await createFlows(engine, 5);
    store.hidden = 2n;
    expect(await engine.changes.beginning(7n, WHO)).toEqual({ position: 7n });
    expect(await engine.changes.beginning(8n, WHO)).toEqual({ position: 5n, reset: 'beyond-the-end' });
  });
});

describe('A stream ends', () => {
  it('when the key that it was asked for with no longer works', async () => {
    const engine = await streamOver({});
    const client = new TestClient().follow(engine, 0n);
    const revoked = (keyId: string) => written({ type: 'ApiKeyRevoked', keyId }, null);
    const workspace = written({ type: 'WorkspaceCreated', slug: 'w', name: 'w' }, null);
    await engine.store.append('access-w', [workspace, revoked('another')], 'no-stream');
    await createFlows(engine, 1);
    await until(() => client.got.length === 1);
    expect(client.ended).toBe(false);
    await engine.store.append('access-w', [revoked('key')], 1);
    expect({ ended: client.ended, open: engine.changes.open }).toEqual({ ended: true, open: 0 });
    await createFlows(engine, 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(client.got).toHaveLength(1);
  });

  it('when a view in memory stops: something might be left out', async () => {
    const engine = await streamOver({});
    const client = new TestClient().follow(engine, 0n);
    await createFlows(engine, 1);
    await until(() => client.got.length === 1);
    await engine.store.append('flow-new', [written({ type: 'FlowTurned' })], 'no-stream');
    await createFlows(engine, 1);
    await until(() => client.ended);
    expect(client.positions).toEqual([1n]);
  });

  it('alone when something cannot be put into words: the views go on', async () => {
    const wording = new PlainWording();
    const engine = await streamOver({ wording });
    const client = new TestClient().follow(engine, 0n);
    wording.failsAt = 2n;
    await createFlows(engine, 1);
    await until(() => client.got.length === 1);
    await createFlows(engine, 2);
    await until(() => client.reason !== undefined);
    expect({ got: client.positions, reason: client.reason }).toEqual({
      got: [1n],
      reason: 'There are no words for this',
    });
    expect(engine.follower.halts).toEqual([]);
    const later = new TestClient().follow(engine, 2n);
    await until(() => later.got.length === 1);
    expect(later.positions).toEqual([3n]);
  });
});
