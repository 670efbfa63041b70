// A server that ends without warning, again and again, while clients send it commands of all kinds: whatever it had
// acknowledged is there after the next start, and of the rest each command is there as a whole or not at all.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'better-sqlite3';
import type { Environment, Page, Project, Release, Version } from '../../scripts/client.js';
import type { ActiveAnswer } from '../../src/api/answers.js';
import { CrashLoad, eachOf, PLACES, type Known, type Place } from './crash-load.js';
import { EnvironmentModel } from './environment-model.js';
import { good, Http } from './http.js';
import { Random } from './random.js';
import { ADMIN_KEY, ServerProcess, temporaryFolder } from './server-process.js';

export const FLOWS = 300;

export interface Crashes {
  readonly seed: number;
  readonly count: number;
  /** By `performance.now()`: no other crash is begun after it. */
  readonly until?: number;
  /** Settings of the server, and what else its process is given. */
  environment?(folder: string): Record<string, string>;
  /** After each kill, before the next start. */
  afterKill?(random: Random): void;
}

export interface Crashed {
  readonly kills: number;
  /** Kills of a server that was still starting. */
  readonly killedStarting: number;
  /** Commands that were acknowledged, and clients that a kill kept waiting. */
  readonly acknowledged: number;
  readonly unanswered: number;
  readonly releases: number;
  /** Those of several flows at once. */
  readonly promotions: number;
  readonly faults: readonly string[];
}

/** Ends at the first crash that something is wrong after. */
export async function crash(crashes: Crashes): Promise<Crashed> {
  const folder = temporaryFolder();
  const rig = new CrashRig(crashes, folder.path);
  try {
    await rig.run();
  } catch (error) {
    rig.faults.push(String(error));
  } finally {
    await rig.end();
    folder.remove();
  }
  return rig.crashed;
}

class CrashRig {
  private readonly random: Random;
  private readonly load: CrashLoad;
  private readonly models = new Map(PLACES.map((place) => [place, new EnvironmentModel()]));
  readonly faults: string[];
  private readonly made = { releases: 0, promotions: 0, kills: 0, killedStarting: 0 };
  private server: ServerProcess | undefined;

  constructor(
    private readonly crashes: Crashes,
    private readonly folder: string,
  ) {
    this.random = new Random(crashes.seed);
    this.load = new CrashLoad(
      this.random,
      () => this.http,
      (place) => this.modelOf(place).release,
    );
    this.faults = this.load.faults;
  }

  async run(): Promise<void> {
    await this.setUp();
    const { count, until = Infinity } = this.crashes;
    while (this.made.kills < count && performance.now() < until && this.faults.length === 0) {
      await this.crashAndCheck();
    }
    await eachOf([...this.load.known.values()], (one) => this.checkVersion(one));
    await this.checkInTheEnd();
  }

  get crashed(): Crashed {
    const { answered: acknowledged, unanswered } = this.load.counts;
    return { ...this.made, acknowledged, unanswered, faults: this.faults };
  }

  async end(): Promise<void> {
    await this.server?.kill('SIGKILL');
  }

  private get http(): Http {
    return new Http(this.server?.url ?? '', ADMIN_KEY);
  }

  private async setUp(): Promise<void> {
    await this.start({});
    for (const name of PLACES) await good(this.http.post('/environments', { name }));
    const numbers = Array.from({ length: FLOWS }, (_, number) => number);
    await eachOf(numbers, (number) => this.load.createFlow({ number }));
    await eachOf([...this.load.known.values()], (one) => this.load.activate(one, 'development'));
  }

  private async crashAndCheck(): Promise<void> {
    const before = this.load.known.size;
    await this.load.untilKilled(async () => this.server?.kill('SIGKILL'));
    this.crashes.afterKill?.(this.random);
    this.made.kills += 1;
    await this.startWithAccidents();
    await this.checkReleases();
    for (const place of PLACES) await this.checkActive(place);
    // Those of this round; the others are looked at once more in the end.
    await eachOf([...this.load.known.values()].slice(before), (one) => this.checkVersion(one));
  }

  private async start(settings: Record<string, string | undefined>): Promise<void> {
    const own = { ...this.crashes.environment?.(this.folder), ...settings };
    this.server = await ServerProcess.start(this.folder, own);
  }

  /** A start may be killed as well, at any moment of it. */
  private async startWithAccidents(): Promise<void> {
    const { random, crashes, folder } = this;
    while (random.next() < 0.15) {
      const own = { SWITCHYARD_DATA: folder, SWITCHYARD_LOG_LEVEL: 'silent' };
      const unlucky = ServerProcess.spawn({ ...crashes.environment?.(folder), ...own });
      await pause(random.next() * 1_000);
      await unlucky.kill('SIGKILL');
      crashes.afterKill?.(random);
      this.made.killedStarting += 1;
    }
    if (random.next() < 0.1) rmSync(join(folder, 'views.db'), { force: true });
    // The key that was set at the first start has to do for all others.
    await this.start({ SWITCHYARD_ADMIN_KEY: undefined });
    if (this.server?.stdout.includes('administrator key')) this.faults.push('A new key was made');
  }

