// The first start, as somebody lives it who has just installed Switchyard: what it prints works as printed, and the
// key that it prints is kept nowhere.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Environment, Flow, Resolved } from '../../scripts/client.js';
import { good, Http, refused } from '../support/http.js';
import { ADMIN_KEY, ServerProcess, temporaryFolder } from '../support/server-process.js';

const folder = temporaryFolder();
const keyless = { SWITCHYARD_ADMIN_KEY: undefined };
let server: ServerProcess;
let key: string;

beforeAll(async () => {
  server = await ServerProcess.start(folder.path, keyless);
  key = /\bswy_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}\b/.exec(server.stdout)?.[0] ?? '';
});
afterAll(async () => {
  await server.kill('SIGKILL');
  folder.remove();
});

const restart = async (signal: NodeJS.Signals, settings: Record<string, string | undefined>) => {
  await server.kill(signal);
  server = await ServerProcess.start(folder.path, settings);
};

/** Every byte in the data folder, file by file. */
const bytesIn = (path: string) =>
  readdirSync(path).map((name) => ({ name, bytes: readFileSync(join(path, name)) }));

/** The tests below tell one story, each going on where the last one ended. */
describe('The first start', () => {
  it('prints the address, the key, and three lines that work in a shell as they stand', async () => {
    expect(server.stdout).toContain(`Switchyard is listening on ${server.url} `);
    expect(key).not.toBe('');
    const lines = server.stdout.split('\n').filter((line) => line.trimStart().startsWith('curl '));
    expect(lines).toHaveLength(3);
    const answers: unknown[] = [];
    for (const line of lines) {
      const { stdout } = await promisify(execFile)('bash', ['-c', line]);
      answers.push(JSON.parse(stdout));
    }
    const [environment, flow, resolved] = answers as [Environment, Flow, Resolved];
    expect(environment).toMatchObject({ slug: 'development', release: 0 });
    expect(flow).toMatchObject({ slug: 'hello', latest: 1 });
    expect(resolved).toMatchObject({ flowId: flow.id, number: 1, resolution: { reason: 'latest' } });
    expect(server.stderr).toBe('');
  });

  it('tells later by its prefix which key it was', async () => {
    const { items } = await good(new Http(server.url, key).get<{ items: { prefix: string }[] }>('/keys'));
    expect(items.map(({ prefix }) => prefix)).toEqual([key.slice(0, 'swy_'.length + 12)]);
  });

  it('keeps the hash of the key alone', async () => {
    const hash = createHash('sha256').update(key).digest('hex');
    const look = () => {
      const files = bytesIn(folder.path);
      const holding = (text: string) =>
        files.filter(({ bytes }) => bytes.includes(text)).map(({ name }) => name);
      expect(holding(key)).toEqual([]);
      expect(holding(Buffer.from(key).toString('base64').slice(0, 60))).toEqual([]);
      expect(holding(Buffer.from(key).toString('hex'))).toEqual([]);
      expect(holding(hash)).not.toEqual([]);
    };
    look();
    await restart('SIGTERM', keyless);
    look();
  });

  it('is the only one that prints a key; the next say where the server is, and the key goes on working', async () => {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await restart(signal, keyless);
      expect(server.stdout).toBe(
        `Switchyard is listening on ${server.url} (API document: ${server.url}/docs)\n`,
      );
      expect(await good(new Http(server.url, key).get('/environments/development'))).toMatchObject({
        release: 0,
      });
    }
  });

  it('is overruled by another key in the settings: the old one stops working, at once and for good', async () => {
    await restart('SIGTERM', { SWITCHYARD_ADMIN_KEY: ADMIN_KEY });
    expect(server.stdout).not.toContain(ADMIN_KEY);
    const mine = (mineIs: string) => new Http(server.url, mineIs).get('/environments/development');
    await refused(mine(key), 401, 'unauthorized');
    expect((await mine(ADMIN_KEY)).status).toBe(200);
    await restart('SIGTERM', keyless);
    await refused(mine(key), 401, 'unauthorized');
    expect((await mine(ADMIN_KEY)).status).toBe(200);
    await restart('SIGTERM', { SWITCHYARD_ADMIN_KEY: key });
    await refused(mine(ADMIN_KEY), 401, 'unauthorized');
    expect((await mine(key)).status).toBe(200);
  });

  it('makes a folder that others cannot look into', async () => {
    const path = join(folder.path, 'new', 'data');
    const fresh = await ServerProcess.start(path, keyless);
    await fresh.kill('SIGTERM');
    const { stdout } = await promisify(execFile)('stat', ['-c', '%a', path]);
    expect(stdout.trim()).toBe('700');
  });
});
