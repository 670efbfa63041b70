// Reads pages of a log in PostgreSQL, over a few connections of their own so that no append waits for a reader.

import { Client, Pool, type QueryResultRow } from 'pg';
import { Socket } from 'node:net';
import { START, StoreUnavailable, type Position, type StoredEvent } from './event-store.js';
import { GOODBYE_MS_MAX, messageOf, timed, type Address } from './postgres.connection.js';

const CONNECTIONS_MAX = 4;
/** Of data and meta in one page, so that neither side has to hold much at once. Never less than one event. */
const PAGE_BYTES_MAX = 4 * 1024 * 1024;

export interface EventRow {
  readonly position: string;
  readonly stream: string;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  readonly data: string;
  readonly meta: string;
}

export interface Newest {
  readonly position: Position;
  readonly id: string | null;
}

/** Those events of a page, given as the end of a SELECT, that come before it has more than enough bytes. */
const page = (events: string, order: string): string => `
  SELECT position, stream, revision, id, type, data, meta FROM (
    SELECT *, sum(octet_length(data) + octet_length(meta)) OVER (
      ORDER BY ${order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS bytes_before
    FROM (SELECT * FROM switchyard.events ${events}) AS page
  ) AS page WHERE bytes_before IS NULL OR bytes_before < ${PAGE_BYTES_MAX} ORDER BY ${order}`;

/** After a position, at most so many. */
export const LOG_PAGE = page('WHERE position > $1 ORDER BY position LIMIT $2', 'position');
const FORWARDS = page('WHERE stream = $1 AND revision >= $2::bigint ORDER BY revision LIMIT $3', 'revision');
const BACKWARDS = page(
  'WHERE stream = $1 AND revision <= $2::bigint ORDER BY revision DESC LIMIT $3',
  'revision DESC',
);

export class PostgresLogReader {
  private readonly pool: Pool;
  private readonly sockets = new Set<Socket>();

  constructor(
    address: Address,
    private readonly readMs: number,
  ) {
    const config = () => ({ ...address.config(), stream: () => this.newSocket() });
    this.pool = new Pool({
      ...address.config(),
      max: CONNECTIONS_MAX,
      // By itself a pool reads the address once; its certificates may have changed since.
      Client: class extends Client {
        constructor() {
          super(config());
        }
      },
    });
    // The pool has let go of the connection already; whoever needs one gets another.
    this.pool.on('error', () => undefined);
  }

  async log(after: Position, limit: number): Promise<StoredEvent[]> {
    return (await this.query<EventRow>(LOG_PAGE, [String(after), limit])).map(eventOf);
  }

  async stream(stream: string, from: number, backwards: boolean, limit: number): Promise<StoredEvent[]> {
    const text = backwards ? BACKWARDS : FORWARDS;
    return (await this.query<EventRow>(text, [stream, from, limit])).map(eventOf);
  }

  /** The newest event of the log; its id is null when the log is empty. */
  async newest(): Promise<Newest> {
    const text = 'SELECT position, id FROM switchyard.events ORDER BY position DESC LIMIT 1';
    const [row] = await this.query<EventRow>(text, []);
    return row === undefined ? { position: START, id: null } : { position: BigInt(row.position), id: row.id };
  }

  /** Asks again once where a connection turned out to be lost: reading twice does no harm. */
  async query<Row extends QueryResultRow>(text: string, values: readonly unknown[]): Promise<Row[]> {
    const deadline = performance.now() + this.readMs;
    for (let retried = false; ; retried = true) {
      try {
        const timeoutMs = deadline - performance.now();
        return (await this.pool.query<Row>(timed(text, values, timeoutMs))).rows;
      } catch (error) {
        if (retried || performance.now() > deadline - this.readMs / 2 || this.pool.ending) {
          throw new StoreUnavailable(`The log cannot be read: ${messageOf(error)}`);
        }
      }
    }
  }

  async close(): Promise<void> {
    await this.pool.end();
    // The pool has said goodbye on each connection, and does not look whether anybody heard it.
    const sockets = [...this.sockets];
    const cut = setTimeout(() => sockets.forEach((socket) => socket.destroy()), GOODBYE_MS_MAX);
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve))));
    clearTimeout(cut);
  }

  private newSocket(): Socket {
    const socket = new Socket();
    this.sockets.add(socket);
    return socket.once('close', () => this.sockets.delete(socket));
  }
}

export function eventOf({ position, stream, revision, id, type, data, meta }: EventRow): StoredEvent {
  return { id, type, data, meta, stream, revision, position: BigInt(position) };
}
