// The processes that are measured, each on the cores that it is given: the server itself, and others that one task
// is sent to and one answer comes back from.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Placing {
  /** The only core that the process may use; any where it is left out. */
  readonly core?: number;
  readonly nodeArguments?: readonly string[];
}

export interface Server {
  readonly port: number;
  /** From the start of the process to the line that says where it listens. */
  readonly startMs: number;
  /** As an operator stops it. */
  stop(): Promise<void>;
}

const STEP_MS_MAX = 180_000;
const STOP_MS_MAX = 20_000;
const running = new Set<ChildProcess>();

/** A core can be had to oneself where there is `taskset`; elsewhere every process uses all of them. */
export const canPin = spawnSync('taskset', ['-c', '0', 'true']).status === 0;

export async function startServer(folder: string, placing: Placing = {}, store = 'sqlite:'): Promise<Server> {
  const started = performance.now();
  const child = launch('../src/main.js', ['--enable-source-maps'], placing, {
    PORT: '0',
    HOST: '127.0.0.1',
    SWITCHYARD_DATA: folder,
    SWITCHYARD_EVENT_STORE: store,
    SWITCHYARD_LOG_LEVEL: 'error',
    // Limits are counted, as everywhere, and never reached.
    SWITCHYARD_RATE_LIMIT_KEY: '1000000',
    SWITCHYARD_RATE_LIMIT_WORKSPACE: '1000000',
    SWITCHYARD_RATE_LIMIT_ADDRESS: '1000000',
  });
  const line = await bounded(
    child,
    'The server',
    new Promise<string>((resolve) => {
      child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    }),
  );
  const startMs = performance.now() - started;
  return { port: portIn(line), startMs, stop: () => stopped(child) };
}

/** A process that stays: it is sent what it needs, and its first answer says that it is ready. */
export async function startBeside<Task, Ready>(script: string, task: Task, placing: Placing = {}) {
  const child = launch(script, [], placing);
  const answered = new Promise<Ready>((resolve) =>
    child.once('message', (message: Ready) => resolve(message)),
  );
  child.send(task as object);
  const ready = await bounded(child, script, answered);
  return { ready, stop: () => stopped(child) };
}

/** A process that does one task and ends. */
export async function runBeside<Task, Result>(
  script: string,
  task: Task,
  placing: Placing = {},
): Promise<Result> {
  const { ready, stop } = await startBeside<Task, Result>(script, task, placing);
  await stop();
  return ready;
}

/** Ends whatever is still running. */
export async function stopAll(): Promise<void> {
  await Promise.all([...running].map(stopped));
}

function launch(
  script: string,
  ownArguments: readonly string[],
  { core, nodeArguments = [] }: Placing,
  settings: Record<string, string> = {},
): ChildProcess {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const node = [process.execPath, ...ownArguments, ...nodeArguments, file];
  const [command = '', ...rest] =
    core === undefined || !canPin ? node : ['taskset', '-c', String(core), ...node];
  // Settings meant for another server must not reach this one.
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('SWITCHYARD_'));
  const child = spawn(command, rest, {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    serialization: 'advanced',
    env: { ...Object.fromEntries(inherited), ...settings },
  });
  running.add(child);
  child.once('close', () => running.delete(child));
  return child;
}

function bounded<Value>(child: ChildProcess, name: string, value: Promise<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${name} took more than ${STEP_MS_MAX} ms`)),
      STEP_MS_MAX,
    );
    const ended = (code: number | null) => reject(new Error(`${name} ended with code ${code}`));
    child.once('close', ended);
    void value.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      child.off('close', ended);
    });
  });
}

function portIn(line: string): number {
  const port = /127\.0\.0\.1:(\d+)/.exec(line)?.[1];
  if (port === undefined) throw new Error(`The server did not say where it listens: ${line}`);
  return Number(port);
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await closed;
  clearTimeout(timer);
}
