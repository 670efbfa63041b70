// Runs in a process of its own, because it looks at the largest memory that it ever had: follows a log from its start
// into every view, or only reads and parses it.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { LogFollower } from '../src/read/log-follower.js';
import { SqliteEventStore } from '../src/store/sqlite.event-store.js';
import { answerOneTask } from './one-task.js';

export interface RebuildTask {
  readonly folder: string;
  readonly work: 'rebuild' | 'read';
}

export interface RebuildResult {
  readonly events: number;
  readonly seconds: number;
  readonly peakMegabytes: number;
}

const WAIT_MS_MAX = 600_000;

answerOneTask(async ({ folder, work }: RebuildTask): Promise<RebuildResult> => {
  const taken = work === 'rebuild' ? await rebuild(folder) : read(folder);
  return { ...taken, peakMegabytes: process.resourceUsage().maxRSS / 1024 };
});

async function rebuild(folder: string) {
  const views = join(folder, 'views.db');
  for (const suffix of ['', '-wal', '-shm']) rmSync(views + suffix, { force: true });
  const store = await SqliteEventStore.open(join(folder, 'events.db'));
  const started = performance.now();
  const follower = await LogFollower.start(store, views);
  const head = await store.head();
  await follower.views.progress.reached(head, WAIT_MS_MAX);
  const seconds = (performance.now() - started) / 1000;
  if (follower.failures.length > 0) throw new Error(follower.failures.join('\n'));
  await follower.close();
  await store.close();
  return { events: Number(head), seconds };
}

function read(folder: string) {
  const database = new Database(join(folder, 'events.db'), { readonly: true });
  database.pragma('cache_size = -32000');
  const rows = database
    .prepare<[], { data: string; meta: string }>(
      'SELECT position, stream, revision, id, type, data, meta FROM events ORDER BY position',
    )
    .iterate();
  const started = performance.now();
  let events = 0;
  for (const { data, meta } of rows) {
    if (typeof JSON.parse(data) !== 'object' || typeof JSON.parse(meta) !== 'object') throw new Error(data);
    events += 1;
  }
  const seconds = (performance.now() - started) / 1000;
  database.close();
  return { events, seconds };
}
