// One figure: what was measured, the limit that was measured beside it, and whether the ratio meets its bar.

/** What was measured and its limit, taken right after one another; null where there is nothing to compare with. */
export interface Round {
  readonly measured: number;
  readonly limit: number | null;
}

/** Of the ratio to the limit, or of the measured figure itself. */
export type Bar = ({ readonly atLeast: number } | { readonly atMost: number }) & {
  readonly of: 'ratio' | 'figure';
};

export interface Figure {
  readonly row: string;
  readonly unit: string;
  /** Medians over the rounds. The ratio is the median of the ratios, not the ratio of the medians. */
  readonly measured: number;
  readonly limit: number | null;
  readonly ratio: number | null;
  readonly bar: Bar;
  readonly met: boolean;
  readonly rounds: readonly Round[];
  /** How it was taken, and what else was seen on the way. */
  readonly notes: readonly string[];
}

export function figure(taken: {
  readonly row: string;
  readonly unit: string;
  readonly rounds: readonly Round[];
  readonly bar: Bar;
  readonly notes?: readonly string[];
}): Figure {
  const { row, unit, rounds, bar, notes = [] } = taken;
  const limits = rounds.flatMap(({ limit }) => limit ?? []);
  const ratios = rounds.flatMap(({ measured, limit }) => (limit === null ? [] : measured / limit));
  const measured = median(rounds.map((round) => round.measured));
  const limit = limits.length === 0 ? null : median(limits);
  const ratio = ratios.length === 0 ? null : median(ratios);
  const judged = bar.of === 'figure' ? measured : (ratio ?? Number.NaN);
  const met = 'atLeast' in bar ? judged >= bar.atLeast : judged <= bar.atMost;
  return { row, unit, measured, limit, ratio, bar, met, rounds, notes };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  const high = sorted[Math.floor(middle)] ?? low;
  return (low + high) / 2;
}

export function readable(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toPrecision(3);
}

const HEADINGS = ['row', 'measured', 'limit', 'ratio', 'bar', 'met'];

/** The rows of one table, with what was noted about each below it. */
export function table(figures: readonly Figure[]): string {
  const rows = [HEADINGS, ...figures.map(cells)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | '));
  lines.splice(1, 0, widths.map((width) => '-'.repeat(width)).join('-|-'));
  return lines.map((line) => line.trimEnd()).join('\n');
}

function cells({ row, unit, measured, limit, ratio, bar, met }: Figure): string[] {
  const withUnit = (value: number): string => `${readable(value)} ${unit}`;
  const [sign, bound] = 'atLeast' in bar ? ['≥', bar.atLeast] : ['≤', bar.atMost];
  return [
    row,
    withUnit(measured),
    limit === null ? '' : withUnit(limit),
    ratio === null ? '' : ratio.toFixed(2),
    bar.of === 'figure' ? `${sign} ${withUnit(bound)}` : `${sign} ${bound.toFixed(2)} ×`,
    met ? 'met' : 'MISSED',
  ];
}
