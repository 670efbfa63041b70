// Judges a run of commands that were sent at the same time: whether one order of the releases explains every answer.
import { Client, type Changed, type Release } from '../../scripts/client.js';
import type { ActiveAnswer } from '../../src/api/answers.js';
import { EnvironmentModel, same, type Effect, type Operation } from './environment-model.js';
import { problemOf, type Answer } from './http.js';

export interface Call {
  readonly environment: string;
  readonly operation: Operation | { readonly kind: 'promote-from'; readonly source: string };
  readonly pinned: number | null;
}

export interface Done extends Call {
  readonly started: number;
  readonly ended: number;
  readonly answer: Answer<Changed>;
}

/** Holds the answers against the releases that are there now. Answers what cannot be, in words. */
export class Judge {
  readonly faults: string[] = [];
  private readonly models = new Map<string, EnvironmentModel>();
  private readonly releases = new Map<string, Release[]>();
  private readonly makers = new Map<Release, Done>();

  private constructor(
    private readonly client: Client,
    private readonly done: readonly Done[],
  ) {}

  /** Everything that was ever asked of these environments has to be among what is done. */
  static async over(
    { url, key }: { readonly url: string; readonly key: string },
    environments: readonly string[],
    done: readonly Done[],
  ): Promise<string[]> {
    const judge = new Judge(new Client(url, key), done);
    for (const environment of environments) await judge.read(environment);
    judge.replay();
    for (const one of done) judge.judge(one);
    for (const environment of environments) await judge.compareActive(environment);
    return judge.faults;
  }

  private async read(environment: string): Promise<void> {
    const found: Release[] = [];
    const { client } = this;
    for await (const release of client.list<Release>(`/environments/${environment}/releases`))
      found.unshift(release);
    this.releases.set(environment, found);
    this.models.set(environment, new EnvironmentModel());
  }

  /** A promotion is taken once its source has come as far as the promotion says. */
  private replay(): void {
    let left = [...this.releases.values()].flat();
    for (let before = left.length + 1; left.length < before;) {
      before = left.length;
      left = left.filter((release) => !this.taken(release));
    }
    if (left.length > 0) this.faults.push(`Nothing leads to ${JSON.stringify(left[0])}`);
  }

  private taken(release: Release): boolean {
    const { environment, number, source } = release;
    const model = this.model(environment);
    const isNext = number <= model.release + 1;
    if (!isNext || (source !== undefined && this.model(source.environment).release < source.release))
      return false;
    this.faults.push(...model.take(release, () => this.sourceState(source)));
    return true;
  }

  private sourceState(source: Release['source']): Map<string, string | null> {
    return this.model(source?.environment ?? '').versions(source?.release ?? 0);
  }

  private judge(one: Done): void {
    const { answer, environment, pinned } = one;
    const { status, body } = answer;
    const fault = (what: string) => this.faults.push(`${JSON.stringify({ ...one, answer: body })}: ${what}`);
    if (status === 200 && body.changed) {
      const release = this.releases.get(environment)?.[(body.release?.number ?? 0) - 1];
      if (release === undefined) return void fault('its release is not there');
      if (this.makers.has(release)) fault('two answers have the same release');
      this.makers.set(release, one);
      if (JSON.stringify(release) !== JSON.stringify(body.release))
        fault(`the release is ${JSON.stringify(release)}`);
      if (pinned !== null && release.number !== pinned + 1) fault('it was pinned to another release');
      const [first, last] = this.window(environment, one);
      if (release.number <= first || release.number > last)
        fault(`it is out of order: ${first} < number <= ${last}`);
      const effect = this.effect(one, release.number - 1, release.source?.release ?? 0);
      const made = new Map(release.changes.map(({ flowId, to }) => [flowId, to]));
      if (!same(effect, made)) fault('it made something else than was asked for');
      return;
    }
    const wanted = status === 200 ? new Map<string, null>() : problemOf(answer).code;
    if (!this.mayBe(one, wanted)) fault(`no state in its time explains ${status}`);
  }

  private mayBe(one: Done, wanted: ReadonlyMap<string, null> | string): boolean {
    const [first, last] = this.window(one.environment, one);
    const source =
      one.operation.kind === 'promote-from' ? this.window(one.operation.source, one) : ([0, 0] as const);
    for (let release = first; release <= last; release += 1) {
      if (one.pinned !== null && one.pinned !== release) {
        if (wanted === 'release-moved') return true;
        continue;
      }
      for (let from = source[0]; from <= source[1]; from += 1) {
        if (same(this.effect(one, release, from), wanted as Effect)) return true;
      }
    }
    return false;
  }

  private effect({ environment, operation }: Done, release: number, sourceRelease: number): Effect {
    if (operation.kind !== 'promote-from') return this.model(environment).effect(release, operation);
    const source = this.model(operation.source).versions(sourceRelease);
    return this.model(environment).effect(release, { kind: 'promote', source });
  }

  /** The releases that the environment may have been at while a request was under way. */
  private window(environment: string, { started, ended }: Done): readonly [number, number] {
    const numbers = (when: (one: Done) => boolean) =>
      this.done
        .filter((one) => one.environment === environment && one.answer.body.changed && when(one))
        .map(({ answer }) => answer.body.release?.number ?? 0);
    return [
      Math.max(0, ...numbers((one) => one.ended < started)),
      Math.max(0, ...numbers((one) => one.started < ended)),
    ];
  }

  private async compareActive(environment: string): Promise<void> {
    const { items, release } = await this.client.get<ActiveAnswer>(`/environments/${environment}/active`);
    const model = this.model(environment);
    const active = items.map(({ flowId, versionId }) => `${flowId} ${versionId}`).sort();
    if (release !== model.release || active.join() !== model.active().join()) {
      this.faults.push(`${environment} is not what its ${model.release} releases made of it`);
    }
    const made = this.releases.get(environment) ?? [];
    const orphans = made.filter((one) => !this.makers.has(one));
    if (orphans.length > 0) this.faults.push(`Nobody was told of ${JSON.stringify(orphans)}`);
  }

  private model(environment: string): EnvironmentModel {
    const model = this.models.get(environment);
    if (model === undefined) throw new Error(`There is no environment ${environment} in this test`);
    return model;
  }
}
