// The windows of the audit trail: so many entries of one workspace that follow each other are indexed together, and so
// are the windows themselves. The tokens of a window bear its number, and those of the windows the number of their
// workspace: a search of one workspace looks at nothing of another, so that not even the time it takes tells of it.
import { TOKENIZER, tokensIn } from './audit-tokens.js';
import type { Rows, Tables } from './projection.js';

/** What the search for a page looks at is bounded by a few windows, however long the trail has become. */
export const WINDOW_ENTRIES = 8_192;

export const WINDOWS_SCHEMA = `CREATE TABLE audit_spans (nr INTEGER PRIMARY KEY, workspace INTEGER NOT NULL,
      first INTEGER NOT NULL, last INTEGER NOT NULL, entries INTEGER NOT NULL) STRICT;
    CREATE INDEX audit_spans_by_workspace ON audit_spans (workspace);
    CREATE VIRTUAL TABLE audit_index USING fts5(tokens, ${TOKENIZER});
    CREATE VIRTUAL TABLE audit_windows USING fts5(tokens, ${TOKENIZER})`;

/** From its first entry to its last one, with those of other workspaces in between. */
export interface Span {
  readonly nr: number;
  readonly workspace: number;
  readonly first: number;
  last: number;
  entries: number;
}

/** Where the entries of a batch go. */
export class WindowsOfBatch {
  private readonly newest = new Map<number, Span>();
  private readonly tokens = new Map<Span, string[]>();
  private lastNr: number;

  constructor(
    private readonly tables: Tables,
    private readonly entriesMax: number,
  ) {
    this.lastNr = tables.get<{ nr: number }>('SELECT max(nr) AS nr FROM audit_spans')?.nr ?? 0;
  }

  take(workspace: number, entry: number, tokens: string): void {
    const span = this.spanFor(workspace, entry);
    span.last = entry;
    span.entries += 1;
    this.tables.run(
      'INSERT INTO audit_index (rowid, tokens) VALUES (?, ?)',
      entry,
      tokensIn(span.nr, tokens),
    );
    this.tokens.get(span)?.push(tokens);
  }

  write(): void {
    const sql = `INSERT OR REPLACE INTO audit_spans (nr, workspace, first, last, entries) VALUES (?, ?, ?, ?, ?)`;
    for (const [{ nr, workspace, first, last, entries }, tokens] of this.tokens) {
      this.tables.run(sql, nr, workspace, first, last, entries);
      const inWorkspace = tokensIn(workspace, tokens.join(' '));
      this.tables.run('INSERT INTO audit_windows (rowid, tokens) VALUES (?, ?)', nr, inWorkspace);
    }
  }

  private spanFor(workspace: number, entry: number): Span {
    let span = this.newest.get(workspace) ?? this.stored(workspace);
    if (span === undefined || span.entries >= this.entriesMax) {
      span = { nr: (this.lastNr += 1), workspace, first: entry, last: entry, entries: 0 };
    }
    this.newest.set(workspace, span);
    if (!this.tokens.has(span)) this.tokens.set(span, []);
    return span;
  }

  private stored(workspace: number): Span | undefined {
    const sql = 'SELECT * FROM audit_spans WHERE workspace = ? ORDER BY nr DESC LIMIT 1';
    return this.tables.get<Span>(sql, workspace);
  }
}

export function spanOf(rows: Rows, window: number): Span | undefined {
  return rows.get<Span>('SELECT * FROM audit_spans WHERE nr = ?', window);
}

/** The first and the last window of a workspace that may hold one of some entries; undefined where none does. */
export function windowsOver(
  rows: Rows,
  workspace: number,
  first: number,
  last: number,
): readonly [number, number] | undefined {
  const sql = `SELECT min(nr) AS low, max(nr) AS high FROM audit_spans
    WHERE workspace = ? AND last >= ? AND first <= ?`;
  const found = rows.get<{ low: number | null; high: number }>(sql, workspace, first, last);
  return found === undefined || found.low === null ? undefined : [found.low, found.high];
}
