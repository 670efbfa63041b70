// The commands that the rig `faults` tries, and the data that they are tried on: so full a write-ahead log that one
// of them makes SQLite carry it over.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment, Flow, Page } from '../../scripts/client.js';
import { good, Http, type Answer } from '../support/http.js';
import { ADMIN_KEY, ServerProcess } from '../support/server-process.js';

export interface TriedCommand {
  readonly name: string;
  send(http: Http, headers: Record<string, string>): Promise<Answer>;
}

const FLOWS = 12;
/** SQLite carries over a log of a thousand pages of 4 KiB with the next commit. */
const WAL_BYTES = 3_600_000;
const CONTENT = { text: 'x'.repeat(500_000) };
const PAIR = { sourceEnvironment: 'development', targetEnvironment: 'staging' };

export const COMMANDS: readonly TriedCommand[] = [
  {
    name: 'Creating an environment',
    send: (http, headers) => http.post('/environments', { name: 'during' }, headers),
  },
  {
    name: 'Creating a flow that makes the log be carried over',
    send: (http, headers) => http.post('/flows', { name: 'during', content: CONTENT }, headers),
  },
  {
    name: 'Activating',
    send: (http, headers) =>
      http.post('/flows/flow-1/versions/1/environments', { environment: 'production' }, headers),
  },
  {
    name: 'Promoting',
    send: (http, headers) => http.post('/environments/promote', PAIR, headers),
  },
  {
    name: 'Rolling back',
    send: (http, headers) => http.post('/environments/development/rollback', { toRelease: 0 }, headers),
  },
];

/** Fills a folder and kills the server, so that the write-ahead log stays. Answers the state of the data. */
export async function prepare(folder: string): Promise<string> {
  const server = await ServerProcess.start(folder);
  const http = new Http(server.url, ADMIN_KEY);
  for (const name of ['development', 'staging', 'production'])
    await good(http.post('/environments', { name }));
  for (let number = 1; number <= FLOWS; number += 1) {
    await good(http.post('/flows', { name: `flow-${number}`, content: { number } }));
    const path = `/flows/flow-${number}/versions/1/environments`;
    await good(http.post(path, { environment: 'development' }));
  }
  for (let filler = 1; statSync(join(folder, 'events.db-wal')).size < WAL_BYTES; filler += 1) {
    await good(http.post('/flows', { name: `filler-${filler}`, content: CONTENT }));
  }
  const state = await stateOf(http);
  await server.kill('SIGKILL');
  return state;
}

/** What any of the commands changes, as text. */
export async function stateOf(http: Http): Promise<string> {
  const environments = await good(http.get<Page<Environment>>('/environments?limit=500'));
  const flows = await good(http.get<Page<Flow>>('/flows?limit=500'));
  const places = environments.items.map(({ slug, release }) => `${slug} at ${release}`).sort();
  const names = flows.items.map(({ slug, latest }) => `${slug} ${latest}`).sort();
  return [...places, ...names].join(', ');
}
