// `npm run import -- FILE.ndjson`: reads the arguments, shows how far the import is, and reports what it did.
// Exit code 0 when every line is on the server, 1 when lines were skipped, 2 when it could not be run to its end.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import cliProgress from 'cli-progress';
import { refusedAsPlain } from '../src/plain-addresses.js';
import { Client } from './client.js';
import { importHistory, type ImportReport } from './import-history.js';

const USAGE = `Usage: npm run import -- FILE.ndjson [--url URL] [--key KEY]

Loads a history of versions. Each line of the file is one version, oldest first:
  {"flow":"summarizer","title":"Summarizer","kind":"prompt","committedAt":"2026-01-31T12:00:00Z","content":"…"}
The first line of a flow creates it. Content that is text is stored as {"prompt": text}, an object as it is.
Running it again adds what is missing and nothing else.

  --url URL   the server (SWITCHYARD_URL, or http://127.0.0.1:3000)
  --key KEY   an API key (SWITCHYARD_KEY)`;

class BadUsage extends Error {}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  if (error instanceof BadUsage) console.error(`\n${USAGE}`);
  process.exitCode = 2;
}

async function main(): Promise<number> {
  const { file, client } = await readArguments();
  const started = Date.now();
  // Asks for something small first, so that a wrong address or key is said before the file is read.
  await client.get('/flows?limit=1');

  const progress = showProgress(await sizeOf(file));
  const lines = createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Infinity });
  let report: ImportReport;
  try {
    report = await importHistory(client, lines, (text) => progress.add(Buffer.byteLength(text) + 1));
  } catch (error) {
    progress.stop();
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`The import stopped: ${reason}\nRun it again to go on from here.`, { cause: error });
  }
  progress.stop();
  print(report, client.url, Date.now() - started);
  return report.skipped.length === 0 ? 0 : 1;
}

async function sizeOf(file: string): Promise<number> {
  const found = await stat(file).catch((error: Error) => {
    throw new BadUsage(`Cannot read ${file}: ${error.message}`);
  });
  if (!found.isFile()) throw new BadUsage(`${file} is not a file.`);
  return found.size;
}

async function readArguments(): Promise<{ file: string; client: Client }> {
  const { values, positionals } = parsedArguments();
  if (values.help === true) {
    console.log(USAGE);
    process.exit(0);
  }
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new BadUsage('Give one file to import.');
  const url = values.url ?? process.env.SWITCHYARD_URL ?? 'http://127.0.0.1:3000';
  if (!URL.canParse(url)) throw new BadUsage(`${url} is not an address such as http://127.0.0.1:3000.`);
  const refusal = refusedAsPlain('SWITCHYARD_URL', url, process.env);
  if (refusal !== undefined) throw new BadUsage(`${refusal}.`);
  const key = values.key ?? process.env.SWITCHYARD_KEY;
  if (key === undefined || key === '') {
    throw new BadUsage(
      'Give an API key with --key or SWITCHYARD_KEY; the server prints one at its first start.',
    );
  }
  return { file, client: new Client(url, key) };
}

function parsedArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { url: { type: 'string' }, key: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    });
  } catch (error) {
    throw new BadUsage((error as Error).message);
  }
}

/** A bar where somebody watches, and one plain line for every tenth of the file where nobody does. */
function showProgress(bytesTotal: number): { add(bytes: number): void; stop(): void } {
  if (process.stderr.isTTY) {
    const format = 'Importing {bar} {percentage} % | {eta_formatted} left';
    const bar = new cliProgress.SingleBar(
      { format, stream: process.stderr },
      cliProgress.Presets.shades_classic,
    );
    bar.start(bytesTotal, 0);
    return { add: (bytes) => bar.increment(bytes), stop: () => bar.stop() };
  }
  let done = 0;
  let printed = 0;
  return {
    add(bytes) {
      done += bytes;
      const tenth = Math.min(10, Math.floor((10 * done) / bytesTotal));
      if (tenth > printed) console.error(`Importing ${tenth * 10} %`);
      printed = Math.max(printed, tenth);
    },
    stop() {},
  };
}

function print(
  { lines, flowsCreated, versionsAdded, alreadyThere, skipped }: ImportReport,
  url: string,
  ms: number,
) {
  for (const { line, reason } of skipped) console.log(`Skipped line ${line}: ${reason}`);
  console.log(`Imported into ${url} in ${(ms / 1000).toFixed(1)} s:`);
  console.log(`${count(lines)} lines read`);
  console.log(`${count(flowsCreated)} flows created`);
  console.log(`${count(versionsAdded)} versions added`);
  console.log(`${count(alreadyThere)} versions already there`);
  console.log(`${count(skipped.length)} lines skipped`);
}

function count(number: number): string {
  return number.toLocaleString('en-US').padStart(9);
}
