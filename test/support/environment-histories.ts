// Histories of commands on environments of their own, each by several clients at once, and what is wrong with them.
import { Client, type Changed, type Flow, type Version } from '../../scripts/client.js';
import type { Operation } from './environment-model.js';
import { good, problemOf, type Answer, type Http } from './http.js';
import { Judge, type Done } from './judge.js';
import { isLinearizable, type Event, type Outcome } from './linearizability.js';
import { Random, seed } from './random.js';
import { ADMIN_KEY } from './server-process.js';
import type { Servers } from './servers.js';
import { until } from './spec.js';

export const CLIENTS = 4;
export const COMMANDS_EACH = 15;
const FLOWS = 3;
const VERSIONS = 3;
const SOURCE = 'source';

interface KnownFlow {
  readonly id: string;
  readonly versions: readonly string[];
}

interface Recorded {
  readonly environment: string;
  readonly done: readonly Done[];
  /** How often a server was killed meanwhile. */
  readonly kills: number;
}

export class Histories {
  private readonly random: Random;
  private readonly flows: KnownFlow[] = [];
  private readonly source = new Map<string, string>();
  private readonly setUp: Done[] = [];
  private made = 0;

  private constructor(
    private readonly servers: Servers,
    own: number,
  ) {
    this.random = new Random(own);
  }

  /** With flows and versions, and a source that does not change any more. */
  static async over(servers: Servers, own = seed): Promise<Histories> {
    const histories = new Histories(servers, own);
    const http = servers.http(0);
    await good(http.post('/environments', { name: SOURCE }));
    for (let number = 1; number <= FLOWS; number += 1) await histories.addFlow(http, `flow-${number}`);
    return histories;
  }

  /** One history on an environment of its own. Answers its name and what was done there. */
  async record(): Promise<Recorded> {
    const environment = `place-${(this.made += 1)}`;
    await this.servers.command(this.made % 2, (http, headers) =>
      http.post('/environments', { name: environment }, headers),
    );
    const done: Done[] = [];
    const { kills } = this.servers;
    const client = async (number: number): Promise<void> => {
      for (let turn = 0; turn < COMMANDS_EACH; turn += 1) {
        const operation = this.anyOperation();
        const started = performance.now();
        const first = (number + (this.random.next() < 0.2 ? 1 : 0)) % 2;
        const answer = await this.servers.command(first, (http, headers) =>
          sendOperation(http, environment, operation, headers),
        );
        done.push({ environment, operation, pinned: null, started, ended: performance.now(), answer });
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
    return { environment, done, kills: this.servers.kills - kills };
  }

  /** So many histories, some of them at the same time. */
  async recordAll(count: number, atOnce: number): Promise<Recorded[]> {
    const recorded: Recorded[] = [];
    let left = count;
    const record = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        recorded.push(await this.record());
      }
    };
    await Promise.all(Array.from({ length: atOnce }, record));
    return recorded;
  }

  /** What cannot be, in words: by the releases that are there, and by the answers alone. */
  async faultsOf({ environment, done }: Recorded): Promise<string[]> {
    const http = this.servers.http(0);
    const { url } = http;
    const all = [...this.setUp, ...done];
    const newest = Math.max(...all.map(({ answer }) => Number(answer.body.position ?? 0)));
    // What one server has answered the other shows a little later, unless it is asked to wait for it.
    await until(async () => (await http.get(`/environments?minPosition=${newest}`)).status === 200);
    const faults = await Judge.over({ url, key: ADMIN_KEY }, [SOURCE, environment], all);
    const history = done.map((one) => this.eventOf(one)).filter((event) => event !== undefined);
    if (!isLinearizable(history)) faults.push(`The history of ${environment} is not linearizable`);
    return faults;
  }

  private async addFlow(http: Http, name: string): Promise<void> {
    const flow = await good(http.post<Flow>('/flows', { name, content: { name } }));
    const versions = [flow.latestVersionId ?? ''];
    while (versions.length < VERSIONS) {
      const content = { name, version: versions.length + 1 };
      versions.push((await good(http.post<Version>(`/flows/${flow.id}/versions`, { content }))).id);
    }
    this.flows.push({ id: flow.id, versions });
    const [version = ''] = versions;
    this.source.set(flow.id, version);
    const operation = { kind: 'activate', flowId: flow.id, version } as const;
    const started = performance.now();
    const answer = await sendOperation(http, SOURCE, operation, {});
    const ended = performance.now();
    this.setUp.push({ environment: SOURCE, operation, pinned: null, started, ended, answer });
  }

  private anyOperation(): Done['operation'] {
    const { random } = this;
    const { id: flowId, versions } = random.pick(this.flows);
    switch (random.below(7)) {
      case 0:
        return { kind: 'activate', flowId, version: null };
      case 1:
        return { kind: 'promote-from', source: SOURCE };
      case 2:
        return { kind: 'rollback', ...(random.next() < 0.4 && { toRelease: random.below(10) }) };
      case 3:
        return { kind: 'rollback', flowId };
      default:
        return { kind: 'activate', flowId, version: random.pick(versions) };
    }
  }

  /** Undefined where others were in the way too often, which has no effect and follows from no state. */
  private eventOf({ operation, started, ended, answer }: Done): Event | undefined {
    const outcome = outcomeOf(answer);
    if (outcome.kind === 'refused' && outcome.code === 'concurrent-change') return undefined;
    const plain: Operation =
      operation.kind === 'promote-from' ? { kind: 'promote', source: this.source } : operation;
    return { operation: plain, started, ended, outcome };
  }
}

function outcomeOf(answer: Answer<Changed>): Outcome {
  const { status, body } = answer;
  if (status !== 200) return { kind: 'refused', code: problemOf(answer).code };
  if (!body.changed || body.release === null) return { kind: 'unchanged' };
  const changes = new Map(body.release.changes.map(({ flowId, to }) => [flowId, to]));
  return { kind: 'made', release: body.release.number, changes };
}

/** The command that an operation is. */
export function sendOperation(
  http: Http,
  environment: string,
  operation: Done['operation'],
  headers: Record<string, string>,
): Promise<Answer<Changed>> {
  switch (operation.kind) {
    case 'activate': {
      const { flowId, version } = operation;
      return version === null
        ? http.delete(`/flows/${flowId}/environments/${environment}`, {}, headers)
        : http.post(`/flows/${flowId}/versions/${version}/environments`, { environment }, headers);
    }
    case 'promote-from': {
      const pair = { sourceEnvironment: operation.source, targetEnvironment: environment };
      return http.post('/environments/promote', pair, headers);
    }
    case 'rollback': {
      const { toRelease, flowId } = operation;
      const body = {
        ...(toRelease !== undefined && { toRelease }),
        ...(flowId !== undefined && { flowIds: [flowId] }),
      };
      return http.post(`/environments/${environment}/rollback`, body, headers);
    }
    default:
      throw new Error('A promotion names its source');
  }
}

/** Everything that a server can be asked about what is active and how it came about. */
export async function everythingOn(http: Http): Promise<unknown> {
  const client = new Client(http.url, ADMIN_KEY);
  const environments: { slug: string }[] = [];
  for await (const one of client.list<{ slug: string }>('/environments')) environments.push(one);
  const flows: unknown[] = [];
  for await (const one of client.list('/flows')) flows.push(one);
  const states: unknown[] = [];
  for (const { slug } of environments) {
    const releases: unknown[] = [];
    for await (const one of client.list(`/environments/${slug}/releases`)) releases.push(one);
    states.push({ slug, active: await client.get(`/environments/${slug}/active`), releases });
  }
  return { environments, flows, states };
}
