// The signed record is the same wherever the log is kept and whoever serves it: servers that share a PostgreSQL, and
// a copy of the log in a file, have the same roots; and a PostgreSQL that lost its newest events is noticed like a
// file.
import { join } from 'node:path';
import { parseNote } from '../../src/audit/checkpoint.js';
import { run } from '../support/command-line.js';
import { good, Http, type Answer } from '../support/http.js';
import { missing, PostgresServer } from '../support/postgres-server.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';
import { unless } from '../support/spec.js';

const suite = serversOfSuite();
const onPostgres = unless(missing);
let postgres: PostgresServer | undefined;

beforeAll(async () => {
  if (missing === '') postgres = await PostgresServer.start();
}, 60_000);
afterAll(() => postgres?.remove());

async function serve(folder: string, address: string): Promise<{ server: ServerProcess; http: Http }> {
  const server = suite.kept(await ServerProcess.start(folder, { SWITCHYARD_EVENT_STORE: address }));
  return { server, http: new Http(server.url, ADMIN_KEY) };
}

/** The newest checkpoint of a server that has everything up to a position. */
async function signed(http: Http, position: string) {
  const { text }: Answer = await http.get(`/audit/checkpoint?minPosition=${position}`);
  const { size, root } = parseNote(text)?.checkpoint ?? { size: -1, root: Buffer.alloc(0) };
  return { size, root: root.toString('base64') };
}

describe('The roots of a log', () => {
  onPostgres('are the same on every server that shares it, and in a copy of it', async () => {
    const address = (await postgres?.newDatabase()) ?? '';
    const [one, other] = [await serve(suite.newFolder(), address), await serve(suite.newFolder(), address)];
    for (let number = 0; number < 10; number += 1) {
      await Promise.all(
        [one, other].map(({ http }, i) =>
          good(http.post('/flows', { name: `flow-${number}-${i}`, content: {} })),
        ),
      );
    }
    const { position } = await good(one.http.post<{ position: string }>('/environments', { name: 'last' }));
    const here = await signed(one.http, position);
    expect(here.size).toBeGreaterThan(60);
    expect(await signed(other.http, position)).toEqual(here);
    for (const { server } of [one, other]) await server.kill('SIGTERM');
    const file = join(suite.newFolder(), 'events.db');
    expect((await run(['copy', address, `sqlite:${file}`])).code).toBe(0);
    const { http } = await serve(suite.newFolder(), `sqlite:${file}`);
    // The new server announces a key of its own, so its log is longer.
    const proof = await good(http.get<{ fromRoot: string }>(`/audit/proof/consistency?from=${here.size}`));
    expect(proof.fromRoot).toBe(here.root);
  });

  onPostgres('are missed where PostgreSQL has lost its newest events', async () => {
    const address = (await postgres?.newDatabase()) ?? '';
    const folder = suite.newFolder();
    const { server, http } = await serve(folder, address);
    for (const name of ['one', 'two', 'three']) await good(http.post('/environments', { name }));
    await server.kill('SIGTERM');
    await postgres?.query('ALTER TABLE switchyard.events DISABLE TRIGGER ALL', address);
    const lost = await postgres?.query(
      `DELETE FROM switchyard.events WHERE position > (SELECT max(position) - 2 FROM switchyard.events)
       RETURNING position`,
      address,
    );
    expect(lost).toHaveLength(2);
    const again = await serve(folder, address);
    const refused = await again.http.post<{ code: string }>('/environments', { name: 'four' });
    expect([refused.status, refused.body.code]).toEqual([503, 'log-fenced']);
  });
});
