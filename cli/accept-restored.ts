// `switchyard accept-restored`: a log that came back shorter than it was, or different, is taken into service. The
// server refuses commands until somebody has looked, and has said so here; the record then tells of it for ever.
import type { Command } from 'commander';
import { EXIT, examplesAndCodes, Failure } from './exit.js';
import { describeLoss } from '../src/audit/compare-with-heads.js';
import { readConfig } from '../src/config.js';
import { Engine } from '../src/engine.js';

const COMMENT_CHARACTERS_MAX = 5_000;

interface Options {
  readonly comment?: string;
  readonly json?: true;
}

export function addAcceptRestored(program: Command): void {
  program
    .command('accept-restored')
    .description(
      'Show what the log has lost since this data folder last saw it; with --comment, take it into service as it is. ' +
        'The server must be stopped.',
    )
    .option('--comment <TEXT>', 'why it may be taken into service; it is recorded with what was lost')
    .option('--json', 'print the outcome as one line of JSON')
    .helpOption('-h, --help', 'print this')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      examplesAndCodes(
        [
          'switchyard accept-restored',
          'switchyard accept-restored --comment "Disk lost, restored from the backup of 02:00"',
        ],
        [EXIT.ok, EXIT.failed, [EXIT.differs, 'the log lost something'], EXIT.usage, EXIT.refused],
      ),
    )
    .action(async ({ comment, json }: Options) => {
      if (comment !== undefined && [...comment].length > COMMENT_CHARACTERS_MAX) {
        throw new Failure(`--comment may have ${COMMENT_CHARACTERS_MAX} characters`, EXIT.usage);
      }
      const engine = await Engine.look(readConfig());
      try {
        await show(engine, comment, json === true);
      } finally {
        await engine.close();
      }
    });
}

async function show(engine: Engine, comment: string | undefined, json: boolean): Promise<void> {
  const { losses } = engine;
  const logEnd = await engine.store.head();
  const accepted = losses.length > 0 && comment !== undefined;
  if (accepted) await engine.checkpoints.accept(losses, comment);
  if (losses.length > 0 && !accepted) process.exitCode = EXIT.differs;
  if (json) {
    const shown = losses.map(({ knownPosition, ...loss }) => ({
      ...loss,
      knownPosition: text(knownPosition),
    }));
    process.stdout.write(`${JSON.stringify({ losses: shown, logEnd: String(logEnd), accepted })}\n`);
    return;
  }
  const lines = losses.map((loss) => describeLoss(loss, logEnd));
  if (losses.length === 0) lines.push('The log is what it was: there is nothing to accept.');
  else if (accepted) lines.push('Taken into service. The record tells of it, and a new epoch has begun.');
  else lines.push('To take it into service as it is, say why with --comment.');
  process.stdout.write(`${lines.join('\n')}\n`);
}

function text(position: bigint | null): string | null {
  return position === null ? null : String(position);
}
