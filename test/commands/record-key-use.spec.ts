// On which days keys were in use: two servers that see the same keys over one log, and a log that is away.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AccessStream } from '../../src/commands/access-stream.js';
import { CommandLog } from '../../src/commands/command-log.js';
import { FirstStart } from '../../src/commands/first-start.js';
import { hashOfKey } from '../../src/commands/api-key.js';
import { KeyUseRecorder } from '../../src/commands/record-key-use.js';
import { Streams } from '../../src/commands/streams.js';
import { Recorded } from '../../src/domain/recorded.js';
import { LogFollower } from '../../src/read/log-follower.js';
import { MemoryEventStore } from '../../src/store/memory.event-store.js';

const KEY = 'an-administrator-key-that-is-in-use';
const SERVERS = 2;
const [MORNING, NIGHT, TOMORROW] = [
  Date.parse('2026-03-02T08:00:00Z'),
  Date.parse('2026-03-02T23:59:59.999Z'),
  Date.parse('2026-03-03T00:00:00Z'),
];

let folder: string;
let store: MemoryEventStore;
let servers: Awaited<ReturnType<typeof open>>[];

async function open(number: number) {
  const follower = await LogFollower.start(store, join(folder, `views-${number}.db`));
  const commandLog = new CommandLog(store, follower);
  const streams = new Streams(store, follower);
  await new FirstStart({ commandLog, streams, follower }).prepare(KEY);
  const access = new AccessStream(commandLog, streams);
  const warned: string[] = [];
  const trouble: { reason?: string } = {};
  const run: AccessStream['run'] = (...task) => {
    return trouble.reason === undefined ? access.run(...task) : Promise.reject(new Error(trouble.reason));
  };
  const warn = (fields: object, message: string) => void warned.push(`${message}: ${JSON.stringify(fields)}`);
  const recorder = new KeyUseRecorder({ run }, () => follower.live.directory, { warn });
  const useAt = (timeMs: number) => {
    const known = follower.live.directory.keyByHash(hashOfKey(KEY));
    if (known === undefined) throw new Error('The key is not known');
    known.use.atMs = timeMs;
  };
  return { follower, recorder, warned, trouble, useAt };
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-key-use-'));
  store = new MemoryEventStore();
  servers = [];
  for (let number = 0; number < SERVERS; number += 1) servers.push(await open(number));
});
afterEach(async () => {
  for (const { recorder, follower } of servers) {
    await recorder.close();
    await follower.close();
  }
  await store.close();
  rmSync(folder, { recursive: true });
});

async function daysRecorded(): Promise<string[]> {
  const all = (await store.readAll()).map((stored) => new Recorded(stored));
  return all.flatMap(({ event, meta }) => {
    if (event.type !== 'ApiKeyUsed') return [];
    expect([meta.actor, meta.project]).toEqual([{ type: 'system', id: 'switchyard' }, null]);
    return [event.day];
  });
}

const sweepAll = () => Promise.all(servers.map(({ recorder }) => recorder.sweep()));

describe('The use of a key', () => {
  it('is recorded once a day, however often and on however many servers it was used', async () => {
    await sweepAll();
    expect(await daysRecorded()).toEqual([]);
    for (const timeMs of [MORNING, NIGHT]) {
      for (const { useAt } of servers) useAt(timeMs);
      for (let sweep = 0; sweep < 3; sweep += 1) await sweepAll();
      expect(await daysRecorded()).toEqual(['2026-03-02']);
    }
    servers[1]?.useAt(TOMORROW);
    for (let sweep = 0; sweep < 3; sweep += 1) await sweepAll();
    expect(await daysRecorded()).toEqual(['2026-03-02', '2026-03-03']);
  });

  it('is recorded under its own day, also when that is over by then', async () => {
    servers[0]?.useAt(TOMORROW);
    servers[1]?.useAt(NIGHT);
    await servers[0]?.recorder.sweep();
    await servers[1]?.recorder.sweep();
    expect(await daysRecorded()).toEqual(['2026-03-03']);
  });

  it('that could not be recorded is warned of, and found again by the next sweep', async () => {
    const [server] = servers;
    server?.useAt(MORNING);
    if (server !== undefined) server.trouble.reason = 'The disk is full';
    await server?.recorder.sweep();
    expect(server?.warned).toEqual([
      'the use of keys could not be recorded: {"error":{"message":"The disk is full"}}',
    ]);
    expect(await daysRecorded()).toEqual([]);
    delete server?.trouble.reason;
    await server?.recorder.sweep();
    expect(await daysRecorded()).toEqual(['2026-03-02']);
  });
});
