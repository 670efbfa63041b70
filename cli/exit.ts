// How a command ends: the exit codes, and the errors that lead to them.
import { ConfigRefused } from '../src/config.js';
import { StoreRefused } from '../src/store/event-store.js';

export const EXIT = {
  ok: 0,
  failed: 1,
  /** What was compared is not the same. */
  differs: 2,
  /** The verdicts on an evidence bundle, as docs/audit-format.md numbers them. */
  altered: 2,
  truncated: 3,
  fork: 4,
  badSignature: 5,
  /** As in sysexits.h: the command line is wrong, or the settings or a store are. */
  usage: 64,
  refused: 78,
} as const;

export type Meaning = readonly [code: number, meaning: string];

/** What a code means where a command does not say it better. */
const MEANINGS: readonly Meaning[] = [
  [EXIT.ok, 'done'],
  [EXIT.failed, 'failed, with the reason in one line on stderr'],
  [EXIT.differs, 'the two logs differ'],
  [EXIT.usage, 'the command line is wrong'],
  [EXIT.refused, 'a setting is wrong, or a store cannot be opened'],
];

/** Ends the command with a line that needs no explanation. */
export class Failure extends Error {
  override readonly name = 'Failure';

  constructor(
    message: string,
    readonly exitCode: number = EXIT.failed,
  ) {
    super(message);
  }
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof Failure) return error.exitCode;
  return error instanceof ConfigRefused || error instanceof StoreRefused ? EXIT.refused : EXIT.failed;
}

export function inOneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  // Settings are refused one line each, all at once.
  return error instanceof ConfigRefused ? message : message.replace(/\s+/g, ' ').trim();
}

/** The end of a help text. A code without a meaning has its usual one. */
export function examplesAndCodes(examples: readonly string[], codes: readonly (number | Meaning)[]): string {
  const own = codes.filter((code) => typeof code !== 'number');
  const shown = [...own, ...MEANINGS.filter(([code]) => codes.includes(code))].sort(([a], [b]) => a - b);
  return [
    '\nExamples:',
    ...examples.map((example) => `  ${example}`),
    '\nExit codes:',
    ...shown.map(([code, meaning]) => `  ${String(code).padEnd(3)} ${meaning}`),
  ].join('\n');
}
