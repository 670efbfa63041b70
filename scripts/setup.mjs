// Makes a fresh clone runnable: installs what package-lock.json names and builds dist, each only when needed.
// Every npm script that runs the project goes through here first, so that one command is enough.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_WANTED = [20, 19];
const SOURCE_FOLDERS = ['src', 'projections', 'test', 'bench', 'cli', 'scripts'];
const BUILD_SETTINGS = ['package-lock.json', 'tsconfig.json', 'nest-cli.json'];
const BUILD_STAMP = 'dist/.built-from';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < NODE_WANTED[0] || (major === NODE_WANTED[0] && minor < NODE_WANTED[1])) {
  console.error(
    `Switchyard needs Node ${NODE_WANTED.join('.')} or newer; this is Node ${process.versions.node}.`,
  );
  process.exit(1);
}

process.chdir(resolve(dirname(fileURLToPath(import.meta.url)), '..'));

if (!isInstalled() || !sqliteLoads()) {
  // Development packages hold the compiler, so they are wanted under NODE_ENV=production too.
  const title = 'Installing dependencies (about two minutes the first time: SQLite is compiled)';
  await step(title, ['ci', '--include=dev']);
}

const sources = hashOfSources();
if (textOf(BUILD_STAMP) !== sources) {
  rmSync(BUILD_STAMP, { force: true });
  removeOrphans('dist');
  await step('Building', ['run', 'build']);
  writeFileSync(BUILD_STAMP, sources);
}

/** npm keeps a record of what it installed. It must agree with package-lock.json, entry by entry. */
function isInstalled() {
  const record = textOf('node_modules/.package-lock.json');
  if (record === null) return false;
  const found = JSON.parse(record).packages;
  const wanted = Object.entries(JSON.parse(readFileSync('package-lock.json', 'utf8')).packages);
  return wanted.every(([path, { version, integrity, optional }]) => {
    if (path === '') return true; // The project itself, which npm does not record.
    const entry = found[path];
    if (entry === undefined) return optional === true; // Meant for another platform.
    return entry.version === version && entry.integrity === integrity;
  });
}

/** The one compiled package: a build that was cut short, or made for another Node, shows only on loading. */
function sqliteLoads() {
  try {
    const Database = createRequire(join(process.cwd(), 'package.json'))('better-sqlite3');
    new Database(':memory:').close();
    return true;
  } catch {
    return false;
  }
}

/** By content, not by time: a checkout that touches files without changing them builds nothing. */
function hashOfSources() {
  const files = SOURCE_FOLDERS.filter(existsSync).flatMap(filesUnder);
  const compiled = files.filter((file) => file.endsWith('.ts')).sort();
  const hash = createHash('sha256');
  for (const file of [...compiled, ...BUILD_SETTINGS]) {
    hash
      .update(`${file}\0`)
      .update(textOf(file) ?? '')
      .update('\0');
  }
  return hash.digest('hex');
}

/** Compiled files whose source is gone would still be run: a deleted test, for one. */
function removeOrphans(folder) {
  if (!existsSync(folder)) return;
  for (const file of filesUnder(folder)) {
    const source = file.slice('dist/'.length).replace(/\.js(\.map)?$/, '.ts');
    if (/\.js(\.map)?$/.test(file) && !existsSync(source)) rmSync(file);
  }
}

function filesUnder(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? filesUnder(path) : [path];
  });
}

function textOf(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : null;
}

/** Runs npm quietly. Its output matters only when it fails, and then all of it is shown. */
async function step(title, npmArguments) {
  const started = Date.now();
  process.stderr.write(`${title} … `);
  const { code, output } = await run(npmArguments);
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  process.stderr.write(code === 0 ? `done in ${seconds} s\n` : `failed after ${seconds} s\n`);
  if (code === 0) return;
  process.stderr.write(Buffer.concat(output));
  process.exit(code);
}

function run(npmArguments) {
  return new Promise((done) => {
    const output = [];
    // On Windows npm is a shell script, which only a shell can start.
    const child = spawn('npm', npmArguments, { shell: process.platform === 'win32' });
    child.stdout.on('data', (chunk) => output.push(chunk));
    child.stderr.on('data', (chunk) => output.push(chunk));
    child.on('error', (error) => done({ code: 1, output: [Buffer.from(`npm: ${error.message}\n`)] }));
    child.on('close', (code) => done({ code: code ?? 1, output }));
  });
}
