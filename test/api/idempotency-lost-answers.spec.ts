// Commands whose effect is in the log and whose answer never came to be kept, as after a crash in between: sent again,
// they are answered from their effect, whatever has changed since.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { everyCommand, sendWithKey, type Command } from '../support/every-command.js';
import { good, Http, problemOf, refused, type Answer } from '../support/http.js';
import {
  ADMIN_KEY,
  LOSES_ANSWERS,
  LOSING_SERVER,
  ServerProcess,
  serversOfSuite,
} from '../support/server-process.js';

const suite = serversOfSuite();
let folder: string;
let http: Http;
let commands: readonly Command[];
let keys = 0;

beforeAll(async () => {
  folder = suite.newFolder();
  http = new Http(suite.kept(await ServerProcess.start(folder, {}, LOSING_SERVER)).url, ADMIN_KEY);
  commands = await everyCommand(http);
});

const newKey = (): string => `lost-${(keys += 1)}`;
const isReplayed = (answer: Answer): boolean => answer.headers.get('idempotency-replayed') === 'true';
const positionOf = ({ body }: Answer): unknown => (body as { position: string }).position;
const shown = ({ status, text }: Answer) => ({ status, text });

/** Once everything is signed: a workspace that is new is told of the signing key at some time of its own. */
async function head(): Promise<number> {
  await good(http.get('/audit/checkpoint'));
  const ready = await http.send<{ position: string }>('GET', '/health/ready');
  return Number(ready.body.position);
}

/** Sends a command whose answer is not kept; says whether it had an effect. */
async function sendAndLose(command: Command, key: string): Promise<{ answer: Answer; acted: boolean }> {
  const before = await head();
  writeFileSync(join(folder, LOSES_ANSWERS), '');
  const answer = await sendWithKey(http, command, key);
  rmSync(join(folder, LOSES_ANSWERS));
  const acted = (await head()) > before;
  if (acted) expect({ ...command, ...shown(answer) }).toMatchObject({ status: expect.closeTo(200, -1) });
  return { answer, acted };
}

