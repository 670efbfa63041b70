// `switchyard key`, `project` and `workspace` against a real server, as somebody uses them in a shell.
import { KEY_PATTERN } from '../../src/commands/api-key.js';
import type { Page } from '../../scripts/client.js';
import { run, type Ran } from '../support/command-line.js';
import { good, Http, refused } from '../support/http.js';
import type { Key, NewKey } from '../support/keys.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';

const suite = serversOfSuite();
let http: Http;
let settings: { readonly SWITCHYARD_URL: string; readonly SWITCHYARD_KEY: string };

beforeAll(async () => {
  const server = suite.kept(await ServerProcess.start(suite.newFolder()));
  http = new Http(server.url, ADMIN_KEY);
  settings = { SWITCHYARD_URL: server.url, SWITCHYARD_KEY: ADMIN_KEY };
  for (const name of ['staging', 'production']) await good(http.post('/environments', { name }));
});

const switchyard = (...args: string[]): Promise<Ran> => run(args, settings);
/** What a command says that has to work. */
const said = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await switchyard(...args);
  if (code !== 0) throw new Error(`Exit code ${code}: ${stderr}`);
  return stdout;
};
const told = async <Answer>(...args: string[]) => JSON.parse(await said(...args, '--json')) as Answer;
const statusOf = async (key: string) => (await new Http(http.url, key.trim()).get('/me')).status;
const keyNamed = async (name: string) => {
  const { items } = await good(http.get<Page<Key>>('/keys?limit=500'));
  const found = items.find((key) => key.name === name);
  if (found === undefined) throw new Error(`There is no key ${name}`);
  return found;
};

describe('switchyard key issue', () => {
  it('prints the key alone on stdout, and what it is on stderr', async () => {
    const grants = ['--grant', 'viewer@default/staging', '--grant', 'promoter@default/production'];
    const { code, stdout, stderr } = await switchyard('key', 'issue', 'CI', ...grants);
    expect(code).toBe(0);
    expect(stdout.trimEnd()).toMatch(KEY_PATTERN);
    expect(stdout.split('\n')).toEqual([stdout.trimEnd(), '']);
    expect(stderr).toMatch(
      /^Issued CI \([0-9a-f-]{36}\): viewer@default\/staging promoter@default\/production, /,
    );
    expect(stderr).not.toContain(stdout.trimEnd().slice(17));
    expect(await statusOf(stdout)).toBe(200);
    expect((await keyNamed('CI')).grants).toEqual([
      { role: 'viewer', projects: ['default'], environments: ['staging'] },
      { role: 'promoter', projects: ['default'], environments: ['production'] },
    ]);
  });

  it.each([
    ['viewer', { role: 'viewer' }],
    ['viewer@*', { role: 'viewer' }],
    ['editor@default', { role: 'editor', projects: ['default'] }],
    ['resolver@*/production,staging', { role: 'resolver', environments: ['production', 'staging'] }],
  ])('takes %s', async (grant, means) => {
    const issued = await told<NewKey>('key', 'issue', `With ${grant}`, '--grant', grant);
    expect(issued.grants).toEqual([means]);
    expect(issued.key).toMatch(KEY_PATTERN);
    expect(await said('key', 'show', issued.id)).toContain(
      `: ${grant.replace('@*', grant === 'viewer@*' ? '' : '@*')}, `,
    );
  });

  it('takes an end, as a time or from now', async () => {
    const grant = ['--grant', 'auditor'] as const;
    const at = await told<NewKey>('key', 'issue', 'At', ...grant, '--expires', '2999-01-01T00:00:00Z');
    expect(at.expiresAt).toBe('2999-01-01T00:00:00.000Z');
    const inDays = await told<NewKey>('key', 'issue', 'In', ...grant, '--expires', '90d');
    const aheadMs = Date.parse(inDays.expiresAt ?? '') - Date.now();
    expect(Math.abs(aheadMs - 90 * 86_400_000)).toBeLessThan(600_000);
  });

  it.each([
    [['X'], 64, /--grant/],
    [['X', '--grant', 'owner'], 64, /begins with a role: viewer, resolver/],
    [['X', '--grant', 'viewer@shop,,blog'], 64, /commas/],
    [['X', '--grant', 'viewer@'], 64, /role/],
    [['--grant', 'viewer'], 64, /NAME/],
    [['X', '--grant', 'viewer', '--expires', '2020-01-01T00:00:00Z'], 1, /expiresAt must be in the future/],
    [['X', '--grant', 'viewer', '--expires', 'tomorrow'], 1, /expiresAt/],
    [['X', '--grant', 'viewer@nowhere'], 1, /\/grants\/0\/projects\/0 names no project/],
    [['X', '--grant', 'viewer@default/nowhere'], 1, /\/grants\/0\/environments\/0 names no environment/],
  ])('refuses %j with exit code %d and one line', async (args, exitCode, says) => {
    const { code, stdout, stderr } = await switchyard('key', 'issue', ...args);
    expect([code, stdout]).toEqual([exitCode, '']);
    expect(stderr).toMatch(/^.+\n$/);
    expect(stderr).toMatch(says);
  });

  it('passes on no more than the key that it is run with', async () => {
    const { key } = await told<NewKey>('key', 'issue', 'Part', '--grant', 'admin@default');
    const mine = { ...settings, SWITCHYARD_KEY: key ?? '' };
    expect(await run(['key', 'issue', 'Wider', '--grant', 'viewer'], mine)).toMatchObject({
      ...{ code: 1, stdout: '', stderr: expect.stringContaining('403: grant-too-wide') },
    });
    expect((await run(['key', 'issue', 'Same', '--grant', 'admin@default'], mine)).code).toBe(0);
  });
});

