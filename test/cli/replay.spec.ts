// `switchyard replay` and `switchyard doctor`, on logs that a real server wrote.
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { Changed, Environment, Release } from '../../scripts/client.js';
import { run } from '../support/command-line.js';
import { good, Http } from '../support/http.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';

const suite = serversOfSuite();
const folder = () => ({ path, settings: { SWITCHYARD_DATA: path } });
let path: string;
let first: Changed;
let second: Changed;

beforeAll(async () => {
  path = suite.newFolder();
  const server = suite.kept(await ServerProcess.start(path));
  const http = new Http(server.url, ADMIN_KEY);
  for (const name of ['staging', 'production']) await good(http.post<Environment>('/environments', { name }));
  for (const name of ['bot', 'ranker']) {
    await good(http.post('/flows', { name, content: { name } }));
    await good(http.post(`/flows/${name}/versions/1/environments`, { environment: 'staging' }));
  }
  const promote = (flowIds: string[]) => {
    const body = { sourceEnvironment: 'staging', targetEnvironment: 'production', flowIds };
    return good(http.post<Changed>('/environments/promote', body));
  };
  first = await promote(['bot']);
  second = await promote(['ranker']);
  await good(http.patch('/environments/production', { name: 'live' }));
  await server.kill('SIGTERM');
});

interface Replayed {
  readonly position: string;
  readonly environments: {
    environment: string;
    release: number;
    active: { flow: string; number: number }[];
  }[];
}

async function replayed(...args: string[]): Promise<Replayed> {
  const { code, stdout, stderr } = await run(['replay', '--json', ...args], folder().settings);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Replayed;
}

describe('switchyard replay', () => {
  it('prints what was active as of a position, with the names of then', async () => {
    const { environments, position } = await replayed(
      '--until',
      first.position,
      '--environment',
      'production',
    );
    expect(position).toBe(first.position);
    expect(environments).toMatchObject([
      { environment: 'production', release: 1, active: [{ flow: 'bot', number: 1 }] },
    ]);
  });

  it('prints what was active as of a time: after the last event of that very moment', async () => {
    const { createdAt = '' } = second.release as Release;
    const { environments } = await replayed('--until', createdAt.replace('Z', '+00:00'));
    const production = environments.find(({ environment }) => ['production', 'live'].includes(environment));
    expect(production?.active.map(({ flow }) => flow)).toEqual(['bot', 'ranker']);
    const before = new Date(Date.parse(createdAt) - 1).toISOString();
    const earlier = await replayed('--until', before, '--environment', 'production');
    expect(earlier.environments[0]?.active.length).toBeLessThan(2);
  });

  it('ends where the log ends unless told otherwise, and reads well', async () => {
    const { code, stdout } = await run(['replay', '--environment', 'live'], folder().settings);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^As of position \d+, 20.*\n\nlive: release 2, 2 flows active\n {2}bot {5}version 1 {2}sha256/,
    );
  });

  it.each([
    [['--until', 'yesterday'], 64, /position or a time/],
    [['--environment', 'nowhere'], 1, /There was no environment nowhere then/],
    [['--project', 'nothing'], 1, /There was no project nothing then/],
    [['--from', 'sqlite:/nowhere/events.db'], 78, /There is no log/],
    [['--until', '1', '--environment', 'production'], 1, /then$/m],
  ])('refuses %j with exit code %d', async (args, exitCode, says) => {
    const { code, stderr, stdout } = await run(['replay', ...args], folder().settings);
    expect([code, stdout]).toEqual([exitCode, '']);
    expect(stderr).toMatch(says);
  });
});

describe('switchyard doctor', () => {
  interface Examined {
    readonly healthy: boolean;
    readonly findings: { check: string; ok: boolean; detail: string }[];
  }

  async function examined(): Promise<Examined & { code: number | null }> {
    const { code, stdout, stderr } = await run(['doctor', '--json'], folder().settings);
    if (stdout === '') throw new Error(stderr);
    return { code, ...(JSON.parse(stdout) as Examined) };
  }

  const wrongIn = ({ findings }: Examined) => findings.filter(({ ok }) => !ok).map(({ check }) => check);

  it('finds nothing wrong with a server that was stopped', async () => {
    const { code, healthy, findings } = await examined();
    expect([code, healthy]).toEqual([0, true]);
    expect(findings.map(({ check }) => check)).toEqual(['settings', 'log', 'views', 'heads', 'keys']);
  });

  it('finds a view that is not what the log says, and makes it anew', async () => {
    const views = new Database(join(path, 'views.db'));
    views.exec(`UPDATE flows SET name = 'somebody was here'`);
    views.close();
    const found = await examined();
    expect([found.code, wrongIn(found)]).toEqual([2, ['views']]);
    expect((await examined()).code).toBe(0);
  });

  it('finds a key that others may read', async () => {
    chmodSync(join(path, 'signing.key'), 0o644);
    expect(wrongIn(await examined())).toEqual(['keys']);
    chmodSync(join(path, 'signing.key'), 0o600);
  });

  it('finds a checkpoint that nobody with an announced key has signed', async () => {
    const heads = join(path, 'heads.log');
    const before = readFileSync(heads, 'utf8');
    const forged = before.replace(
      /(— switchyard [A-Za-z0-9+/]{20})(.)/,
      (_, start: string, letter: string) => {
        return start + (letter === 'A' ? 'B' : 'A');
      },
    );
    expect(forged).not.toBe(before);
    writeFileSync(heads, forged);
    expect(wrongIn(await examined())).toEqual(['keys']);
    writeFileSync(heads, before);
  });

  it('finds an event that was changed, wherever it is', async () => {
    const log = join(path, 'events.db');
    copyFileSync(log, `${log}.before`);
    const database = new Database(log);
    database.exec(`UPDATE events SET data = replace(data, 'ranker', 'banker') WHERE type = 'FlowCreated'`);
    database.close();
    const found = await examined();
    expect([found.code, wrongIn(found)]).toEqual([2, expect.arrayContaining(['heads'])]);
    copyFileSync(`${log}.before`, log);
  });
});
