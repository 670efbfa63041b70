// The command that runs the rigs for as long as one likes: what it prints and how it ends, on the rig of folds, which
// has to find a server that forgets one active version of the past.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { withMistake } from '../torture/planted.js';

const TORTURE = fileURLToPath(new URL('../torture/main.js', import.meta.url));
const PART = ['fold', '--seed', '2', '--count', '1'];

interface Ended {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

function torture(words: readonly string[], settings: Record<string, string> = {}): Promise<Ended> {
  const env = { ...process.env, ...settings };
  return new Promise((resolve) => {
    execFile(process.execPath, [TORTURE, ...words], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    );
  });
}

describe('npm run torture', () => {
  it('ends with 0 and one line that says what was done, where nothing is found', async () => {
    const { code, stdout } = await torture([...PART, '--json']);
    const told = { rig: 'fold', seed: 2, count: 1, faults: [], skipped: '' };
    expect({ code, ...(JSON.parse(stdout) as object) }).toMatchObject({ code: 0, ...told });
  }, 60_000);

  it('ends with 1 where something is found, says what, and names the command that finds it again', async () => {
    const { code, stdout } = await torture(PART, withMistake('forgets-the-past'));
    expect(stdout).toMatch(/^FOUND by fold: .*\/active\?at=/);
    expect(stdout).toContain('Again: npm run torture -- fold --seed 2 --count 1\n');
    expect(stdout).toMatch(/\nFAILED fold: 1 histories, .*, seed 2\n$/);
    expect(code).toBe(1);
  }, 60_000);

  it.each([
    ['a rig that there is not', ['toString'], 'There is no rig toString'],
    ['a count and a time at once', ['--count', '1', '--minutes', '1'], 'Either --count or --minutes'],
  ])(
    'ends with 2 for %s',
    async (_, words, said) => {
      const { code, stderr } = await torture(words);
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(said) });
      expect(stderr).toContain('Usage: npm run torture');
    },
    60_000,
  );
});
