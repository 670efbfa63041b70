// What a browser may keep of an answer: nothing that came with a session, since somebody else may use that browser
// later; a key is in the hands of a program, which may keep what is the same for ever.
import { Browser } from '../support/browser.js';
import { good, Http } from '../support/http.js';
import { ADMIN_KEY, type ServerProcess, serversOfSuite } from '../support/server-process.js';

const suite = serversOfSuite();
let server: ServerProcess;
let http: Http;
let browser: Browser;
/** After which nothing was changed. */
let position: string;

beforeAll(async () => {
  server = await suite.start(suite.newFolder());
  http = new Http(server.url, ADMIN_KEY);
  await good(http.post('/environments', { name: 'production' }));
  await good(http.post('/flows', { name: 'chat', content: { a: 1 } }));
  const activating = http.post<{ position: string }>('/flows/chat/versions/1/environments', {
    environment: 'production',
  });
  ({ position } = await good(activating));
  browser = new Browser();
  await good(browser.fetch(`${server.url}/api/v1/session`, { method: 'POST', body: { key: ADMIN_KEY } }));
});

describe('An answer', () => {
  it.each([
    ['/flows/chat/resolve', 'private, no-cache'],
    ['/flows/chat/resolve?at=HERE', 'private, max-age=31536000, immutable'],
    ['/environments/production/active', 'private, no-cache'],
    ['/environments/production?at=8', 'private, max-age=31536000, immutable'],
    ['/environments/production/releases/1', 'private, no-cache'],
    ['/diff?from=production@8&to=production', 'private, no-cache'],
  ])('that a program may keep is kept by no browser: %s', async (route, caching) => {
    const path = route.replace('HERE', position);
    const answers = [await http.get(path), await browser.fetch(`${server.url}/api/v1${path}`)];
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    const told = answers.map(({ headers }) => headers.get('cache-control'));
    expect(told).toEqual([caching, 'no-store']);
  });

  it('to a sign-out tells the browser to drop whatever it has kept, and no other does', async () => {
    const leaving = new Browser();
    const url = `${server.url}/api/v1/session`;
    const signedIn = await leaving.fetch(url, { method: 'POST', body: { key: ADMIN_KEY } });
    const signedOut = await leaving.fetch(url, { method: 'DELETE' });
    const told = [signedIn, signedOut].map(({ headers }) => headers.get('clear-site-data'));
    expect(told).toEqual([null, '"cache"']);
  });
});

describe('A file', () => {
  it.each([
    ['/audit/export', 'audit.ndjson'],
    ['/audit/export?format=csv', 'audit.csv'],
    ['/audit/export?format=ocsf', 'audit-ocsf.ndjson'],
    ['/projects/default/audit/export?q=x.exe', 'audit.ndjson'],
    ['/audit/evidence', 'events.ndjson'],
    ['/audit/checkpoints', 'checkpoints.txt'],
  ])('has a name that nobody chose: %s', async (path, name) => {
    const answer = await http.get(path);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-disposition')).toBe(`attachment; filename="${name}"`);
  });
});