describe('A command whose answer was lost', () => {
  it('is answered from its effect on every route, and from then on alike', async () => {
    const lost: { command: Command; key: string; answer: Answer }[] = [];
    for (const command of commands) {
      const key = newKey();
      const { answer, acted } = await sendAndLose(command, key);
      if (acted) lost.push({ command, key, answer });
    }
    expect(lost.length).toBeGreaterThan(commands.length - 4);
    const before = await head();
    for (const { command, key, answer } of lost) {
      const second = await sendWithKey(http, command, key);
      const told = { ...command, status: second.status, position: positionOf(second) };
      expect(told).toEqual({ ...command, status: answer.status, position: positionOf(answer) });
      expect(isReplayed(second)).toBe(false);
      const third = await sendWithKey(http, command, key);
      expect(shown(third)).toEqual(shown(second));
      expect(isReplayed(third)).toBe(true);
    }
    // Nothing but the answers, each of them once.
    expect(await head()).toBe(before + lost.length);
  });

  it('is not said to have found nothing to do, which may be otherwise when it is sent again', async () => {
    await good(http.post('/environments', { name: 'Idle' }));
    const body = { environment: 'idle' };
    const activate: Command = { method: 'POST', path: '/flows/greeting/versions/1/environments', body };
    await good(http.post(activate.path, body));
    const key = newKey();
    const { answer } = await sendAndLose(activate, key);
    expect({ ...shown(answer), code: problemOf(answer).code }).toMatchObject({
      status: 503,
      code: 'store-unavailable',
    });
    await good(http.post('/environments/idle/rollback', { toRelease: 0 }));
    const second = await sendWithKey(http, activate, key);
    expect(second.body).toMatchObject({ changed: true });
    expect(shown(await sendWithKey(http, activate, key))).toEqual(shown(second));
  });

  it('is answered although its environments and its flow have been archived since', async () => {
    for (const name of ['First', 'Second']) await good(http.post('/environments', { name }));
    await good(http.post('/flows', { name: 'Passing', content: { text: 'Hello' } }));
    const path = '/flows/passing';
    const pair = { sourceEnvironment: 'first', targetEnvironment: 'second' };
    const onPassing: Command[] = [
      { method: 'POST', path: `${path}/versions/1/environments`, body: { environment: 'first' } },
      { method: 'POST', path: '/environments/promote', body: pair },
      { method: 'POST', path: '/environments/second/rollback', body: { toRelease: 0 } },
      { method: 'DELETE', path: `${path}/environments/first`, body: {} },
    ];
    const lost: { command: Command; key: string; answer: Answer }[] = [];
    for (const command of onPassing) {
      const key = newKey();
      const { answer, acted } = await sendAndLose(command, key);
      expect({ ...command, acted }).toEqual({ ...command, acted: true });
      lost.push({ command, key, answer });
    }
    for (const slug of ['first', 'second']) await good(http.post(`/environments/${slug}/archive`, {}));
    await good(http.post(`${path}/archive`, {}));
    for (const { command, key, answer } of lost) {
      await refused(sendWithKey(http, command, newKey()), 404, 'environment-archived');
      expect(shown(await sendWithKey(http, command, key))).toEqual(shown(answer));
    }
  });

  it('is answered although its key was revoked, or its project archived, since', async () => {
    const grants = [{ role: 'viewer' }];
    const issuing = newKey();
    const issue: Command = { method: 'POST', path: '/keys', body: { name: 'Passing', grants } };
    const { answer: issued } = await sendAndLose(issue, issuing);
    const { id, position } = issued.body as { id: string; position: string };
    const onKey: Command[] = [
      { method: 'POST', path: `/keys/${id}/rotate`, body: {} },
      { method: 'DELETE', path: `/keys/${id}`, body: {} },
    ];
    const lost: { command: Command; key: string; answer: Answer }[] = [];
    for (const command of onKey) {
      const key = newKey();
      lost.push({ command, key, answer: (await sendAndLose(command, key)).answer });
    }
    const again = await sendWithKey(http, issue, issuing);
    expect(again.body).toMatchObject({ id, name: 'Passing', key: null, position });
    for (const { command, key, answer } of lost) {
      const second = await sendWithKey(http, command, key);
      expect([second.status, positionOf(second)]).toEqual([200, positionOf(answer)]);
    }
    await good(http.post('/projects', { name: 'Passing' }));
    const made = { method: 'POST', path: '/projects/passing/environments', body: { name: 'production' } };
    const key = newKey();
    const { answer } = await sendAndLose(made, key);
    await good(http.post('/projects/passing/archive'));
    await refused(sendWithKey(http, made, newKey()), 404, 'project-archived');
    expect(shown(await sendWithKey(http, made, key))).toEqual(shown(answer));
  });

  it('is refused where its path has come to name another thing, and nothing happens to that', async () => {
    await good(http.post('/environments', { name: 'Mine' }));
    const path = '/flows/greeting/versions/1/environments';
    const command = { method: 'POST', path, body: { environment: 'mine' } };
    const key = newKey();
    await sendAndLose(command, key);
    await good(http.patch('/environments/mine', { name: 'Former', slug: 'former' }));
    await good(http.post('/environments', { name: 'Other', slug: 'mine' }));
    const before = await head();
    await refused(sendWithKey(http, command, key), 422, 'idempotency-key-reused');
    expect(await head()).toBe(before);
  });
});

async function ended(): Promise<void> {
  const { isRebuilding } = await good(http.get<{ isRebuilding: boolean }>('/views'));
  if (isRebuilding) await ended();
}

describe('An answer that is not to be kept', () => {
  it('is not: the command is carried out again', async () => {
    const command = { method: 'POST', path: '/views/rebuild', body: {} };
    for (let turn = 0; turn < 2; turn += 1) {
      const answer = await sendWithKey(http, command, 'rebuild');
      expect({ turn, status: answer.status, replayed: isReplayed(answer) }).toEqual({
        ...{ turn, status: 202, replayed: false },
      });
      await ended();
    }
  });
});
