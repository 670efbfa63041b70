// Clients that send a server commands of all kinds until it is gone, and remember what it had acknowledged by then.
import { setTimeout as pause } from 'node:timers/promises';
import type { Changed, Flow, Release, Version } from '../../scripts/client.js';
import { good, type Answer, type Http } from './http.js';
import type { Random } from './random.js';

const CLIENTS = 6;
const LOAD_MS_MAX = 500;
/** The load goes on through some faults: what was acknowledged next to them may be lost as well. */
const FAULTS_MAX = 20;
/** Promotions lead from each to the next, so that one of them rests on a state that moves. */
export const PLACES = ['development', 'staging', 'production'] as const;
export type Place = (typeof PLACES)[number];

/** A version that somebody was told of. What it holds now may be what was sent last, answered or not. */
export interface Known {
  readonly flow: string;
  readonly version: string;
  readonly contents: string[];
  locked: boolean;
}

export class CrashLoad {
  readonly known = new Map<string, Known>();
  /** Releases that were answered and have not been looked for yet. */
  readonly acknowledged = new Map<string, Release>();
  readonly faults: string[] = [];
  /** Commands with an answer, and clients that were still waiting for one when the server went. */
  readonly counts = { answered: 0, unanswered: 0 };
  private flowsMade = 0;

  constructor(
    private readonly random: Random,
    /** Of the server that is up. */
    private readonly http: () => Http,
    private readonly releaseOf: (place: Place) => number,
  ) {}

  /** Clients that go on until the server is gone; only then an error is what was to be expected. */
  async untilKilled(kill: () => Promise<unknown>): Promise<void> {
    let killed = false;
    const client = async (): Promise<void> => {
      while (!killed) {
        try {
          await this.anyCommand();
          this.counts.answered += 1;
        } catch (error) {
          if (!killed) this.faults.push(`Before the kill: ${String(error)}`);
          else this.counts.unanswered += 1;
          if (this.faults.length > FAULTS_MAX) return;
        }
      }
    };
    const clients = Array.from({ length: CLIENTS }, client);
    await pause(20 + this.random.next() * LOAD_MS_MAX);
    killed = true;
    await kill();
    await Promise.all(clients);
  }

  async createFlow(content: object): Promise<Known> {
    const name = `flow-${(this.flowsMade += 1)}`;
    const { id, latestVersionId } = await good(this.http().post<Flow>('/flows', { name, content }));
    const version = latestVersionId ?? '';
    const one = { flow: id, version, contents: [JSON.stringify(content)], locked: false };
    this.known.set(version, one);
    return one;
  }

  async activate(one: Known, environment: Place): Promise<void> {
    const path = `/flows/${one.flow}/versions/${one.version}/environments`;
    this.keep(await good(this.http().post<Changed>(path, { environment })));
    one.locked = true;
  }

  private async anyCommand(): Promise<void> {
    const { random } = this;
    const one = random.pick([...this.known.values()]);
    const step = random.below(2);
    const [source, target] = [PLACES[step] ?? PLACES[0], PLACES[step + 1] ?? PLACES[1]];
    switch (random.below(8)) {
      case 0:
        return this.activate(await this.createFlow({ number: random.next() }), random.pick(PLACES));
      case 1: {
        const fresh = await this.createFlow({ number: random.next() });
        await this.editDraft(fresh);
        return this.editDraft(fresh);
      }
      case 2:
        return this.draft(one);
      case 3:
        return this.activate(one, random.pick(PLACES));
      case 4: {
        const path = `/flows/${one.flow}/environments/${random.pick(PLACES)}`;
        return this.keepUnlessRefused(this.http().delete(path));
      }
      case 5: {
        const pair = { sourceEnvironment: source, targetEnvironment: target };
        return this.keepUnlessRefused(this.http().post('/environments/promote', pair));
      }
      case 6:
        return this.rollBack(target, {});
      default:
        // To the empty environment, or to any release: hundreds of changes, more often than not.
        return this.rollBack(target, { toRelease: random.below(this.releaseOf(target) + 1) });
    }
  }

  private rollBack(place: Place, body: object): Promise<void> {
    return this.keepUnlessRefused(this.http().post(`/environments/${place}/rollback`, body));
  }

  private async editDraft(one: Known): Promise<void> {
    const content = { edited: this.random.next() };
    one.contents.push(JSON.stringify(content));
    const path = `/flows/${one.flow}/versions/${one.version}`;
    const { status, text } = await this.http().patch(path, { content });
    // Another client may have activated it in the meantime.
    if (status === 409) one.contents.pop();
    else if (status === 200) one.contents.splice(0, one.contents.length - 1);
    else throw new Error(`Status ${status}: ${text}`);
  }

  private async draft({ flow }: Known): Promise<void> {
    const content = { drafted: this.random.next() };
    const { id } = await good(this.http().post<Version>(`/flows/${flow}/versions`, { content }));
    this.known.set(id, { flow, version: id, contents: [JSON.stringify(content)], locked: false });
  }

  private keep({ changed, release }: Changed): void {
    if (!changed || release === null) return;
    const place = `${release.environment} ${release.number}`;
    if (this.acknowledged.has(place)) this.faults.push(`${place} was acknowledged twice`);
    this.acknowledged.set(place, release);
  }

  /** An answer that is a refusal by the rules is as good as any. */
  private async keepUnlessRefused(pending: Promise<Answer<Changed>>): Promise<void> {
    const answer = await pending;
    if (answer.status === 200) this.keep(answer.body);
    else if (answer.status !== 409) throw new Error(`Status ${answer.status}: ${answer.text}`);
  }
}

/** So much at once as there are clients. */
export async function eachOf<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<unknown>,
): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: CLIENTS }, worker));
}
