// The verdicts on an evidence bundle, and which check leads to which.

export const VERDICTS = {
  ok: { exitCode: 0, label: 'OK' },
  altered: { exitCode: 2, label: 'ALTERED' },
  truncated: { exitCode: 3, label: 'TRUNCATED' },
  fork: { exitCode: 4, label: 'FORK' },
  'bad-signature': { exitCode: 5, label: 'BAD SIGNATURE' },
} as const;
export type Verdict = keyof typeof VERDICTS;

export interface Judgement {
  readonly verdict: Verdict;
  readonly exitCode: number;
  /** What the verdict rests on, with the place first where there is one. */
  readonly detail: string;
  /** The verdict and the detail. */
  readonly line: string;
  /** Of the events, once they are known to be those that were signed. */
  readonly size: number | null;
  readonly root: string | null;
}

/** By the number of the check in docs/audit-format.md. */
const VERDICT_OF_CHECK: Readonly<Record<number, Verdict>> = {
  1: 'altered',
  2: 'bad-signature',
  3: 'bad-signature',
  4: 'fork',
  5: 'altered',
  6: 'altered',
  7: 'altered',
  8: 'truncated',
  9: 'altered',
  10: 'altered',
  11: 'truncated',
  12: 'altered',
  13: 'altered',
};

/** Ends the verification. `place` is where it failed, for instance `at index 17`. */
export class CheckFailed extends Error {
  readonly verdict: Verdict;

  constructor(
    check: number,
    readonly why: string,
    readonly place = '',
  ) {
    super(why);
    this.verdict = VERDICT_OF_CHECK[check] ?? 'altered';
  }
}

export function judgement(
  verdict: Verdict,
  why: string,
  place: string,
  established: Pick<Judgement, 'size' | 'root'>,
): Judgement {
  const { exitCode, label } = VERDICTS[verdict];
  const detail = place === '' ? why : `${place}: ${why}`;
  const line = place === '' && verdict !== 'ok' ? `${label}: ${detail}` : `${label} ${detail}`;
  return { verdict, exitCode, detail, line, ...established };
}
