// A server that ends without warning, again and again, while clients send it commands of all kinds: whatever it had
// acknowledged is there after the next start, and of the rest each command is there as a whole or not at all.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'better-sqlite3';
import type { Changed, Environment, Flow, Page, Project, Release, Version } from '../../scripts/client.js';
import type { ActiveAnswer } from '../../src/api/answers.js';
import { EnvironmentModel } from './environment-model.js';
import { good, Http, type Answer } from './http.js';
import { Random, seed } from './random.js';
import { ADMIN_KEY, ServerProcess, temporaryFolder } from './server-process.js';

const CLIENTS = 6;
const FLOWS = 300;
const LOAD_MS_MAX = 500;
/** Promotions lead from each to the next, so that one of them rests on a state that moves. */
const PLACES = ['development', 'staging', 'production'] as const;
type Place = (typeof PLACES)[number];

/** A version that somebody was told of. What it holds now may be what was sent last, answered or not. */
interface Known {
  readonly flow: string;
  readonly version: string;
  readonly contents: string[];
  locked: boolean;
}

export interface Crashes {
  readonly count: number;
  readonly what: string;
  /** Settings of the server, and what else its process is given. */
  environment?(folder: string): Record<string, string>;
  /** After each kill, before the next start. */
  afterKill?(random: Random): void;
}

let crashes: Crashes;
const random = new Random(seed);
const folder = temporaryFolder();
const models = new Map(PLACES.map((place) => [place, new EnvironmentModel()]));
const acknowledged = new Map<string, Release>();
const known = new Map<string, Known>();
const faults: string[] = [];
const made = { releases: 0, promotions: 0, kills: 0, cutShort: 0, unanswered: 0 };
let flowsMade = 0;
let server: ServerProcess;
let http: Http;

async function start(settings: Record<string, string | undefined>): Promise<void> {
  server = await ServerProcess.start(folder.path, { ...crashes.environment?.(folder.path), ...settings });
  http = new Http(server.url, ADMIN_KEY);
}

async function eachOf<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: CLIENTS }, worker));
}

async function createFlow(content: object): Promise<Known> {
  const name = `flow-${(flowsMade += 1)}`;
  const { id, latestVersionId } = await good(http.post<Flow>('/flows', { name, content }));
  const one = {
    flow: id,
    version: latestVersionId ?? '',
    contents: [JSON.stringify(content)],
    locked: false,
  };
  known.set(one.version, one);
  return one;
}

async function editDraft(one: Known): Promise<void> {
  const content = { edited: random.next() };
  one.contents.push(JSON.stringify(content));
  const { status, text } = await http.patch(`/flows/${one.flow}/versions/${one.version}`, { content });
  // Another client may have activated it in the meantime.
  if (status === 409) one.contents.pop();
  else if (status === 200) one.contents.splice(0, one.contents.length - 1);
  else throw new Error(`Status ${status}: ${text}`);
}

async function draft({ flow }: Known): Promise<void> {
  const content = { drafted: random.next() };
  const { id } = await good(http.post<Version>(`/flows/${flow}/versions`, { content }));
  known.set(id, { flow, version: id, contents: [JSON.stringify(content)], locked: false });
}

async function activate(one: Known, environment: Place): Promise<void> {
  const path = `/flows/${one.flow}/versions/${one.version}/environments`;
  keep(await good(http.post<Changed>(path, { environment })));
  one.locked = true;
}

function keep({ changed, release }: Changed): void {
  if (!changed || release === null) return;
  const place = `${release.environment} ${release.number}`;
  if (acknowledged.has(place)) faults.push(`${place} was acknowledged twice`);
  acknowledged.set(place, release);
}

/** An answer that is a refusal by the rules is as good as any. */
async function keepUnlessRefused(pending: Promise<Answer<Changed>>): Promise<void> {
  const answer = await pending;
  if (answer.status === 200) keep(answer.body);
  else if (answer.status !== 409) throw new Error(`Status ${answer.status}: ${answer.text}`);
}

