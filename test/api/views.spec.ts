// The views as an operator sees them: where they stand, one that has stopped, and rows that are made anew.
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'better-sqlite3';
import type { Flow } from '../../scripts/client.js';
import type { ViewsAnswer } from '../../src/api/answers.js';
import { good, Http, refused } from '../support/http.js';
import { ADMIN_KEY, serversOfSuite } from '../support/server-process.js';

const suite = serversOfSuite();

async function start(folder: string): Promise<Http> {
  return new Http((await suite.start(folder)).url, ADMIN_KEY);
}

const viewsOf = (http: Http) => good(http.get<ViewsAnswer>('/views'));

describe('The views of a server', () => {
  it('are all there, running and at the end of the log', async () => {
    const http = await start(suite.newFolder());
    const { position } = await good(http.post<{ position: string }>('/flows', { name: 'a', content: {} }));
    // Rows follow memory closely; who reads them waits for them.
    await good(http.get('/flows'));
    const { head, views, failures, lagSeconds } = await viewsOf(http);
    expect({ head, failures, lagSeconds }).toEqual({ head: position, failures: [], lagSeconds: 0 });
    expect(views.map(({ state, position: at }) => `${state} ${at}`)).toEqual(
      views.map(() => `running ${position}`),
    );
    const metrics = (await http.send('GET', '/metrics')).text;
    expect(metrics).toContain(`switchyard_log_head_position ${position}`);
    for (const name of ['views_lag_seconds', 'views_halted', 'store_failing']) {
      expect(metrics).toContain(`switchyard_${name} 0\n`);
    }
  });

  it('are made anew while the server works, one rebuild at a time', async () => {
    const http = await start(suite.newFolder());
    for (let n = 1; n <= 30; n += 1) await good(http.post('/flows', { name: `flow-${n}`, content: { n } }));
    const started = await http.post('/views/rebuild');
    expect(started.status).toBe(202);
    const second = await http.post('/views/rebuild');
    if (second.status !== 202) await refused(Promise.resolve(second), 409, 'rebuild-under-way');
    let shown = await viewsOf(http);
    for (const deadline = performance.now() + 15_000; shown.isRebuilding && performance.now() < deadline;) {
      await good(http.get<Flow>('/flows/flow-30/versions'));
      await pause(5);
      shown = await viewsOf(http);
    }
    expect(shown).toMatchObject({ isRebuilding: false, rebuildFailure: null, lastRebuild: { equal: true } });
    expect((await good(http.get<{ items: unknown[] }>('/flows'))).items).toHaveLength(30);
  });

  it('stop alone: what does not need the one that has stopped goes on, and readiness names it', async () => {
    const folder = suite.newFolder();
    const first = await suite.start(folder);
    const before = new Http(first.url, ADMIN_KEY);
    await good(before.post('/environments', { name: 'production' }));
    await good(before.post('/flows', { name: 'chat', content: { text: 'hi' } }));
    await good(before.post('/flows/chat/versions/1/environments', { environment: 'production' }));
    await first.kill('SIGTERM');
    // The same version a second time: the table of versions cannot take it, everybody else can.
    const log = new Database(join(folder, 'events.db'));
    log.exec(`INSERT INTO events (stream, revision, id, type, data, meta)
      SELECT stream, (SELECT max(revision) + 1 FROM events e WHERE e.stream = events.stream), 'again', type, data, meta
      FROM events WHERE type = 'VersionDrafted'`);
    log.close();

    const http = await start(folder);
    await refused(http.get('/flows/chat/versions/1'), 503, 'view-halted');
    const ready = await http.send<{ failures: string[] }>('GET', '/health/ready');
    expect(ready.status).toBe(503);
    expect(ready.body.failures).toEqual([
      expect.stringMatching(/^View versions has stopped at VersionDrafted, position \d+\.$/),
    ]);
    expect((await good(http.get<{ items: unknown[] }>('/flows'))).items).toHaveLength(1);
    expect(
      (await good(http.get<{ items: unknown[] }>('/environments/production/active'))).items,
    ).toHaveLength(1);
    await good(http.post('/environments', { name: 'staging' }));
    expect((await http.send('GET', '/metrics')).text).toContain('switchyard_views_halted 1\n');
  });
});
