// Finds the last number of a sequence that was made by some moment: later numbers were made later, so halving the rest
// again and again leads there, and no index has to be kept for it.

/** The highest number from 1 to `newest` that is such; 0 when none is. Whatever is below such a number is such, too. */
export function newestSuch(newest: number, isSuch: (number: number) => boolean): number {
  let found = 0;
  let end = newest + 1;
  while (end - found > 1) {
    const middle = Math.floor((found + end) / 2);
    if (isSuch(middle)) found = middle;
    else end = middle;
  }
  return found;
}
