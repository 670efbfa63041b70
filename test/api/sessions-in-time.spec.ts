// What time does to a session: it is over when nobody has used it for long, and some time after the sign-in it is no
// longer enough to hand out keys. The clock of the server goes as the test says.
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { SessionsAnswer } from '../../src/api/session.dto.js';
import { Browser } from '../support/browser.js';
import { good, Http, refused } from '../support/http.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';

const CLOCK = pathToFileURL(fileURLToPath(new URL('../support/another-clock.js', import.meta.url))).href;

const suite = serversOfSuite();
let folder: string;
let clock: string;
let server: ServerProcess;
let minutes = 0;

/** All at once, so that nobody reads half of it. */
function pass(more: number): void {
  minutes += more;
  writeFileSync(`${clock}.new`, String(minutes * 60_000));
  renameSync(`${clock}.new`, clock);
}

async function start(more: Record<string, string> = {}): Promise<void> {
  const settings = { NODE_OPTIONS: `--import ${CLOCK}`, ANOTHER_CLOCK_MS: clock, ...more };
  server = suite.kept(await ServerProcess.start(folder, settings));
}

beforeAll(async () => {
  folder = suite.newFolder();
  clock = join(suite.newFolder(), 'clock');
  pass(0);
  await start();
});

async function signedIn(): Promise<Browser> {
  const browser = new Browser();
  const body = { key: ADMIN_KEY };
  await good(browser.fetch(`${server.url}/api/v1/session`, { method: 'POST', body }));
  return browser;
}

const me = (browser: Browser) => browser.fetch(`${server.url}/api/v1/me`);

describe('A session', () => {
  it('goes on for as long as it is used, and is over two hours after the last use', async () => {
    const [busy, idle] = [await signedIn(), await signedIn()];
    for (let turn = 0; turn < 3; turn += 1) {
      pass(119);
      await good(me(busy));
    }
    await refused(me(idle), 401, 'unauthorized');
    pass(120);
    await refused(me(busy), 401, 'unauthorized');
    await refused(me(busy), 401, 'unauthorized');
    await good(me(await signedIn()));
    await good(new Http(server.url, ADMIN_KEY).get('/me'));
  });

  it('is not used by a stream that merely stays open, which ends with it', async () => {
    const browser = await signedIn();
    const cookie = `switchyard=${browser.cookieNamed('switchyard')}`;
    const stream = await fetch(`${server.url}/api/v1/events`, { headers: { cookie } });
    expect(stream.status).toBe(200);
    pass(121);
    // Reads to the end, which there only is because the stream was ended.
    expect(await stream.text()).toContain('event: hello');
    await refused(me(browser), 401, 'unauthorized');
  });

  it('begins to be idle anew with a start, and is so after as many minutes as the operator says', async () => {
    const browser = await signedIn();
    pass(60);
    await server.kill('SIGTERM');
    await start({ SWITCHYARD_SESSION_IDLE_MINUTES: '10' });
    pass(9);
    await good(me(browser));
    pass(10);
    await refused(me(browser), 401, 'unauthorized');
  });
});

describe('Half an hour after the sign-in', () => {
  it('a session changes no keys and ends no other session, until somebody signs in again or shows a key', async () => {
    await server.kill('SIGTERM');
    await start();
    const browser = await signedIn();
    const ask = <Body>(method: string, path: string, headers: Record<string, string> = {}) => {
      const body = path.endsWith('s') ? { name: `n ${Math.random()}`, ...GRANTS[path] } : {};
      const sent = method === 'GET' ? {} : { body };
      return browser.fetch<Body>(`${server.url}/api/v1${path}`, { method, headers, ...sent });
    };
    pass(29);
    const { id } = await good(ask<{ id: string }>('POST', '/keys'));
    await good(ask('POST', `/keys/${id}/rotate`));
    await good(ask('POST', '/workspaces'));
    await signedIn();
    const { items } = await good(ask<SessionsAnswer>('GET', '/sessions'));
    const other = items.find(({ isThis }) => !isThis);
    pass(2);
    const asked: [string, string][] = [
      ['POST', '/keys'],
      ['POST', `/keys/${id}/rotate`],
      ['DELETE', `/keys/${id}`],
      ['POST', '/workspaces'],
      ['DELETE', `/sessions/${other?.id}`],
    ];
    for (const [method, path] of asked) await refused(ask(method, path), 403, 'recent-sign-in-needed');
    await good(ask('POST', '/environments'));
    await good(browser.fetch(`${server.url}/api/v1/keys/${id}`));
    await good(ask('POST', '/keys', { authorization: `Bearer ${ADMIN_KEY}` }));
    await good(browser.fetch(`${server.url}/api/v1/session`, { method: 'POST', body: { key: ADMIN_KEY } }));
    await good(ask('DELETE', `/keys/${id}`));
    await good(ask('DELETE', `/sessions/${other?.id}`));
  });
});

const GRANTS: Readonly<Record<string, object>> = { '/keys': { grants: [{ role: 'viewer' }] } };
