// `switchyard audit export`: evidence that anybody can verify, or the audit trail in the form that another tool takes,
// from a running server.
import { createWriteStream, existsSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Option, type Command } from 'commander';
import { writeBundle } from './evidence-bundle.js';
import { EXIT, examplesAndCodes, Failure } from './exit.js';
import { counted } from './progress.js';
import { fetched, serverFrom, type Server } from './server-address.js';
import { EXPORT_FORMATS, type ExportFormat } from '../src/audit/export-formats.js';

/** Options by the names that the server has for them. */
const FILTERS = {
  environment: 'environment',
  flow: 'flow',
  flowVersion: 'version',
  actor: 'actor',
  type: 'type',
  from: 'from',
  to: 'to',
  q: 'q',
  after: 'after',
} as const;

type Filter = keyof typeof FILTERS;
const FILTER_NAMES = Object.keys(FILTERS) as readonly Filter[];

type Options = { readonly [Name in Filter]?: string } & {
  readonly out?: string;
  readonly format?: ExportFormat;
  readonly json?: true;
};

export function addExport(audit: Command): void {
  audit
    .command('export')
    .description(
      'Write an evidence bundle into a folder, to be verified by anybody; or, with --format, the audit trail. From ' +
        'the server that SWITCHYARD_URL and SWITCHYARD_KEY name. Run again, it fetches what is missing.',
    )
    .option('--out <PATH>', 'the folder of the bundle; with --format a file (default: stdout)')
    .addOption(new Option('--format <FORMAT>', 'the audit trail, in this form').choices(EXPORT_FORMATS))
    .option('--environment <NAME>', 'with --format: entries of this environment')
    .option('--flow <NAME>', 'entries of this flow')
    .option('--flow-version <NUMBER>', 'entries of this version of the flow')
    .option('--actor <ID>', 'entries of this key, or system')
    .option('--type <TYPE>', 'entries of this type of event')
    .option('--from <PLACE>', 'the first time (RFC 3339) or position')
    .option('--to <PLACE>', 'the last time (RFC 3339) or position')
    .option('--q <WORDS>', 'entries with these words in summary or comment')
    .option('--after <POSITION>', 'go on after this entry, where an earlier export broke off')
    .option('--json', 'of a bundle: print the outcome as one line of JSON')
    .helpOption('-h, --help', 'print this')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      examplesAndCodes(
        [
          'switchyard audit export --out evidence/',
          'switchyard audit export --format csv --environment production --from 2026-03-01T00:00:00Z --out march.csv',
          'switchyard audit export --format ocsf | your-collector',
        ],
        [EXIT.ok, EXIT.failed, EXIT.usage],
      ),
    )
    .action(async (options: Options) => {
      const server = serverFrom(process.env);
      if (options.format !== undefined) return exportTrail(server, options.format, options);
      if (options.out === undefined)
        throw new Failure('--out must name the folder of the bundle', EXIT.usage);
      const unused = FILTER_NAMES.find((name) => options[name] !== undefined);
      if (unused !== undefined)
        throw new Failure(`--${unused} is for --format: evidence is always whole`, EXIT.usage);
      const outcome = await writeBundle(server, options.out);
      const { events, fetched: fresh, origin } = outcome;
      const now = `${counted(fresh, 'event')} fetched now`;
      const words = `${counted(events, 'event')} of ${origin} in ${options.out}, ${now}`;
      process.stdout.write(`${options.json === true ? JSON.stringify(outcome) : words}\n`);
    });
}

async function exportTrail(server: Server, format: ExportFormat, options: Options): Promise<void> {
  const { out, after } = options;
  if (out !== undefined && existsSync(out) && after === undefined) {
    throw new Failure(`${out} is there already: name another file, or go on with --after`);
  }
  const query = new URLSearchParams({ format });
  for (const name of FILTER_NAMES) if (options[name] !== undefined) query.set(FILTERS[name], options[name]);
  const { body } = await fetched(server, `/audit/export?${query.toString()}`);
  if (body === null) throw new Failure(`${server.url} answers nothing`);
  const target = out === undefined ? process.stdout : createWriteStream(out, { flags: 'a' });
  try {
    await pipeline(Readable.fromWeb(body), target, { end: out !== undefined });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure(`Broken off: ${reason}. Go on with --after and the position of the last whole entry`);
  }
}
