// Whether two files of views hold the same rows. Both are being written to, so it waits for a moment at which they
// stand at one place of the log, and compares them as they were then.
import Database from 'better-sqlite3';

const TRIES_MAX = 10_000;
const PAUSE_MS = 2;

export class Comparison {
  constructor(
    private readonly path: string,
    private readonly other: string,
  ) {}

  /** Throws when the two never stood at one place. */
  async equal(): Promise<boolean> {
    const database = new Database(this.path, { readonly: true, fileMustExist: true });
    try {
      database.prepare('ATTACH ? AS other').run(this.other);
      for (let tries = 0; tries < TRIES_MAX; tries += 1) {
        // One transaction sees both files at one moment, and nothing that is written afterwards.
        database.exec('BEGIN');
        const atOnePlace = holdsSame(database, 'checkpoints');
        const equal = atOnePlace && tablesOf(database).every((table) => holdsSame(database, table));
        database.exec('COMMIT');
        if (atOnePlace) return equal;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
      throw new Error('The views did not come to one place');
    } finally {
      database.close();
    }
  }
}

/** The pages of a full-text index depend on how the events came in batches, and it holds nothing that the rows lack. */
function tablesOf(database: Database.Database): string[] {
  const sql = `SELECT name FROM pragma_table_list
    WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'`;
  return database.prepare<[], string>(sql).pluck().all();
}

function holdsSame(database: Database.Database, table: string): boolean {
  const only = (here: string, there: string): unknown =>
    database
      .prepare(
        `SELECT 1 FROM (SELECT * FROM ${here}.${table} EXCEPT SELECT * FROM ${there}.${table}) LIMIT 1`,
      )
      .get();
  const count = (where: string): unknown =>
    database.prepare(`SELECT count(*) FROM ${where}.${table}`).pluck().get();
  return count('main') === count('other') && !only('main', 'other') && !only('other', 'main');
}
