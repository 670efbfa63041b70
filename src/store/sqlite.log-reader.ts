// Reads pages of a SQLite log. Every page is a read transaction of its own, so that no reader, however long
// it goes on, keeps the write-ahead log from being folded back into the file.

import type Database from 'better-sqlite3';

/** A page is complete once it holds this much text, whatever number of events was asked for. */
const PAGE_UNITS_MAX = 4 * 1024 * 1024;

export interface ReadRequest {
  readonly number: number;
  /** Of the whole log when there is none. */
  readonly stream: string | undefined;
  /** A revision of the stream and included, or else a position of the log and not included. */
  readonly from: number;
  readonly backwards: boolean;
  readonly limit: number;
}

/** Columns instead of rows: they cross to another thread in half the time. */
export interface Page {
  readonly positions: number[];
  readonly streams: string[];
  readonly revisions: number[];
  readonly ids: string[];
  readonly types: string[];
  readonly datas: string[];
  readonly metas: string[];
}

type Row = [number, string, number, string, string, string, string];

export class LogReader {
  private readonly sql: ReturnType<typeof statements>;

  constructor(db: Database.Database) {
    this.sql = statements(db);
  }

  read({ stream, from, backwards, limit }: ReadRequest): Page {
    const rows =
      stream === undefined
        ? this.sql.all.iterate(from, limit)
        : (backwards ? this.sql.backwards : this.sql.forwards).iterate(stream, from, limit);
    return pageOf(rows as IterableIterator<Row>);
  }
}

function pageOf(rows: Iterable<Row>): Page {
  const page: Page = { positions: [], streams: [], revisions: [], ids: [], types: [], datas: [], metas: [] };
  let units = 0;
  for (const [position, stream, revision, id, type, data, meta] of rows) {
    page.positions.push(position);
    page.streams.push(stream);
    page.revisions.push(revision);
    page.ids.push(id);
    page.types.push(type);
    page.datas.push(data);
    page.metas.push(meta);
    units += data.length + meta.length;
    if (units >= PAGE_UNITS_MAX) break;
  }
  return page;
}

function statements(db: Database.Database) {
  const select = 'SELECT position, stream, revision, id, type, data, meta FROM events';
  return {
    all: db.prepare(`${select} WHERE position > ? ORDER BY position LIMIT ?`).raw(),
    forwards: db.prepare(`${select} WHERE stream = ? AND revision >= ? ORDER BY revision LIMIT ?`).raw(),
    backwards: db
      .prepare(`${select} WHERE stream = ? AND revision <= ? ORDER BY revision DESC LIMIT ?`)
      .raw(),
  };
}
