// How a command ends: what it says on stdout, for people or as JSON, and which exit code it has.
import cliProgress from 'cli-progress';

export const exitCodes = { done: 0, failed: 1, differs: 2, usage: 64, refused: 78 } as const;

/** One line for the operator, and the exit code that goes with it. */
export class Failed extends Error {
  override readonly name = 'Failed';

  constructor(
    message: string,
    readonly exitCode: number = exitCodes.failed,
  ) {
    super(message);
  }
}

export interface OutputOptions {
  readonly json?: boolean;
}

/** Facts about what was done: as JSON on one line, or as a sentence. */
export function report(options: OutputOptions, facts: object, sentence: string): void {
  const text = options.json === true ? JSON.stringify(facts) : sentence;
  process.stdout.write(`${text}\n`);
}

export interface Progress {
  to(done: number): void;
  stop(): void;
}

/** On stderr, and only where somebody looks at it. */
export function progressOf(what: string, total: number): Progress {
  if (!process.stderr.isTTY) return { to: () => undefined, stop: () => undefined };
  const format = `${what} [{bar}] {percentage} % | {value} of {total} | {eta_formatted} left`;
  const bar = new cliProgress.SingleBar({ format, stream: process.stderr, hideCursor: true });
  bar.start(total, 0);
  return { to: (done) => bar.update(done), stop: () => bar.stop() };
}
