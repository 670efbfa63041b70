// `switchyard` as it presents itself: what it can do, how it says no, and with which exit code.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { begin, run, until } from '../support/command-line.js';
import { ADMIN_KEY, temporaryFolder } from '../support/server-process.js';

describe('switchyard', () => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());

  it('names its commands, also when it is asked for nothing', async () => {
    const help = await run(['--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    for (const command of ['serve', 'backup', 'copy']) expect(help.stdout).toMatch(` ${command} `);
    expect(await run([])).toMatchObject({ code: 64, stdout: '', stderr: help.stdout });
  });

  it.each(['serve', 'backup', 'copy'])('explains %s with examples and every exit code', async (command) => {
    const { code, stdout, stderr } = await run([command, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^Usage: switchyard ${command}`));
    expect(stdout).toMatch(/\nExamples:\n {2}(?:[A-Z_]+=\S+ )*switchyard /);
    for (const exit of ['0 ', '1 ', '64', '78']) expect(stdout).toMatch(`\n  ${exit}  `);
  });

  it.each([
    ['an unknown command', ['bakcup']],
    ['an unknown option', ['backup', 'x.db', '--form', 'sqlite:']],
    ['a missing argument', ['copy', 'sqlite:']],
    ['one argument too many', ['serve', 'now']],
    ['an address of no store', ['copy', 'mysql://me:secret@host/db', 'sqlite:']],
    ['a variable that is not there', ['copy', 'env:NO_SUCH_STORE', 'sqlite:']],
    ['a copy in plain to another machine', ['copy', 'sqlite:', 'postgres://me:secret@db.invalid/log']],
    ['a copy of a log onto itself', ['copy', 'sqlite:', 'sqlite:']],
    ['a backup of a PostgreSQL', ['backup', 'x.db', '--from', 'postgres://me:secret@localhost/db']],
    ['a backup of a KurrentDB', ['backup', 'x.db', '--from', 'esdb://me:secret@host']],
  ])('refuses %s with one line, exit code 64, and no word of a password', async (_, args) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toMatch(/^.+\n$/);
    expect(stderr).not.toContain('secret');
  });

  it.each([['backup', join(folder.path, 'x.db')], ['serve']])(
    'refuses settings that a server would refuse, in the same words: %s',
    async (...args) => {
      const { code, stderr } = await run(args, { PORT: 'many', SWITCHYARD_DATA: folder.path });
      expect({ code, stderr }).toEqual({
        code: 78,
        stderr: 'PORT must be a whole number from 0 to 65535, not "many"\n',
      });
      expect(existsSync(join(folder.path, 'x.db'))).toBe(false);
    },
  );

  it('serves as npm start does, and stops with exit code 0', async () => {
    const settings = {
      PORT: '0',
      SWITCHYARD_DATA: join(folder.path, 'data'),
      SWITCHYARD_ADMIN_KEY: ADMIN_KEY,
    };
    const { child, ended } = begin(['serve'], settings);
    let said = '';
    child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until('the server is up', () => said.includes('Switchyard is listening on'));
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
  });
});
