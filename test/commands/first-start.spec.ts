// Several servers that start on one empty log at the same moment: they agree on one workspace, one project and one
// administrator key, and exactly one of them has a key to show.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandLog } from '../../src/commands/command-log.js';
import { FirstStart } from '../../src/commands/first-start.js';
import { Streams } from '../../src/commands/streams.js';
import { LogFollower } from '../../src/read/log-follower.js';
import { MemoryEventStore } from '../../src/store/memory.event-store.js';

const RACES = 15;
const SERVERS = 3;
const GIVEN = 'an-administrator-key-that-was-given-to-all';

const folder = mkdtempSync(join(tmpdir(), 'switchyard-first-start-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('Servers that start at once on an empty log', () => {
  it.each([
    { keys: 'no key', given: undefined, shown: 1 },
    { keys: 'the same key', given: GIVEN, shown: 0 },
  ])('with $keys given make one of everything', async ({ given, shown }) => {
    for (let race = 0; race < RACES; race += 1) {
      const store = new MemoryEventStore();
      const servers = await Promise.all(
        Array.from({ length: SERVERS }, (_, i) => LogFollower.start(store, viewsOf(race, i))),
      );
      const keys = await Promise.all(
        servers.map((follower) => {
          const commandLog = new CommandLog(store, follower);
          const streams = new Streams(store, follower);
          return new FirstStart({ commandLog, streams, follower }).prepare(given);
        }),
      );
      const types = (await store.readAll()).map(({ type }) => type).sort();
      expect(types).toEqual([
        'ApiKeyIssued',
        'ProjectCreated',
        'ProjectSlugReserved',
        'WorkspaceCreated',
        'WorkspaceSlugReserved',
      ]);
      expect(keys.filter((key) => key !== undefined)).toHaveLength(shown);
      await Promise.all(servers.map((server) => server.close()));
      await store.close();
    }
  });
});

function viewsOf(race: number, server: number): string {
  return join(mkdtempSync(join(folder, 'server-')), `views-${race}-${server}.db`);
}
