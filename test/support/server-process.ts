// The real server as a process that a test may kill, stop and start again on the same data folder.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));
/** Answers of commands get lost while a file of this name lies in its data folder. */
export const LOSING_SERVER = fileURLToPath(new URL('losing-server.js', import.meta.url));
export const LOSES_ANSWERS = 'loses-answers';
/** Far more than a start takes: machines that are busy with other things are slow. */
const START_MS_MAX = 120_000;
const PAGE_BYTES = 4_096;
export const ADMIN_KEY = 'an-administrator-key-for-tests-alone';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

type Settings = Readonly<Record<string, string | undefined>>;

export class ServerProcess {
  stdout = '';
  stderr = '';
  readonly ended: Promise<Ended>;

  private constructor(readonly child: ChildProcess) {
    child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.ended = once(child, 'close').then(([code]) => {
      return { code: code as number | null, stdout: this.stdout, stderr: this.stderr };
    });
  }

  /** Only what is given here reaches the server: settings meant for another one must not. */
  static spawn(settings: Settings, user: { uid?: number; gid?: number } = {}, program = MAIN): ServerProcess {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('SWITCHYARD_'));
    const env = { ...Object.fromEntries(inherited), PORT: '0', HOST: '127.0.0.1', ...settings };
    const child = spawn(process.execPath, ['--enable-source-maps', program], {
      ...user,
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
    });
    return new ServerProcess(child);
  }

  /** A server that is up; throws with what it said when it does not come up. */
  static async start(folder: string, settings: Settings = {}, program = MAIN): Promise<ServerProcess> {
    const defaults = {
      SWITCHYARD_DATA: folder,
      SWITCHYARD_ADMIN_KEY: ADMIN_KEY,
      SWITCHYARD_LOG_LEVEL: 'warn',
    };
    const server = ServerProcess.spawn({ ...defaults, ...settings }, {}, program);
    const timer = setTimeout(() => server.child.kill('SIGKILL'), START_MS_MAX);
    const ended = server.ended.then(({ code, stderr }) => {
      throw new Error(`The server ended with ${code} before it was up: ${stderr}`);
    });
    await Promise.race([server.greeted(), ended]);
    clearTimeout(timer);
    ended.catch(() => undefined);
    return server;
  }

  get url(): string {
    return /Switchyard is listening on (\S+)/.exec(this.stdout)?.[1] ?? '';
  }

  kill(signal: NodeJS.Signals): Promise<Ended> {
    this.child.kill(signal);
    return this.ended;
  }

  /** The whole greeting comes in one write. */
  private greeted(): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.url !== '') resolve();
      };
      this.child.stdout?.on('data', look);
    });
  }
}

/** A new empty folder, and how to be rid of it. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'switchyard-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Spoils one page of a database file. */
export function overwritePage(path: string, page: number): void {
  const bytes = readFileSync(path);
  bytes.fill(0xff, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
  writeFileSync(path, bytes);
}

/** For a suite that starts servers as it goes: whatever it started or made is gone when it ends. */
export function serversOfSuite() {
  const folders: { remove(): void }[] = [];
  const servers: ServerProcess[] = [];
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.kill('SIGKILL')));
    for (const folder of folders) folder.remove();
  });
  return {
    newFolder(): string {
      const folder = temporaryFolder();
      folders.push(folder);
      return folder.path;
    },
    kept(server: ServerProcess): ServerProcess {
      servers.push(server);
      return server;
    },
    async start(folder: string): Promise<ServerProcess> {
      return this.kept(await ServerProcess.start(folder));
    },
  };
}
