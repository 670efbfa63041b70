// One connection to PostgreSQL, made when it is first needed and made again after it was lost. It tells apart what
// matters to whoever appends: nothing was sent, PostgreSQL said no, or nobody knows.

import { Socket } from 'node:net';
import { Client, DatabaseError, type ClientConfig, type QueryConfig, type QueryResultRow } from 'pg';
import { parseIntoClientConfig } from 'pg-connection-string';
import { StoreUnavailable } from './event-store.js';

/** A connection that says goodbye to a server which no longer listens is cut after this. */
export const GOODBYE_MS_MAX = 1_000;
/** After this long without a word the system asks whether the other side is still there. */
const KEEP_ALIVE_MS = 5_000;

/** PostgreSQL said no, and the connection is sound: what was sent had no effect. */
export class Rejected extends Error {
  override readonly name = 'Rejected';

  constructor(
    message: string,
    /** SQLSTATE. */
    readonly code: string,
  ) {
    super(message);
  }
}

/** The connection was lost, or no answer came in time: what was sent may have had its effect, or have it yet. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

export class Address {
  private read: ClientConfig | undefined;

  constructor(
    private readonly url: string,
    private readonly connectMs: number,
  ) {}

  /**
   * Made for each connection, so that certificates may change in the files that the address names. While one of them
   * cannot be read, what was read before stands; throws where there is nothing before.
   */
  config(): ClientConfig {
    try {
      this.read = parseIntoClientConfig(this.url);
    } catch (error) {
      if (this.read === undefined) throw error;
    }
    return {
      fallback_application_name: 'switchyard',
      ...this.read,
      connectionTimeoutMillis: this.connectMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    };
  }
}

export class PostgresConnection {
  private client: Client | undefined;
  private socket: Socket | undefined;
  private closed = false;
  /** Settles when whoever asked last has its answer: the driver takes one statement at a time. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly address: Address,
    /** Called with every new connection, before anything else is sent. */
    private readonly prepare: (client: Client) => Promise<unknown> = async () => undefined,
  ) {}

  /** The rows of one statement. Throws `StoreUnavailable` when it was not sent, `Rejected` or `Interrupted`. */
  query<Row extends QueryResultRow>(
    text: string,
    values: readonly unknown[],
    timeoutMs: number,
  ): Promise<Row[]> {
    const answer = this.turn.then(() => this.ask<Row>(text, values, timeoutMs));
    this.turn = answer.catch(() => undefined);
    return answer;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.turn;
    if (this.client !== undefined) await end(this.client, this.socket);
  }

  private async ask<Row extends QueryResultRow>(text: string, values: readonly unknown[], timeoutMs: number) {
    const client = await this.connected();
    try {
      return (await client.query<Row>(timed(text, values, timeoutMs))).rows;
    } catch (error) {
      if (error instanceof DatabaseError && (await isSound(client, timeoutMs))) {
        throw new Rejected(messageOf(error), error.code ?? '');
      }
      this.forget(client);
      throw new Interrupted(messageOf(error));
    }
  }

  private async connected(): Promise<Client> {
    if (this.closed) throw new StoreUnavailable('The log is closed');
    if (this.client !== undefined) return this.client;
    const socket = new Socket();
    const client = new Client({ ...this.address.config(), stream: () => socket });
    client.on('error', () => this.forget(client));
    client.on('end', () => this.forget(client));
    try {
      await client.connect();
      await this.prepare(client);
    } catch (error) {
      socket.destroy();
      throw new StoreUnavailable(`${nameOf(client)} cannot be reached: ${messageOf(error)}`);
    }
    this.socket = socket;
    this.client = client;
    return client;
  }

  private forget(client: Client): void {
    if (this.client !== client) return;
    this.client = undefined;
    this.socket?.destroy();
  }
}

/** Cut where the other side does not hear the goodbye. */
export async function end(client: Client, socket: Socket | undefined): Promise<void> {
  const cut = setTimeout(() => socket?.destroy(), GOODBYE_MS_MAX);
  await client.end();
  clearTimeout(cut);
}

/** A statement that is given up when there is no answer in time. The types of the driver do not know of it. */
export function timed(text: string, values: readonly unknown[], timeoutMs: number): QueryConfig {
  const config = { text, values: [...values], query_timeout: Math.max(1, timeoutMs) };
  return config;
}

/** Which server, in words that may stand in a log: never the whole address, which may hold a password. */
export function nameOf({ host, port, database }: Client): string {
  return `PostgreSQL at ${host}:${port}/${database ?? ''}`;
}

/** In one line. */
export function messageOf(error: unknown): string {
  const { errors = [error] } = Object(error) as { readonly errors?: readonly unknown[] };
  // Where a name has several addresses and none of them answers, what is wrong stands with each of them.
  const { message = String(error) } = Object(errors[0]) as { readonly message?: string };
  return message.replace(/\s+/g, ' ').trim();
}

/** An error that ends the connection may have come in the middle of a commit; after any other it goes on. */
async function isSound(client: Client, timeoutMs: number): Promise<boolean> {
  try {
    await client.query(timed('SELECT', [], timeoutMs));
    return true;
  } catch {
    return false;
  }
}
