// One who uses the servers: sends commands to any of them, sends again what had no answer, sometimes what had one, and
// looks at what came of it. With a key it does not let go before it knows.
import type { Position } from '../../src/store/event-store.js';
import type { Random } from '../support/random.js';
import type { Attempt, History, Order } from './history.js';
import type { Answer } from './operations.js';
import type { Server } from './server.js';
import { isAtOnce, shownByServer } from './shown-by-server.js';
import type { SimulatedLog } from './log.js';
import type { SimulatedTime } from './time.js';
import type { Wishes } from './wishes.js';

const PAUSE_MS_MAX = 30;
const TRIES_MAX = 6;
const WAIT_MS_MAX = 2_000;

export interface Shared {
  readonly servers: readonly Server[];
  readonly log: SimulatedLog;
  readonly time: SimulatedTime;
  readonly random: Random;
  readonly history: History;
  readonly wishes: Wishes;
}

export class Client {
  private orders = 0;
  private newest: Position = 0n;
  /** By server and life: what it has answered here. */
  private readonly answered = new Map<string, Position>();
  readonly unsettled: Order[] = [];

  constructor(
    private readonly name: string,
    private readonly actorId: string,
    private readonly around: Shared,
  ) {}

  async live(turns: number): Promise<void> {
    const { random, time } = this.around;
    for (let turn = 0; turn < turns; turn += 1) {
      await time.pause(random.below(PAUSE_MS_MAX));
      if (random.next() < 0.25) await this.look(await this.anyServer());
      else await this.command();
    }
  }

  /** What was left unknown, once everything is well again. */
  async settle(): Promise<void> {
    for (const order of this.unsettled) await this.fulfil(order);
  }

  private async command(): Promise<void> {
    const { random, time, wishes } = this.around;
    this.orders += 1;
    // Keys belong to whoever sends them, so that two of them may well choose the same.
    const key = random.next() < 0.7 ? `${random.next() < 0.1 ? 'any' : this.name} ${this.orders}` : null;
    const order = { actorId: this.actorId, key, operation: wishes.operation() };
    const rival = key !== null && random.next() < 0.1 ? this.fulfil(order) : undefined;
    await Promise.all([this.fulfil(order), rival]);
    if (key === null || random.next() > 0.2) return;
    await time.pause(random.below(PAUSE_MS_MAX));
    const other = random.next() < 0.2 ? { ...order, operation: wishes.operation() } : order;
    await this.fulfil(other);
  }

  private async fulfil(order: Order): Promise<void> {
    const { random, time, wishes } = this.around;
    for (let turn = 0; turn < TRIES_MAX; turn += 1) {
      const { answer } = await this.send(order, await this.anyServer());
      if (answer?.kind === 'done') wishes.hear(order.operation, answer);
      if (answer === undefined || isSettled(answer)) return;
      if (order.key === null && answer.kind !== 'unavailable') return;
      await time.pause(random.below(PAUSE_MS_MAX * turn + 1));
    }
    this.unsettled.push(order);
  }

  /** One that is up, as far as anybody knows. */
  private async anyServer(): Promise<number> {
    const { servers, random, time } = this.around;
    for (;;) {
      const up = servers.flatMap(({ isUp }, number) => (isUp ? [number] : []));
      if (up.length > 0) return random.pick(up);
      await time.pause(1 + random.below(PAUSE_MS_MAX));
    }
  }

  private async send(order: Order, number: number): Promise<Attempt> {
    const { servers, log, history } = this.around;
    const server = servers[number] as Server;
    const { life } = server;
    const attempt = history.begin(order, number, life, log.head);
    attempt.answer = await server.ask({ ...order, requestId: attempt.requestId });
    attempt.to = log.head;
    if (attempt.answer.kind === 'done') {
      const position = BigInt((JSON.parse(attempt.answer.body) as { position: string }).position);
      if (position > this.newest) this.newest = position;
      this.answered.set(`${number} ${life}`, position);
    }
    return attempt;
  }

  /** What this very server has answered is there; what another has, once it was waited for. */
  private async look(number: number): Promise<void> {
    const { servers, log, random, history, wishes } = this.around;
    const question = wishes.question();
    const server = servers[number] as Server;
    const awaited = random.next() < 0.4 ? this.newest : undefined;
    const here = this.answered.get(`${number} ${server.life}`) ?? 0n;
    const atLeast = [server.startedFrom, here, awaited ?? 0n].reduce((a, b) => (a > b ? a : b));
    const look = await server.look(async (engine) => {
      const { follower } = engine;
      if (awaited !== undefined) await follower.reached(awaited, WAIT_MS_MAX);
      const from = follower.live.progress.position;
      return { from, seen: await shownByServer(engine, question) };
    });
    if ('kind' in look) {
      if (look.kind === 'broken') throw new Error(`${JSON.stringify(question)} → ${look.why}`);
      return;
    }
    const to = isAtOnce(question) ? look.from : log.head;
    history.looks.push({ question, server: number, atLeast, to, ...look });
  }
}

function isSettled({ kind }: Answer): boolean {
  return kind === 'done' || kind === 'refused' || kind === 'broken';
}
