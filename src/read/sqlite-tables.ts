// Rows of the view database through better-sqlite3, each statement prepared once.
import type { Database, Statement } from 'better-sqlite3';
import type { Tables, Value } from '../../projections/projection.js';

export class SqliteTables implements Tables {
  private readonly statements = new Map<string, Statement>();

  constructor(private readonly database: Database) {}

  run(sql: string, ...values: Value[]): void {
    this.prepared(sql).run(...values);
  }

  get<Row>(sql: string, ...values: Value[]): Row | undefined {
    return this.prepared(sql).get(...values) as Row | undefined;
  }

  all<Row>(sql: string, ...values: Value[]): Row[] {
    return this.prepared(sql).all(...values) as Row[];
  }

  iterate<Row>(sql: string, ...values: Value[]): IterableIterator<Row> {
    return this.prepared(sql).iterate(...values) as IterableIterator<Row>;
  }

  private prepared(sql: string): Statement {
    let statement = this.statements.get(sql);
    if (statement === undefined) {
      statement = this.database.prepare(sql);
      this.statements.set(sql, statement);
    }
    return statement;
  }
}
