// One command on its way through several servers at the same moment, over one log: one effect, one outcome.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AnsweredCommands } from '../../src/commands/answered-commands.js';
import { CommandLog, withoutKey, type Caller } from '../../src/commands/command-log.js';
import { FirstStart } from '../../src/commands/first-start.js';
import { ProjectStream, type InProject } from '../../src/commands/project-stream.js';
import { Streams } from '../../src/commands/streams.js';
import { LogFollower } from '../../src/read/log-follower.js';
import { MemoryEventStore } from '../../src/store/memory.event-store.js';

const RACES = 200;
const SERVERS = 3;

const folder = mkdtempSync(join(tmpdir(), 'switchyard-idempotency-'));
const store = new MemoryEventStore();
let servers: Awaited<ReturnType<typeof open>>[];

async function open(number: number) {
  const follower = await LogFollower.start(store, join(folder, `views-${number}.db`));
  const commandLog = new CommandLog(store, follower);
  const streams = new Streams(store, follower);
  return {
    follower,
    projects: new ProjectStream(commandLog, streams),
    answered: new AnsweredCommands(store, follower, commandLog),
    prepare: () => new FirstStart({ commandLog, streams, follower }).prepare(undefined),
  };
}

beforeAll(async () => {
  servers = await Promise.all(Array.from({ length: SERVERS }, (_, number) => open(number)));
  await servers[0]?.prepare();
});
afterAll(async () => {
  await Promise.all(servers.map(({ follower }) => follower.close()));
  await store.close();
  rmSync(folder, { recursive: true });
});

function callerWith(key: string, requestHash = 'asked', actorId = 'k1'): InProject {
  const { directory } = (servers[0] as (typeof servers)[0]).follower.live;
  const workspaceId = directory.workspaceBySlug('default')?.id ?? '';
  const projectId = directory.projectsOf(workspaceId)[0]?.id ?? '';
  const actor = { type: 'api-key' as const, id: actorId };
  const idempotency = { key, requestHash, hasEffect: false };
  return { actor, workspaceId, projectId, requestId: 'r1', idempotency };
}

/** Each server makes up an id of its own for the environment, as the command does. */
function create(server: (typeof servers)[0], caller: InProject, slug: string, id: string) {
  const look = { description: null, color: null, makeDefault: false };
  return server.projects.run(caller, {
    type: 'CreateEnvironment',
    environmentId: id,
    slug,
    name: slug,
    ...look,
  });
}

const environmentsMade = async (): Promise<number> => {
  let made = 0;
  for (let after = 0n; ;) {
    const page = await store.readAll({ after });
    if (page.length === 0) return made;
    made += page.filter(({ type }) => type === 'EnvironmentCreated').length;
    after = page.at(-1)?.position ?? after;
  }
};

describe('The same key sent to several servers at once', () => {
  it(`has one effect and one answer, ${RACES} times`, async () => {
    const before = await environmentsMade();
    for (let race = 0; race < RACES; race += 1) {
      const caller = callerWith(`race-${race}`);
      const outcomes = await Promise.all(
        servers.map(async (server, number) => {
          const outcome = await create(server, caller, `e-${race}`, `${race}-${number}`);
          const body = JSON.stringify(outcome.events);
          return { outcome, answer: await server.answered.record(caller, { status: 201, body }) };
        }),
      );
      expect(new Set(outcomes.map(({ answer }) => answer.body)).size).toBe(1);
      expect(new Set(outcomes.map(({ outcome }) => outcome.position)).size).toBe(1);
    }
    expect(await environmentsMade()).toBe(before + RACES);
  });
});

describe('A command whose answer was lost before it was kept', () => {
  it('is told, on any server, what it did the first time', async () => {
    const [first, second] = servers as [(typeof servers)[0], (typeof servers)[0]];
    const caller = callerWith('lost');
    const done = await create(first, caller, 'lost', 'id-lost');
    await second.follower.upToDate(1_000);
    const again = await create(second, { ...caller, requestId: 'r2' }, 'lost', 'id-of-the-retry');
    expect(again).toEqual(done);
    expect(await second.answered.find(caller)).toEqual({ answer: null, hasEffect: true });
  });
});

describe('An answer', () => {
  it('is kept whole up to 64 KiB, and beyond where there is no effect to word it from again', async () => {
    const [first] = servers as [(typeof servers)[0]];
    const kept = async (caller: InProject, bytes: number): Promise<number | undefined> => {
      await first.answered.record(caller, { status: 200, body: 'é'.repeat(bytes / 2) });
      const { answer } = await first.answered.find(caller);
      return answer?.body === null ? undefined : Buffer.byteLength(answer?.body ?? '');
    };
    const [short, long] = [callerWith('short'), callerWith('long')];
    await create(first, short, 'short', 'id-short');
    await create(first, long, 'long', 'id-long');
    expect(await kept(short, 65_536)).toBe(65_536);
    expect(await kept(long, 65_538)).toBeUndefined();
    expect(await kept(callerWith('without-effect'), 200_000)).toBe(200_000);
  });

  it('that tells of nothing done counts for nothing, where another server has done something', async () => {
    const [first, second] = servers as [(typeof servers)[0], (typeof servers)[0]];
    const here = callerWith('both');
    const nothing = { status: 200, body: '{"changed":false}' };
    expect(await first.answered.record(here, nothing)).toEqual(nothing);
    expect(await first.answered.find(here)).toMatchObject({ answer: nothing, hasEffect: false });
    const there = callerWith('both');
    await create(second, there, 'both', 'id-both');
    const done = { status: 201, body: '{"changed":true}' };
    expect(await second.answered.record(there, done)).toEqual(done);
    await first.follower.upToDate(1_000);
    expect(await first.answered.find(callerWith('both'))).toEqual({ answer: null, hasEffect: true });
  });

  it('that two servers give at once is one: the second gives that of the first', async () => {
    const answers = await Promise.all(
      servers.map(({ answered }, number) =>
        answered.record(callerWith('no-change'), { status: 200, body: `${number}` }),
      ),
    );
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
  });
});

describe('A key', () => {
  it('that stands for another command is refused, whether its answer was kept or not', async () => {
    const [first] = servers as [(typeof servers)[0]];
    await create(first, callerWith('taken'), 'taken', 'id-taken');
    const other = callerWith('taken', 'asked otherwise');
    await expect(create(first, other, 'other', 'id-other')).rejects.toMatchObject({
      code: 'idempotency-key-reused',
    });
    await expect(first.answered.find(other)).rejects.toMatchObject({ code: 'idempotency-key-reused' });
    await first.answered.record(callerWith('taken'), { status: 201, body: '{}' });
    await expect(first.answered.find(other)).rejects.toMatchObject({ code: 'idempotency-key-reused' });
  });

  it('belongs to whoever sent it', async () => {
    const [first] = servers as [(typeof servers)[0]];
    await create(first, callerWith('mine', 'asked', 'k1'), 'mine', 'id-mine');
    const theirs = callerWith('mine', 'asked otherwise', 'k2');
    const { events } = await create(first, theirs, 'theirs', 'id-theirs');
    expect(events).toMatchObject([{ type: 'EnvironmentCreated', environmentId: 'id-theirs' }]);
  });

  it('is left out of what only leads up to the effect', () => {
    const caller: Caller = callerWith('lead-up');
    expect(withoutKey(caller).idempotency).toBeUndefined();
  });
});
