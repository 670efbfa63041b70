// Lists as people read them: a column each, as wide as its widest text.

export function inColumns(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => [...(row[column] ?? '')].length)));
  const lines = all.map((row) =>
    row
      .map((text, column) => text + ' '.repeat((widths[column] ?? 0) - [...text].length))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

/** One line of JSON, or words. */
export function show(json: true | undefined, answer: unknown, words: string): void {
  process.stdout.write(json === true ? `${JSON.stringify(answer)}\n` : words);
}
