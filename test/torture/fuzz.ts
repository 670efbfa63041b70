// The rig `fuzz`: requests made from the API document, good and spoilt, over several connections to the real server.
// No fault of the server, no answer that the document does not have, no prototype changed, no memory kept.
import { setTimeout as pause } from 'node:timers/promises';
import { operationsOf, DocumentSchemas, type ApiDocument } from '../support/api-document.js';
import { good, Http } from '../support/http.js';
import { Random } from '../support/random.js';
import { ADMIN_KEY, ServerProcess, temporaryFolder } from '../support/server-process.js';
import { until as untilIt } from '../support/spec.js';
import { FuzzConnections, oddBytes, type Received } from './fuzz-connection.js';
import { FuzzJudge, asCommand } from './fuzz-judge.js';
import { Knowledge } from './fuzz-knowledge.js';
import { Requests, type Draft } from './fuzz-requests.js';
import { Values } from './fuzz-values.js';
import { faultsFrom, type Outcome, type Part, type Rig } from './rig.js';
import { WATCH, WATCH_LINE, type Watched } from './server-watch.js';

const CONNECTIONS = 8;
/** Every so many requests there is one on a bare socket, and one good command that has to work. */
const ODD_BYTES_EVERY = 100;
const GOOD_EVERY = 250;
/** The first part of a run fills caches. */
const WARM_UP = 0.3;
const END_MS_MAX = 500;
const MIB = 2 ** 20;
/**
 * What is held after a collection grows with the log, by 2.7 KiB an event as measured, and by some MiB of caches and
 * compiled code; in 14,000 requests after the warm-up by 5 MiB. A request that leaves 2 KiB behind is found.
 */
const HELD_MIB_MAX = 12;
const HELD_KIB_OF_EVENT = 6;
/** By far less exact: the allocator keeps what is freed. Measured were 30 MiB in 6,000 requests, 150 in 14,000. */
const RESIDENT_MIB_MAX = 400;

export const fuzz: Rig = {
  about: 'requests from the API document, good and spoilt: no 5xx, no undocumented answer, no memory kept',
  unit: 'requests',
  usual: 60_000,
  full: 200_000,
  part: 20_000,
  missing: '',
  run: (part) => fuzzServer(part),
};

/** `settings` are those of the server. */
export async function fuzzServer(
  { seed, count, until }: Part,
  settings: Record<string, string> = {},
): Promise<Outcome> {
  const folder = temporaryFolder();
  const own = { SWITCHYARD_LOG_LEVEL: 'error', NODE_OPTIONS: `--import ${WATCH}` };
  const server = await ServerProcess.start(folder.path, { ...own, ...settings });
  let run: FuzzRun | undefined;
  try {
    run = await FuzzRun.over(server, seed);
    await run.go(count, until);
    await run.noteEnd();
    return run.outcome;
  } finally {
    run?.end();
    await server.kill('SIGKILL');
    folder.remove();
  }
}

class FuzzRun {
  private readonly faults: string[] = [];
  private readonly figures = { 'on bare sockets': 0, 'good ones that succeeded': 0 };
  private readonly more = { 'held MiB more': 0, 'resident MiB more': 0 };
  private readonly operationsSeen = new Set<string>();
  private readonly requests: Requests;
  private readonly judge: FuzzJudge;
  private readonly connections: FuzzConnections;
  private readonly http: Http;
  private sent = 0;

  private constructor(
    private readonly server: ServerProcess,
    private readonly seed: number,
    private readonly document: ApiDocument,
    private readonly knowledge: Knowledge,
  ) {
    const values = new Values(document, knowledge, seed);
    this.requests = new Requests(operationsOf(document), knowledge, values);
    this.judge = new FuzzJudge(new DocumentSchemas(document));
    this.connections = new FuzzConnections(server.url, ADMIN_KEY);
    this.http = new Http(server.url, ADMIN_KEY);
  }

  static async over(server: ServerProcess, seed: number): Promise<FuzzRun> {
    const http = new Http(server.url, ADMIN_KEY);
    const document = await good(http.send<ApiDocument>('GET', '/openapi.json'));
    await good(http.post('/environments', { name: 'place' }));
    interface Trail {
      readonly items: readonly { readonly actor: { readonly id: string } }[];
    }
    const { items } = await good(http.get<Trail>('/audit?limit=1'));
    return new FuzzRun(server, seed, document, new Knowledge(items[0]?.actor.id ?? ''));
  }

  get outcome(): Outcome {
    const operations = operationsOf(this.document).length;
    const highest = { operations, 'operations that succeeded': this.operationsSeen.size, ...this.more };
    return { count: this.sent, figures: this.figures, highest, faults: faultsFrom(this.faults) };
  }

  end(): void {
    this.connections.close();
  }

  async go(count: number, until: number): Promise<void> {
    await this.begin();
    await this.sendUntil(Math.ceil(count * WARM_UP), until);
    if (this.faults.length > 0) return;
    const before = { events: await this.events(), ...(await this.watch()) };
    await this.sendUntil(count, until);
    if (this.faults.length > 0) return;
    const after = { events: await this.events(), ...(await this.watch()) };
    this.checkServer(before, after);
  }

