// Where a request came from, as the audit trail has it: what a proxy says counts only when the proxy is trusted.
import { good, Http } from '../support/http.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';

const suite = serversOfSuite();

async function httpWith(settings: Record<string, string>): Promise<Http> {
  const server = suite.kept(await ServerProcess.start(suite.newFolder(), settings));
  return new Http(server.url, ADMIN_KEY);
}

let count = 0;

/** The address in the entry of a command that came with this X-Forwarded-For. */
async function recorded(http: Http, forwarded?: string): Promise<string | null> {
  const name = `e${(count += 1)}`;
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  const { position } = await good(http.post<{ position: string }>('/environments', { name }, headers));
  const entry = await good(http.get<{ ip: string | null }>(`/audit/${position}?minPosition=${position}`));
  return entry.ip;
}

describe('The source address', () => {
  it('is that of the connection, whatever is forwarded, unless a proxy is trusted', async () => {
    const http = await httpWith({});
    expect(await recorded(http)).toBe('127.0.0.1');
    expect(await recorded(http, '203.0.113.9')).toBe('127.0.0.1');
    const elsewhere = await httpWith({ SWITCHYARD_TRUST_PROXY: '10.0.0.0/8' });
    expect(await recorded(elsewhere, '203.0.113.9')).toBe('127.0.0.1');
  });

  it('is the last one that no trusted proxy has added', async () => {
    const http = await httpWith({ SWITCHYARD_TRUST_PROXY: '127.0.0.0/8, 10.1.0.7' });
    expect(await recorded(http)).toBe('127.0.0.1');
    expect(await recorded(http, '203.0.113.9')).toBe('203.0.113.9');
    expect(await recorded(http, '203.0.113.9, 10.1.0.7')).toBe('203.0.113.9');
    expect(await recorded(http, '6.6.6.6, 203.0.113.9, 10.1.0.7')).toBe('203.0.113.9');
    expect(await recorded(http, '6.6.6.6, 203.0.113.9, 10.1.0.8')).toBe('10.1.0.8');
    expect(await recorded(http, '2001:db8::1')).toBe('2001:db8::1');
    expect(await recorded(http, '::ffff:203.0.113.9')).toBe('203.0.113.9');
  });

  it.each(['', 'unknown', '<script>', '203.0.113.9:443', '1.2.3', `${'1'.repeat(5_000)}`])(
    'is never what only looks like one: %j',
    async (forwarded) => {
      const http = (trusting ??= await httpWith({ SWITCHYARD_TRUST_PROXY: '127.0.0.1' }));
      expect(await recorded(http, forwarded)).toBe('127.0.0.1');
    },
  );
  let trusting: Http | undefined;

  it('is kept in part, or not at all, where the operator says so', async () => {
    const trust = { SWITCHYARD_TRUST_PROXY: '127.0.0.1' };
    const truncating = await httpWith({ ...trust, SWITCHYARD_SOURCE_ADDRESS: 'truncate' });
    expect(await recorded(truncating, '203.0.113.9')).toBe('203.0.113.0');
    expect(await recorded(truncating, '2001:db8:1:2:3::4')).toBe('2001:db8:1::');
    const dropping = await httpWith({ ...trust, SWITCHYARD_SOURCE_ADDRESS: 'drop' });
    expect(await recorded(dropping, '203.0.113.9')).toBeNull();
  });

  it('is what limits count by: a /64 is one address', async () => {
    const settings = { SWITCHYARD_TRUST_PROXY: '127.0.0.1', SWITCHYARD_RATE_LIMIT_UNAUTHORIZED: '1' };
    const server = await httpWith(settings);
    const guesses = new Http(server.url, 'a-key-that-never-was');
    const status = async (address: string) =>
      (await guesses.get('/environments', { 'x-forwarded-for': address })).status;
    const statuses: number[] = [];
    for (let host = 1; host <= 70; host += 1)
      statuses.push(await status(`2001:db8:0:1::${host.toString(16)}`));
    expect(statuses.at(-1)).toBe(429);
    expect(await status('2001:db8:0:2::1')).toBe(401);
    expect(await status('203.0.113.9')).toBe(401);
  });
});
