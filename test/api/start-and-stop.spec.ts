// Stopping and starting: requests under way are answered before the end, and a start that cannot be says why in one
// line and touches nothing.
import Database from 'better-sqlite3';
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Flow, Version } from '../../scripts/client.js';
import { good, Http, problemOf, type Answer } from '../support/http.js';
import {
  ADMIN_KEY,
  overwritePage,
  ServerProcess,
  serversOfSuite,
  type Ended,
} from '../support/server-process.js';

const STOP_MS_MAX = 10_000;

const suite = serversOfSuite();

async function ended(settings: Record<string, string>, user = {}): Promise<Ended> {
  const server = ServerProcess.spawn({ SWITCHYARD_ADMIN_KEY: ADMIN_KEY, ...settings }, user);
  suite.kept(server);
  return server.ended;
}

describe('A server that is asked to stop', () => {
  it('answers the requests under way, refuses others, and ends in order', async () => {
    const folder = suite.newFolder();
    const server = await suite.start(folder);
    const http = new Http(server.url, ADMIN_KEY);
    await good(http.post('/flows', { name: 'flow', content: { a: 1 } }));
    const answers: Answer<Version>[] = [];
    let refused = 0;
    let going = true;
    const client = async (): Promise<void> => {
      while (going) {
        try {
          answers.push(
            await http.post<Version>('/flows/flow/versions', { content: { a: 'x'.repeat(10_000) } }),
          );
        } catch {
          refused += 1;
          return;
        }
      }
    };
    const clients = Array.from({ length: 20 }, client);
    while (answers.length < 40) await pause(5);
    const asked = performance.now();
    const { code, stderr } = await server.kill('SIGTERM');
    expect(performance.now() - asked).toBeLessThan(STOP_MS_MAX);
    going = false;
    await Promise.all(clients);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('Error') });
    const late = answers.filter(({ status }) => status !== 201);
    for (const answer of late)
      expect(problemOf(answer)).toMatchObject({ status: 503, code: 'shutting-down' });
    expect(late.length + refused).toBeGreaterThan(0);
    const again = await suite.start(folder);
    const { latest } = await good(new Http(again.url, ADMIN_KEY).get<Flow>('/flows/flow'));
    const drafted = answers.filter(({ status }) => status === 201);
    // Whoever lost the connection does not know; nobody who was answered is missing.
    expect(latest).toBeGreaterThanOrEqual(drafted.length + 1);
    expect(latest).toBeLessThanOrEqual(drafted.length + 1 + refused);
  });

  it('finishes a request that waits, and then does not wait for its connection', async () => {
    const server = await suite.start(suite.newFolder());
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    const asking = (path: string) =>
      `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN_KEY}\r\n\r\n`;
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    // Both are read in one piece, so with the answer to the first the second is under way.
    socket.write(asking('/health/live') + asking('/api/v1/environments?minPosition=999999'));
    await once(socket, 'data');
    const asked = performance.now();
    const { code } = await server.kill('SIGTERM');
    expect({ code, text }).toEqual({ code: 0, text: expect.stringContaining('"code":"not-caught-up"') });
    expect(performance.now() - asked).toBeLessThan(STOP_MS_MAX);
  });
});

