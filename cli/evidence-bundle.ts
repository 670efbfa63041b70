// Writes an evidence bundle into a folder, from a running server: the events that are missing there, the checkpoints
// over them, the keys, and the manifest that follows from it all. Begun again after a break, or later, it goes on
// where it was.
import {
  closeSync,
  createWriteStream,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Failure } from './exit.js';
import { showProgress } from './progress.js';
import { fetched, type Server } from './server-address.js';
import type { SigningKeysAnswer } from '../src/api/record.dto.js';
import { parseNotes } from '../src/audit/checkpoint.js';
import { verifyEvidence } from '../src/audit/evidence.js';
import { parseLine, readLines } from '../src/audit/evidence-lines.js';
import { EnvironmentFold, manifestOf } from '../src/audit/evidence-state.js';

export interface Exported {
  readonly events: number;
  /** How many of them were fetched by this run. */
  readonly fetched: number;
  readonly origin: string;
  readonly root: string;
}

const LF = 0x0a;
const CHUNK_BYTES = 65_536;

export async function writeBundle(server: Server, directory: string): Promise<Exported> {
  mkdirSync(directory, { recursive: true });
  const checkpoints = await (await fetched(server, '/audit/checkpoints')).text();
  const last = parseNotes(checkpoints)?.at(-1)?.checkpoint;
  if (last === undefined) throw new Failure(`${server.url} answers no checkpoints; is it Switchyard?`);
  const keys = (await (await fetched(server, '/audit/keys')).json()) as SigningKeysAnswer;
  const pubkeys = keys.items.map(({ publicKey }) => `${publicKey}\n`).join('');
  const events = join(directory, 'events.ndjson');
  const before = existsSync(events) ? wholeLines(events) : 0;
  if (before > last.size) throw other(directory);
  await fetchEvents(server, events, before, last.size);
  const { sha256, fold } = readBack(events);
  const files = {
    'checkpoints.txt': hashOf(checkpoints),
    'events.ndjson': sha256,
    'pubkeys.txt': hashOf(pubkeys),
  };
  const manifest = manifestOf({ checkpoint: last, files, environments: fold.states() });
  put(directory, 'checkpoints.txt', checkpoints);
  put(directory, 'pubkeys.txt', pubkeys);
  put(directory, 'manifest.json', manifest);
  const { exitCode, line } = verifyEvidence(directory);
  if (exitCode !== 0)
    throw before > 0 ? other(directory) : new Failure(`The bundle does not verify: ${line}`);
  const root = last.root.toString('base64');
  return { events: last.size, fetched: last.size - before, origin: last.origin, root };
}

function other(directory: string): Failure {
  return new Failure(`${directory} holds events that are not those of this log: export into another folder`);
}

async function fetchEvents(server: Server, path: string, from: number, size: number): Promise<void> {
  if (from === size) return;
  const { body } = await fetched(server, `/audit/evidence?from=${from}&size=${size}`);
  if (body === null) throw new Failure(`${server.url} answers nothing`);
  const progress = showProgress('Fetching');
  let lines = from;
  const counted = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, at + 1)) lines += 1;
      progress.reached(lines / size);
      yield chunk;
    }
  };
  try {
    await pipeline(Readable.fromWeb(body), counted, createWriteStream(path, { flags: 'a' }));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure(
      `Broken off after ${lines} of ${size} events (${reason}). Run the same command again to go on`,
    );
  } finally {
    progress.stop();
  }
}

/** How many lines are whole; what was cut off at the end is taken away. */
function wholeLines(path: string): number {
  const file = openSync(path, 'r');
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    let [lines, end, read] = [0, 0, 0];
    for (let at = 0; (read = readSync(file, chunk, 0, CHUNK_BYTES, at)) > 0; at += read) {
      for (let i = chunk.indexOf(LF); i !== -1 && i < read; i = chunk.indexOf(LF, i + 1)) {
        lines += 1;
        end = at + i + 1;
      }
    }
    if (fstatSync(file).size > end) truncateSync(path, end);
    return lines;
  } finally {
    closeSync(file);
  }
}

function readBack(path: string): { readonly sha256: string; readonly fold: EnvironmentFold } {
  const fold = new EnvironmentFold();
  const file = openSync(path, 'r');
  const bytes = fstatSync(file).size;
  const progress = showProgress('Folding');
  try {
    const onLine = (text: string): void => {
      const { stream, type, data } = parseLine(text)?.event ?? {};
      if (stream !== undefined && type !== undefined && data !== undefined) fold.take(stream, type, data);
    };
    return { ...readLines(file, onLine, (read) => progress.reached(read / bytes)), fold };
  } finally {
    progress.stop();
    closeSync(file);
  }
}

/** Whoever looks finds the old file or the new one, never half of one. */
function put(directory: string, name: string, text: string): void {
  const path = join(directory, name);
  writeFileSync(`${path}.next`, text);
  renameSync(`${path}.next`, path);
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
