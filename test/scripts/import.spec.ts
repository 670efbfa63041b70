// `npm run import` against a real server: a whole history goes in, once, however often it is stopped and run again,
// and what it brought can be activated, promoted in bulk, changed and rolled back.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  Client,
  type Changed,
  type Diff,
  type Environment,
  type Flow,
  type Page,
} from '../../scripts/client.js';
import { ADMIN_KEY, ServerProcess, temporaryFolder } from '../support/server-process.js';

const FLOWS = 300;
const VERSIONS = 420;

function line(index: number): string {
  const number = index < FLOWS ? index : (index * 7) % FLOWS;
  const content = `Prompt ${number}, text ${index}`;
  const flow = `flow-${String(number).padStart(3, '0')}`;
  return JSON.stringify({ flow, title: flow, kind: 'prompt', committedAt: '2026-01-31T09:00:00Z', content });
}

describe('importing a history', () => {
  const folder = temporaryFolder();
  const file = join(folder.path, 'history.ndjson');
  let server: ServerProcess;
  let client: Client;

  beforeAll(async () => {
    const lines = Array.from({ length: VERSIONS }, (_, index) => line(index));
    writeFileSync(file, [...lines, '{"flow":"Not A Slug","content":"x"}', '{broken'].join('\n'));
    server = await ServerProcess.start(join(folder.path, 'data'));
    client = new Client(server.url, ADMIN_KEY);
  });

  afterAll(async () => {
    await server.kill('SIGTERM');
    folder.remove();
  });

  async function run(killAfter?: number, url = server.url): Promise<{ code: number | null; output: string }> {
    const env = { ...process.env, SWITCHYARD_URL: url, SWITCHYARD_KEY: ADMIN_KEY };
    const child = spawn(process.execPath, ['dist/scripts/import.js', file], { env });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    if (killAfter !== undefined) {
      while ((await flows()).length < killAfter && child.exitCode === null);
      child.kill('SIGKILL');
    }
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, output };
  }

  async function flows(): Promise<Flow[]> {
    const found: Flow[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const page: Page<Flow> = await client.get(`/flows?limit=500${query}`);
      found.push(...page.items);
      cursor = page.nextCursor;
    }
    return found;
  }

  it('goes on where it was killed, adds nothing twice, and names the lines that it skipped', async () => {
    await run(40);
    // Two go on at the same moment, each as if it were alone.
    const [{ code, output }, other] = await Promise.all([run(), run()]);
    const again = await run();

    expect(code).toBe(1);
    expect(output).toMatch(/2 lines skipped/);
    expect(other.code).toBe(1);
    expect(again.output).toMatch(/\b0 versions added/);
    const all = await flows();
    expect(all).toHaveLength(FLOWS);
    expect(all.reduce((sum, flow) => sum + (flow.latest ?? 0), 0)).toBe(VERSIONS);
  });

  it('sends no key in plain to another machine', async () => {
    const { code, output } = await run(undefined, 'http://switchyard.invalid');
    expect(code).toBe(2);
    expect(output).toContain('SWITCHYARD_URL leads to another machine without TLS');
  });

  it('brings what can be activated, promoted in bulk, changed and rolled back, and the counts add up', async () => {
    const all = await flows();
    for (const name of ['development', 'staging', 'production']) await client.post('/environments', { name });
    const activate = (flow: Flow, version: number | null): Promise<Changed> =>
      client.post(`/flows/${flow.slug}/versions/${version}/environments`, { environment: 'development' });
    await Promise.all(all.map((flow) => activate(flow, flow.latest)));
    await promote('development', 'staging', FLOWS);
    await promote('staging', 'production', FLOWS);

    for (const flow of all.slice(0, 85)) {
      const { number } = await client.post<{ number: number }>(`/flows/${flow.slug}/versions`, {
        content: { prompt: `changed ${flow.slug}` },
      });
      await activate(flow, number);
    }
    expect(await diff('development', 'production')).toEqual(
      expect.objectContaining({ added: 0, changed: 85, removed: 0, unchanged: FLOWS - 85 }),
    );
    await promote('development', 'staging', 85);
    await promote('staging', 'production', 85);
    expect(await diff('development', 'production')).toMatchObject({ changed: 0, unchanged: FLOWS });

    const back = await client.post<Changed>('/environments/production/rollback', {});
    expect(back.release?.changes).toHaveLength(85);
    expect(await diff('staging', 'production')).toMatchObject({ changed: 85, unchanged: FLOWS - 85 });
    const environments = await client.get<Page<Environment>>('/environments');
    expect(environments.items.map(({ slug, release, activeCount }) => [slug, release, activeCount])).toEqual([
      ['development', FLOWS + 85, FLOWS],
      ['staging', 2, FLOWS],
      ['production', 3, FLOWS],
    ]);
  });

  async function promote(from: string, to: string, changes: number): Promise<void> {
    const body = { sourceEnvironment: from, targetEnvironment: to };
    const { release } = await client.post<Changed>('/environments/promote', body);
    expect(release?.changes).toHaveLength(changes);
  }

  async function diff(from: string, to: string): Promise<Diff['summary']> {
    const query = `sourceEnvironment=${from}&targetEnvironment=${to}`;
    return (await client.get<Diff>(`/environments/diff?${query}`)).summary;
  }
});
