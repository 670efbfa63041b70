// How long, as people write it: 30m, 12h, 90d.
import { InvalidArgumentError } from 'commander';

const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;
const DURATION = /^(\d{1,9})([smhd])$/;
export const DURATION_HELP = 'such as 30m, 12h or 90d';

/** In seconds. Throws `InvalidArgumentError`. */
export function durationFrom(text: string): number {
  const [, number, unit] = DURATION.exec(text) ?? [];
  if (number === undefined) throw new InvalidArgumentError(`How long, ${DURATION_HELP}.`);
  return Number(number) * SECONDS[unit as keyof typeof SECONDS];
}

/** A moment that is so far away, or one that is given as such, for the server to judge. */
export function momentFrom(text: string): string {
  if (!DURATION.test(text)) return text;
  return new Date(Date.now() + durationFrom(text) * 1_000).toISOString();
}
