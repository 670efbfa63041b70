// One server: the engine's own commands, views and follower, over a connection, rows and a time that are simulated. It
// does for a request what the routes do, and a crash ends all of it in the middle of things.
import { Refused } from '../../src/domain/refused.js';
import { NotCaughtUp } from '../../src/read/progress.js';
import { OutcomeUnknown, StoreUnavailable } from '../../src/store/event-store.js';
import { Engine } from './engine.js';
import type { Answer, Operation } from './operations.js';
import { Connection } from './connection.js';
import type { Fate } from './fate.js';
import type { SimulatedLog } from './log.js';
import { SimulatedRows } from './rows.js';
import type { SimulatedTime } from './time.js';

const UP_TO_DATE_MS_MAX = 2_000;
const START_AGAIN_MS = 100;

export interface Surroundings {
  readonly log: SimulatedLog;
  readonly time: SimulatedTime;
  readonly fate: Fate;
}

/** Who asks for what, and by which request. */
export interface Request {
  readonly requestId: string;
  readonly actorId: string;
  readonly key: string | null;
  readonly operation: Operation;
}

/** Where a bug may be planted: a part of a server, before it is used. */
export interface Planting {
  connection?(connection: Connection): void;
  rows?(rows: SimulatedRows): void;
  engine?(engine: Engine): void;
  log?(log: SimulatedLog): void;
  answer?(answer: Answer): Answer;
}

export class Server {
  readonly rows: SimulatedRows;
  /** How often it has crashed. */
  life = 0;
  /** Where the log stood when it began its last start. */
  startedFrom = 0n;
  engine: Engine | undefined;
  /** Why it could not start, where no fault of its surroundings explains it. */
  broken: string | undefined;
  private connection: Connection | undefined;
  private readonly mourners = new Set<() => void>();
  private readonly underWay = new Map<string, Promise<unknown>>();

  constructor(
    private readonly around: Surroundings,
    private readonly planting: Planting,
  ) {
    this.rows = new SimulatedRows(around.time, around.fate);
  }

  get isUp(): boolean {
    return this.engine !== undefined;
  }

  /** Until it is up, or has crashed in between. */
  async start(): Promise<void> {
    const { log, time, fate } = this.around;
    const life = this.life;
    while (this.life === life) {
      this.startedFrom = log.head;
      const connection = new Connection(log, time, fate);
      this.connection = connection;
      this.planting.connection?.(connection);
      try {
        const engine = await Engine.open(connection, this.rows.place);
        this.planting.engine?.(engine);
        if (this.life === life) this.engine = engine;
        return;
      } catch (error) {
        if (!isExpected(error)) this.broken ??= wordsOf(error);
        connection.cut();
        await time.pause(START_AGAIN_MS);
      }
    }
  }

  /** All that it had in memory is gone. What had been sent to the log may still arrive there. */
  crash(): void {
    this.life += 1;
    this.end();
    this.rows.crash();
    this.planting.rows?.(this.rows);
    this.planting.log?.(this.around.log);
    this.underWay.clear();
    for (const mourn of this.mourners) mourn();
    this.mourners.clear();
  }

  /** For good. */
  close(): void {
    this.end();
    this.rows.close();
  }

  /** Nothing that it began goes on. */
  private end(): void {
    this.connection?.cut();
    this.engine?.follower.watchdog.stop();
    this.engine = undefined;
  }

  /** Answers `none` where it is not up, or crashes before it has answered. */
  ask(request: Request): Promise<Answer> {
    const { engine } = this;
    if (engine === undefined) return Promise.resolve({ kind: 'none' });
    return this.unlessGone(this.answer(engine, request));
  }

  /** What it shows; undefined where it is not up, or crashes before. */
  async look<Shown>(look: (engine: Engine) => Promise<Shown> | Shown): Promise<Shown | Answer> {
    const { engine } = this;
    if (engine === undefined) return { kind: 'none' };
    const shown = new Promise<Shown>((resolve) => resolve(look(engine)));
    return this.unlessGone(shown.catch((error: unknown) => answerOf(error)));
  }

  private unlessGone<Result>(work: Promise<Result>): Promise<Result | Extract<Answer, { kind: 'none' }>> {
    return new Promise((resolve, reject) => {
      const mourn = () => resolve({ kind: 'none' });
      this.mourners.add(mourn);
      work.then(resolve, reject).finally(() => this.mourners.delete(mourn));
    });
  }

  private async answer(engine: Engine, request: Request): Promise<Answer> {
    const answer = await this.inTurn(request, async () => {
      try {
        return await carryOut(engine, request);
      } catch (error) {
        return answerOf(error);
      }
    });
    return this.planting.answer?.(answer) ?? answer;
  }

  /** Commands with one key, one after another. */
  private async inTurn(request: Request, work: () => Promise<Answer>): Promise<Answer> {
    if (request.key === null) return work();
    const name = `${request.actorId} ${request.key}`;
    const mine = (this.underWay.get(name) ?? Promise.resolve()).then(work);
    this.underWay.set(name, mine);
    return mine;
  }
}

/** As the routes do, with the hooks around them. */
async function carryOut(engine: Engine, { operation, key, ...from }: Request): Promise<Answer> {
  await engine.follower.upToDate(UP_TO_DATE_MS_MAX);
  const caller = engine.caller(from.actorId, from.requestId);
  if (key === null) return done(await engine.execute(caller, operation));
  const idempotency = { key, requestHash: JSON.stringify(operation), hasEffect: false };
  const before = await engine.answered.find({ ...caller, idempotency });
  if (before.answer?.body) return done(before.answer.body);
  const keyed = { ...caller, idempotency: { ...idempotency, hasEffect: before.hasEffect } };
  const body = await engine.execute(keyed, operation);
  try {
    const first = await engine.answered.record(keyed, { status: 200, body });
    return done(first.body ?? body);
  } catch (error) {
    // As the routes have it: what was done is told all the same.
    if (!keyed.idempotency.hasEffect) throw error;
    return done(body);
  }
}

function done(body: string): Answer {
  return { kind: 'done', body };
}

function answerOf(error: unknown): Answer {
  if (error instanceof Refused) return { kind: 'refused', code: error.code };
  if (error instanceof OutcomeUnknown) return { kind: 'unknown' };
  if (isExpected(error)) return { kind: 'unavailable' };
  return { kind: 'broken', why: wordsOf(error) };
}

function isExpected(error: unknown): boolean {
  return [OutcomeUnknown, StoreUnavailable, NotCaughtUp].some((known) => error instanceof known);
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
