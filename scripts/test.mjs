// The whole check of the project: ESLint, Prettier, then every test. With arguments it runs Jest alone on them:
// `npm test -- test/tidy.spec.ts` or `npm test -- -t "sentence of a test"`.
import { spawnSync } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(resolve(dirname(fileURLToPath(import.meta.url)), '..'));

// Tests run as compiled, so a test that is named by its source is looked for where it was compiled to.
const jestArguments = process.argv
  .slice(2)
  .map((argument) => argument.replace(/^(?:\.\/)?test\/(.*)\.ts$/, 'dist/test/$1.js'));

const checks = [
  { name: 'eslint', bin: 'eslint/bin/eslint.js', args: ['--max-warnings', '0', '.'] },
  { name: 'prettier', bin: 'prettier/bin/prettier.cjs', args: ['--check', '--log-level', 'warn', '.'] },
  { name: 'jest', bin: 'jest/bin/jest.js', args: jestArguments },
];

const failed = checks
  .filter(({ name }) => jestArguments.length === 0 || name === 'jest')
  .filter(({ name, bin, args }) => {
    console.log(`> ${name}`);
    const { status } = spawnSync(process.execPath, [`node_modules/${bin}`, ...args], {
      stdio: 'inherit',
      env: { ...process.env, NODE_OPTIONS: nodeOptions(name) },
    });
    return status !== 0;
  });

if (failed.length > 0) {
  console.log(`\nFailed: ${failed.map(({ name }) => name).join(', ')}.`);
  process.exitCode = 1;
}

/** Jest loads ES modules through an interface of Node that is still called experimental. */
function nodeOptions(name) {
  const own = process.env.NODE_OPTIONS ?? '';
  return name === 'jest'
    ? `${own} --experimental-vm-modules --disable-warning=ExperimentalWarning`.trim()
    : own;
}
