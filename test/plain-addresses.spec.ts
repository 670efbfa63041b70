// A start that would lead to another machine without TLS is refused; where that is allowed, each setting is told of
// once.
import { readConfig, type ConfigRefused } from '../src/config.js';
import { ServerProcess, serversOfSuite } from './support/server-process.js';
import { until } from './support/spec.js';

const STORE = 'SWITCHYARD_EVENT_STORE';
const SINK = 'SWITCHYARD_CHECKPOINT_SINK';
const ALLOWED = { SWITCHYARD_PLAIN_ADDRESSES: 'allow' };
const TRACES = 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT';

const suite = serversOfSuite();

function refusalOf(settings: Record<string, string>): readonly string[] {
  try {
    readConfig(settings);
    return [];
  } catch (error) {
    return (error as ConfigRefused).problems;
  }
}

describe('An address on another machine', () => {
  it.each([
    [STORE, 'postgres://u:p@db/switchyard'],
    [STORE, 'postgres://u:p@ss@db/switchyard'],
    [STORE, 'postgresql://u:p@10.0.0.7:5432/switchyard?application_name=sslmode=require'],
    [STORE, 'postgres://localhost.example.com/switchyard'],
    [STORE, 'postgres:///switchyard?host=db'],
    ...['no-verify', 'disable', 'prefer', 'allow'].map((mode) => [
      STORE,
      `postgres://u:p@db/switchyard?ssl=true&sslmode=${mode}`,
    ]),
    [STORE, 'postgres://u:p@db/switchyard?sslmode=require&uselibpqcompat=true'],
    [STORE, 'esdb://kurrentdb:2113?tls=false'],
    [STORE, 'esdb://localhost:2113,b:2113?tls=false'],
    [SINK, 'http://sink.example.com/'],
    [TRACES, 'http://collector:4318/v1/traces'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://collector:4318'],
  ])('is reached without TLS, which is refused unless it is allowed: %s=%s', (name = '', address = '') => {
    expect(readConfig({ [name]: address, ...ALLOWED }).plain).toEqual([name]);
    expect(refusalOf({ [name]: address })).toEqual([
      `${name} leads to another machine without TLS: ` +
        'use TLS, or set SWITCHYARD_PLAIN_ADDRESSES=allow where nobody else is on the way',
    ]);
  });

  it.each([
    ...['require', 'verify-ca', 'verify-full'].map((mode) => [
      STORE,
      `postgres://u:p@db/switchyard?sslmode=${mode}`,
    ]),
    [STORE, 'postgres://u:p@db/switchyard?ssl=true'],
    [STORE, 'esdb+discover://u:p@cluster'],
    [SINK, 'https://sink.example.com/'],
    [TRACES, 'https://collector:4318/v1/traces'],
  ])('is reached over TLS: %s=%s', (name = '', address = '') => {
    expect(readConfig({ [name]: address }).plain).toEqual([]);
  });

  it.each([
    [STORE, 'postgres://u:p@localhost:5432/switchyard'],
    [STORE, 'postgres://127.0.0.1/switchyard'],
    [STORE, 'postgres://[::1]:5432/switchyard'],
    [STORE, 'postgresql:///switchyard?host=/run/postgresql'],
    [STORE, 'kurrentdb://localhost:2113?tls=false'],
    [SINK, 'http://127.0.0.1:8080/'],
    [SINK, 'file:/mnt/notes.txt'],
    [TRACES, 'http://localhost:4318/v1/traces'],
  ])('is none: %s=%s', (name = '', address = '') => {
    expect(readConfig({ [name]: address }).plain).toEqual([]);
  });

  it('is that of the collector to which traces really go', () => {
    const both = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:4318', [TRACES]: 'https://b:4318/v1/traces' };
    expect(readConfig(both).plain).toEqual([]);
    expect(readConfig({ [TRACES]: 'http://b:4318', OTEL_SDK_DISABLED: 'true' }).plain).toEqual([]);
  });

  it('stops the start, with its setting alone in one line', async () => {
    const settings = { [SINK]: 'http://nowhere.invalid/hunter2' };
    const { code, stderr } = await ServerProcess.spawn({ ...settings, SWITCHYARD_DATA: suite.newFolder() })
      .ended;
    expect({ code, lines: stderr.trimEnd().split('\n').length }).toEqual({ code: 78, lines: 1 });
    expect(stderr).toContain(`${SINK} leads to another machine without TLS`);
    expect(stderr).not.toContain('hunter2');
  });

  it('is named by its setting alone, once, in a line of the log', async () => {
    const settings = { [SINK]: 'http://nowhere.invalid/hunter2', ...ALLOWED };
    const server = suite.kept(await ServerProcess.start(suite.newFolder(), settings));
    await until(() => server.stderr.includes('without TLS'));
    const lines = server.stderr.split('\n').filter((line) => line.includes('without TLS'));
    expect(lines.map((line) => (JSON.parse(line) as { setting: string }).setting)).toEqual([SINK]);
    expect(server.stderr).not.toContain('hunter2');
  });
});
