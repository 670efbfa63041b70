// Commands with an `Idempotency-Key`, against the real server: sent again, they have one effect and the first answer,
// also after the server was killed and its views were lost.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { everyCommand, sendWithKey, textAgain, type Command } from '../support/every-command.js';
import { good, Http, refused, type Answer } from '../support/http.js';
import { ADMIN_KEY, serversOfSuite, type ServerProcess } from '../support/server-process.js';

const suite = serversOfSuite();
let folder: string;
let server: ServerProcess;
let http: Http;
let commands: readonly Command[];
let keys = 0;

beforeAll(async () => {
  folder = suite.newFolder();
  await start();
  commands = await everyCommand(http);
});

async function start(): Promise<void> {
  server = await suite.start(folder);
  http = new Http(server.url, ADMIN_KEY);
}

const newKey = (): string => `key-${(keys += 1)}`;
/** Once everything is signed: a workspace that is new is told of the signing key at some time of its own. */
const head = async (): Promise<bigint> => {
  await good(http.get('/audit/checkpoint'));
  const ready = await http.send<{ position: string }>('GET', '/health/ready');
  return BigInt(ready.body.position);
};
const send = (command: Command, key: string): Promise<Answer> => sendWithKey(http, command, key);
const shown = ({ status, text }: Answer) => ({ status, text });
const replayed = (answer: Answer) => answer.headers.get('idempotency-replayed');

describe('A command that is sent again with its key', () => {
  it('has one effect and the first answer, on every route', async () => {
    const first: (Command & { readonly key: string; readonly answer: Answer })[] = [];
    for (const command of commands) {
      const key = newKey();
      const answer = await send(command, key);
      expect({ ...command, ...shown(answer) }).toMatchObject({ status: expect.closeTo(200, -1) });
      expect(replayed(answer)).toBeNull();
      first.push({ ...command, key, answer });
    }
    const position = await head();
    for (const { key, answer, ...command } of first) {
      const again = await send(command, key);
      expect({ ...command, ...shown(again) }).toEqual({
        ...command,
        ...{ status: answer.status, text: textAgain(command, answer) },
      });
      expect(replayed(again)).toBe('true');
    }
    expect(await head()).toBe(position);

    await server.kill('SIGKILL');
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(folder, `views.db${suffix}`), { force: true });
    await start();
    for (const { key, answer, ...command } of first) {
      expect((await send(command, key)).text).toBe(textAgain(command, answer));
    }
    expect(await head()).toBe(position);
  });

  it('is answered alike when it is sent twenty times at once', async () => {
    const command = { method: 'POST', path: '/flows/greeting/versions', body: { content: { at: 'once' } } };
    const key = newKey();
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(command, key)));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
    expect(answers.filter((answer) => replayed(answer) === null)).toHaveLength(1);
  });

  it('is told again that nothing had changed, although something would change by now', async () => {
    const activate = (version: number): Command => {
      const path = `/flows/greeting/versions/${version}/environments`;
      return { method: 'POST', path, body: { environment: 'development' } };
    };
    await send(activate(1), newKey());
    const key = newKey();
    const first = await send(activate(1), key);
    expect(first.body).toMatchObject({ changed: false });
    await send(activate(2), newKey());
    expect(shown(await send(activate(1), key))).toEqual(shown(first));
  });

  it('has its first answer although what it made was renamed since', async () => {
    const key = newKey();
    const command = { method: 'POST', path: '/environments', body: { name: 'Lab' } };
    const first = await send(command, key);
    await good(http.patch('/environments/lab', { name: 'Bench', slug: 'bench' }));
    expect(shown(await send(command, key))).toEqual(shown(first));
  });

  it('may be a long one: then its answer is worded again from the log', async () => {
    const key = newKey();
    const body = { content: { text: 'x'.repeat(100_000) } };
    const command = { method: 'POST', path: '/flows/greeting/versions', body };
    const first = await send(command, key);
    const position = await head();
    expect(shown(await send(command, key))).toEqual(shown(first));
    expect(await head()).toBe(position);
  });
});

describe('An idempotency key', () => {
  it('belongs to one command: with another body, path or pin it is refused, and nothing happens', async () => {
    const key = newKey();
    const command = { method: 'POST', path: '/flows/greeting/versions', body: { content: { n: 1 } } };
    await good(send(command, key));
    const position = await head();
    const others: Command[] = [
      { ...command, body: { content: { n: 2 } } },
      { ...command, path: '/projects/default/flows/greeting/versions' },
      { method: 'PUT', path: '/environments/default', body: { environment: 'staging' } },
    ];
    for (const other of others) await refused(send(other, key), 422, 'idempotency-key-reused');
    const headers = { 'idempotency-key': key, 'if-match': '"1"' };
    await refused(
      http.send('POST', `/api/v1${command.path}`, { body: command.body, headers }),
      422,
      'idempotency-key-reused',
    );
    expect(await head()).toBe(position);
  });

  it('is the same for the same body in another order, and in quotes or without', async () => {
    const path = '/flows/greeting/versions';
    const first = await send({ method: 'POST', path, body: { content: { a: 1, b: 2 } } }, 'in-quotes');
    const again = await send({ method: 'POST', path, body: { content: { b: 2, a: 1 } } }, '"in-quotes"');
    expect(shown(again)).toEqual(shown(first));
    expect(replayed(again)).toBe('true');
    await good(send({ method: 'POST', path, body: { content: {} } }, '"build 17, again"'));
  });

  it('is not used up by a refusal, which had no effect', async () => {
    const key = newKey();
    const command = { method: 'POST', path: '/environments', body: { name: 'Later' } };
    await good(http.post('/environments', { name: 'Taken', slug: 'later' }));
    await refused(send(command, key), 409, 'environment-exists');
    await good(http.patch('/environments/later', { name: 'Elsewhere', slug: 'elsewhere' }));
    await good(http.post('/environments', { name: 'Third', slug: 'third' }));
    const answer = await send({ ...command, body: { name: 'Later', slug: 'later-on' } }, key);
    expect(answer.status).toBe(201);
  });

  it.each(['', ' ', 'a b', 'a, b', 'x'.repeat(256), '"', '"a', 'a"b', '""', 'a\\b', 'é'])(
    'may not be %j',
    async (key) => {
      const command = { method: 'POST', path: '/environments', body: { name: 'Never made' } };
      await refused(send(command, key), 400, 'invalid-header');
    },
  );

  it('on a read is left alone', async () => {
    const answer = await http.get('/environments', { 'idempotency-key': 'a b' });
    expect(answer.status).toBe(200);
  });
});
