// A PostgreSQL that lets servers in by certificates instead of passwords: over TLS alone, nobody else, and with
// certificates that change while servers run.

import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StoreRefused } from '../../src/store/event-store.js';
import { PostgresEventStore } from '../../src/store/postgres.event-store.js';
import { Authority, noOpenssl, type Certificate } from '../support/certificates.js';
import { PostgresServer, giveToServer, missing } from '../support/postgres-server.js';
import { until } from '../support/spec.js';
import { event, everything, follow } from './event-store.contract.js';

const WHO_MAY_ENTER = `
hostssl all certified 127.0.0.1/32 cert
host all certified 127.0.0.1/32 reject
host all all 127.0.0.1/32 trust
`;
const whyNot = missing || noOpenssl;

if (whyNot === '') {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-entry-'));
  const opened: PostgresEventStore[] = [];
  let authority: Authority;
  let stranger: Authority;
  let ours: Certificate;
  let server: PostgresServer;
  let url: string;

  beforeAll(async () => {
    authority = new Authority();
    stranger = new Authority();
    ours = authority.issue('certified');
    const { cert, key } = authority.issue('the server');
    const entry = join(folder, 'pg_hba.conf');
    writeFileSync(entry, WHO_MAY_ENTER);
    giveToServer(folder, entry, cert, key);
    const files = { ssl_cert_file: cert, ssl_key_file: key, ssl_ca_file: authority.cert, hba_file: entry };
    const settings = Object.entries(files).map(([name, path]) => `${name}=${path}`);
    server = await PostgresServer.start('ssl=on', ...settings);
    await server.query('CREATE ROLE certified LOGIN');
  });
  afterAll(async () => {
    await server.remove();
    for (const each of [authority, stranger]) each.remove();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    const address = new URL(await server.newDatabase('OWNER certified'));
    address.username = 'certified';
    url = address.href;
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()));
  });

  const over = (parts: Readonly<Record<string, string>>) => `${url}?${new URLSearchParams(parts).toString()}`;
  const verified = ({ cert, key }: Certificate, ca = authority) =>
    over({ sslmode: 'verify-full', sslrootcert: ca.cert, sslcert: cert, sslkey: key });

  async function open(address: string): Promise<PostgresEventStore> {
    const store = await PostgresEventStore.open(address, { connectMs: 2_000 });
    opened.push(store);
    return store;
  }

  /** Of the connections that servers have: how each of them came in. */
  const connections = () =>
    server.query<{ readonly pid: number; readonly ssl: boolean; readonly client_serial: string }>(
      `SELECT pid, ssl, client_serial FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'certified'`,
    );

  /** As when the network fails: whoever needs a connection then has to make one. */
  async function cut(): Promise<void> {
    const before = (await connections()).map(({ pid }) => pid);
    await server.query(`SELECT pg_terminate_backend(pid) FROM unnest(ARRAY[${before.join()}]) AS pid`);
    await until(async () => (await connections()).every(({ pid }) => !before.includes(pid)));
  }

  describe('A PostgreSQL that asks for certificates', () => {
    it('lets a server in by its certificate alone, and over TLS on every connection', async () => {
      const follower = follow(await open(verified(ours)), 0n);
      await (await open(verified(ours))).append('s', [event()], 'no-stream');
      await until(() => follower.seen.length === 1);
      const ways = await connections();
      expect(ways.length).toBeGreaterThan(2);
      expect(ways.filter(({ ssl, client_serial: serial }) => !ssl || serial === null)).toEqual([]);
    });

    it('lets in nobody else', async () => {
      const nobody = { sslmode: 'verify-full', sslrootcert: authority.cert };
      for (const [address, why] of [
        [over(nobody), /requires a valid client certificate/],
        [url, /pg_hba\.conf rejects connection/],
        [verified(authority.issue('somebody-else')), /certificate authentication failed/],
        [verified(stranger.issue('certified')), /unknown ca|unknown CA|ssl\/tls alert|certificate/i],
      ] as const) {
        const refusal = await open(address).catch((error: unknown) => error);
        expect(refusal).toBeInstanceOf(StoreRefused);
        expect((refusal as Error).message).toMatch(why);
      }
    });

    it('is not believed with a certificate of an authority that we do not know', async () => {
      await expect(open(verified(ours, stranger))).rejects.toThrow(/self-signed|unable to verify/);
    });

    it('is met with the certificate that its file holds by then, or else with the last one that it held', async () => {
      const files = { cert: join(folder, 'current.crt'), key: join(folder, 'current.key') };
      const put = ({ cert, key }: Certificate) => {
        copyFileSync(cert, files.cert);
        copyFileSync(key, files.key);
      };
      put(ours);
      const store = await open(verified(files));
      const serials = async () => [...new Set((await connections()).map((one) => one.client_serial))];
      await store.append('s', [event()], 'no-stream');
      // That which reads, that which writes and that which hears of others; none is under way any more.
      await until(async () => (await connections()).length === 3);
      const [first] = await serials();

      put(authority.issue('certified'));
      await cut();
      await store.append('s', [event()], 0);
      expect(await everything(store)).toHaveLength(2);
      const [second, ...others] = await serials();
      expect(others).toEqual([]);
      expect(second).not.toBe(first);

      for (const path of [files.cert, files.key]) rmSync(path);
      await cut();
      await store.append('s', [event()], 1);
      expect(await everything(store)).toHaveLength(3);
      expect(await serials()).toEqual([second]);
    });

    it('is not looked for without the files that the address names', async () => {
      const nowhere = { cert: join(folder, 'nowhere.crt'), key: join(folder, 'nowhere.key') };
      const refusal = await open(verified(nowhere)).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(StoreRefused);
      expect((refusal as Error).message).toContain('nowhere.crt');
    });
  });
} else {
  it.skip(`A PostgreSQL that asks for certificates (${whyNot})`, () => undefined);
}
