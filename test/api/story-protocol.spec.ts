// What all routes share, told over HTTP to the real server: keys, pages, positions, request ids, health and papers.
import { startOwnServer, type OwnServer } from '../../scripts/own-server.js';
import type { Page } from '../../scripts/client.js';
import { good, Http, pointersOf, problemOf, refused } from '../support/http.js';

let server: OwnServer;
let http: Http;
let nobody: Http;

beforeAll(async () => {
  server = await startOwnServer();
  http = new Http(server.url, server.key);
  nobody = new Http(server.url, undefined);
  for (let number = 1; number <= 7; number += 1) {
    await good(http.post('/environments', { name: `Environment ${number}` }));
    await good(http.post('/flows', { name: `Flow ${number}`, content: { number } }));
    await good(http.post('/flows/flow-1/versions', { content: { number } }));
    await good(http.post(`/flows/flow-1/versions/${number}/environments`, { environment: 'environment-1' }));
  }
});
afterAll(() => server.stop());

/** Every page of a list, and how many there were. */
async function pages<Item>(path: string, limit: number): Promise<Item[][]> {
  const found: Item[][] = [];
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? '' : `&cursor=${cursor}`;
    const page: Page<Item> = await good(http.get<Page<Item>>(`${path}?limit=${limit}${query}`));
    found.push([...page.items]);
    cursor = page.nextCursor;
  } while (cursor !== null && found.length < 20);
  return found;
}

describe('A list', () => {
  const lists = {
    '/environments': (item: { slug: string }) => item.slug,
    '/flows': (item: { slug: string }) => item.slug,
    '/flows/flow-1/versions': (item: { number: number }) => item.number,
    '/environments/environment-1/releases': (item: { number: number }) => item.number,
    '/projects': (item: { slug: string }) => item.slug,
  } as Record<string, (item: never) => string | number>;

  it.each(Object.keys(lists))('%s is the same in pages of any size', async (path) => {
    const whole = (await pages<never>(path, 500)).flat();
    for (const limit of [1, 3, whole.length]) {
      const split = await pages<never>(path, limit);
      expect(split.flat()).toEqual(whole);
      expect(split).toHaveLength(Math.ceil(whole.length / limit));
    }
    const of = lists[path];
    expect(new Set(whole.map((item) => of?.(item))).size).toBe(whole.length);
  });

  it.each(Object.keys(lists))(
    '%s takes neither a cursor that it did not make nor an odd limit',
    async (path) => {
      for (const cursor of [
        'x',
        'LTE',
        Buffer.from("1' OR 1=1").toString('base64url'),
        'a'.repeat(300),
        '',
      ]) {
        const problem = await refused(http.get(`${path}?cursor=${cursor}`), 400, 'invalid-query');
        expect(pointersOf(problem)).toEqual(['/cursor']);
      }
      for (const limit of ['0', '501', '-1', '1e2', '1.5', '', 'ten', '1000000000', '0x10']) {
        const problem = await refused(http.get(`${path}?limit=${limit}`), 400, 'invalid-query');
        expect(pointersOf(problem)).toEqual(['/limit']);
      }
    },
  );

  it('holds 50 items when nobody says how many', async () => {
    await Promise.all(
      Array.from({ length: 60 }, (_, index) => good(http.post('/flows', { name: `Crowd ${index}` }))),
    );
    const page = await good(http.get<Page<unknown>>('/flows'));
    expect(page.items).toHaveLength(50);
    expect(page.nextCursor).not.toBeNull();
  });
});

describe('minPosition', () => {
  it('lets an answer through that has come that far', async () => {
    const { position } = await good(http.post<{ position: string }>('/environments', { name: 'Positioned' }));
    for (const path of [
      '/environments/positioned?',
      '/flows?limit=1&',
      '/flows/flow-1/resolve?',
      '/projects?',
    ]) {
      expect((await http.get(`${path}minPosition=${position}`)).status).toBe(200);
    }
  });

  it('is answered with 503 and a time to come back when the views are not there in time', async () => {
    const answer = await http.get('/flows/flow-1/resolve?minPosition=999999');
    expect(problemOf(answer)).toMatchObject({ status: 503, code: 'not-caught-up' });
    expect(answer.headers.get('retry-after')).toBe('1');
  });

  it('is answered as soon as the views get there', async () => {
    const { position } = await good(http.post<{ position: string }>('/flows', { name: 'Before' }));
    const waiting = http.get(`/flows/after?minPosition=${Number(position) + 2}`);
    await good(http.post('/flows', { name: 'After' }));
    expect(await good(waiting)).toMatchObject({ slug: 'after' });
  });

  it('is a position, once, on a read', async () => {
    for (const value of ['-1', '1.5', '1e3', '01', '', 'head', '1&minPosition=2']) {
      const problem = await refused(http.get(`/environments?minPosition=${value}`), 400, 'invalid-query');
      expect(pointersOf(problem)).toEqual(['/minPosition']);
    }
    await refused(http.post('/flows?minPosition=1', { name: 'Never' }), 400, 'invalid-query');
    await refused(http.get('/flows/never'), 404, 'flow-not-found');
  });
});

