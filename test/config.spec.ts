import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ConfigRefused, readConfig } from '../src/config.js';
import { temporaryFolder } from './support/server-process.js';

function problems(environment: Record<string, string>): readonly string[] {
  try {
    readConfig(environment);
  } catch (error) {
    if (error instanceof ConfigRefused) {
      return error.problems;
    }
    throw error;
  }
  return [];
}

const KEY = 'k'.repeat(32);

describe('the configuration', () => {
  it('has defaults that serve this machine alone, with the store inside the data folder', () => {
    expect(readConfig({ PATH: '/bin' })).toEqual({
      port: 3000,
      host: '127.0.0.1',
      dataFolder: resolve('data'),
      eventStore: { kind: 'sqlite', path: resolve('data/events.db') },
      adminKey: undefined,
      record: {
        logName: 'switchyard',
        signingKey: resolve('data/signing.key'),
        heads: resolve('data/heads.log'),
        sink: undefined,
      },
      logLevel: 'info',
      http: {
        rateLimits: { key: 5_000, workspace: 10_000, address: 10_000, unauthorized: 5 },
        connectionsMax: 10_000,
        trustedProxies: [],
        hstsSubdomains: true,
        sourceAddress: 'keep',
        loggedRequests: 'problems',
      },
      signIn: {
        sessionMs: 12 * 3_600_000,
        sessionIdleMs: 7_200_000,
        takesKeys: true,
        publicOrigin: undefined,
        oidc: undefined,
      },
      tracing: false,
      plain: [],
    });
  });

  it('takes what is set', () => {
    const config = readConfig({
      PORT: '0',
      HOST: '::1',
      SWITCHYARD_DATA: '/var/lib/switchyard',
      SWITCHYARD_EVENT_STORE: 'sqlite:/mnt/log/events.db',
      SWITCHYARD_ADMIN_KEY: KEY,
      SWITCHYARD_LOG_LEVEL: 'debug',
      SWITCHYARD_LOG_NAME: 'prompts.example.com',
      SWITCHYARD_SIGNING_KEY: '/run/secrets/signing.key',
      SWITCHYARD_HEADS: '/mnt/other/heads.log',
      SWITCHYARD_CHECKPOINT_SINK: 'https://example.com/checkpoints?token=abc',
      SWITCHYARD_RATE_LIMIT_KEY: '0',
      SWITCHYARD_RATE_LIMIT_WORKSPACE: '1',
      SWITCHYARD_RATE_LIMIT_ADDRESS: '1000000',
      SWITCHYARD_RATE_LIMIT_UNAUTHORIZED: '20',
      SWITCHYARD_MAX_CONNECTIONS: '100',
      SWITCHYARD_TRUST_PROXY: '127.0.0.1, 10.0.0.0/8,2001:db8::/32',
      SWITCHYARD_HSTS_SUBDOMAINS: 'off',
      SWITCHYARD_SOURCE_ADDRESS: 'truncate',
      SWITCHYARD_LOG_REQUESTS: 'all',
      SWITCHYARD_SESSION_HOURS: '1',
      SWITCHYARD_KEY_SIGN_IN: 'off',
      SWITCHYARD_SESSION_IDLE_MINUTES: '1',
      SWITCHYARD_PUBLIC_URL: 'https://switchyard.example.com/',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://collector:4318/v1/traces',
      SWITCHYARD_URL: 'http://localhost:3000',
      SWITCHYARD_KEY: 'of a command',
    });
    expect(config).toEqual({
      port: 0,
      host: '::1',
      dataFolder: '/var/lib/switchyard',
      eventStore: { kind: 'sqlite', path: '/mnt/log/events.db' },
      adminKey: KEY,
      record: {
        logName: 'prompts.example.com',
        signingKey: '/run/secrets/signing.key',
        heads: '/mnt/other/heads.log',
        sink: { kind: 'webhook', url: 'https://example.com/checkpoints?token=abc' },
      },
      logLevel: 'debug',
      http: {
        rateLimits: { key: 0, workspace: 1, address: 1_000_000, unauthorized: 20 },
        connectionsMax: 100,
        trustedProxies: ['127.0.0.1', '10.0.0.0/8', '2001:db8::/32'],
        hstsSubdomains: false,
        sourceAddress: 'truncate',
        loggedRequests: 'all',
      },
      signIn: {
        sessionMs: 3_600_000,
        sessionIdleMs: 60_000,
        takesKeys: false,
        publicOrigin: 'https://switchyard.example.com',
        oidc: undefined,
      },
      tracing: true,
      plain: [],
    });
    const { eventStore } = readConfig({ SWITCHYARD_DATA: '/a', SWITCHYARD_EVENT_STORE: 'sqlite:' });
    expect(eventStore).toEqual({ kind: 'sqlite', path: '/a/events.db' });
  });

  it.each(['abc', '', '-1', '65536', '3000x', '1e3', '0x10', ' 3000', '3.5'])('refuses PORT=%j', (PORT) => {
    expect(problems({ PORT })).toHaveLength(1);
    expect(problems({ PORT })[0]).toMatch(/^PORT /);
  });

  it.each(['', 'with space', 'a/b', 'a+b', 'é', 'n'.repeat(101)])(
    'refuses SWITCHYARD_LOG_NAME=%j',
    (name) => {
      expect(problems({ SWITCHYARD_LOG_NAME: name })).toHaveLength(1);
    },
  );

  it.each(['', 'ftp://a', 'file:', 'https://', 'elsewhere'])(
    'refuses SWITCHYARD_CHECKPOINT_SINK=%j, and does not repeat it',
    (sink) => {
      const found = problems({ SWITCHYARD_CHECKPOINT_SINK: sink });
      expect(found).toHaveLength(1);
      if (sink.startsWith('else') || sink.startsWith('ftp')) expect(found.join()).not.toContain(sink);
    },
  );

  it('takes a file for checkpoints', () => {
    const { record } = readConfig({ SWITCHYARD_CHECKPOINT_SINK: 'file:/mnt/notes.txt' });
    expect(record.sink).toEqual({ kind: 'file', path: '/mnt/notes.txt' });
  });

  it.each(['', 'a b', 'http://x', '-x', '999.1.1.1:80'])('refuses HOST=%j', (HOST) => {
    expect(problems({ HOST })).toHaveLength(1);
  });

  it.each(['0.0.0.0', '::', 'localhost', 'switchyard.internal'])('takes HOST=%j', (HOST) => {
    expect(readConfig({ HOST }).host).toBe(HOST);
  });

  it.each([
    ['postgres://u:p@host/db?sslmode=verify-full', 'postgres'],
    ['postgresql:///db?host=/run/postgresql', 'postgres'],
    ['esdb://u:p@a:2111,b:2112?tls=true', 'kurrentdb'],
    ['esdb+discover://cluster', 'kurrentdb'],
    ['kurrentdb://localhost:2113?tls=false', 'kurrentdb'],
    ['kurrentdb+discover://cluster', 'kurrentdb'],
  ])('takes SWITCHYARD_EVENT_STORE=%j as %s', (url, kind) => {
    expect(readConfig({ SWITCHYARD_EVENT_STORE: url }).eventStore).toEqual({ kind, url });
  });

  it.each([
    '',
    'mysql://u:hunter2@x',
    'events.db',
    'sqlite::memory:',
    'sqlite:/var/lib/',
    'SQLITE:x',
    'esdb://',
    'postgres:x',
  ])('refuses SWITCHYARD_EVENT_STORE=%j', (SWITCHYARD_EVENT_STORE) => {
    expect(problems({ SWITCHYARD_EVENT_STORE })).toHaveLength(1);
    expect(problems({ SWITCHYARD_EVENT_STORE }).join()).not.toContain('hunter2');
  });

  it('refuses an admin key that is too short, too long or not printable, and never shows it', () => {
    for (const key of ['hunter2', 'x'.repeat(257), `${KEY} hunter2`, `${KEY}é`, `${KEY}\n`, '']) {
      const lines = problems({ SWITCHYARD_ADMIN_KEY: key });
      expect(lines).toHaveLength(1);
      expect(lines[0]).not.toContain('hunter2');
      expect(lines[0]).not.toContain(KEY);
    }
    expect(readConfig({ SWITCHYARD_ADMIN_KEY: 'x'.repeat(256) }).adminKey).toHaveLength(256);
  });

  it('takes the admin key and the address of the store from files, and never repeats what is in them', () => {
    const folder = temporaryFolder();
    const path = join(folder.path, 'secret');
    const cases = [
      ['SWITCHYARD_ADMIN_KEY', KEY, 'hunter2'],
      ['SWITCHYARD_EVENT_STORE', 'postgres://u:hunter2@localhost/switchyard', 'mysql://u:hunter2@db'],
    ] as const;
    for (const [name, good, bad] of cases) {
      writeFileSync(path, `${good}\n`);
      const { adminKey, eventStore } = readConfig({ [`${name}_FILE`]: path });
      expect([adminKey, 'url' in eventStore && eventStore.url]).toContain(good);
      expect(problems({ [name]: good, [`${name}_FILE`]: path })).toEqual([
        `${name} and ${name}_FILE are both set`,
      ]);
      writeFileSync(path, bad);
      expect(problems({ [`${name}_FILE`]: path })).toEqual([expect.stringMatching(`^${name} must `)]);
      expect(problems({ [`${name}_FILE`]: path }).join()).not.toContain('hunter2');
      writeFileSync(path, ' \n');
      expect(problems({ [`${name}_FILE`]: path })).toEqual([`${name}_FILE: "${path}" is empty`]);
      const nowhere = `${path}-of-nobody`;
      expect(problems({ [`${name}_FILE`]: nowhere })).toEqual([
        `${name}_FILE: "${nowhere}" cannot be read (ENOENT)`,
      ]);
    }
    folder.remove();
  });

  it.each([
    ['SWITCHYARD_RATE_LIMIT_KEY', '-1'],
    ['SWITCHYARD_RATE_LIMIT_WORKSPACE', '1.5'],
    ['SWITCHYARD_RATE_LIMIT_ADDRESS', '1000001'],
    ['SWITCHYARD_RATE_LIMIT_UNAUTHORIZED', 'none'],
    ['SWITCHYARD_MAX_CONNECTIONS', '0'],
    ['SWITCHYARD_SOURCE_ADDRESS', 'Keep'],
    ['SWITCHYARD_HSTS_SUBDOMAINS', 'true'],
    ['SWITCHYARD_PLAIN_ADDRESSES', 'warn'],
    ['SWITCHYARD_LOG_REQUESTS', 'true'],
    ['SWITCHYARD_LOG_REQUESTS', ''],
  ])('refuses %s=%j', (name, value) => {
    expect(problems({ [name]: value })).toEqual([expect.stringContaining(name)]);
  });

  it.each([
    '',
    'true',
    '1',
    'loopback',
    '10.0.0.0/33',
    '10.0.0.0/0',
    '::/0',
    '10.0.0.0/8/8',
    '10.0.0',
    '10.0.0.1,',
  ])('refuses SWITCHYARD_TRUST_PROXY=%j, which would trust nobody or everybody', (proxies) => {
    expect(problems({ SWITCHYARD_TRUST_PROXY: proxies })).toHaveLength(1);
  });

  it('takes no collector that it cannot send to, and does not repeat it', () => {
    for (const name of ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']) {
      expect(problems({ [name]: 'hunter2:4318' })).toEqual([`${name} must begin with https:// or http://`]);
      expect(readConfig({ [name]: '' }).tracing).toBe(false);
      expect(readConfig({ [name]: 'hunter2:4318', OTEL_SDK_DISABLED: 'true' }).tracing).toBe(false);
    }
  });

  it('refuses a name it does not know, which is most likely misspelt', () => {
    expect(problems({ SWITCHYARD_ADMINKEY: 'hunter2' })).toEqual([
      '"SWITCHYARD_ADMINKEY" is not a setting of Switchyard',
    ]);
  });

  it('names everything that is wrong at once, each on one line', () => {
    const lines = problems({
      PORT: 'a\nb',
      HOST: 'a b',
      SWITCHYARD_DATA: '',
      SWITCHYARD_EVENT_STORE: 'x',
      SWITCHYARD_ADMIN_KEY: 'x',
      SWITCHYARD_LOG_LEVEL: 'loud',
      SWITCHYARD_X: '',
    });
    expect(lines).toHaveLength(7);
    expect(lines.join('')).not.toContain('\n');
  });
});
