// Runs in a process of its own, because it looks at the heap: how fast the views in memory resolve, and what they
// weigh.
import { join } from 'node:path';
import { idInStream, isEnvironmentEvent, streamOf } from '../src/domain/events.js';
import { Recorded } from '../src/domain/recorded.js';
import { LiveViews } from '../src/read/live-views.js';
import { START, type StoredEvent } from '../src/store/event-store.js';
import { SqliteEventStore } from '../src/store/sqlite.event-store.js';
import { ActiveVersions } from '../projections/active-versions.js';
import { answerOneTask } from './one-task.js';
import { slugOf } from './seed.js';
import type { Round } from './table.js';

export interface InProcessTask {
  readonly folder: string;
  readonly flows: number;
}

export interface InProcessResult {
  /** Resolutions per second, one figure per pass. */
  readonly interned: readonly Round[];
  readonly fresh: readonly Round[];
  readonly activeVersions: number;
  readonly bytesIdsAside: number;
  readonly bytesAllIn: number;
}

const PASSES = 5;
const RESOLUTIONS_PER_PASS = 1 << 20;
const ENVIRONMENT = 'production';
const UUID_CHARACTERS = 36;

answerOneTask(measure);

async function measure({ folder, flows }: InProcessTask): Promise<InProcessResult> {
  const store = await SqliteEventStore.open(join(folder, 'events.db'));
  try {
    const weight = await weigh(store);
    const live = new LiveViews();
    for await (const event of eventsOf(store)) live.take(new Recorded(event));
    return { ...speed(live, flows), ...weight };
  } finally {
    await store.close();
  }
}

async function weigh(store: SqliteEventStore) {
  const ids = new Map<string, string>();
  const intern = (_: string, value: unknown): unknown => {
    if (typeof value !== 'string') return value;
    const known = ids.get(value);
    if (known === undefined) ids.set(value, value);
    return known ?? value;
  };
  // Makes the strings, so that filling a view finds them all. It keeps nothing else: a view that is still there when
  // the heap is looked at the first time would hide what the next one takes.
  for await (const { stream, data } of eventsOf(store)) if (isOfEnvironment(stream)) JSON.parse(data, intern);
  const aside = await weighed(() => fill(store, intern));
  ids.clear();
  const allIn = await weighed(() => fill(store));
  const { activeVersions } = aside;
  return {
    activeVersions,
    bytesIdsAside: aside.bytes / activeVersions,
    bytesAllIn: allIn.bytes / allIn.activeVersions,
  };
}

interface Filled {
  readonly view: ActiveVersions;
  readonly activeVersions: number;
}

async function weighed(make: () => Promise<Filled>): Promise<{ bytes: number; activeVersions: number }> {
  const before = await heapInUse();
  const { view, activeVersions } = await make();
  const bytes = (await heapInUse()) - before;
  // A look at the view after the measurement keeps it alive until then.
  if (view.environmentsOf('').length > 0) throw new Error('A flow without an id is active nowhere');
  return { bytes, activeVersions };
}

async function fill(
  store: SqliteEventStore,
  reviver?: (key: string, value: unknown) => unknown,
): Promise<Filled> {
  const view = new ActiveVersions();
  const environments = new Set<string>();
  for await (const stored of eventsOf(store)) {
    if (!isOfEnvironment(stored.stream)) continue;
    const event = { type: stored.type, ...(JSON.parse(stored.data, reviver) as object) } as Recorded['event'];
    const recorded = new Recorded({ ...stored, decided: event });
    if (isEnvironmentEvent(recorded.event)) view.take(recorded.event, recorded);
    environments.add(idInStream(stored.stream));
  }
  const counts = [...environments].map((id) => view.environment(id).state.activeCount);
  return { view, activeVersions: counts.reduce((sum, count) => sum + count, 0) };
}

function isOfEnvironment(stream: string): boolean {
  return stream.startsWith(streamOf('environment', ''));
}

async function heapInUse(): Promise<number> {
  for (let times = 0; times < 3; times += 1) {
    if (globalThis.gc === undefined) throw new Error('Run this with --expose-gc');
    globalThis.gc();
    // Lets go of what the turn of the event loop that is under way still holds.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().heapUsed;
}

function speed(live: LiveViews, flows: number) {
  const { directory, resolution } = live;
  const [project] = directory.projectsOf(directory.workspaceBySlug('default')?.id ?? '');
  if (project === undefined) throw new Error('The log has a project');
  const slugs = Array.from({ length: flows }, (_, number) => slugOf(number));
  const bareSlugs = new Map(slugs.map((slug) => [slug, directory.findFlow(project, slug)?.id ?? '']));
  const bareIds = new Map([...bareSlugs.values()].map((id) => [id, { versionId: id }]));
  const resolved: Look = (slug) => {
    const flow = directory.findFlowNumber(project, slug);
    return flow === undefined ? 0 : resolution.resolve(project, flow, ENVIRONMENT).versionId.length;
  };
  const bare: Look = (slug) => bareIds.get(bareSlugs.get(slug) ?? '')?.versionId.length ?? 0;
  const interned = (): string[] =>
    Array.from({ length: RESOLUTIONS_PER_PASS }, () => slugs[Math.floor(Math.random() * flows)] ?? '');
  // As they come off a socket: equal to the slugs, but strings of their own that were never hashed.
  const fresh = (): string[] => interned().map((slug) => Buffer.from(slug, 'latin1').toString('latin1'));
  const passes = (asked: () => string[]): Round[] =>
    Array.from({ length: PASSES }, () => ({
      measured: perSecond(asked(), resolved),
      limit: perSecond(asked(), bare),
    }));
  passes(interned);
  return { interned: passes(interned), fresh: passes(fresh) };
}

/** The length of the version id that was found. */
type Look = (slug: string) => number;

function perSecond(asked: readonly string[], look: Look): number {
  let found = 0;
  const started = performance.now();
  for (const slug of asked) found += look(slug);
  const seconds = (performance.now() - started) / 1000;
  if (found !== asked.length * UUID_CHARACTERS)
    throw new Error('Every flow resolves to a version with a UUID');
  return asked.length / seconds;
}

async function* eventsOf(store: SqliteEventStore): AsyncGenerator<StoredEvent> {
  let after = START;
  for (;;) {
    const page = await store.readAll({ after });
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.position;
  }
}
