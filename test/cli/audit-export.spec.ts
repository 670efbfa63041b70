// `switchyard audit export` against a real server, and what both verifiers say of what it wrote.
import { copyFileSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Changed } from '../../scripts/client.js';
import { run, type Ran } from '../support/command-line.js';
import { good, Http } from '../support/http.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';

const suite = serversOfSuite();
let http: Http;
let server: ServerProcess;
let settings: { readonly SWITCHYARD_URL: string; readonly SWITCHYARD_KEY: string };

beforeAll(async () => {
  server = suite.kept(await ServerProcess.start(suite.newFolder()));
  http = new Http(server.url, ADMIN_KEY);
  settings = { SWITCHYARD_URL: server.url, SWITCHYARD_KEY: ADMIN_KEY };
  for (const name of ['staging', 'production']) await good(http.post('/environments', { name }));
  for (let number = 0; number < 20; number += 1) {
    await good(http.post('/flows', { name: `flow-${number}`, content: { number } }));
    const body = { environment: 'staging', comment: number === 0 ? '=cmd()' : null };
    await good(http.post(`/flows/flow-${number}/versions/1/environments`, body));
  }
  await promote('production');
});

function promote(targetEnvironment: string): Promise<Changed> {
  return good(
    http.post<Changed>('/environments/promote', { sourceEnvironment: 'staging', targetEnvironment }),
  );
}

async function exported(directory: string): Promise<{ events: number; fetched: number }> {
  const { code, stdout, stderr } = await run(['audit', 'export', '--out', directory, '--json'], settings);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as { events: number; fetched: number };
}

const verify = (directory: string, ...args: string[]): Promise<Ran> =>
  run(['audit', 'verify', directory, ...args]);

describe('switchyard audit export', () => {
  it('writes a bundle that verifies, with every event of the log in it', async () => {
    const directory = join(suite.newFolder(), 'evidence');
    const { events, fetched } = await exported(directory);
    expect(fetched).toBe(events);
    expect(readdirSync(directory).sort()).toEqual([
      ...['checkpoints.txt', 'events.ndjson', 'manifest.json', 'pubkeys.txt'],
    ]);
    expect(await verify(directory)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^OK /) });
    const { environments } = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')) as {
      environments: { release: number; active: object }[];
    };
    expect(environments.map(({ release, active }) => [release, Object.keys(active).length]).sort()).toEqual([
      [1, 20],
      [20, 20],
    ]);
  });

  it('goes on where it broke off, and later where it ended; an older checkpoint still holds', async () => {
    const directory = join(suite.newFolder(), 'evidence');
    const { events } = await exported(directory);
    const path = join(directory, 'events.ndjson');
    const kept = join(directory, '..', 'kept.txt');
    copyFileSync(join(directory, 'checkpoints.txt'), kept);
    const lines = readFileSync(path, 'utf8').split('\n');
    writeFileSync(path, `${lines.slice(0, 10).join('\n')}\n{"index":10,"le`);
    expect(await exported(directory)).toMatchObject({ events, fetched: events - 10 });
    await good(http.post('/environments/production/rollback', { toRelease: 0 }));
    const more = await exported(directory);
    expect(more).toMatchObject({ events: events + 1, fetched: 1 });
    expect((await verify(directory, '--checkpoint', kept)).code).toBe(0);
  });

  it('refuses a folder with the events of another log, and says so', async () => {
    const directory = join(suite.newFolder(), 'evidence');
    await exported(directory);
    const path = join(directory, 'events.ndjson');
    const [first = '', ...rest] = readFileSync(path, 'utf8').split('\n');
    writeFileSync(path, [first.replace('"leaf":"djE', '"leaf":"djF'), ...rest].join('\n'));
    const { code, stderr } = await run(['audit', 'export', '--out', directory], settings);
    expect([code, stderr]).toEqual([1, expect.stringContaining('not those of this log')]);
  });

  it('writes the audit trail for a spreadsheet, in which nothing is a formula', async () => {
    const { code, stdout } = await run(['audit', 'export', '--format', 'csv'], settings);
    expect(code).toBe(0);
    const rows = stdout.split('\r\n');
    expect(rows[0]).toMatch(/^position,time,type,outcome/);
    expect(stdout).toContain(`,'=cmd(),`);
    expect(stdout).not.toMatch(/[,\n]=cmd/);
  });

  it.each(['ndjson', 'ocsf'])(
    'writes it as %s: every entry once, the oldest first, and goes on after any',
    async (format) => {
      const all = await run(['audit', 'export', '--format', format], settings);
      const entries = all.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, never>);
      const place = (entry: Record<string, never>) =>
        BigInt(format === 'ocsf' ? entry['metadata']!['uid'] : entry['position']!);
      const places = entries.map(place);
      expect(places).toEqual([...places].sort((a, b) => (a < b ? -1 : 1)));
      expect(new Set(places).size).toBe(places.length);
      const rest = await run(
        ['audit', 'export', '--format', format, '--after', String(places[30])],
        settings,
      );
      expect(all.stdout.endsWith(rest.stdout)).toBe(true);
      expect(rest.stdout.trim().split('\n')).toHaveLength(places.length - 31);
    },
  );

  it('takes filters, and adds to a file only when told where to go on', async () => {
    const file = join(suite.newFolder(), 'trail.ndjson');
    const args = ['audit', 'export', '--format', 'ndjson', '--type', 'VersionsPromoted', '--out', file];
    expect((await run(args, settings)).code).toBe(0);
    const text = readFileSync(file, 'utf8');
    expect(text.trim().split('\n')).toHaveLength(1);
    expect((await run(args, settings)).code).toBe(1);
    expect((await run([...args, '--after', '999999'], settings)).code).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  it.each([
    [['--out', 'x', '--q', 'word'], 64, /whole/],
    [[], 64, /--out/],
    [['--format', 'xml'], 64, /choices/],
    [['--format', 'csv', '--environment', 'nowhere'], 1, /environment-not-found/],
  ])('refuses %j with exit code %d', async (args, exitCode, says) => {
    const { code, stderr } = await run(['audit', 'export', ...args], settings);
    expect([code, stderr]).toEqual([exitCode, expect.stringMatching(says)]);
  });

  it('says what to do without a key, without a server, and with a wrong key', async () => {
    const args = ['audit', 'export', '--out', join(suite.newFolder(), 'e')];
    expect(await run(args)).toMatchObject({ code: 64, stderr: expect.stringContaining('SWITCHYARD_KEY') });
    const nobody = { SWITCHYARD_URL: 'http://127.0.0.1:9', SWITCHYARD_KEY: ADMIN_KEY };
    expect(await run(args, nobody)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('No answer from'),
    });
    const wrong = { ...settings, SWITCHYARD_KEY: 'wrong' };
    expect(await run(args, wrong)).toMatchObject({ code: 1, stderr: expect.stringContaining('401') });
  });
});
