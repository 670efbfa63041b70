// No reader may ever pass an append that is still under way: it would take the place of the newer one for the end
// of the log, and never come back for the older one. Slow and fast transactions meet here thousands of times.

import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { START, type EventStore, type StoredEvent } from '../../src/store/event-store.js';
import { PostgresEventStore } from '../../src/store/postgres.event-store.js';
import { PostgresServer, missing } from '../support/postgres-server.js';
import { Random, seed } from '../support/random.js';
import { event, everything, follow, until } from './event-store.contract.js';

const SLOW_WRITERS = 6;

/** What somebody may put in place of the lock who finds it slow: each position from a sequence, at once. */
const BARE_SEQUENCE = `
  CREATE SEQUENCE switchyard.positions;
  CREATE OR REPLACE FUNCTION switchyard.append(
    lock_ms integer, streams text[], expected bigint[], counts integer[],
    ids text[], types text[], datas text[], metas text[]
  ) RETURNS TABLE (outcome text, place bigint) LANGUAGE plpgsql AS $$
  DECLARE k integer := 0;
  BEGIN
    FOR i IN 1 .. cardinality(streams) LOOP
      FOR n IN 1 .. counts[i] LOOP
        k := k + 1;
        place := nextval('switchyard.positions');
        INSERT INTO switchyard.events VALUES (place, streams[i], expected[i] + n, ids[k], types[k], datas[k], metas[k]);
      END LOOP;
      outcome := 'appended';
      RETURN NEXT;
    END LOOP;
  END $$`;

interface Outcome {
  readonly log: readonly StoredEvent[];
  readonly appended: ReadonlySet<string>;
  readonly rolledBack: ReadonlySet<string>;
  readonly seen: Readonly<Record<string, readonly StoredEvent[]>>;
}

/**
 * Slow transactions and fast appends from two servers, under followers of three kinds, until so often a slow one
 * was open during a fast one.
 */
async function interleave(url: string, meetings: number, planted = ''): Promise<Outcome> {
  const random = new Random(seed);
  const listening = await PostgresEventStore.open(url, { pollMs: 50 });
  const polling = await PostgresEventStore.open(url, { pollMs: 1, listen: false });
  const plain = new Client({ connectionString: url });
  await plain.connect();
  if (planted !== '') await plain.query(planted);

  const [appended, rolledBack] = [new Set<string>(), new Set<string>()];
  const followers = { listening: follow(listening, START).seen, polling: follow(polling, START).seen };
  let [opened, met, over] = [0, 0, false];

  const writeSlowly = async (stream: string): Promise<void> => {
    const client = new Client({ connectionString: url });
    await client.connect();
    for (let revision = -1; met < meetings;) {
      const id = randomUUID();
      await client.query(`BEGIN; SELECT switchyard.append(
        20000, '{${stream}}', '{${revision}}', '{1}', '{${id}}', '{T}', '{1}', '{1}')`);
      opened += 1;
      if (random.below(20) === 0) await new Promise((resolve) => setTimeout(resolve, random.below(3)));
      const commits = random.below(5) > 0;
      await client.query(commits ? 'COMMIT' : 'ROLLBACK');
      (commits ? appended : rolledBack).add(id);
      if (commits) revision += 1;
    }
    await client.end();
  };

  const writeFast = async (store: EventStore, stream: string): Promise<void> => {
    for (let revision = -1; met < meetings; revision += 1) {
      const one = event();
      const openedBefore = opened;
      await store.append(stream, [one], revision === -1 ? 'no-stream' : revision);
      appended.add(one.id);
      met += opened - openedBefore;
    }
  };

  /** As plain as a reader can be: whatever is after the place where it stands. */
  const readPlainly = async (): Promise<StoredEvent[]> => {
    const seen: StoredEvent[] = [];
    for (let last = false; ; last = over) {
      const after = String(seen.at(-1)?.position ?? 0);
      const { rows } = await plain.query<StoredEvent>(
        `SELECT position, id FROM switchyard.events WHERE position > $1 ORDER BY position`,
        [after],
      );
      seen.push(...rows);
      if (last) return seen;
    }
  };

  const reading = readPlainly();
  await Promise.all([
    ...Array.from({ length: SLOW_WRITERS }, (_, i) => writeSlowly(`slow-${i}`)),
    writeFast(listening, 'fast-1'),
    writeFast(polling, 'fast-2'),
  ]);
  const log = await everything(listening);
  const end = log.at(-1)?.id;
  await until(() => Object.values(followers).every((seen) => seen.some(({ id }) => id === end)));
  over = true;
  const seen = { ...followers, plain: await reading };
  await Promise.all([listening.close(), polling.close(), plain.end()]);
  return { log, appended, rolledBack, seen };
}

/** How many events of the log each follower never saw. */
function skipped({ log, seen }: Outcome): number[] {
  return Object.values(seen).map((events) => {
    const ids = new Set(events.map(({ id }) => id));
    return log.filter(({ id }) => !ids.has(id)).length;
  });
}

if (missing === '') {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server.remove());

  describe('Followers of a log in PostgreSQL', () => {
    it(`skip nothing in 10,000 meetings of slow and fast transactions (seed ${seed})`, async () => {
      const outcome = await interleave(await server.newDatabase(), 10_000);
      const { log, appended, rolledBack, seen } = outcome;
      expect(skipped(outcome)).toEqual([0, 0, 0]);
      const order = log.map(({ id }) => id);
      for (const events of Object.values(seen)) expect(events.map(({ id }) => id)).toEqual(order);
      expect(new Set(order)).toEqual(appended);
      expect(order.filter((id) => rolledBack.has(id))).toEqual([]);
      expect(log.map(({ position }) => position)).toEqual(log.map((_, i) => BigInt(i + 1)));
      expect(rolledBack.size).toBeGreaterThan(0);
    });

    it(`are seen to skip events where positions come from a bare sequence (seed ${seed})`, async () => {
      const outcome = await interleave(await server.newDatabase(), 500, BARE_SEQUENCE);
      for (const events of skipped(outcome)) expect(events).toBeGreaterThan(0);
    });
  });
} else {
  it.skip(`Followers of a log in PostgreSQL skip nothing (${missing})`, () => undefined);
}
