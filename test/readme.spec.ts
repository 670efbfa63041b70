// The README shows what the demo prints. Here it is held to that.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

describe('the README', () => {
  it('shows the demo as it really runs', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['dist/scripts/demo.js'], {
      env: { PATH: process.env['PATH'] },
    });
    const shown = /```text\n([\s\S]*?)```/.exec(readFileSync('README.md', 'utf8'))?.[1];
    expect(stdout.trimEnd()).toBe(shown?.trimEnd());
  });
});
