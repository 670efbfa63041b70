// How far a command is: a bar where somebody watches, and nothing where nobody does.
import cliProgress from 'cli-progress';

export interface Progress {
  /** From 0 to 1. */
  reached(share: number): void;
  stop(): void;
}

const STEPS = 1_000;

export function showProgress(title: string): Progress {
  if (!process.stderr.isTTY) return { reached: () => undefined, stop: () => undefined };
  const format = `${title.padEnd(9)} {bar} {percentage} % | {eta_formatted} left`;
  const options = { format, stream: process.stderr, clearOnComplete: true };
  const bar = new cliProgress.SingleBar(options, cliProgress.Presets.shades_classic);
  bar.start(STEPS, 0);
  return {
    reached: (share) => bar.update(Math.min(STEPS, Math.floor(share * STEPS))),
    stop: () => bar.stop(),
  };
}

export function count(number: number): string {
  return number.toLocaleString('en-US');
}

export function counted(number: number, one: string): string {
  return `${count(number)} ${one}${number === 1 ? '' : 's'}`;
}

export function sized(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