describe('A request id', () => {
  it('is taken from the caller and echoed, on good answers and on bad ones', async () => {
    const headers = { 'x-request-id': 'trace-1.~_A' };
    expect((await http.get('/environments', headers)).headers.get('x-request-id')).toBe('trace-1.~_A');
    const bad = await http.get('/environments/nowhere', headers);
    expect(problemOf(bad).requestId).toBe('trace-1.~_A');
    expect((await nobody.get('/environments', headers)).headers.get('x-request-id')).toBe('trace-1.~_A');
    expect((await http.get('/flows/flow-1/resolve', headers)).headers.get('x-request-id')).toBe(
      'trace-1.~_A',
    );
  });

  it('is made when there is none, or none that can stand in a log', async () => {
    const sent: Record<string, string>[] = [
      {},
      { 'x-request-id': 'a b' },
      { 'x-request-id': 'x'.repeat(129) },
    ];
    for (const headers of sent) {
      const { headers: answered } = await http.get('/environments', headers);
      expect(answered.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    }
  });
});

describe('Without a key', () => {
  it('nothing is shown and nothing is done', async () => {
    const pairs = [
      ['GET', '/api/v1/environments'],
      ['POST', '/api/v1/environments'],
      ['GET', '/api/v1/flows/flow-1/resolve'],
      ['GET', '/api/v1/projects/default/flows/flow-1/resolve'],
      ['GET', '/api/v1/nothing/at/all'],
      ['GET', '/metrics'],
    ] as const;
    for (const [method, path] of pairs) {
      const body = method === 'POST' ? { name: 'Mine' } : undefined;
      const keys = [undefined, 'wrong', `${server.key}x`, server.key.slice(0, -1)];
      for (const key of keys) {
        const answer = await new Http(server.url, key).send(method, path, { body });
        expect(problemOf(answer)).toMatchObject({ status: 401, code: 'unauthorized' });
        expect(answer.headers.get('www-authenticate')).toBe('Bearer');
        expect(answer.text).not.toContain('flow-1');
      }
    }
    await refused(http.get('/environments/mine'), 404, 'environment-not-found');
  });

  it('in a header of another form, or in the address, a key is none', async () => {
    const sent = [`Basic ${server.key}`, server.key, `Bearer`, `Token ${server.key}`];
    for (const authorization of sent) {
      const answer = await nobody.get('/environments', { authorization });
      expect(answer.status).toBe(401);
    }
    for (const name of ['key', 'access_token', 'authorization', 'api_key']) {
      const answer = await nobody.get(`/environments?${name}=${server.key}`);
      expect(answer.status).toBe(401);
      expect(answer.text).not.toContain(server.key);
    }
  });

  it('health, the API document and its pages are open', async () => {
    expect(await good(nobody.send('GET', '/health/live'))).toEqual({ status: 'live' });
    const ready = await good(nobody.send<{ position: string }>('GET', '/health/ready'));
    expect(ready).toMatchObject({ status: 'ready', failures: [], position: expect.stringMatching(/^\d+$/) });
    const document = await good(nobody.send<{ openapi: string }>('GET', '/openapi.json'));
    expect(document.openapi).toMatch(/^3\.1\./);
    const docs = await nobody.send('GET', '/docs');
    expect(docs.status).toBe(200);
    expect(docs.headers.get('content-type')).toContain('text/html');
    const scripts = [...docs.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? '');
    expect(scripts).not.toHaveLength(0);
    for (const path of scripts) {
      expect((await nobody.send('GET', new URL(path, 'http://x/docs').pathname)).status).toBe(200);
    }
  });
});

describe('The figures', () => {
  it('are there for whoever has a key, in the form that Prometheus reads', async () => {
    const { status, headers, text } = await http.send('GET', '/metrics');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const { position } = await good(nobody.send<{ position: string }>('GET', '/health/ready'));
    expect(text).toContain(`\nswitchyard_log_position ${position}\n`);
    expect(text).toMatch(
      /switchyard_http_request_duration_seconds_count\{[^}]*route="[^"]*resolve"[^}]*\} \d+/,
    );
    expect(text).not.toContain(server.key);
  });
});
