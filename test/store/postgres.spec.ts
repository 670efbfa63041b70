// What is PostgreSQL's own: which databases are refused and in which words, what its commits are worth, how appends
// share them, and how one server hears of the others.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { AppendTooLarge, START, StoreRefused, StoreUnavailable } from '../../src/store/event-store.js';
import { PostgresEventStore } from '../../src/store/postgres.event-store.js';
import { problemWith } from '../../src/store/postgres.schema.js';
import { PostgresServer, missing } from '../support/postgres-server.js';
import { event, everything, follow, until } from './event-store.contract.js';

if (missing === '') {
  let server: PostgresServer;
  let url: string;
  const opened: PostgresEventStore[] = [];

  beforeAll(async () => {
    server = await PostgresServer.start('wal_writer_delay=10s');
  });
  afterAll(() => server.remove());
  beforeEach(async () => {
    url = await server.newDatabase();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()));
  });

  async function open(address = url, options = {}): Promise<PostgresEventStore> {
    const store = await PostgresEventStore.open(address, options);
    opened.push(store);
    return store;
  }

  /** In one line, which never holds a password. */
  async function refused(address: string, ...words: string[]): Promise<void> {
    const outcome = await PostgresEventStore.open(address, { connectMs: 500 }).catch(
      (caught: unknown) => caught,
    );
    expect(outcome).toBeInstanceOf(StoreRefused);
    const { message } = outcome as StoreRefused;
    for (const word of words) expect(message).toContain(word);
    expect(message).not.toMatch(/\n|hush-hush/);
  }

  const name = () => new URL(url).pathname.slice(1);
  const settings = async (...lines: string[]): Promise<void> => {
    for (const line of [...lines, 'SELECT pg_reload_conf()']) await server.query(line);
  };

  describe('Opening a log in PostgreSQL', () => {
    it('makes a schema of its own beside what other applications have there, and only once', async () => {
      await server.query('CREATE TABLE events (theirs text)', url);
      const stores = await Promise.all(Array.from({ length: 8 }, () => open()));
      await stores[0]?.append('s', [event()], 'no-stream');
      expect(await everything(await open())).toHaveLength(1);
      const versions = await server.query('SELECT version FROM switchyard.migrations', url);
      expect(versions).toEqual([{ version: 1 }]);
      expect(await server.query('SELECT * FROM events', url)).toEqual([]);
    });

    it('refuses a log of a newer Switchyard, and leaves it as it was', async () => {
      await (await open()).append('s', [event()], 'no-stream');
      await server.query('INSERT INTO switchyard.migrations VALUES (2)', url);
      await refused(url, 'has the log in version 2, this Switchyard knows version 1');
      expect(await server.query('SELECT FROM switchyard.events', url)).toHaveLength(1);
    });

    it('refuses a database that is not in UTF8', async () => {
      const latin = await server.newDatabase(`ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`);
      await refused(latin, 'keeps its text in LATIN1');
    });

    it('refuses a server that is too old, in words that name both versions', () => {
      const sound = { encoding: 'UTF8', fsync: 'on', full_page_writes: 'on', read_only: 'off' };
      const settings = { ...sound, version: 12, isolation: 'read committed' };
      expect(problemWith(settings)).toBeUndefined();
      expect(problemWith({ ...settings, version: 11 })).toBe('is version 11, the log needs 12 or newer');
    });

    it('refuses a server that would lose events in a power cut, and stops appending when it becomes one', async () => {
      const store = await open();
      const follower = follow(store, START);
      for (const setting of ['fsync', 'full_page_writes']) {
        await settings(`ALTER SYSTEM SET ${setting} = off`);
        await refused(url, 'would lose events in a power cut', `${setting} is off`);
        await expect(store.append(setting, [event()], 'no-stream')).rejects.toBeInstanceOf(StoreUnavailable);
        expect(store.failing).toContain('would lose events in a power cut');
        expect(await store.readAll()).toEqual(follower.seen);
        await settings(`ALTER SYSTEM RESET ${setting}`);
        await until(() => store.failing === undefined);
        await store.append(setting, [event()], 'no-stream');
      }
    });

    it('refuses a database that can only be read from, and one of another isolation', async () => {
      await server.query(`ALTER DATABASE ${name()} SET default_transaction_read_only = on`);
      await refused(url, 'can only be read from');
      await server.query(`ALTER DATABASE ${name()} RESET default_transaction_read_only`);
      await server.query(`ALTER DATABASE ${name()} SET default_transaction_isolation = serializable`);
      await refused(url, 'begins transactions as serializable', 'default_transaction_isolation');
    });

    it('refuses a role that may not make the schema, and takes one that was given all it needs', async () => {
      await server.query('CREATE ROLE poor LOGIN');
      const poor = url.replace('postgres@', 'poor@');
      await refused(poor, 'does not let the role poor have the schema switchyard', 'GRANT CREATE');
      await open();
      await refused(poor, 'does not let the role poor');
      await server.query('GRANT USAGE ON SCHEMA switchyard TO poor', url);
      await server.query('GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA switchyard TO poor', url);
      await (await open(poor)).append('s', [event()], 'no-stream');
    });

    it('refuses what cannot be reached, does not exist or does not let it in, without its password', async () => {
      await server.query(`CREATE ROLE guarded LOGIN PASSWORD 'right'`);
      await refused(url.replace('postgres@', 'guarded:hush-hush@'), 'password authentication failed');
      await refused(`${url}-elsewhere`, 'does not exist');
      await refused(
        'postgres://ana:hush-hush@127.0.0.1:1/log',
        '127.0.0.1:1/log cannot be used',
        'ECONNREFUSED',
      );
      await refused('postgres://ana:hush-hush@localhost:1/log', 'ECONNREFUSED');
      await refused(
        'postgres://ana:hush-hush@nowhere.invalid/log',
        'nowhere.invalid:5432/log cannot be used',
      );
      await refused('postgres://ana:hush-hush@127.0.0.1:x/log', 'The address of PostgreSQL is not like');
    });
  });

  describe('A commit in PostgreSQL', () => {
    it('is on the disk when it is answered, whatever the database says of synchronous_commit', async () => {
      await server.query(`ALTER DATABASE ${name()} SET synchronous_commit = off`);
      const store = await open();
      await store.append('s', [event()], 'no-stream');
      // A crash that loses what is not on the disk yet, as the test sees from what nobody waited for.
      await server.query('CREATE TABLE not_waited_for ()', url);
      await server.stop('immediate');
      await server.start();
      expect(await server.query(`SELECT to_regclass('not_waited_for') AS table`, url)).toEqual([
        { table: null },
      ]);
      expect(await everything(await open())).toHaveLength(1);
    });

    it('is shared by appends that wait at the same time, each of which holds or fails by itself', async () => {
      const store = await open();
      const standing = event();
      await store.append('s', [standing], 'no-stream');
      const appends = Array.from({ length: 300 }, (_, i) =>
        store.append(`s${i}`, [event(), event()], 'no-stream'),
      );
      const refusals = [
        store.append('s', [event()], 'no-stream'),
        store.append('other', [standing], 'no-stream'),
        // Longer than an index entry may be, which PostgreSQL finds out in the middle of the group.
        store.append('x'.repeat(1_000_000), [event()], 'no-stream'),
      ];
      const names = refusals.map((one) => one.catch((error: unknown) => (error as Error).name));
      const positions = (await Promise.all(appends)).map(({ position }) => position);
      expect(await Promise.all(names)).toEqual(['RevisionConflict', 'RevisionConflict', 'StoreUnavailable']);
      expect(positions).toEqual(positions.map((_, i) => BigInt(3 + 2 * i)));
      expect(store.statistics().appends).toBe(301);
      expect(store.failing).toBeUndefined();
      await Promise.all(Array.from({ length: 200 }, (_, i) => store.append(`t${i}`, [event()], 'no-stream')));
      expect(store.statistics()).toMatchObject({ appends: 501 });
      expect(await everything(store)).toHaveLength(801);
    });

    it('takes as much as it says in well under the time after which it would be given up', async () => {
      const store = await open();
      const part = `"${'x'.repeat(640)}"`;
      const events = Array.from({ length: Math.floor(store.appendBytesMax / 660) }, () =>
        event({ data: part }),
      );
      await store.append('s', events, 'no-stream');
      expect(await store.head()).toBe(BigInt(events.length));
      await expect(store.append('t', [...events, ...events], 'no-stream')).rejects.toBeInstanceOf(
        AppendTooLarge,
      );
    });

    it('leaves no hole behind when it is rolled back', async () => {
      const store = await open();
      await store.append('s', [event()], 'no-stream');
      await server.query(
        `BEGIN; SELECT switchyard.append(1, '{t}', '{-1}', '{1}', '{x}', '{T}', '{1}', '{1}'); ROLLBACK`,
        url,
      );
      expect((await store.append('s', [event()], 0)).position).toBe(2n);
    });

    it('can be changed by nobody afterwards', async () => {
      await (await open()).append('s', [event()], 'no-stream');
      for (const change of [`UPDATE switchyard.events SET data = '2'`, 'DELETE FROM switchyard.events']) {
        await expect(server.query(change, url)).rejects.toThrow('append-only');
      }
      await expect(server.query('TRUNCATE switchyard.events', url)).rejects.toThrow('append-only');
    });
  });

  describe('Servers on one log in PostgreSQL', () => {
    it('hear of each other at once', async () => {
      const [one, other] = [await open(), await open(url, { pollMs: 60_000 })];
      const follower = follow(other, START);
      await new Promise((resolve) => setTimeout(resolve, 100));
      for (let i = 0; i < 5; i += 1) {
        await one.append('s', [event()], i === 0 ? 'no-stream' : i - 1);
        await until(() => follower.seen.length > i);
      }
    });

    it('hear of each other where nobody can listen', async () => {
      const [one, other] = [
        await open(url, { listen: false }),
        await open(url, { listen: false, pollMs: 20 }),
      ];
      const follower = follow(other, START);
      await one.append('s', [event()], 'no-stream');
      await until(() => follower.seen.length > 0);
    });

    it('look at once when they are asked how far the log goes', async () => {
      const [one, other] = [await open(), await open(url, { listen: false, pollMs: 60_000 })];
      const follower = follow(other, START);
      await one.append('s', [event()], 'no-stream');
      expect(await other.head()).toBe(1n);
      await until(() => follower.seen.length > 0);
    });

    it('deliver their own appends before they answer, after those of others, with what is attached', async () => {
      const [one, other] = [await open(), await open()];
      const follower = follow(one, START);
      for (let i = 0; i < 50; i += 1) {
        const theirs = other.append(`theirs-${i}`, [event()], 'no-stream');
        if (i % 2 === 0) await theirs;
        const own = { ...event(), decided: { i } };
        const { position } = await one.append(`own-${i}`, [own], 'no-stream');
        expect(follower.seen.find((seen) => seen.position === position)).toMatchObject({ decided: { i } });
        await theirs;
      }
      await until(() => follower.seen.length >= 100);
      expect(follower.seen.map(({ position }) => position)).toEqual(
        follower.seen.map((_, i) => BigInt(i + 1)),
      );
    });

    it('deliver what stands in the log, where a retry that comes to another of them says it differently', async () => {
      const [one, other] = [await open(), await open(url, { pollMs: 60_000, listen: false })];
      const follower = follow(other, START);
      const first = event({ data: '"first"' });
      await one.append('s', [first], 'no-stream');
      await other.append('s', [{ ...first, data: '"again"' }], 'no-stream');
      expect(follower.seen.map(({ data }) => data)).toEqual(['"first"']);
    });

    it('let the process end by itself once they are closed', async () => {
      const module = new URL('../../src/store/postgres.event-store.js', import.meta.url).href;
      const script = `
        import { PostgresEventStore } from ${JSON.stringify(module)};
        const store = await PostgresEventStore.open(${JSON.stringify(url)});
        store.subscribe({ after: 0n, onEvents: () => {}, onError: () => {} });
        await store.append('s', [{ id: 'a', type: 'T', data: '{}', meta: '{}' }], 'no-stream');
        await store.head();
        await store.close();
        process.stdout.write('closed ' + performance.now());`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const [code] = (await once(child, 'close')) as [number];
      expect([code, said]).toEqual([0, expect.stringContaining('closed')]);
    });
  });
} else {
  it.skip(`PostgreSQL keeps its promises (${missing})`, () => undefined);
}
