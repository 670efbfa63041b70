// Whatever the log is kept in, the same commands have the same answers and leave the same bytes in the log.
// TEST_CORPUS says how many commands.
import { join } from 'node:path';
import type { EventStoreAddress } from '../../src/store-address.js';
import { openEventStore } from '../../src/store/open-event-store.js';
import { everything } from '../store/event-store.contract.js';
import { corpus, Plain, run } from '../support/corpus.js';
import { EventStoreDouble } from '../support/event-store-double.js';
import { Http } from '../support/http.js';
import { missing, PostgresServer } from '../support/postgres-server.js';
import { seed } from '../support/random.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';
import { unless } from '../support/spec.js';

const COMMANDS = Number(process.env['TEST_CORPUS'] ?? 700);
const commands = corpus(seed, COMMANDS);
const suite = serversOfSuite();

interface Run {
  readonly answers: readonly string[];
  readonly events: readonly string[];
}

let onSqlite: Run;

beforeAll(async () => {
  const path = join(suite.newFolder(), 'events.db');
  onSqlite = await runOn({ kind: 'sqlite', path }, `sqlite:${path}`);
}, 120_000);

async function runOn(address: EventStoreAddress, setting: string): Promise<Run> {
  const server = suite.kept(
    await ServerProcess.start(suite.newFolder(), { SWITCHYARD_EVENT_STORE: setting }),
  );
  const answers = await run(new Http(server.url, ADMIN_KEY), commands);
  expect((await server.kill('SIGTERM')).code).toBe(0);
  const store = await openEventStore(address);
  const log = await everything(store);
  await store.close();
  const plain = new Plain();
  return {
    answers,
    events: log.map(({ stream, revision, id, type, data, meta }) =>
      plain.text([stream, revision, id, type, data, meta].join('\n')),
    ),
  };
}

describe(`A corpus of ${COMMANDS} commands (seed ${seed})`, () => {
  it('says yes and no often enough to mean something', () => {
    const { answers, events } = onSqlite;
    const share = answers.filter((answer) => answer.startsWith('2')).length / answers.length;
    expect(share).toBeGreaterThan(0.3);
    expect(share).toBeLessThan(0.95);
    expect(new Set(events.map((event) => event.split('\n')[3])).size).toBeGreaterThan(12);
  });

  it('has on EventStoreDB (double) the answers and the bytes that it has on SQLite', async () => {
    const double = await EventStoreDouble.start();
    const there = await runOn({ kind: 'kurrentdb', url: double.url }, double.url);
    await double.stop();
    expect(there.answers).toEqual(onSqlite.answers);
    expect(there.events).toEqual(onSqlite.events);
  }, 300_000);

  unless(missing)(
    'has on PostgreSQL the answers and the bytes that it has on SQLite',
    async () => {
      const postgres = await PostgresServer.start();
      const url = await postgres.newDatabase();
      const there = await runOn({ kind: 'postgres', url }, url);
      await postgres.remove();
      expect(there.answers).toEqual(onSqlite.answers);
      expect(there.events).toEqual(onSqlite.events);
    },
    300_000,
  );
});
