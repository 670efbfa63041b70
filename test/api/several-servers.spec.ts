// Two servers on one PostgreSQL: they behave as one, also while one of them is killed every now and then.
// TEST_HISTORIES says how many histories are recorded under kills, of 60 commands each.
import { Http, good, refused } from '../support/http.js';
import type { Changed, Environment, Flow } from '../../scripts/client.js';
import { CLIENTS, COMMANDS_EACH, everythingOn, Histories } from '../support/environment-histories.js';
import { missing, PostgresServer } from '../support/postgres-server.js';
import { seed } from '../support/random.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';
import { unless } from '../support/spec.js';
import { disturbedBy, Servers } from '../support/servers.js';

const HISTORIES = Number(process.env['TEST_HISTORIES'] ?? 14);
const AT_ONCE = 2;
const KILL_EVERY_MS = 2_000;
const STARTS = 6;

const rule = unless(missing);
const suite = serversOfSuite();
let postgres: PostgresServer;
let two: Servers;

beforeAll(async () => {
  if (missing !== '') return;
  postgres = await PostgresServer.start();
  two = await Servers.start(await postgres.newDatabase());
});
afterAll(async () => {
  if (missing !== '') return;
  await two.stop();
  await postgres.remove();
});

describe('Two servers on one PostgreSQL', () => {
  rule('show on one what the other has answered', async () => {
    const [a, b] = [two.http(0), two.http(1)];
    for (let turn = 0; turn < 25; turn += 1) {
      const { position } = await good(
        a.post<Environment & { position: string }>('/environments', { name: `seen-${turn}` }),
      );
      const seen = await b.get<Environment>(`/environments/seen-${turn}?minPosition=${position}`);
      expect({ turn, status: seen.status }).toEqual({ turn, status: 200 });
    }
    const late = await b.get('/environments?minPosition=999999999');
    expect(late.headers.get('retry-after')).toBe('1');
    await refused(b.get('/environments?minPosition=999999999'), 503, 'not-caught-up');
  });

  rule('rest each command on what the other has answered before', async () => {
    const [a, b] = [two.http(0), two.http(1)];
    for (const name of ['staging', 'production']) await good(a.post('/environments', { name }));
    const flow = await good(a.post<Flow>('/flows', { name: 'chat', content: { version: 0 } }));
    for (let version = 1; version <= 25; version += 1) {
      const [one, other] = version % 2 === 0 ? [a, b] : [b, a];
      await good(one.post(`/flows/${flow.id}/versions`, { content: { version } }));
      const path = `/flows/chat/versions/${version}/environments`;
      await good(other.post(path, { environment: 'staging' }));
      const pair = { sourceEnvironment: 'staging', targetEnvironment: 'production' };
      const { release } = await good(one.post<Changed>('/environments/promote', pair));
      expect(release?.changes.map(({ toNumber }) => toNumber)).toEqual([version]);
    }
  });

  rule(
    `lose and repeat nothing in ${HISTORIES} histories while one is killed now and then (seed ${seed})`,
    async () => {
      const histories = await Histories.over(two);
      const started = performance.now();
      const work = histories.recordAll(HISTORIES, AT_ONCE);
      const recorded = await disturbedBy(
        () => two.killNext(),
        () => KILL_EVERY_MS,
        work,
      );
      const seconds = ((performance.now() - started) / 1_000).toFixed(1);
      const commands = recorded.length * CLIENTS * COMMANDS_EACH;
      process.stdout.write(
        `${commands} commands in ${seconds} s, ${two.kills} kills, ${two.sentAgain} times sent again\n`,
      );
      for (const history of recorded) expect(await histories.faultsOf(history)).toEqual([]);
      const [one, other] = [await everythingOn(two.http(0)), await everythingOn(two.http(1))];
      expect(other).toEqual(one);
      expect(await two.fresh(everythingOn)).toEqual(one);
      // Warnings are about what could not be served at the moment; anything else would be a fault.
      const said = two.errors.split('\n').filter((line) => line !== '');
      expect(said.filter((line) => !line.startsWith('{"level":40,'))).toEqual([]);
    },
    600_000,
  );

  rule('that start at once on an empty log agree on one of everything', async () => {
    for (let start = 0; start < STARTS; start += 1) {
      const SWITCHYARD_EVENT_STORE = await postgres.newDatabase();
      const settings = { SWITCHYARD_EVENT_STORE, SWITCHYARD_ADMIN_KEY: undefined };
      const servers = await Promise.all(
        [0, 1].map(() => ServerProcess.start(suite.newFolder(), settings).then((one) => suite.kept(one))),
      );
      const keys = servers.flatMap(({ stdout }) => /shown this once:\s+(\S+)/.exec(stdout)?.[1] ?? []);
      expect(keys).toHaveLength(1);
      for (const { url } of servers) {
        const { items } = await good(new Http(url, keys[0]).get<{ items: unknown[] }>('/projects'));
        expect(items).toHaveLength(1);
      }
      await Promise.all(servers.map((server) => server.kill('SIGTERM')));
    }
  });

  rule('have a data folder each: the second on the same one is refused', async () => {
    const folder = suite.newFolder();
    const settings = { SWITCHYARD_EVENT_STORE: await postgres.newDatabase() };
    suite.kept(await ServerProcess.start(folder, settings));
    const second = suite.kept(
      ServerProcess.spawn({ ...settings, SWITCHYARD_DATA: folder, SWITCHYARD_ADMIN_KEY: ADMIN_KEY }),
    );
    const { code, stderr } = await second.ended;
    expect(code).toBe(78);
    expect(stderr.trim().split('\n')).toEqual([
      expect.stringContaining('is in use: another process has it open'),
    ]);
  });
});