  /** Releases that this rig has not seen yet: each has to follow from the ones before, and be as acknowledged. */
  private async checkReleases(): Promise<void> {
    const { acknowledged } = this.load;
    const fresh = (await Promise.all(PLACES.map((place) => this.newReleases(place)))).flat();
    // A promotion rests on a release of its source, which was made before it.
    fresh.sort((a, b) => Number(a.position) - Number(b.position));
    for (const release of fresh) {
      const sourceOf = ({ source }: Release) =>
        this.modelOf(source?.environment as Place).versions(source?.release ?? 0);
      this.faults.push(...this.modelOf(release.environment as Place).take(release, sourceOf));
      this.made.releases += 1;
      if (release.kind === 'promotion' && release.changes.length > 1) this.made.promotions += 1;
      const name = `${release.environment} ${release.number}`;
      const told = acknowledged.get(name);
      if (told !== undefined && JSON.stringify(told) !== JSON.stringify(release)) {
        this.faults.push(`${name} is not what was acknowledged`);
      }
      acknowledged.delete(name);
    }
    for (const lost of acknowledged.keys()) this.faults.push(`${lost} was acknowledged, and is lost`);
    acknowledged.clear();
  }

  private async newReleases(place: Place): Promise<Release[]> {
    const seen = this.modelOf(place).release;
    const found: Release[] = [];
    for (let cursor = ''; ;) {
      const path = `/environments/${place}/releases?limit=50${cursor}`;
      const page = await good(this.http.get<Page<Release>>(path));
      found.push(...page.items.filter(({ number }) => number > seen));
      if (page.nextCursor === null || (page.items.at(-1)?.number ?? 0) <= seen) return found;
      cursor = `&cursor=${page.nextCursor}`;
    }
  }

  private async checkActive(place: Place): Promise<void> {
    const { http, faults } = this;
    const model = this.modelOf(place);
    const { items, release } = await good(http.get<ActiveAnswer>(`/environments/${place}/active`));
    const { activeCount } = await good(http.get<Environment>(`/environments/${place}`));
    const active = items.map(({ flowId, versionId }) => `${flowId} ${versionId}`).sort();
    if (release !== model.release) faults.push(`${place} is at release ${release}, not ${model.release}`);
    if (active.join() !== model.active().join()) faults.push(`${place} is not what its releases made of it`);
    if (activeCount !== active.length) faults.push(`${place} counts ${activeCount} of ${active.length}`);
  }

  private async checkVersion({ flow, version, contents, locked }: Known): Promise<void> {
    const { faults } = this;
    const { status, body, text } = await this.http.get<Version>(`/flows/${flow}/versions/${version}`);
    if (status !== 200) return void faults.push(`Version ${version} was acknowledged, and now: ${text}`);
    if (!contents.includes(JSON.stringify(body.content)))
      faults.push(`${version} holds ${text}, not ${contents.join()}`);
    if (locked && body.state !== 'locked') faults.push(`${version} was activated and is not locked`);
  }

  private async checkInTheEnd(): Promise<void> {
    const { http, faults } = this;
    const { items } = await good(http.get<Page<Project>>('/projects'));
    if (items.map(({ slug }) => slug).join() !== 'default') faults.push(`${items.length} projects are there`);
    const { status, text } = await http.send('GET', '/health/ready');
    if (status !== 200) faults.push(`The server is not ready in the end: ${text}`);
    const stopped = await this.server?.kill('SIGTERM');
    if (stopped?.code !== 0) faults.push(`The server ended with ${stopped?.code}: ${stopped?.stderr}`);
    faults.push(...faultsOfLog(this.folder));
  }

  private modelOf(place: Place): EnvironmentModel {
    const model = this.models.get(place);
    if (model === undefined) throw new Error(`There is no ${place}`);
    return model;
  }
}

/** The log itself: no position and no revision is missing or there twice. */
export function faultsOfLog(folder: string): string[] {
  const log = new Database(join(folder, 'events.db'), { readonly: true });
  const gaps = log
    .prepare<[], string>(
      'SELECT stream FROM events GROUP BY stream HAVING count(*) <> max(revision) + 1 OR min(revision) <> 0',
    )
    .pluck()
    .all();
  const counted = log.prepare<[], [number, number]>('SELECT count(*), max(position) FROM events').raw();
  const [events, head] = counted.get() ?? [0, 0];
  const check = String(log.pragma('integrity_check(1)', { simple: true }));
  log.close();
  return [
    ...gaps.map((stream) => `The log has a gap in ${stream}`),
    ...(events === head ? [] : [`The log has ${events} events and ends at ${head}`]),
    ...(check === 'ok' ? [] : [`The log is damaged: ${check}`]),
  ];
}
