// A server whose log gets random histories, each asked about at every position and at times between, and judged by a
// plain model. A process of its own: it is given a store and a number of histories, and prints what it found.
import { rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { pino } from 'pino';
import type { ViewsAnswer } from '../../src/api/answers.js';
import { readConfig, type Config } from '../../src/config.js';
import { isEnvironmentEvent, type DomainEvent } from '../../src/domain/events.js';
import { Engine } from '../../src/engine.js';
import { serve, type Server } from '../../src/server.js';
import { FLOWS, PastHistory, SLUGS } from './past-history.js';
import { PastModel, type LogEvent, type Told } from './past-model.js';
import { Random, seed } from './random.js';
import { ADMIN_KEY, temporaryFolder } from './server-process.js';
import { until } from './spec.js';

const STEPS = 30;
const FAULTS_SHOWN = 5;
const STATES_ASKED = 12;
const REBUILD_MS_MAX = 60_000;

export interface Found {
  readonly asked: number;
  /** How many answers were asked for again, later and of rows that were made anew. */
  readonly askedAgain: number;
  /** What was answered wrongly or not as before; the first few. */
  readonly faults: readonly string[];
}

interface Kept {
  readonly path: string;
  readonly text: string;
}

/** A server in this process, with histories on its log. */
class Travels {
  readonly faults: string[] = [];
  /** Answers as they were given first. */
  readonly kept: Kept[] = [];
  asked = 0;
  private readonly clock = { nowMs: Date.now() + 60_000 };
  /** Of the whole log: each position with the latest time up to it. */
  private readonly log: { readonly position: bigint; readonly momentMs: number }[] = [];
  private readonly random = new Random(seed);
  private readonly agent = new Agent({ keepAlive: true });
  private server: Server | undefined;
  private engine: Engine | undefined;

  constructor(private readonly config: Config) {}

  async start(): Promise<void> {
    this.engine = await Engine.open(this.config);
    this.server = await serve(this.engine, this.config, pino({ level: 'silent' }));
  }

  async stop(): Promise<void> {
    this.agent.destroy();
    await this.server?.close();
    await this.engine?.close();
  }

  async run(number: number): Promise<void> {
    const { engine } = this;
    if (engine === undefined) throw new Error('The server is started first');
    const workspace = engine.follower.live.directory.workspaceBySlug('default')?.id ?? '';
    const slug = `project-${number}`;
    const history = await PastHistory.begin(engine.store, workspace, slug, this.random, this.clock);
    let noted = 0;
    for (let step = 0; step < STEPS; step += 1) {
      await history.step();
      for (const event of history.events.slice(noted)) this.note(event);
      noted = history.events.length;
      await this.keepAnswer(history);
    }
    const before = history.events[0]?.position ?? 1n;
    for (const position of [before - 1n, ...history.events.map((event) => event.position)]) {
      await this.askAll(history, position, String(position));
    }
    for (const event of history.events.filter(() => this.random.below(4) === 0)) {
      await this.askAtTimeOf(history, event);
    }
    for (let turn = 0; turn < STATES_ASKED; turn += 1) await this.askStates(history);
  }

  /** Everything that was answered once is answered again in the same bytes. */
  async askAgain(): Promise<void> {
    for (const { path, text } of this.kept) {
      const again = await this.get(path);
      if (again.text !== text) this.faults.push(`${path} was ${text} and is ${again.text}`);
    }
  }

  /** The rows that were followed are those that the whole log makes. */
  async rebuild(): Promise<void> {
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    await fetch(`${this.server?.url}/api/v1/views/rebuild`, { method: 'POST', headers });
    await until(async () => !(await this.views()).isRebuilding, REBUILD_MS_MAX);
    const { lastRebuild, rebuildFailure } = await this.views();
    if (lastRebuild?.equal !== true) this.faults.push(`Rows made anew differ: ${rebuildFailure ?? ''}`);
  }

  private async views(): Promise<ViewsAnswer> {
    return JSON.parse((await this.get('/views')).text) as ViewsAnswer;
  }

  private note({ position, timeMs }: LogEvent): void {
    this.log.push({ position, momentMs: Math.max(timeMs, this.log.at(-1)?.momentMs ?? 0) });
  }

  private async keepAnswer({ slug, events }: PastHistory): Promise<void> {
    const at = events.at(-1)?.position ?? 0n;
    const [flow, environment] = [this.random.pick(FLOWS), this.random.pick(SLUGS)];
    const paths = [
      `/flows/${flow}/resolve?at=${at}`,
      `/flows/${flow}?at=${at}`,
      `/environments/${environment}/active?at=${at}`,
      `/diff?from=${environment}@${at}&to=${this.random.pick(SLUGS)}@${at}`,
    ];
    const path = `/projects/${slug}${this.random.pick(paths)}`;
    const { status, caching, text } = await this.get(path);
    // A problem carries the id of its request.
    if (status !== 200) return;
    if (!caching.includes('immutable')) this.faults.push(`${path} may be kept: ${caching}`);
    this.kept.push({ path, text });
  }

  /** All questions about one moment, as `at` names it. */
  private async askAll(history: PastHistory, position: bigint, at: string, isSettled = true): Promise<void> {
    const model = new PastModel(history.events, position);
    const [source, target] = [this.random.pick(SLUGS), this.random.pick(SLUGS)];
    const all = this.random.below(2) === 0;
    const pair = `sourceEnvironment=${source}&targetEnvironment=${target}&includeUnchanged=${all}`;
    const questions: [string, () => unknown][] = [
      ['', () => model.projectAnswer()],
      ['/environments/default', () => model.defaultAnswer()],
      [`/environments/diff?${pair}`, () => model.diffAnswer(source, target, all)],
      ...SLUGS.flatMap((slug): [string, () => unknown][] => [
        [`/environments/${slug}`, () => model.environmentAnswer(slug)],
        [`/environments/${slug}/active`, () => model.activeAnswer(slug)],
      ]),
      ...FLOWS.flatMap((flow): [string, () => unknown][] => {
        const number = String(1 + this.random.below(4));
        const path = `/flows/${flow}/resolve`;
        return [
          [`/flows/${flow}`, () => model.flowAnswer(flow)],
          [path, () => model.resolveAnswer(flow, undefined, undefined)],
          [`${path}?environment=${source}`, () => model.resolveAnswer(flow, source, undefined)],
          [`${path}?version=${number}`, () => model.resolveAnswer(flow, undefined, number)],
        ];
      }),
    ];
    const asking = questions.map(([path, expected]) =>
      this.ask(
        history,
        `${path}${path.includes('?') ? '&' : '?'}at=${at}`,
        PastModel.told(expected),
        isSettled,
      ),
    );
    await Promise.all(asking);
  }

  /** At the time of an event and between it and the next one, written in some time zone. */
  private async askAtTimeOf(history: PastHistory, { position }: LogEvent): Promise<void> {
    const { momentMs = 0 } = this.log.find((one) => one.position === position) ?? {};
    const newestMs = this.log.at(-1)?.momentMs ?? 0;
    const timeMs = Math.min(momentMs + this.random.below(900), newestMs);
    const last = this.log.findLast((one) => one.momentMs <= timeMs)?.position ?? 0n;
    const zone = this.random.pick(['Z', '+02:00', '-09:30']);
    const offsetMs = { Z: 0, '+02:00': 7_200_000, '-09:30': -34_200_000 }[zone] ?? 0;
    const local = new Date(timeMs + offsetMs).toISOString().replace('Z', zone);
    await this.askAll(history, last, this.random.pick([local, encodeURIComponent(local)]), timeMs < newestMs);
  }

  private async askStates(history: PastHistory): Promise<void> {
    const [from, to] = [this.anyState(history), this.anyState(history)];
    const all = this.random.below(2) === 0;
    const path = `/diff?from=${from.name}&to=${to.name}&includeUnchanged=${all}`;
    const told = PastModel.told(() => {
      const [fromId, fromModel] = from.find();
      const [toId, toModel] = to.find();
      return fromModel.statesAnswer(fromId, toModel, toId, all);
    });
    await this.ask(history, path, told, from.isSettled && to.isSettled);
  }

  /** Some environment now, at a position or after a release, and how the model finds it. */
  private anyState({ events }: PastHistory) {
    const slug = this.random.pick(SLUGS);
    const newest = this.log.at(-1)?.position ?? 0n;
    const now = new PastModel(events, newest);
    const found = PastModel.told(() => now.environment(slug));
    const at = this.random.pick(events).position;
    const asOf = (position: bigint) => (): [string, PastModel] => {
      const model = new PastModel(events, position);
      return [model.environment(slug).id, model];
    };
    if (found.status !== 200 || this.random.below(3) === 0) {
      return { name: `${slug}@${at}`, find: asOf(at), isSettled: true };
    }
    if (this.random.below(3) === 0) return { name: slug, find: asOf(newest), isSettled: false };
    const { id } = found.body as { id: string };
    // Release 0 came with the environment.
    const made = events.filter(({ stream, event }) =>
      event.type === 'EnvironmentCreated'
        ? event.environmentId === id
        : stream === `environment-${id}` && isComplete(event),
    );
    const release = this.random.below(made.length);
    const find = (): [string, PastModel] => [id, new PastModel(events, made[release]?.position ?? 0n)];
    // By its slug it may be another environment some day.
    const named = this.random.pick([slug, id]);
    return { name: `${named}@r${release}`, find, isSettled: named === id };
  }

  private async ask({ slug }: PastHistory, path: string, told: Told, isSettled: boolean): Promise<void> {
    const asked = `/projects/${slug}${path}`;
    const { status, caching, text } = await this.get(asked);
    const body = JSON.parse(text) as { readonly code?: string };
    const said = status === 200 ? body : body.code;
    this.asked += 1;
    // What may be kept for a year has to stay as it is.
    if (status === 200 && caching.includes('immutable') !== isSettled)
      this.faults.push(`${asked}: ${caching}`);
    if (caching.includes('immutable') && this.random.below(20) === 0) this.kept.push({ path: asked, text });
    if (status === told.status && isDeepStrictEqual(said, told.body) && sameOrder(said, told.body)) return;
    this.faults.push(`${asked} answered ${text}, not ${JSON.stringify(told)}`);
  }

  /** Over connections that stay open, because there are many questions. */
  private get(path: string): Promise<{ status: number; caching: string; text: string }> {
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    return new Promise((resolve, reject) => {
      const sent = get(`${this.server?.url}/api/v1${path}`, { agent: this.agent, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => {
          const caching = response.headers['cache-control'] ?? '';
          resolve({ status: response.statusCode ?? 0, caching, text });
        });
      });
      sent.on('error', reject);
    });
  }
}

