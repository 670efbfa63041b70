// `switchyard audit`: what an auditor does with the record, with nothing but files.
import type { Command } from 'commander';
import { addExport } from './audit-export.js';
import { EXIT, examplesAndCodes, type Meaning } from './exit.js';
import { showProgress } from './progress.js';
import { verifyEvidence, type Terms } from '../src/audit/evidence.js';
import type { Judgement } from '../src/audit/evidence-verdict.js';

interface VerifyOptions {
  readonly key?: readonly string[];
  readonly checkpoint?: readonly string[];
  readonly acceptRestored?: true;
  readonly json?: true;
}

const VERDICTS: readonly Meaning[] = [
  [EXIT.ok, 'OK: the events are those that were signed, and the rest follows from them'],
  [EXIT.altered, 'ALTERED: something in the bundle is not as it was signed, or does not follow from it'],
  [EXIT.truncated, 'TRUNCATED: events that were signed are missing at the end'],
  [EXIT.fork, 'FORK: two different histories were signed'],
  [EXIT.badSignature, 'BAD SIGNATURE: a key or a signature is not right, or not one of those to trust'],
];

export function addAudit(program: Command): void {
  const audit = program
    .command('audit')
    .description('Evidence of what the record holds: take it out, and check it.')
    .helpOption('-h, --help', 'print this')
    .helpCommand(false);
  addExport(audit);
  addVerify(audit);
}

function addVerify(audit: Command): void {
  audit
    .command('verify')
    .description(
      'Verify the evidence bundle in the folder DIR, event by event. Without --key and --checkpoint it can only be ' +
        'as good as the place that it came from.',
    )
    .argument('<DIR>', 'the folder of the bundle')
    .option(
      '--key <PUBLIC_KEY>',
      'a public key to trust, instead of all in the bundle; repeatable',
      collected,
    )
    .option('--checkpoint <FILE>', 'checkpoints that you have kept; repeatable', collected)
    .option('--accept-restored', 'forgive the loss of events, where the record owns up to an older backup')
    .option('--json', 'print the outcome as one line of JSON')
    .helpOption('-h, --help', 'print this')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      examplesAndCodes(
        [
          'switchyard audit verify evidence/',
          'switchyard audit verify --key "$(cat trusted-key.txt)" --checkpoint kept.txt evidence/',
          'switchyard audit verify --accept-restored --checkpoint kept.txt --json evidence/',
        ],
        [...VERDICTS, EXIT.failed, EXIT.usage],
      ),
    )
    .action((directory: string, options: VerifyOptions) => {
      const judgement = verify(directory, options);
      process.stdout.write(options.json === true ? inJson(judgement) : inWords(judgement, options));
      process.exitCode = judgement.exitCode;
    });
}

function collected(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function verify(directory: string, { key = [], checkpoint = [], acceptRestored }: VerifyOptions): Judgement {
  const progress = showProgress('Verifying');
  try {
    const terms: Terms = { keys: key, checkpoints: checkpoint, acceptRestored: acceptRestored === true };
    return verifyEvidence(directory, { ...terms, onProgress: (share) => progress.reached(share) });
  } finally {
    progress.stop();
  }
}

/** What nobody could have seen is said too, so that nobody takes it for checked. */
function inWords({ verdict, line }: Judgement, { key, checkpoint }: VerifyOptions): string {
  const lines = [line];
  if (verdict === 'ok' && key === undefined) {
    lines.push('Without --key, the keys are those that the bundle itself names.');
  }
  if (verdict === 'ok' && checkpoint === undefined) {
    lines.push('Without --checkpoint, nothing shows that there never were other events, or later ones.');
  }
  return lines.map((text) => `${text}\n`).join('');
}

function inJson({ verdict, exitCode, detail, size, root }: Judgement): string {
  return `${JSON.stringify({ verdict, exitCode, detail, size, root })}\n`;
}