async function anyCommand(): Promise<void> {
  const one = random.pick([...known.values()]);
  const step = random.below(2);
  const [source, target] = [PLACES[step] ?? PLACES[0], PLACES[step + 1] ?? PLACES[1]];
  switch (random.below(8)) {
    case 0:
      return activate(await createFlow({ number: random.next() }), random.pick(PLACES));
    case 1: {
      const fresh = await createFlow({ number: random.next() });
      await editDraft(fresh);
      return editDraft(fresh);
    }
    case 2:
      return draft(one);
    case 3:
      return activate(one, random.pick(PLACES));
    case 4:
      return keepUnlessRefused(http.delete(`/flows/${one.flow}/environments/${random.pick(PLACES)}`));
    case 5: {
      const pair = { sourceEnvironment: source, targetEnvironment: target };
      return keepUnlessRefused(http.post('/environments/promote', pair));
    }
    case 6:
      return keepUnlessRefused(http.post(`/environments/${target}/rollback`, {}));
    default: {
      // To the empty environment, or to any release: hundreds of changes, more often than not.
      const toRelease = random.below((models.get(target)?.release ?? 0) + 1);
      return keepUnlessRefused(http.post(`/environments/${target}/rollback`, { toRelease }));
    }
  }
}

/** Clients that go on until the server is gone; only then an error is what was to be expected. */
async function loadUntilKilled(): Promise<void> {
  let killed = false;
  const client = async (): Promise<void> => {
    while (!killed) {
      try {
        await anyCommand();
      } catch (error) {
        if (!killed) faults.push(`Before the kill: ${String(error)}`);
        made.unanswered += 1;
        return;
      }
    }
  };
  const clients = Array.from({ length: CLIENTS }, client);
  await pause(20 + random.next() * LOAD_MS_MAX);
  killed = true;
  await server.kill('SIGKILL');
  await Promise.all(clients);
  crashes.afterKill?.(random);
  made.kills += 1;
}

/** A start may be killed as well, at any moment of it. */
async function startWithAccidents(): Promise<void> {
  while (random.next() < 0.15) {
    const own = { SWITCHYARD_DATA: folder.path, SWITCHYARD_LOG_LEVEL: 'silent' };
    const settings = { ...crashes.environment?.(folder.path), ...own };
    const unlucky = ServerProcess.spawn(settings);
    await pause(random.next() * 1_000);
    await unlucky.kill('SIGKILL');
    crashes.afterKill?.(random);
    made.cutShort += 1;
  }
  if (random.next() < 0.1) rmSync(join(folder.path, 'views.db'), { force: true });
  // The key that was set at the first start has to do for all others.
  await start({ SWITCHYARD_ADMIN_KEY: undefined });
  if (server.stdout.includes('administrator key')) faults.push('A new key was made');
}

/** Releases that this test has not seen yet: each has to follow from the ones before, and be as acknowledged. */
async function checkReleases(): Promise<void> {
  const fresh = (await Promise.all(PLACES.map(newReleases))).flat();
  // A promotion rests on a release of its source, which was made before it.
  fresh.sort((a, b) => Number(a.position) - Number(b.position));
  for (const release of fresh) {
    const place = release.environment as Place;
    const sourceOf = ({ source }: Release) =>
      modelOf(source?.environment as Place).versions(source?.release ?? 0);
    faults.push(...modelOf(place).take(release, sourceOf));
    made.releases += 1;
    if (release.kind === 'promotion' && release.changes.length > 1) made.promotions += 1;
    const told = acknowledged.get(`${place} ${release.number}`);
    if (told !== undefined && JSON.stringify(told) !== JSON.stringify(release)) {
      faults.push(`${place} ${release.number} is not what was acknowledged`);
    }
    acknowledged.delete(`${place} ${release.number}`);
  }
  for (const lost of acknowledged.keys()) faults.push(`${lost} was acknowledged, and is lost`);
  acknowledged.clear();
}

