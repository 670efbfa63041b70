// What reaches the log when somebody hands it what they should not: everything that says what went wrong, no secret.
import { readConfig } from '../src/config.js';
import { openLog } from '../src/log.js';

const KEY = 'swy_0123456789ab_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456';
const PASSWORD = 'p%40ss"word';
const SETTINGS = {
  SWITCHYARD_ADMIN_KEY: 'an-administrator-key-for-tests"alone',
  SWITCHYARD_EVENT_STORE: `postgres://user:${PASSWORD}@host/database?sslmode=verify-full`,
  SWITCHYARD_CHECKPOINT_SINK: 'https://example.com/checkpoints?token=sink-secret',
};

/** What one call leaves in the log. */
function line(write: (log: ReturnType<typeof openLog>) => void): string {
  let text = '';
  const destination = { write: (written: string) => void (text += written) };
  write(openLog({ ...readConfig(SETTINGS), logLevel: 'trace' }, destination));
  JSON.parse(text);
  return text;
}

describe('The log', () => {
  it('says what went wrong, and where', () => {
    const written = line((log) =>
      log.error({ requestId: 'r1', error: new RangeError('too far') }, 'a request failed'),
    );
    expect(JSON.parse(written)).toMatchObject({
      requestId: 'r1',
      msg: 'a request failed',
      error: { name: 'RangeError', message: 'too far', stack: expect.stringContaining('log.spec') as string },
    });
  });

  it.each([
    'authorization',
    'cookie',
    'set-cookie',
    'key',
    'apiKey',
    'password',
    'secret',
    'token',
    'body',
    'content',
    'headers',
    'query',
    'url',
    'session',
  ])('censors a field called %s, at whatever depth of three', (field) => {
    for (const fields of [
      { [field]: 'hunter2' },
      { request2: { [field]: 'hunter2' } },
      { a: { b: { [field]: { inner: 'hunter2' } } } },
    ]) {
      const written = line((log) => log.info(fields, 'said'));
      expect(written).not.toContain('hunter2');
      expect(written).toContain('[censored]');
    }
  });

  it('takes no header and no body from a request, an answer or an error', () => {
    const request = { id: 'r1', method: 'GET', ip: '::1', headers: { 'x-any': 'hunter2' }, body: 'hunter2' };
    const error = Object.assign(new Error('refused'), {
      code: 'E1',
      request,
      detail: 'hunter2',
      where: ['hunter2'],
    });
    const written = line((log) =>
      log.error({
        req: request,
        request,
        res: { statusCode: 500, raw: 'hunter2' },
        reply: request,
        err: error,
        error,
      }),
    );
    expect(written).not.toContain('hunter2');
    expect(JSON.parse(written)).toMatchObject({
      req: { id: 'r1' },
      res: { status: 500 },
      err: { code: 'E1' },
    });
  });

  it('censors keys and the secrets of its settings wherever they stand', () => {
    const secrets = [KEY, `Bearer ${'x'.repeat(20)}`, ...Object.values(SETTINGS), PASSWORD, 'p@ss"word'];
    for (const secret of secrets) {
      for (const write of [
        (log: ReturnType<typeof openLog>) => log.info(`before ${secret} after`),
        (log: ReturnType<typeof openLog>) => log.info({ reason: `before ${secret}, after` }),
        (log: ReturnType<typeof openLog>) => log.info({ [`<${secret}>`]: 1 }),
        (log: ReturnType<typeof openLog>) => log.error(new Error(`before ${secret}`)),
      ]) {
        expect(JSON.stringify(JSON.parse(line(write)))).not.toContain(JSON.stringify(secret).slice(1, -1));
      }
    }
  });
});
