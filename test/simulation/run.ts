// One seed: a log, one to three servers, a few clients and whatever befalls them; then everything heals, what was left
// unknown is settled, and all that anybody was told or shown is held against the model.
import type { StoredEvent } from '../../src/store/event-store.js';
import { Random } from '../support/random.js';
import { Client } from './client.js';
import { isSame } from './facts.js';
import { Fate } from './fate.js';
import { History, told, type Attempt, type Question } from './history.js';
import { judge } from './judge.js';
import { SimulatedLog } from './log.js';
import { Server, type Planting } from './server.js';
import { shownByServer } from './shown-by-server.js';
import { shownByWorld } from './shown-by-world.js';
import { SimulatedTime } from './time.js';
import { Fault, Timeline } from './timeline.js';
import { Wishes } from './wishes.js';
import type { World } from './world.js';

const HAPPENINGS_MAX = 100_000;
const CLIENTS_MAX = 4;
const TURNS_MIN = 6;
const TURNS_MAX = 20;
const SETTLED_MS = 60_000;
const CLOCKS_CHANGE_MS = 400;
const CLOCK_ERRORS_MS = [0, 0, 1_000, -60_000, 3_600_000];

export interface Outcome {
  /** In words; undefined while all is well. */
  readonly fault: string | undefined;
  /** Commands and looks. */
  readonly operations: number;
  readonly crashes: number;
  /** What was asked and what came of it, in two words each: for whoever wonders what a run has seen. */
  readonly met: readonly string[];
  /** What happened, line by line. */
  tell(): string[];
}

export async function run(seed: number, planting: Planting = {}): Promise<Outcome> {
  const simulation = new Simulation(seed, planting);
  const { time, history, servers, log } = simulation;
  const giveBack = time.install();
  let fault: string | undefined;
  try {
    await simulation.live();
  } catch (error) {
    fault = error instanceof Fault ? error.message : String(error instanceof Error ? error.stack : error);
  } finally {
    simulation.close();
    giveBack();
  }
  return {
    fault,
    operations: history.attempts.length + history.looks.length,
    crashes: servers.reduce((sum, { life }) => sum + life, 0),
    met: [...history.attempts.map(metIn), ...history.looks.map(({ question }) => `look ${question.kind}`)],
    tell: () => [`${time.happened} happenings`, ...history.attempts.map(told), ...log.events.map(wordsOf)],
  };
}

class Simulation {
  readonly time: SimulatedTime;
  readonly log: SimulatedLog;
  readonly history = new History();
  readonly servers: readonly Server[];
  /** One that knows nothing but the log. */
  private readonly fresh: Server;
  private readonly random: Random;
  private readonly fate: Fate;
  private readonly clients: readonly Client[];

  constructor(seed: number, planting: Planting) {
    this.random = new Random(seed);
    const { random } = this;
    this.time = new SimulatedTime(random);
    this.fate = new Fate(random);
    this.log = new SimulatedLog(random);
    const around = { log: this.log, time: this.time, fate: this.fate };
    this.servers = Array.from({ length: 1 + random.below(3) }, () => new Server(around, planting));
    this.fresh = new Server(around, {});
    const wishes = new Wishes(random);
    const shared = { ...around, random, servers: this.servers, history: this.history, wishes };
    this.clients = Array.from({ length: 2 + random.below(CLIENTS_MAX - 1) }, (_, number) => {
      return new Client(`client-${number}`, `actor-${number % 2}`, shared);
    });
  }

  /** Throws `Fault`. */
  async live(): Promise<void> {
    let isOver = false;
    const work = Promise.all(this.clients.map((client) => this.busy(client)));
    const trouble = this.crashNowAndThen(() => isOver);
    for (const server of this.servers) void server.start();
    void this.setClocks(() => isOver);
    await this.time.live(
      work.finally(() => (isOver = true)),
      HAPPENINGS_MAX,
    );
    this.fate.heal();
    await this.time.live(trouble, HAPPENINGS_MAX);
    await this.time.live(this.settle(), HAPPENINGS_MAX);
    const timeline = new Timeline(this.log.events, this.history);
    judge(timeline, this.history);
    await this.time.live(this.compareAll(timeline.now), HAPPENINGS_MAX);
  }

  close(): void {
    for (const server of [this.fresh, ...this.servers]) server.close();
  }

  private async busy(client: Client): Promise<void> {
    await client.live(TURNS_MIN + this.random.below(TURNS_MAX - TURNS_MIN));
  }

  private async crashNowAndThen(isOver: () => boolean): Promise<void> {
    const { crashEveryMs } = this.fate;
    while (crashEveryMs !== undefined && !isOver()) {
      await this.time.pause(this.random.below(crashEveryMs * 2));
      if (isOver()) return;
      const server = this.random.pick(this.servers);
      server.crash();
      await this.time.pause(this.random.below(100));
      await server.start();
    }
  }

  private async setClocks(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      this.time.skewMs = this.random.pick(CLOCK_ERRORS_MS);
      await this.time.pause(CLOCKS_CHANGE_MS);
    }
  }

  private async settle(): Promise<void> {
    // What was on its way, however slowly, has arrived by then.
    await this.time.pause(SETTLED_MS);
    while (!this.servers.every(({ isUp }) => isUp)) await this.time.pause(100);
    for (const client of this.clients) await client.settle();
    for (const { broken } of this.servers)
      if (broken !== undefined) throw new Fault(`A server cannot start: ${broken}`);
  }

  /** All that there is, on every server. */
  private async compareAll(world: World): Promise<void> {
    const { fresh } = this;
    await fresh.start();
    const questions = allQuestions(world);
    const all = [fresh, ...this.servers];
    for (const [number, server] of all.entries()) {
      await server.engine?.follower.upToDate(60_000);
      for (const question of questions) {
        const expected = shownByWorld(world, question);
        const seen = await server.look((engine) => shownByServer(engine, question));
        if (isSame(seen, expected)) continue;
        const what = `At the end server ${number - 1} shows to ${JSON.stringify(question)}`;
        throw new Fault(`${what} ${JSON.stringify(seen)}, not ${JSON.stringify(expected)}`);
      }
    }
    const rows = all.map((server) => server.rows.content());
    for (const [number, own] of rows.entries()) {
      if (!isSame(own, rows[0])) throw new Fault(`Server ${number - 1} has other rows at the end`);
    }
  }
}

function metIn({ order, answer }: Attempt): string {
  const told = answer?.kind === 'refused' ? answer.code : answer?.kind;
  return `${order.operation.kind} ${told}`;
}

function wordsOf({ position, stream, type, data, meta }: StoredEvent): string {
  return `${position} ${stream} ${type} ${data} ${meta}`;
}

function allQuestions({ places, slugs, flows }: World): Question[] {
  const references = [...places.keys(), ...slugs.keys()];
  const questions: Question[] = [{ kind: 'project' }];
  for (const environment of references) questions.push({ kind: 'environment', environment });
  for (const environment of places.keys()) {
    questions.push({ kind: 'releases', environment });
    for (const target of places.keys()) questions.push({ kind: 'diff', source: environment, target });
  }
  for (const { id: flow, versions } of flows.values()) {
    questions.push({ kind: 'flow', flow });
    for (const environment of [null, ...references]) questions.push({ kind: 'resolve', flow, environment });
    for (const { number } of versions) questions.push({ kind: 'version', flow, version: String(number) });
  }
  return questions;
}