  /** A few of everything that can be made from nothing, so that what follows has something to name. */
  private async begin(): Promise<void> {
    const random = new Random(this.seed);
    const makers = operationsOf(this.document).filter(
      ({ method, path }) => method === 'POST' && !path.includes('{'),
    );
    for (let round = 0; round < 4; round += 1) {
      for (const maker of makers) await this.judged(this.requests.good(maker, random));
    }
  }

  private async sendUntil(count: number, until: number): Promise<void> {
    const worker = async (): Promise<void> => {
      while (this.sent < count && performance.now() < until && this.faults.length === 0) {
        this.sent += 1;
        await this.step(this.sent);
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  }

  private async step(number: number): Promise<void> {
    const random = new Random(Math.imul(this.seed, 0x9e3779b1) ^ Math.imul(number, 0x85ebca6b));
    try {
      if (number % ODD_BYTES_EVERY === 0) await this.sendOddBytes(random);
      else if (number % GOOD_EVERY === 1) await this.useAsMeant(number);
      else await this.judged(this.requests.next(random));
    } catch (error) {
      this.faults.push(String(error));
    }
  }

  private async judged(draft: Draft): Promise<void> {
    const received = await this.connections.send(draft).catch((error: unknown) => {
      this.faults.push(`${String(error)}\n  ${asCommand(draft)}`);
    });
    if (received === undefined) return;
    const fault = this.judge.faultIn(draft, received);
    if (fault !== undefined) this.faults.push([fault, ...this.logged(received)].join('\n  '));
    if (received.status >= 300 || draft.operation === undefined || draft.spoilt.length > 0) return;
    const { path, operation } = draft.operation;
    this.figures['good ones that succeeded'] += 1;
    this.operationsSeen.add(operation.operationId);
    if (
      String(received.headers['content-type']).startsWith('application/json') &&
      received.text !== undefined
    )
      this.knowledge.learn(path, draft.path, JSON.parse(received.text));
  }

  /** What the server has written down of a request, as its log stands by now. */
  private logged({ headers }: Received): string[] {
    const id = String(headers['x-request-id']);
    return this.server.stderr.split('\n').filter((line) => line.includes(id));
  }

  private async sendOddBytes(random: Random): Promise<void> {
    const bytes = oddBytes(ADMIN_KEY, random);
    this.figures['on bare sockets'] += 1;
    const fault = this.judge.faultInBytes(bytes, await this.connections.sendBytes(bytes));
    if (fault !== undefined) this.faults.push(fault);
  }

  /** What somebody writes between all this is kept, and read back as it was written. */
  private async useAsMeant(number: number): Promise<void> {
    const content = { number, text: 'as meant' };
    const made = await good(this.http.post<{ id: string }>('/flows', { name: `Meant ${number}`, content }));
    const read = await good(this.http.get<{ content: unknown }>(`/flows/${made.id}/versions/1`));
    if (JSON.stringify(read.content) !== JSON.stringify(content))
      this.faults.push(`${JSON.stringify(content)} was kept as ${JSON.stringify(read.content)}`);
  }

  /** Connections are lost a moment before the process is gone. */
  async noteEnd(): Promise<void> {
    if (this.faults.length === 0) return;
    const ended = await Promise.race([this.server.ended, pause(END_MS_MAX)]);
    if (ended === undefined) return;
    this.faults.unshift(`The server ended with ${ended.code}: ${ended.stderr.slice(-1_000)}`);
  }

  private async events(): Promise<number> {
    const { position } = await good(this.http.send<{ position: string }>('GET', '/health/ready'));
    return Number(position);
  }

  private async watch(): Promise<Watched> {
    const lines = () => this.server.stdout.split('\n').filter((line) => line.startsWith(WATCH_LINE));
    const before = lines().length;
    this.server.child.kill('SIGUSR2');
    await untilIt(() => lines().length > before);
    return JSON.parse(lines().at(-1)?.slice(WATCH_LINE.length) ?? '') as Watched;
  }

  private checkServer(before: Watched & { events: number }, after: Watched & { events: number }): void {
    const heldMax = HELD_MIB_MAX + ((after.events - before.events) * HELD_KIB_OF_EVENT) / 1024;
    const held = Math.round((after.heldBytes - before.heldBytes) / MIB);
    const resident = Math.round((after.rssBytes - before.rssBytes) / MIB);
    this.more['held MiB more'] = held;
    this.more['resident MiB more'] = resident;
    if (held > heldMax) this.faults.push(`The server holds ${held} MiB more than after its warm-up`);
    if (resident > RESIDENT_MIB_MAX) this.faults.push(`The process has ${resident} MiB more than before`);
    for (const what of after.changedPrototypes) this.faults.push(`${what} was changed`);
    const errors = this.server.stderr.split('\n').filter((line) => /"level":[56]0/.test(line));
    for (const line of errors) this.faults.push(`The server logged ${line}`);
  }
}
