// Which requests get a line in the log of a real server, and what stands in it.
import { good, Http, refused } from '../support/http.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';

type Line = Readonly<Record<string, unknown>>;

const suite = serversOfSuite();

/** The lines of a server that was asked for this and then stopped. */
async function linesOf(
  settings: Record<string, string>,
  ask: (http: Http) => Promise<unknown>,
): Promise<Line[]> {
  const level = { SWITCHYARD_LOG_LEVEL: 'info' };
  const server = suite.kept(await ServerProcess.start(suite.newFolder(), { ...level, ...settings }));
  await ask(new Http(server.url, ADMIN_KEY));
  const { stderr } = await server.kill('SIGTERM');
  const lines = stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  return lines.filter(({ msg }) => msg === 'request');
}

const id = (requestId: string) => ({ 'x-request-id': requestId });

async function everyKind(http: Http): Promise<void> {
  await good(http.get('/environments', id('read')));
  await good(http.post('/environments', { name: 'production' }, id('command')));
  await refused(http.get('/flows/nothing/resolve', id('problem')), 404, 'flow-not-found');
  await refused(new Http(http.url, 'wrong').get('/flows?key=hunter2', id('denied')), 401, 'unauthorized');
}

describe('A request gets a line', () => {
  it.each([
    [undefined, ['problem', 'denied']],
    ['none', []],
    ['problems', ['problem', 'denied']],
    ['commands', ['command', 'problem', 'denied']],
    ['all', ['read', 'command', 'problem', 'denied']],
  ])('where %j is asked for: %j', async (wanted, ids) => {
    const settings = wanted === undefined ? {} : { SWITCHYARD_LOG_REQUESTS: wanted };
    const lines = await linesOf(settings, everyKind);
    expect(lines.map(({ requestId }) => requestId)).toEqual(ids);
  });

  it('that says what came of it, and nothing that was sent', async () => {
    const lines = await linesOf({ SWITCHYARD_LOG_REQUESTS: 'all' }, everyKind);
    const [, command, problem, denied] = lines;
    const uuid: unknown = expect.stringMatching(/^[0-9a-f-]{36}$/);
    const frame = {
      level: 30,
      time: expect.any(Number) as number,
      pid: expect.any(Number) as number,
      msg: 'request',
    };
    const from = {
      ...frame,
      hostname: expect.any(String) as string,
      ms: expect.any(Number) as number,
      ip: '127.0.0.1',
    };
    const caller = { keyId: uuid, workspaceId: uuid };
    const created = { requestId: 'command', method: 'POST', route: '/api/v1/environments', status: 201 };
    expect(command).toEqual({ ...from, ...caller, ...created });
    const resolved = {
      requestId: 'problem',
      method: 'GET',
      route: '/api/v1/flows/:flow/resolve',
      status: 404,
    };
    expect(problem).toEqual({ ...from, ...caller, ...resolved, code: 'flow-not-found' });
    const refusal = { requestId: 'denied', method: 'GET', route: '/api/v1/flows', status: 401 };
    expect(denied).toEqual({ ...from, ...refusal, code: 'unauthorized' });
  });

  it('with as much of the address as events have', async () => {
    const ips = async (policy: string) =>
      (await linesOf({ SWITCHYARD_SOURCE_ADDRESS: policy }, everyKind)).map(({ ip }) => ip);
    expect(await ips('truncate')).toEqual(['127.0.0.0', '127.0.0.0']);
    expect(await ips('drop')).toEqual([undefined, undefined]);
  });

  it('a hundred times a second, however often somebody is refused; the others are counted', async () => {
    const count = 1_000;
    let seconds = 0;
    const lines = await linesOf({}, async (http) => {
      const began = performance.now();
      const refusals = Array.from({ length: count }, () => http.get('/no-such-route'));
      await Promise.all(refusals);
      seconds = (performance.now() - began) / 1000;
      await new Promise((resolve) => setTimeout(resolve, 50));
      await http.get('/no-such-route');
    });
    expect(lines.length).toBeLessThan(103 + 100 * (seconds + 0.1));
    expect(lines.length).toBeLessThan(count);
    const leftOut = lines.reduce((sum, line) => sum + Number(line['leftOut'] ?? 0), 0);
    expect(lines.length + leftOut).toBe(count + 1);
  });
});
