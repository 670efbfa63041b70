// `npm run bench`: takes the figures that the product is held to, each beside its limit in the same run, prints them
// and leaves them as JSON in bench/results. Rows can be named: `npm run bench -- resolve promote`.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Database from 'better-sqlite3';
import { measureAudit } from './audit.js';
import { Bench, type Row } from './bench.js';
import { measureColdStart } from './cold-start.js';
import { measureCommands } from './commands.js';
import { measureDiff } from './diff.js';
import { measureEvents } from './events.js';
import { canPin } from './processes.js';
import { measurePromote } from './promote.js';
import { measureRebuild } from './rebuild.js';
import { measureResolve } from './resolve.js';
import { measureStores } from './stores.js';
import { table, type Figure } from './table.js';
import { measureTimeTravel } from './time-travel.js';

const ROWS: Readonly<Record<string, Row>> = {
  resolve: measureResolve,
  commands: measureCommands,
  promote: measurePromote,
  diff: measureDiff,
  rebuild: measureRebuild,
  events: measureEvents,
  audit: measureAudit,
  'cold-start': measureColdStart,
  'time-travel': measureTimeTravel,
  stores: measureStores,
};
const RESULTS = fileURLToPath(new URL('../../bench/results/', import.meta.url));
const USAGE = `Usage: npm run bench -- [ROW ...] [--quick] [--profile]

Rows: ${Object.keys(ROWS).join(', ')}; all of them unless some are named.

  --quick     small numbers: shows that the rows run, not how fast
  --profile   the servers leave CPU profiles in bench/results, and are slower for it`;

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}

async function main(): Promise<number> {
  const { values, positionals } = parsedArguments();
  const unknown = positionals.filter((name) => !(name in ROWS));
  if (values.help === true || unknown.length > 0) {
    console.log(USAGE);
    return values.help === true ? 0 : 2;
  }
  mkdirSync(RESULTS, { recursive: true });
  const machine = machineFacts();
  for (const [what, fact] of Object.entries(machine)) console.log(`${what}: ${String(fact)}`);

  const date = new Date().toISOString();
  const bench = await Bench.open({ quick: values.quick, profiles: values.profile ? RESULTS : undefined });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void bench.close().finally(() => process.exit(1)));
  }
  const figures: Figure[] = [];
  try {
    for (const [name, measure] of Object.entries(ROWS)) {
      if (positionals.length > 0 && !positionals.includes(name)) continue;
      figures.push(...(await oneRow(bench, name, measure)));
    }
  } finally {
    await bench.close();
  }
  console.log(`\n${table(figures)}`);
  const file = `${RESULTS}${date.replaceAll(':', '-')}.json`;
  writeFileSync(file, `${JSON.stringify({ date, quick: values.quick, machine, figures }, null, 2)}\n`);
  console.log(`\nWritten to ${file}`);
  return 0;
}

async function oneRow(bench: Bench, name: string, measure: Row): Promise<Figure[]> {
  const started = performance.now();
  console.error(`${name} …`);
  const figures = await measure(bench);
  await bench.tidyUp();
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`\n${table(figures)}`);
  for (const { row, notes } of figures) for (const note of notes) console.log(`  ${row}: ${note}`);
  console.log(`  took ${seconds} s, load average afterwards ${loadOf()}`);
  return figures;
}

function parsedArguments() {
  return parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
}

function machineFacts() {
  const database = new Database(':memory:');
  const sqlite = String(database.prepare('SELECT sqlite_version()').pluck().get());
  database.close();
  return {
    machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${process.platform} ${release()}, load average ${loadOf()}`,
    node: process.version,
    packages: ['better-sqlite3', 'fastify', '@nestjs/core'].map(named).join(', ') + `, SQLite ${sqlite}`,
    durability: 'WAL, synchronous FULL; every command is answered after its fsync',
    data: `in ${tmpdir()}, removed at the end`,
    pinning: canPin ? 'by taskset where a row says so' : 'none: there is no taskset here',
  };
}

function named(name: string): string {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return `${name} ${version}`;
}

function loadOf(): string {
  return loadavg()
    .map((load) => load.toFixed(1))
    .join(' ');
}
