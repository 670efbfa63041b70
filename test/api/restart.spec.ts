// The views are disposable: whatever befalls them while the server is away, every answer is the same afterwards.
import { copyFileSync, existsSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment, Flow, Page, Release } from '../../scripts/client.js';
import { good, Http } from '../support/http.js';
import { ADMIN_KEY, overwritePage, type ServerProcess, serversOfSuite } from '../support/server-process.js';

/** More changes than one event of the log holds, so that one release is several events. */
const CROWD = 2_100;

const suite = serversOfSuite();

/** A bit of everything: renames, archives, drafts, edits, forks, promotions, rollbacks, and one very large release. */
async function liveThrough(http: Http): Promise<void> {
  for (const name of ['Development', 'Staging', 'Production', 'Attic', '7']) {
    await good(http.post('/environments', { name, color: '#0080ff' }));
  }
  await good(http.patch('/environments/staging', { name: 'Stage', description: 'before production' }));
  for (const name of ['Alpha', 'Beta', 'Gamma']) {
    await good(
      http.post('/flows', {
        name,
        kind: 'prompt',
        content: { name, toString: 1, list: [1, { a: 'é\u2028' }] },
      }),
    );
    await good(
      http.post(`/flows/${name.toLowerCase()}/versions/1/fork`, { content: { name, two: 2 }, label: 'two' }),
    );
  }
  await good(http.patch('/flows/alpha/versions/2', { content: { edited: true }, comment: 'edited' }));
  await good(http.patch('/flows/beta', { name: 'Beta renamed' }));
  const activate = (flow: string, version: number, environment: string) =>
    good(http.post(`/flows/${flow}/versions/${version}/environments`, { environment, comment: 'go' }));
  for (const place of ['production', '7', 'stage']) await activate('beta', 1, place);
  for (const version of [1, 2]) await activate('alpha', version, 'development');
  await activate('gamma', 1, 'attic');
  const promote = (sourceEnvironment: string, targetEnvironment: string, more = {}) =>
    good(http.post('/environments/promote', { sourceEnvironment, targetEnvironment, ...more }));
  await promote('development', 'stage');
  await promote('stage', 'production', { prune: true, comment: 'all of it' });
  await good(http.post('/environments/production/rollback', {}));
  await good(http.post('/environments/production/rollback', { toRelease: 2 }));
  await good(http.post('/environments/stage/rollback', { flowIds: ['alpha'], toRelease: 0 }));
  await good(http.delete('/flows/gamma/environments/attic'));
  await good(http.post('/flows/gamma/archive'));
  await good(http.post('/environments/attic/archive'));
  await good(http.put('/environments/default', { environment: 'production' }));
  await good(http.patch('/projects/default', { name: 'Main', withoutEnvironment: 'latest' }));
  const numbers = Array.from({ length: CROWD }, (_, index) => index);
  const worker = async (): Promise<void> => {
    for (let number = numbers.pop(); number !== undefined; number = numbers.pop()) {
      await good(http.post('/flows', { name: `crowd-${number}`, content: { number } }));
      await activate(`crowd-${number}`, 1, 'development');
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  await promote('development', '7');
  await good(http.post('/environments/7/rollback', {}));
  await good(http.post('/environments/7/rollback', { toRelease: 2 }));
}

async function* pagesOf<Item>(
  http: Http,
  path: string,
): AsyncGenerator<{ path: string; text: string; items: readonly Item[] }> {
  for (let cursor = ''; ;) {
    const at = `${path}${path.includes('?') ? '&' : '?'}limit=500${cursor}`;
    const { status, text, body } = await http.get<Page<Item>>(at);
    if (status !== 200) throw new Error(text);
    yield { path: at, text, items: body.items };
    if (body.nextCursor === null) return;
    cursor = `&cursor=${body.nextCursor}`;
  }
}

/** Everything that can be read, as the bytes that were answered, with their tags. */
async function everything(http: Http): Promise<Map<string, string>> {
  const seen = new Map<string, string>();
  const look = async (path: string): Promise<void> => {
    const { status, headers, text } = await http.get(path);
    seen.set(path, `${status} ${headers.get('etag')} ${text.replace(/"requestId":"[^"]*"/, '')}`);
  };
  const places: string[] = [];
  for (const archived of [false, true]) {
    for await (const page of pagesOf<Environment>(http, `/environments?archived=${archived}`)) {
      seen.set(page.path, page.text);
      places.push(...page.items.map(({ slug }) => slug));
    }
  }
  for (const place of [...places, 'staging']) {
    for (const rest of ['', '/active']) await look(`/environments/${place}${rest}`);
    for await (const page of pagesOf<Release>(http, `/environments/${place}/releases`))
      seen.set(page.path, page.text);
    for (const number of [1, 2, 3]) await look(`/environments/${place}/releases/${number}`);
    for (const other of places) {
      const pair = `sourceEnvironment=${place}&targetEnvironment=${other}`;
      await look(`/environments/diff?${pair}&includeUnchanged=${other === 'production'}`);
    }
  }
  const flows: string[] = [];
  for (const archived of [false, true]) {
    for await (const page of pagesOf<Flow>(http, `/flows?archived=${archived}`)) {
      seen.set(page.path, page.text);
      flows.push(...page.items.map(({ slug }) => slug));
    }
  }
  for (const flow of flows.filter((slug) => !/^crowd-\d{2,}/.test(slug))) {
    for (const rest of [
      '',
      '/versions',
      '/resolve',
      '/resolve?version=1',
      '/versions/1',
      '/versions/1/diff/2',
    ]) {
      await look(`/flows/${flow}${rest}`);
    }
    for (const place of places) await look(`/flows/${flow}/resolve?environment=${place}`);
  }
  for (const path of ['/projects', '/projects/default']) await look(path);
  return seen;
}

function differing(before: Map<string, string>, after: Map<string, string>): string[] {
  return [...new Set([...before.keys(), ...after.keys()])].filter(
    (path) => before.get(path) !== after.get(path),
  );
}

describe('After a restart every answer is the same to the byte', () => {
  let folder: string;
  let before: Map<string, string>;
  let server: ServerProcess;
  const views = (suffix = '') => join(folder, `views.db${suffix}`);
  const dropViews = () => ['', '-wal', '-shm'].forEach((suffix) => rmSync(views(suffix), { force: true }));

  beforeAll(async () => {
    folder = suite.newFolder();
    server = await suite.start(folder);
    const http = new Http(server.url, ADMIN_KEY);
    await liveThrough(http);
    before = await everything(http);
    expect(before.size).toBeGreaterThan(100);
  });

  const accidents: [string, NodeJS.Signals, () => void][] = [
    ['after a clean stop', 'SIGTERM', () => expect(existsSync(views())).toBe(true)],
    ['after a kill', 'SIGKILL', () => expect(existsSync(views())).toBe(true)],
    ['when the views are gone after a clean stop', 'SIGTERM', dropViews],
    ['when the views are gone after a kill', 'SIGKILL', dropViews],
    ['when the views alone are gone, and their write-ahead log is not', 'SIGKILL', () => rmSync(views())],
    [
      'when half of the views is gone',
      'SIGTERM',
      () => truncateSync(views(), Math.floor(statSync(views()).size / 2)),
    ],
    ['when the views are empty', 'SIGTERM', () => truncateSync(views(), 0)],
    ['when the views are no database', 'SIGTERM', () => writeFileSync(views(), 'my notes\n'.repeat(1_000))],
    ['when a page of the views is overwritten', 'SIGTERM', () => overwritePage(views(), 12)],
  ];

  it.each(accidents)('%s', async (_, signal, accident) => {
    await server.kill(signal);
    accident();
    server = await suite.start(folder);
    expect(differing(before, await everything(new Http(server.url, ADMIN_KEY)))).toEqual([]);
  });

  it('when the views are those of another log', async () => {
    const other = suite.newFolder();
    const stranger = await suite.start(other);
    for (let number = 0; number < 20; number += 1) {
      await good(new Http(stranger.url, ADMIN_KEY).post('/environments', { name: `Foreign ${number}` }));
    }
    await stranger.kill('SIGTERM');
    await server.kill('SIGTERM');
    dropViews();
    copyFileSync(join(other, 'views.db'), views());
    server = await suite.start(folder);
    expect(differing(before, await everything(new Http(server.url, ADMIN_KEY)))).toEqual([]);
  });

  it('and what is written then continues where it was', async () => {
    const http = new Http(server.url, ADMIN_KEY);
    const made = await good(
      http.post('/environments/promote', { sourceEnvironment: 'development', targetEnvironment: 'stage' }),
    );
    expect(made).toMatchObject({ changed: true });
    expect(differing(before, await everything(http)).length).toBeGreaterThan(0);
  });
});