describe('A start that cannot be', () => {
  /** One line for each thing to mend, no trace of code, and the exit code for the operator. */
  function refusal({ code, stdout, stderr }: Ended, ...problems: (string | RegExp)[]): void {
    const lines = stderr.trimEnd().split('\n');
    expect({ code, stdout, lines }).toEqual({
      code: 78,
      stdout: '',
      lines: problems.map((problem): unknown => expect.stringMatching(problem)),
    });
    expect(stderr).not.toMatch(/\n\s+at |node:internal|\.js:\d+/);
  }

  /** A log of some size that was closed in order. */
  let closed: string;

  beforeAll(async () => {
    closed = suite.newFolder();
    const server = await suite.start(closed);
    const http = new Http(server.url, ADMIN_KEY);
    const content = { text: 'x'.repeat(100_000) };
    await good(http.post('/flows', { name: 'large', content }));
    await Promise.all([1, 2, 3, 4].map(() => good(http.post('/flows/large/versions', { content }))));
    await server.kill('SIGTERM');
  });

  const damages: [string, RegExp, (log: string) => void][] = [
    ['is damaged', /is damaged/, (log) => overwritePage(log, 20)],
    ['is cut in half', /is cut off/, (log) => truncateSync(log, Math.floor(statSync(log).size / 2))],
    ['is empty', /is empty/, (log) => truncateSync(log, 0)],
    ['is something else', /is no SQLite file/, (log) => writeFileSync(log, 'my notes\n'.repeat(1_000))],
    [
      'is of a newer Switchyard',
      /has format 99/,
      (log) => {
        const bytes = readFileSync(log);
        bytes.writeUInt32BE(99, 60);
        writeFileSync(log, bytes);
      },
    ],
  ];

  it.each(damages)('because the log %s says so and leaves it as it is', async (_, says, damage) => {
    const folder = suite.newFolder();
    const log = join(folder, 'events.db');
    copyFileSync(join(closed, 'events.db'), log);
    damage(log);
    const bytes = readFileSync(log);
    refusal(await ended({ SWITCHYARD_DATA: folder }), says);
    expect(readFileSync(log).equals(bytes)).toBe(true);
  });

  it('because another process has the log open leaves that one alone', async () => {
    const folder = suite.newFolder();
    const first = await suite.start(folder);
    refusal(await ended({ SWITCHYARD_DATA: folder }), /is in use: another process has it open/);
    const http = new Http(first.url, ADMIN_KEY);
    await good(http.post('/environments', { name: 'Still here' }));
    expect(await good(http.send('GET', '/health/ready'))).toMatchObject({ status: 'ready' });
  });

  it('because its folder cannot be made or written to says so', async () => {
    const folder = suite.newFolder();
    writeFileSync(join(folder, 'file'), '');
    refusal(await ended({ SWITCHYARD_DATA: join(folder, 'file', 'data') }), /cannot be made/);
    const locked = join(folder, 'locked');
    mkdirSync(locked);
    chmodSync(locked, 0o555);
    // The superuser may write anywhere, so there another user has to try.
    const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    if (user.uid !== undefined) {
      chmodSync(folder, 0o755);
      chownSync(locked, user.uid, user.gid);
    }
    refusal(await ended({ SWITCHYARD_DATA: locked }, user), /cannot be written to/);
    expect(readdirSync(locked)).toEqual([]);
  });

  it('because of its settings names all of them at once, and makes nothing', async () => {
    const folder = join(suite.newFolder(), 'data');
    const settings = {
      PORT: 'http',
      HOST: 'no host',
      SWITCHYARD_DATA: folder,
      SWITCHYARD_EVENT_STORE: 'mysql://user:secret@db',
      SWITCHYARD_ADMIN_KEY: 'short',
      SWITCHYARD_LOG_LEVEL: 'loud',
      SWITCHYARD_COLOUR: 'red',
    };
    const said = await ended(settings);
    const names = ['PORT', 'HOST', 'EVENT_STORE', 'ADMIN_KEY', 'LOG_LEVEL', 'SWITCHYARD_COLOUR'];
    refusal(said, ...names.map((name) => new RegExp(name)));
    expect(said.stderr).not.toMatch(/secret|short/);
    expect(existsSync(folder)).toBe(false);
  });

  it('because an event of the log was written by a newer Switchyard names the event', async () => {
    const folder = suite.newFolder();
    copyFileSync(join(closed, 'events.db'), join(folder, 'events.db'));
    const log = new Database(join(folder, 'events.db'));
    log.exec(`INSERT INTO events (stream, revision, id, type, data, meta)
      SELECT 'flow-x', 0, 'an-id', 'FlowTeleported', '{}', meta FROM events LIMIT 1`);
    log.close();
    refusal(await ended({ SWITCHYARD_DATA: folder }), /FlowTeleported .* written by a newer version/);
  });

  it('because its port is taken says so in one line', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { code, stdout, stderr } = await ended({ SWITCHYARD_DATA: suite.newFolder(), PORT: String(port) });
    taken.close();
    expect({ stdout, lines: stderr.trimEnd().split('\n') }).toEqual({
      stdout: '',
      lines: [expect.stringContaining(String(port))],
    });
    expect(code).not.toBe(0);
  });
});