describe('switchyard key', () => {
  it('lists the keys in columns, without any secret', async () => {
    const secret = (await said('key', 'issue', 'Listed', '--grant', 'viewer@default/staging')).trim();
    const lines = (await said('key', 'list')).trim().split('\n');
    expect(lines[0]).toMatch(/^ID +NAME +BEGINS +GRANTS +EXPIRES +LAST USED$/);
    const { id, prefix } = await keyNamed('Listed');
    const mine = lines.find((line) => line.startsWith(id));
    expect(mine).toMatch(new RegExp(`Listed +${prefix} +viewer@default/staging +never +never$`));
    expect(lines.join()).not.toContain(secret.slice(17));
    const all = await told<Key[]>('key', 'list');
    expect(all).toHaveLength(lines.length - 1);
  });

  it('rotates a key with as much overlap as it is told', async () => {
    const before = (await said('key', 'issue', 'Turned', '--grant', 'viewer')).trim();
    const { id } = await keyNamed('Turned');
    const { code, stdout, stderr } = await switchyard('key', 'rotate', id, '--overlap', '2h');
    expect(code).toBe(0);
    expect(stdout.trimEnd()).toMatch(KEY_PATTERN);
    expect(stderr).toMatch(/^Rotated Turned .+ The secret that it had works until \S+Z\. .+\n$/);
    expect([await statusOf(before), await statusOf(stdout)]).toEqual([200, 200]);
    const last = await said('key', 'rotate', id, '--overlap', '0s');
    expect([await statusOf(stdout), await statusOf(last)]).toEqual([401, 200]);
    expect((await switchyard('key', 'rotate', id, '--overlap', 'long')).code).toBe(64);
  });

  it('revokes a key, and says what the server says where it cannot', async () => {
    const secret = await said('key', 'issue', 'Ended', '--grant', 'viewer');
    const { id } = await keyNamed('Ended');
    expect(await said('key', 'revoke', id)).toBe(`Revoked Ended (${id}): viewer, until it is revoked\n`);
    expect(await statusOf(secret)).toBe(401);
    for (const verb of ['show', 'rotate', 'revoke']) {
      const { code, stderr } = await switchyard('key', verb, id);
      expect([code, stderr]).toEqual([
        1,
        expect.stringContaining('404: key-not-found. There is no such key.'),
      ]);
    }
    const { id: mine } = await keyNamed('administrator');
    expect((await switchyard('key', 'revoke', mine)).stderr).toContain('409: last-administrator');
  });
});

