// The schema `switchyard` of a PostgreSQL database: what the log stands in, and the one function that appends.
// It is made and brought up to date at every start, in one transaction that several servers may begin at once.

import { Socket } from 'node:net';
import { Client, DatabaseError } from 'pg';
import { StoreRefused } from './event-store.js';
import { end, messageOf, nameOf, type Address } from './postgres.connection.js';

const VERSION_MIN = 12;
const MIGRATION_MS_MAX = 30_000;
/** 'SWYD' in ASCII. Advisory locks belong to the database, so that two logs never wait for each other. */
const APPEND_LOCK = 0x53575944;
const MIGRATION_LOCK = APPEND_LOCK + 1;

/**
 * All that stands in a column comes back byte for byte, and no collation of the machine decides on an index.
 * Nothing is ever changed or deleted, and a hand that tries is told so.
 */
const EVENTS = `
  CREATE TABLE switchyard.events (
    position bigint PRIMARY KEY,
    stream text COLLATE "C" NOT NULL,
    revision integer NOT NULL,
    id text COLLATE "C" NOT NULL UNIQUE,
    type text COLLATE "C" NOT NULL,
    data text COLLATE "C" NOT NULL,
    meta text COLLATE "C" NOT NULL,
    UNIQUE (stream, revision)
  );
  CREATE FUNCTION switchyard.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION 'switchyard.events is append-only';
  END $$;
  CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON switchyard.events
    FOR EACH STATEMENT EXECUTE FUNCTION switchyard.refuse_change();
`;

/**
 * Takes a group of appends: stream, expected revision (-1: no stream) and number of events of each, and the events
 * one after the other. Answers each with the position of its last event, or in a conflict with the revision that
 * the stream has. Positions are taken under a lock that is held until the commit can be seen: so they leave no gap,
 * and a reader that has seen one has seen all before it. Elements are taken one at a time, since a slice of an
 * array would copy the whole of it.
 */
const APPEND = `
  CREATE FUNCTION switchyard.append(
    lock_ms integer, streams text[], expected bigint[], counts integer[],
    ids text[], types text[], datas text[], metas text[]
  ) RETURNS TABLE (outcome text, place bigint) LANGUAGE plpgsql AS $$
  DECLARE
    head bigint;
    actual bigint;
    first_event integer;
    last_event integer := 0;
  BEGIN
    IF current_setting('fsync') = 'off' OR current_setting('full_page_writes') = 'off' THEN
      RAISE EXCEPTION 'it runs with fsync or full_page_writes off, and would lose events in a power cut';
    END IF;
    IF current_setting('transaction_read_only') = 'on' THEN
      RAISE EXCEPTION 'it can only be read from';
    END IF;
    -- Anything stronger would look at the log as it was before the lock was held.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
      RAISE EXCEPTION 'appends need the isolation level read committed';
    END IF;
    IF current_setting('synchronous_commit') = 'off' THEN
      PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    PERFORM set_config('lock_timeout', lock_ms::text, true);
    PERFORM pg_advisory_xact_lock(${APPEND_LOCK});
    head := coalesce((SELECT max(e.position) FROM switchyard.events e), 0);
    FOR i IN 1 .. cardinality(streams) LOOP
      first_event := last_event + 1;
      last_event := last_event + counts[i];
      actual := coalesce((SELECT max(e.revision) FROM switchyard.events e WHERE e.stream = streams[i]), -1);
      outcome := 'appended';
      IF actual <> expected[i] THEN
        outcome := 'standing';
        FOR k IN first_event .. last_event LOOP
          SELECT e.position INTO place FROM switchyard.events e
            WHERE e.stream = streams[i] AND e.revision = expected[i] + 1 + k - first_event AND e.id = ids[k];
          IF place IS NULL THEN outcome := 'conflict'; EXIT; END IF;
        END LOOP;
      ELSE
        FOR k IN first_event .. last_event LOOP
          IF EXISTS (SELECT FROM switchyard.events e WHERE e.id = ids[k]) THEN outcome := 'conflict'; EXIT; END IF;
        END LOOP;
      END IF;
      IF outcome = 'conflict' THEN
        place := actual;
      ELSIF outcome = 'appended' THEN
        FOR k IN first_event .. last_event LOOP
          head := head + 1;
          actual := actual + 1;
          INSERT INTO switchyard.events (position, stream, revision, id, type, data, meta)
            VALUES (head, streams[i], actual, ids[k], types[k], datas[k], metas[k]);
        END LOOP;
        place := head;
      END IF;
      RETURN NEXT;
    END LOOP;
  END $$;
`;

