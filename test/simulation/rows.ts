// The rows of one server, in memory and in this thread: they outlive its crashes, as a file would. Who keeps them takes
// its time, and a crash may find it in the middle of its work. A power cut takes the newest rows back, and somebody may
// have deleted the file altogether.
import { EventEmitter } from 'node:events';
import Database from 'better-sqlite3';
import type { StoredFact } from '../../src/domain/recorded.js';
import { PROJECTIONS, RowViews, type Checkpoint } from '../../src/read/row-views.js';
import { SqliteTables } from '../../src/read/sqlite-tables.js';
import type { RowsKeeper, RowsPlace } from '../../src/read/view-database.js';
import type { FromViews, ToViews } from '../../src/read/views.worker.js';
import type { Fate } from './fate.js';
import type { SimulatedTime } from './time.js';

/** Views that no command and no comparison asks cost time alone; they have rigs of their own. */
const LEFT_OUT = new Set(['ledger', 'audit_trail', 'environment_history']);
const VIEWS = PROJECTIONS.filter(({ name }) => !LEFT_OUT.has(name));
const COPIED_ONCE_IN = 10;

const empty = emptyFile();

export class SimulatedRows {
  database = opened(empty);
  /** As a power cut would find them. */
  copy = empty;
  private current: Keeper | undefined;

  constructor(
    private readonly time: SimulatedTime,
    private readonly fate: Fate,
  ) {}

  readonly place: RowsPlace = {
    keeper: () => (this.current = new Keeper(this, this.time, this.fate)),
    reader: () => ({ rows: new SqliteTables(this.database), close: () => undefined }),
  };

  /** The server is gone, and with it who kept the rows. */
  crash(): void {
    this.current?.stop();
    this.current = undefined;
    const chance = this.fate.random.next();
    if (chance < 0.15) this.replace(this.copy);
    else if (chance < 0.25) this.replace(empty);
  }

  replace(file: Buffer): void {
    this.database.close();
    this.database = opened(file);
    this.copy = file;
  }

  beginAnew(): void {
    this.replace(empty);
  }

  close(): void {
    this.database.close();
  }

  /** All rows, in an order of their own. */
  content(): string[] {
    const tables = this.database.prepare<[], string>(TABLES).pluck().all();
    return tables.flatMap((table) => {
      const rows = this.database.prepare(`SELECT * FROM ${table}`).all();
      return rows.map((row) => `${table} ${JSON.stringify(row)}`).sort();
    });
  }
}

const TABLES = `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
  AND name NOT LIKE 'sqlite_%' ORDER BY name`;

/** Does what the thread of the views does. */
class Keeper extends EventEmitter implements RowsKeeper {
  private views: RowViews;
  private inbox: ToViews[] = [];
  private readonly outbox: FromViews[] = [];
  private isAtWork = false;
  private isGone = false;

  constructor(
    private readonly rows: SimulatedRows,
    private readonly time: SimulatedTime,
    private readonly fate: Fate,
  ) {
    super();
    this.views = new RowViews(rows.database, VIEWS);
    this.say({ checkpoint: this.checkpoint(), halts: [] });
  }

  postMessage(message: ToViews): void {
    this.inbox.push(message);
    if (this.isAtWork) return;
    this.isAtWork = true;
    this.time.after(this.fate.delay(), () => this.work());
  }

  /** Some of what had arrived is done before it ends. */
  stop(): void {
    const done = this.fate.random.below(this.inbox.length + 1);
    for (const message of this.inbox.slice(0, done)) if ('events' in message) this.fold(message.events);
    this.isGone = true;
  }

  private work(): void {
    this.isAtWork = false;
    if (this.isGone) return;
    const messages = this.inbox;
    this.inbox = [];
    for (const message of messages) this.take(message);
  }

  private take(message: ToViews): void {
    if ('events' in message) return this.say(this.fold(message.events));
    if ('compareWith' in message) return this.say({ notCompared: 'There is nothing to compare here' });
    if (message.say === 'reset') return this.say({ checkpoint: this.begin(), halts: [] });
    this.time.after(this.fate.delay(), () => {
      this.isGone = true;
      this.emit('message', { closed: true } satisfies FromViews);
      this.emit('exit');
    });
  }

  /** Views that are not all at one place are made anew. */
  private checkpoint(): Checkpoint | null {
    try {
      return this.views.checkpoint();
    } catch {
      return this.begin();
    }
  }

  private begin(): null {
    this.rows.beginAnew();
    this.views = new RowViews(this.rows.database, VIEWS);
    return null;
  }

  private fold(events: readonly StoredFact[]): FromViews {
    const last = events.at(-1);
    this.views.fold(events);
    if (this.fate.random.below(COPIED_ONCE_IN) === 0) this.rows.copy = this.rows.database.serialize();
    const checkpoint: Checkpoint | null = last ? { position: last.position, eventId: last.id } : null;
    return { checkpoint, halts: [...this.views.halts] };
  }

  /** Messages never overtake each other. */
  private say(message: FromViews): void {
    this.outbox.push(message);
    this.time.after(this.fate.delay(), () => {
      const oldest = this.outbox.shift();
      if (!this.isGone) this.emit('message', oldest);
    });
  }
}

/** Each statement is prepared once for all who read and write. */
function opened(file: Buffer): Database.Database {
  const database = new Database(file);
  const statements = new Map<string, Database.Statement>();
  const prepare = database.prepare.bind(database);
  database.prepare = ((sql: string) => {
    const known = statements.get(sql) ?? prepare(sql);
    statements.set(sql, known);
    return known;
  }) as typeof prepare;
  return database;
}

function emptyFile(): Buffer {
  const database = new Database(':memory:');
  new RowViews(database, VIEWS).begin();
  return database.serialize();
}