describe('switchyard project', () => {
  it('makes, lists, renames, archives and restores', async () => {
    expect(await said('project', 'create', 'Online shop')).toMatch(
      /^Created online-shop \(\S+\): Online shop\n$/,
    );
    const { id } = await told<{ id: string }>('project', 'create', 'Blog', '--slug', 'blog-eu');
    expect(await said('project', 'rename', 'blog-eu', 'Weblog')).toBe(`Renamed blog-eu (${id}): Weblog\n`);
    expect(await said('project', 'archive', id)).toBe(`Archived blog-eu (${id}): Weblog\n`);
    const lines = (await said('project', 'list')).trim().split('\n');
    expect(lines[0]).toMatch(/^SLUG +NAME +STATE +ID$/);
    expect(lines.slice(1).map((line) => line.split(/ {2,}/).slice(0, 3))).toEqual([
      ['default', 'default', 'in use'],
      ['online-shop', 'Online shop', 'in use'],
      ['blog-eu', 'Weblog', 'archived'],
    ]);
    expect(await told('project', 'restore', 'blog-eu')).toMatchObject({ slug: 'blog-eu', archivedAt: null });
    const again = await switchyard('project', 'create', 'online SHOP');
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('409: project-exists')]);
  });
});

describe('switchyard workspace', () => {
  it('makes one, prints its key alone on stdout, and renames, archives and restores it', async () => {
    const { code, stdout, stderr } = await switchyard('workspace', 'create', 'Team Blue');
    expect(code).toBe(0);
    expect(stdout.trimEnd()).toMatch(KEY_PATTERN);
    expect(stderr).toMatch(
      /^Created team-blue \(\S+\): Team Blue\. Its administrator key is shown this once:\n$/,
    );
    const mine = { ...settings, SWITCHYARD_KEY: stdout.trim() };
    expect((await run(['project', 'list'], mine)).stdout).toContain('default');
    expect(await run(['workspace', 'list'], mine)).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('403: forbidden') },
    });
    expect(await said('workspace', 'rename', 'team-blue', 'Blue')).toContain(': Blue');
    await said('workspace', 'archive', 'team-blue');
    expect(await statusOf(stdout)).toBe(401);
    expect(await said('workspace', 'list')).toMatch(/\nteam-blue +Blue +archived +/);
    await said('workspace', 'restore', 'team-blue');
    expect(await statusOf(stdout)).toBe(200);
    const made = await told<{ key: string }>('workspace', 'create', 'Green');
    expect(made.key).toMatch(KEY_PATTERN);
    await refused(http.post('/workspaces', { name: 'Green' }), 409, 'workspace-exists');
  });
});

describe('Each of these commands', () => {
  const COMMANDS = [
    ...['issue', 'list', 'show', 'rotate', 'revoke'].map((verb) => ['key', verb]),
    ...['project', 'workspace'].flatMap((kind) =>
      ['create', 'list', 'rename', 'archive', 'restore'].map((verb) => [kind, verb]),
    ),
  ];

  it.each(COMMANDS)('%s %s explains itself with examples and every exit code', async (kind, verb) => {
    const { code, stdout } = await run([kind ?? '', verb ?? '', '--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Usage: switchyard ${kind} ${verb}`));
    expect(stdout).toMatch(`\nExamples:\n  switchyard ${kind} ${verb}`);
    for (const exit of ['0 ', '1 ', '64']) expect(stdout).toMatch(`\n  ${exit}  `);
  });

  it('says what to do without a key, without a server, and with a wrong key', async () => {
    const args = ['key', 'list'];
    expect(await run(args)).toMatchObject({ code: 64, stderr: expect.stringContaining('SWITCHYARD_KEY') });
    const nobody = { SWITCHYARD_URL: 'http://127.0.0.1:9', SWITCHYARD_KEY: ADMIN_KEY };
    expect(await run(args, nobody)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('No answer from'),
    });
    const wrong = { ...settings, SWITCHYARD_KEY: 'wrong' };
    expect(await run(args, wrong)).toMatchObject({ code: 1, stderr: expect.stringContaining('401') });
    expect((await run(['key'])).code).toBe(64);
  });

  it('sends no key in plain to another machine, unless that is allowed', async () => {
    const plain = { SWITCHYARD_URL: 'http://switchyard.invalid:3000', SWITCHYARD_KEY: ADMIN_KEY };
    expect(await run(['key', 'list'], plain)).toMatchObject({
      code: 64,
      stderr: expect.stringMatching(/^SWITCHYARD_URL leads to another machine without TLS: .*\n$/),
    });
    const allowed = { ...plain, SWITCHYARD_PLAIN_ADDRESSES: 'allow' };
    expect(await run(['key', 'list'], allowed)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('No answer from'),
    });
  });
});