/** Number n leads to version n. What stands here once is never changed; a change is a new one at the end. */
const MIGRATIONS: readonly string[] = [EVENTS + APPEND];

/** Makes the schema or brings it up to date. Throws `StoreRefused`, with the database as it was. */
export async function prepareDatabase(address: Address): Promise<void> {
  const socket = new Socket();
  const client = newClient(address, socket);
  // An error that nobody waits for would end the process; whoever does wait gets it all the same.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await checkServer(client);
    await migrate(client);
  } catch (error) {
    throw asRefused(client, error);
  } finally {
    await end(client, socket);
  }
}

function newClient(address: Address, socket: Socket): Client {
  try {
    return new Client({ ...address.config(), query_timeout: MIGRATION_MS_MAX, stream: () => socket });
  } catch (error) {
    const wanted = 'postgres://user:password@host:5432/database';
    throw new StoreRefused(`The address of PostgreSQL is not like ${wanted}: ${messageOf(error)}`);
  }
}

interface Settings {
  readonly version: number;
  readonly encoding: string;
  readonly fsync: string;
  readonly full_page_writes: string;
  readonly isolation: string;
  readonly read_only: string;
}

async function checkServer(client: Client): Promise<void> {
  const { rows } = await client.query<Settings>(`
    SELECT current_setting('server_version_num')::integer / 10000 AS version,
      current_setting('server_encoding') AS encoding,
      current_setting('fsync') AS fsync,
      current_setting('full_page_writes') AS full_page_writes,
      current_setting('default_transaction_isolation') AS isolation,
      current_setting('transaction_read_only') AS read_only`);
  const problem = problemWith(rows[0] as Settings);
  if (problem !== undefined) throw new StoreRefused(`${nameOf(client)} ${problem}`);
}

/** What keeps a log from being kept there, as the end of a sentence. */
export function problemWith(settings: Settings): string | undefined {
  const { version, encoding, fsync, full_page_writes: fullPages, isolation } = settings;
  if (version < VERSION_MIN) return `is version ${version}, the log needs ${VERSION_MIN} or newer`;
  if (encoding !== 'UTF8') return `keeps its text in ${encoding}, the log needs a database in UTF8`;
  if (fsync === 'off') return 'would lose events in a power cut: fsync is off';
  if (fullPages === 'off') return 'would lose events in a power cut: full_page_writes is off';
  if (settings.read_only === 'on')
    return 'can only be read from: it is a standby, or read-only by its settings';
  if (isolation !== 'read committed') {
    return `begins transactions as ${isolation}: set default_transaction_isolation to read committed for this role`;
  }
  return undefined;
}

async function migrate(client: Client): Promise<void> {
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
  await client.query(`SET LOCAL lock_timeout = ${MIGRATION_MS_MAX / 2}`);
  await client.query(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`);
  const version = await versionOf(client);
  if (version > MIGRATIONS.length) {
    throw new StoreRefused(
      `${nameOf(client)} has the log in version ${version}, this Switchyard knows version ${MIGRATIONS.length}`,
    );
  }
  if (version === 0) {
    await client.query(`
      CREATE SCHEMA IF NOT EXISTS switchyard;
      CREATE TABLE switchyard.migrations (version integer PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())`);
  }
  for (const [i, migration] of MIGRATIONS.entries()) {
    if (i < version) continue;
    await client.query(migration);
    await client.query('INSERT INTO switchyard.migrations (version) VALUES ($1)', [i + 1]);
  }
  await client.query('COMMIT');
}

/** 0 where there is no log yet. */
async function versionOf(client: Client): Promise<number> {
  // Also where this role may not look into the schema, which to_regclass would be refused for.
  const found = await client.query(`
    SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'switchyard' AND c.relname = 'migrations'`);
  if (found.rowCount === 0) return 0;
  const { rows } = await client.query<{ version: number | null }>(
    'SELECT max(version) AS version FROM switchyard.migrations',
  );
  return rows[0]?.version ?? 0;
}

function asRefused(client: Client, error: unknown): StoreRefused {
  if (error instanceof StoreRefused) return error;
  const code = error instanceof DatabaseError ? error.code : undefined;
  const server = nameOf(client);
  if (code === '42501') {
    return new StoreRefused(
      `${server} does not let the role ${client.user} have the schema switchyard (${messageOf(error)}): ` +
        `GRANT CREATE ON DATABASE, or make that role its owner`,
    );
  }
  return new StoreRefused(`${server} cannot be used: ${messageOf(error)}`);
}