async function newReleases(place: Place): Promise<Release[]> {
  const seen = modelOf(place).release;
  const found: Release[] = [];
  for (let cursor = ''; ;) {
    const page = await good(http.get<Page<Release>>(`/environments/${place}/releases?limit=50${cursor}`));
    found.push(...page.items.filter(({ number }) => number > seen));
    if (page.nextCursor === null || (page.items.at(-1)?.number ?? 0) <= seen) return found;
    cursor = `&cursor=${page.nextCursor}`;
  }
}

async function checkActive(place: Place): Promise<void> {
  const model = modelOf(place);
  const { items, release } = await good(http.get<ActiveAnswer>(`/environments/${place}/active`));
  const { activeCount } = await good(http.get<Environment>(`/environments/${place}`));
  const active = items.map(({ flowId, versionId }) => `${flowId} ${versionId}`).sort();
  if (release !== model.release) faults.push(`${place} is at release ${release}, not ${model.release}`);
  if (active.join() !== model.active().join()) faults.push(`${place} is not what its releases made of it`);
  if (activeCount !== active.length) faults.push(`${place} counts ${activeCount} of ${active.length}`);
}

async function checkVersion({ flow, version, contents, locked }: Known): Promise<void> {
  const { status, body, text } = await http.get<Version>(`/flows/${flow}/versions/${version}`);
  if (status !== 200) return void faults.push(`Version ${version} was acknowledged, and now: ${text}`);
  if (!contents.includes(JSON.stringify(body.content)))
    faults.push(`${version} holds ${text}, not ${contents.join()}`);
  if (locked && body.state !== 'locked') faults.push(`${version} was activated and is not locked`);
}

function modelOf(place: Place): EnvironmentModel {
  const model = models.get(place);
  if (model === undefined) throw new Error(`There is no ${place}`);
  return model;
}

/** The log itself: no position and no revision is missing or there twice. */
function checkLog(): void {
  const log = new Database(join(folder.path, 'events.db'), { readonly: true });
  const gaps = log
    .prepare(
      'SELECT stream FROM events GROUP BY stream HAVING count(*) <> max(revision) + 1 OR min(revision) <> 0',
    )
    .all();
  const [events, head] = log.prepare('SELECT count(*), max(position) FROM events').raw().get() as [
    number,
    number,
  ];
  log.close();
  expect({ gaps, events }).toEqual({ gaps: [], events: head });
}

async function setUp(): Promise<void> {
  await start({});
  for (const name of PLACES) await good(http.post('/environments', { name }));
  const numbers = Array.from({ length: FLOWS }, (_, number) => number);
  await eachOf(numbers, async (number) => {
    await createFlow({ number });
  });
  await eachOf([...known.values()], (one) => activate(one, 'development'));
}

async function crashAndCheck(): Promise<void> {
  for (let crash = 0; crash < crashes.count && faults.length === 0; crash += 1) {
    const before = known.size;
    await loadUntilKilled();
    await startWithAccidents();
    await checkReleases();
    for (const place of PLACES) await checkActive(place);
    // Those of this round; the others are looked at once more in the end.
    await eachOf([...known.values()].slice(before), checkVersion);
  }
  await eachOf([...known.values()], checkVersion);
}

/** Defines the test. Called once in a file. */
export function losesNothing(planned: Crashes): void {
  crashes = planned;
  const { count, what } = planned;
  afterAll(async () => {
    await server.kill('SIGKILL');
    folder.remove();
  });

  it(`Nothing acknowledged is lost in ${count} ${what}, and nothing is half there (seed ${seed})`, async () => {
    await setUp();
    await crashAndCheck();
    const projects = await good(http.get<Page<Project>>('/projects'));
    expect(projects.items).toMatchObject([{ slug: 'default' }]);
    expect(await good(http.send('GET', '/health/ready'))).toMatchObject({ status: 'ready', failures: [] });
    expect((await server.kill('SIGTERM')).code).toBe(0);
    checkLog();
    expect(faults).toEqual([]);
    expect(made.kills).toBe(count);
    expect(made.releases).toBeGreaterThan(FLOWS + count);
    expect(made.promotions).toBeGreaterThan(0);
    expect(made.unanswered).toBeGreaterThan(0);
  }, 600_000);
}
