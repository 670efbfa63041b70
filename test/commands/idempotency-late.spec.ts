// Commands with a key on a server that another one is ahead of: what it has not heard of yet is not done again.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AnsweredCommands } from '../../src/commands/answered-commands.js';
import { CommandLog } from '../../src/commands/command-log.js';
import { FirstStart } from '../../src/commands/first-start.js';
import { FlowStream } from '../../src/commands/flow-stream.js';
import { ProjectStream, type InProject } from '../../src/commands/project-stream.js';
import { Streams } from '../../src/commands/streams.js';
import { LogFollower } from '../../src/read/log-follower.js';
import type { StoredEvent, Subscriber, Subscription } from '../../src/store/event-store.js';
import { MemoryEventStore } from '../../src/store/memory.event-store.js';
import { idempotencyKeys, type KeyedEffect } from '../../projections/idempotency-keys.js';
import { until } from '../store/event-store.contract.js';

/** The second server that follows this log hears of an event only once that is let through. */
class SlowToTell extends MemoryEventStore {
  private followers = 0;
  private held: (() => void)[] = [];
  holds = false;

  override subscribe(subscriber: Subscriber): Subscription {
    this.followers += 1;
    if (this.followers !== 2) return super.subscribe(subscriber);
    return super.subscribe({ ...subscriber, onEvents: (events) => this.oneByOne(subscriber, events) });
  }

  /** Lets the next event through; false when none waits. */
  letThrough(): boolean {
    const next = this.held.shift();
    next?.();
    return next !== undefined;
  }

  get isWaiting(): boolean {
    return this.held.length > 0;
  }

  private async oneByOne(subscriber: Subscriber, events: readonly StoredEvent[]): Promise<void> {
    for (const event of events) {
      if (this.holds) await new Promise<void>((resolve) => this.held.push(resolve));
      await subscriber.onEvents([event]);
    }
  }
}

const folder = mkdtempSync(join(tmpdir(), 'switchyard-late-'));
const store = new SlowToTell();
let [ahead, behind] = [] as unknown as [Server, Server];

type Server = Awaited<ReturnType<typeof open>>;

async function open(name: string) {
  const follower = await LogFollower.start(store, join(folder, `${name}.db`));
  const commandLog = new CommandLog(store, follower);
  const streams = new Streams(store, follower);
  return {
    follower,
    answered: new AnsweredCommands(store, follower, commandLog),
    flows: new FlowStream(commandLog, streams),
    projects: new ProjectStream(commandLog, streams),
    prepare: () => new FirstStart({ commandLog, streams, follower }).prepare(undefined),
  };
}

beforeAll(async () => {
  [ahead, behind] = [await open('ahead'), await open('behind')];
  await ahead.prepare();
  await behind.follower.upToDate(1_000);
});
afterEach(() => {
  store.holds = false;
  while (store.letThrough());
});
afterAll(async () => {
  await Promise.all([ahead, behind].map(({ follower }) => follower.close()));
  await store.close();
  rmSync(folder, { recursive: true });
});

function callerWith(key: string): InProject {
  const { directory } = ahead.follower.live;
  const workspaceId = directory.workspaceBySlug('default')?.id ?? '';
  const projectId = directory.projectsOf(workspaceId)[0]?.id ?? '';
  const idempotency = { key, requestHash: 'asked', hasEffect: false };
  return { actor: { type: 'api-key', id: 'k1' }, workspaceId, projectId, requestId: 'r1', idempotency };
}

const withoutKey = (): InProject => ({ ...callerWith(''), idempotency: undefined });
const typesIn = async (stream: string) => (await store.readStream(stream)).map(({ type }) => type);

function create(server: Server, caller: InProject, slug: string, environmentId: string) {
  const look = { name: slug, description: null, color: null, makeDefault: true };
  return server.projects.run(caller, { type: 'CreateEnvironment', environmentId, slug, ...look });
}

function draft(server: Server, caller: InProject, flowId: string, versionId: string) {
  const text = { content: { text: 'Hi' }, digest: 'd', label: null, comment: null };
  return server.flows.run(caller, flowId, { type: 'DraftVersion', versionId, ...text });
}

describe('A server that has not heard yet of what another one did', () => {
  it('does not do it again on a flow that it has to read first', async () => {
    const flow = { type: 'CreateFlow', slug: 'f', name: 'F', kind: 'prompt', first: null } as const;
    await ahead.flows.run(withoutKey(), 'f', flow);
    await behind.follower.upToDate(1_000);
    store.holds = true;
    const done = await draft(ahead, callerWith('draft'), 'f', 'version-of-the-first');
    const again = draft(behind, callerWith('draft'), 'f', 'version-of-the-second');
    await until(() => store.isWaiting);
    // Time enough for the server to read the flow and to draft a second version.
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    expect(await typesIn('flow-f')).toEqual(['FlowCreated', 'VersionDrafted']);
    store.holds = false;
    while (store.letThrough());
    expect(await again).toEqual(done);
    expect(await typesIn('flow-f')).toEqual(['FlowCreated', 'VersionDrafted']);
  });

  it('gives the answer that the other one kept once it shows what was done', async () => {
    store.holds = true;
    const caller = callerWith('kept');
    const done = await create(ahead, caller, 'kept', 'id-kept');
    const answer = { status: 201, body: '{}' };
    await ahead.answered.record(caller, answer);
    let positionThen: bigint | undefined;
    const found = behind.answered.find(callerWith('kept')).then((before) => {
      positionThen = behind.follower.live.progress.position;
      return before;
    });
    await until(() => store.isWaiting);
    // Time enough for the server to read the answer.
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    store.holds = false;
    while (store.letThrough());
    expect(await found).toMatchObject({ answer, hasEffect: true });
    expect(positionThen).toBeGreaterThan(done.position);
  });

  it('tells all of it, although it has heard of a part alone', async () => {
    store.holds = true;
    const done = await create(ahead, callerWith('both'), 'both', 'id-both');
    expect(done.events.map(({ type }) => type)).toEqual(['EnvironmentCreated', 'DefaultEnvironmentSet']);
    await until(() => store.letThrough());
    await until(() => store.isWaiting);
    expect(await create(behind, callerWith('both'), 'both', 'id-of-the-retry')).toEqual(done);

    // The rest comes when the rows hold the first part already and memory has forgotten it.
    const owner = { workspaceId: callerWith('').workspaceId, actorId: 'k1' };
    const { revision } = behind.follower.effectOf(owner, 'both') as KeyedEffect;
    await behind.follower.rows(idempotencyKeys);
    await until(() => store.letThrough());
    await behind.follower.reached(done.position, 1_000);
    expect(behind.follower.effectOf(owner, 'both')?.revision).toBe(revision);
  });
});

describe('A key whose command had its effect on another thing', () => {
  it('is refused, and nothing happens to this one', async () => {
    const caller = callerWith('moved');
    await create(ahead, caller, 'moved', 'id-moved');
    await ahead.flows.run(withoutKey(), 'g', {
      ...{ type: 'CreateFlow', slug: 'g', name: 'G', kind: 'prompt', first: null },
    });
    await expect(draft(ahead, caller, 'g', 'v')).rejects.toMatchObject({ code: 'idempotency-key-reused' });
    expect(await typesIn('flow-g')).toEqual(['FlowCreated']);
  });
});
