// Starts a Switchyard server as a process of its own, on any free port and with a data folder that is thrown away,
// for those who want to see or test the real thing from outside.
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface OwnServer {
  readonly url: string;
  /** The admin key. */
  readonly key: string;
  /** Stops the process and deletes its data; calling it again is harmless. */
  stop(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url));
const START_MS_MAX = 30_000;
const STOP_MS_MAX = 10_000;

export async function startOwnServer(): Promise<OwnServer> {
  const folder = await mkdtemp(join(tmpdir(), 'switchyard-'));
  const key = randomBytes(32).toString('base64url');
  // Settings meant for another server must not reach this one.
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('SWITCHYARD_'));
  const child = spawn(process.execPath, ['--enable-source-maps', MAIN], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...Object.fromEntries(inherited),
      PORT: '0',
      HOST: '127.0.0.1',
      SWITCHYARD_DATA: folder,
      SWITCHYARD_ADMIN_KEY: key,
    },
  });
  const stop = async () => {
    await stopped(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    return { url: await addressOf(child), key, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The first address that the server prints is where it listens. */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    const fail = (reason: string) => reject(new Error(`The server ${reason}:\n${output.trim()}`));
    const timer = setTimeout(() => fail(`did not start within ${START_MS_MAX / 1000} s`), START_MS_MAX);
    const read = (chunk: Buffer) => {
      output += chunk.toString();
      const address = /https?:\/\/[^\s"'\/]+(?=[\s"'\/])/.exec(output)?.[0];
      if (address === undefined) return;
      clearTimeout(timer);
      // From now on the output is read and dropped: a full pipe would stop the server.
      child.stdout?.off('data', read).resume();
      resolve(address);
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-10_000)));
    child.once('error', (error) => fail(`could not be started: ${error.message}`));
    child.once('close', (code) => {
      clearTimeout(timer);
      fail(`stopped with exit code ${code ?? 'unknown'}`);
    });
  });
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await closed;
  clearTimeout(timer);
}