function isComplete(event: DomainEvent): boolean {
  return isEnvironmentEvent(event) && (event.part === undefined || event.part.number === event.part.of);
}

/** A deep comparison does not look at the order of environments, which says where a flow became active first. */
function sameOrder(one: unknown, other: unknown): boolean {
  const orderOf = (body: unknown) => JSON.stringify((body as { activeVersions?: object }).activeVersions);
  return orderOf(one) === orderOf(other);
}

const [, , store = 'sqlite:', count = '1'] = process.argv;
const folder = temporaryFolder();
const travels = new Travels(
  readConfig({
    PORT: '0',
    SWITCHYARD_DATA: folder.path,
    SWITCHYARD_ADMIN_KEY: ADMIN_KEY,
    SWITCHYARD_EVENT_STORE: store,
    SWITCHYARD_LOG_LEVEL: 'silent',
  }),
);
try {
  await travels.start();
  for (let number = 1; number <= Number(count); number += 1) await travels.run(number);
  await travels.askAgain();
  await travels.rebuild();
  await travels.askAgain();
  await travels.stop();
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(folder.path, `views.db${suffix}`), { force: true });
  await travels.start();
  await travels.askAgain();
  await travels.stop();
} finally {
  folder.remove();
}
const { asked, kept, faults } = travels;
const found: Found = { asked, askedAgain: kept.length, faults: faults.slice(0, FAULTS_SHOWN) };
process.stdout.write(JSON.stringify(found), () => process.exit());
