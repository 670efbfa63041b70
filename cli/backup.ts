// `switchyard backup FILE`: a whole, checked copy of a SQLite log, made while the server runs or not. It is written
// beside its place and put there once it is on the disk, so that what bears the name of a backup is one.
import { existsSync, realpathSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Command } from 'commander';
import { addressFrom, configuredAddress } from './addresses.js';
import type { BackupTask, BackupReport } from './backup.worker.js';
import { EXIT, examplesAndCodes, Failure } from './exit.js';
import { counted, showProgress, sized } from './progress.js';
import { StoreRefused } from '../src/store/event-store.js';

const LOOK_MS = 100;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** For whom a copy made by the store itself is the better one. */
const ELSEWHERE = {
  postgres: 'Back up a log in PostgreSQL with pg_dump, or copy it into a file with switchyard copy',
  kurrentdb:
    "Back up a log in KurrentDB with that server's own backup, or copy it into a file with switchyard copy",
} as const;

interface Options {
  readonly from?: string;
  readonly json?: true;
}

export function addBackup(program: Command): void {
  program
    .command('backup')
    .description('Copy a SQLite log into FILE, while the server runs or not, and check the copy.')
    .argument('<FILE>', 'the copy; a file that is there already is left alone')
    .option('--from <ADDRESS>', 'the log (default: that of the settings, as the server would open it)')
    .option('--json', 'print the outcome as one line of JSON')
    .helpOption('-h, --help', 'print this')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      examplesAndCodes(
        [
          'switchyard backup /backups/2026-01-31.db',
          'switchyard backup --from sqlite:/var/lib/switchyard/events.db --json backup.db',
        ],
        [EXIT.ok, EXIT.failed, EXIT.usage, EXIT.refused],
      ),
    )
    .action(async (file: string, options: Options) => {
      process.stdout.write(`${await backup(resolve(file), options)}\n`);
    });
}

async function backup(file: string, { from, json }: Options): Promise<string> {
  const address = from === undefined ? configuredAddress() : addressFrom(from, '--from');
  if (address.kind !== 'sqlite') throw new Failure(ELSEWHERE[address.kind], EXIT.usage);
  if (!existsSync(address.path)) throw new StoreRefused(`There is no log at ${address.path}`);
  const log = realpathSync(address.path);
  if (existsSync(file)) throw new Failure(`${file} is there already, and is left alone`);
  if (!existsSync(dirname(file))) throw new Failure(`The folder ${dirname(file)} does not exist`);

  const started = performance.now();
  const partial = join(dirname(file), `${basename(file)}.partial`);
  const report = await written({ log, file, partial });
  const seconds = Number(((performance.now() - started) / 1_000).toFixed(1));
  const { events, bytes } = report;
  if (json === true) return JSON.stringify({ file, events, position: String(events), bytes, seconds });
  return `Backed up ${counted(events, 'event')} to ${file}: ${sized(bytes)} in ${seconds} s, checked`;
}

/** SQLite stops the thread that it works in, so that it has one of its own and this one can watch. */
async function written(task: BackupTask): Promise<BackupReport> {
  const abandon = (signal: NodeJS.Signals): void => {
    for (const suffix of ['', '-journal', '.lock']) rmSync(task.partial + suffix, { force: true });
    // With nobody listening any more, the signal ends the process as it always does.
    for (const one of SIGNALS) process.removeListener(one, abandon);
    process.kill(process.pid, signal);
  };
  for (const signal of SIGNALS) process.on(signal, abandon);

  const bytesTotal = statSync(task.log).size;
  const progress = showProgress('Backing up');
  const watching = setInterval(() => {
    const bytes = statSync(task.partial, { throwIfNoEntry: false })?.size ?? 0;
    progress.reached(bytes / bytesTotal);
  }, LOOK_MS);
  try {
    const worker = new Worker(new URL('./backup.worker.js', import.meta.url), { workerData: task });
    return await answerOf(worker);
  } finally {
    clearInterval(watching);
    progress.stop();
    for (const signal of SIGNALS) process.removeListener(signal, abandon);
  }
}

function answerOf(worker: Worker): Promise<BackupReport> {
  return new Promise((resolve, reject) => {
    worker.once('message', (report: BackupReport) => {
      if (report.refused !== undefined) reject(new StoreRefused(report.refused));
      else if (report.failed !== undefined) reject(new Failure(report.failed));
      else resolve(report);
    });
    worker.once('error', reject);
    worker.once('exit', () => reject(new Failure('The backup ended without a word')));
  });
}
