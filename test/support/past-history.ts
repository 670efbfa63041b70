// A random history of one project, written straight into a log: every command that there is, decided by the domain,
// with releases in parts and the times of several clocks that do not agree.
import { v7 as uuidv7 } from 'uuid';
import { digestOf } from '../../src/commands/content.js';
import { access } from '../../src/domain/access.js';
import { fold, type Decider } from '../../src/domain/decider.js';
import { environment, type EnvironmentCommand } from '../../src/domain/environment.js';
import type { EnvironmentEvent } from '../../src/domain/environment.events.js';
import {
  SCHEMA,
  streamOf,
  type Actor,
  type DomainEvent,
  type EventMetadata,
} from '../../src/domain/events.js';
import { flow, type FlowCommand } from '../../src/domain/flow.js';
import { project, type ProjectCommand } from '../../src/domain/project.js';
import { encode } from '../../src/domain/recorded.js';
import { Refused } from '../../src/domain/refused.js';
import { joined } from '../../src/domain/release-parts.js';
import { releasesToRead } from '../../src/domain/rollback.js';
import type { EventStore, NewEvent } from '../../src/store/event-store.js';
import type { LogEvent } from './past-model.js';
import type { Random } from './random.js';

/** What environments may be called: few, so that they take names over from each other. */
export const SLUGS = ['alpha', 'beta', 'gamma'];
export const FLOWS = ['chat', 'search', 'tools'];
const CLOCKS_APART_MS = 4_000;
const ENVIRONMENTS_MAX = 3;

export class PastHistory {
  readonly events: LogEvent[] = [];
  readonly projectId = uuidv7();
  readonly environmentIds: string[] = [];
  private readonly revisions = new Map<string, number>();
  private readonly project = project.initial();
  private readonly environments = new Map<string, ReturnType<typeof environment.initial>>();
  private readonly releases = new Map<string, Map<number, EnvironmentEvent>>();
  private readonly flows = new Map<string, ReturnType<typeof flow.initial>>();
  private readonly keys = access.initial();

  private constructor(
    private readonly store: EventStore,
    private readonly workspaceId: string,
    readonly slug: string,
    private readonly random: Random,
    private readonly clock: { nowMs: number },
  ) {}

  static async begin(
    store: EventStore,
    workspaceId: string,
    slug: string,
    random: Random,
    clock: { nowMs: number },
  ): Promise<PastHistory> {
    const history = new PastHistory(store, workspaceId, slug, random, clock);
    await history.onProject({ type: 'CreateProject', slug, name: slug });
    // Most of what may happen needs environments and flows.
    for (const environment of SLUGS.slice(0, 2)) await history.createEnvironment(environment);
    for (let flows = 0; flows < 2; flows += 1) await history.createFlow();
    return history;
  }

  /** One command, whatever becomes of it. */
  async step(): Promise<void> {
    try {
      await this.anyCommand();
    } catch (error) {
      // A refusal leaves everything as it is, which is a history like any other.
      if (!(error instanceof Refused)) throw error;
    }
  }

  private async anyCommand(): Promise<void> {
    const { random } = this;
    const kind = random.below(20);
    if (kind === 14) return this.archiveForAMoment();
    if (kind === 15) return this.changeKeys();
    if (this.environmentIds.length < ENVIRONMENTS_MAX && kind < 4) return this.createEnvironment();
    if (this.flows.size < FLOWS.length && kind >= 16) return this.createFlow();
    if (kind < 6) return this.onProject(this.anyProjectCommand());
    const flowId = random.pick([...this.flows.keys()]);
    if (kind < 9) return this.onFlow(flowId, this.anyFlowCommand(flowId));
    await this.release(random.pick(this.environmentIds), flowId);
  }

  private async archiveForAMoment(): Promise<void> {
    await this.onProject({ type: 'ArchiveProject' });
    await this.onProject({ type: 'RestoreProject' });
  }

  private createEnvironment(slug = this.random.pick(SLUGS)): Promise<void> {
    const environmentId = uuidv7();
    this.environmentIds.push(environmentId);
    return this.onProject({
      ...{ type: 'CreateEnvironment', environmentId, slug, name: `The ${slug}` },
      ...{ description: null, color: null, makeDefault: this.random.below(4) === 0 },
    }).catch((error: unknown) => {
      this.environmentIds.pop();
      throw error;
    });
  }

  private async createFlow(): Promise<void> {
    const id = uuidv7();
    const slug = FLOWS[this.flows.size] ?? '';
    this.flows.set(id, flow.initial());
    const first = this.random.below(3) === 0 ? null : { versionId: uuidv7(), ...this.anyText() };
    const kind = this.random.pick(['prompt', 'agent'] as const);
    await this.onFlow(id, { type: 'CreateFlow', slug, name: slug, kind, first });
  }

  private anyProjectCommand(): ProjectCommand {
    const { random } = this;
    const environmentId = random.pick([...this.environmentIds, 'none']);
    const slug = random.pick(SLUGS);
    switch (random.below(7)) {
      case 0:
        return { type: 'ChangeProject', withoutEnvironment: random.pick(['latest', 'first-active']) };
      case 1:
        return { type: 'ChangeProject', name: `Name ${random.below(3)}` };
      case 2:
        return { type: 'SetDefault', environmentId: random.pick([null, environmentId]) };
      case 3:
        return { type: 'ArchiveEnvironment', environmentId };
      case 4:
        return { type: 'RestoreEnvironment', environmentId };
      case 5:
        return { type: 'ChangeEnvironment', environmentId, description: `As of ${random.below(9)}` };
      default:
        return { type: 'ChangeEnvironment', environmentId, slug, name: `The ${slug}` };
    }
  }

  private anyFlowCommand(flowId: string): FlowCommand {
    const { random } = this;
    const state = this.flows.get(flowId) ?? flow.initial();
    const version = [...state.versions.values()][random.below(state.versions.size + 1)];
    const text = this.anyText();
    switch (random.below(6)) {
      case 0:
        return { type: 'RenameFlow', name: `Flow ${random.below(4)}` };
      case 1:
        return { type: 'ArchiveFlow', activeIn: this.isActive(flowId) ? ['somewhere'] : [] };
      case 2:
        if (version === undefined) break;
        return { type: 'ForkVersion', versionId: uuidv7(), forkedFrom: version.id, ...text };
      case 3:
      case 4:
        if (version === undefined) break;
        return { type: 'EditVersion', versionId: version.id, before: { content: {}, ...version }, ...text };
    }
    return { type: 'DraftVersion', versionId: uuidv7(), ...text };
  }

  private anyText() {
    const content = { prompt: `Wording ${this.random.below(1_000)}` };
    const label = this.random.pick([null, 'labelled']);
    return { content, digest: digestOf(content), label, comment: this.random.pick([null, 'A remark.']) };
  }

  private isActive(flowId: string): boolean {
    return [...this.environments.values()].some(({ flows }) => (flows.get(flowId)?.version ?? null) !== null);
  }

  private async release(environmentId: string, flowId: string): Promise<void> {
    const { random } = this;
    const state = this.environments.get(environmentId) ?? environment.initial();
    this.environments.set(environmentId, state);
    const rest = { comment: random.pick([null, 'Because.']), expectedRelease: null };
    const sourceId = random.pick(this.environmentIds);
    const source = this.environments.get(sourceId);
    const kind = random.below(9);
    if (kind === 0) {
      return this.onEnvironment(environmentId, { type: 'DeactivateVersion', flowId, ...rest });
    }
    if (kind <= 2 && source !== undefined && sourceId !== environmentId) {
      const expected = { expectedSourceRelease: null, expectedTargetRelease: null };
      const from = { environmentId: sourceId, state: source };
      const what = { flowIds: null, prune: random.below(2) === 0, comment: rest.comment };
      return this.onEnvironment(environmentId, { type: 'Promote', source: from, ...what, ...expected });
    }
    if (kind === 3) {
      const toRelease = random.pick([null, random.below(state.release + 1)]);
      const request = { toRelease, flowIds: random.pick([null, [flowId]]), ...rest };
      const made = this.releases.get(environmentId) ?? new Map<number, EnvironmentEvent>();
      const history = new Map(
        [...made].filter(([number]) => releasesToRead(state, request).includes(number)),
      );
      return this.onEnvironment(environmentId, { type: 'Rollback', ...request, history });
    }
    const versions = [...(this.flows.get(flowId)?.versions.values() ?? [])];
    if (versions.length === 0) return;
    const { id: versionId, number, digest } = random.pick(versions);
    await this.onFlow(flowId, { type: 'LockVersion', versionId });
    const version = { versionId, number, digest };
    await this.onEnvironment(environmentId, { type: 'ActivateVersion', flowId, version, ...rest });
  }

  private async changeKeys(): Promise<void> {
    const keyId = this.random.pick([...this.keys.keys.keys(), uuidv7()]);
    const event: DomainEvent = this.keys.keys.has(keyId)
      ? { type: 'ApiKeyRevoked', keyId }
      : { type: 'ApiKeyIssued', keyId, name: `key ${this.random.below(9)}`, hash: uuidv7(), grants: [] };
    await this.append(streamOf('access', this.workspaceId), [event], null);
    access.evolve(this.keys, event);
  }

  private onProject(command: ProjectCommand): Promise<void> {
    return this.decide(project, this.project, command, streamOf('project', this.projectId));
  }

  private onFlow(id: string, command: FlowCommand): Promise<void> {
    return this.decide(flow, this.flows.get(id) ?? flow.initial(), command, streamOf('flow', id));
  }

  /** A release is cut into parts of a few changes, as a large one would be. */
  private async onEnvironment(id: string, command: EnvironmentCommand): Promise<void> {
    const state = this.environments.get(id) ?? environment.initial();
    const decided = environment.decide(state, command);
    if (decided.length === 0) return;
    const whole = joined(decided);
    const size = 1 + this.random.below(2);
    const of = Math.ceil(whole.changes.length / size);
    const parts = Array.from({ length: of }, (_, index): EnvironmentEvent => {
      const changes = whole.changes.slice(index * size, (index + 1) * size);
      return of === 1 ? whole : { ...whole, changes, part: { number: index + 1, of } };
    });
    await this.append(streamOf('environment', id), parts);
    fold(environment, parts, state);
    const made = this.releases.get(id) ?? new Map<number, EnvironmentEvent>();
    this.releases.set(id, made.set(whole.release, whole));
  }

  private async decide<State, Command, Event extends DomainEvent>(
    decider: Decider<State, Command, Event>,
    state: State,
    command: Command,
    stream: string,
  ): Promise<void> {
    const events = decider.decide(state, command);
    if (events.length === 0) return;
    await this.append(stream, events);
    fold(decider, events, state);
  }

  private async append(
    stream: string,
    events: readonly DomainEvent[],
    projectId: string | null = this.projectId,
  ): Promise<void> {
    const time = new Date(this.anyTime()).toISOString();
    const keyId = this.random.pick([...this.keys.keys.keys(), 'first']);
    const actor: Actor = { type: this.random.below(9) === 0 ? 'system' : 'api-key', id: keyId };
    const requestId = uuidv7();
    const ids = { requestId, $correlationId: requestId, $causationId: requestId };
    const owner = { workspace: this.workspaceId, project: projectId };
    const meta: EventMetadata = {
      actor,
      ...owner,
      time,
      schema: SCHEMA,
      ...ids,
      userAgent: 'says "time":"never"',
    };
    const written = events.map((event): NewEvent => {
      return { id: uuidv7(), type: event.type, data: encode(event), meta: JSON.stringify(meta) };
    });
    const before = this.revisions.get(stream) ?? (await this.revisionOf(stream));
    await this.store.append(stream, written, before < 0 ? 'no-stream' : before);
    this.revisions.set(stream, before + written.length);
    const stored = await this.store.readStream(stream, { from: before + 1, limit: written.length });
    for (const [index, event] of events.entries()) {
      const position = stored[index]?.position ?? 0n;
      this.events.push({ stream, position, timeMs: Date.parse(time), event, meta });
    }
  }

  private async revisionOf(stream: string): Promise<number> {
    const [newest] = await this.store.readStream(stream, { direction: 'backwards', limit: 1 });
    return newest?.revision ?? -1;
  }

  /** Time goes on, or stands still, and no two clocks agree. */
  private anyTime(): number {
    this.clock.nowMs += this.random.below(3) * 700;
    return this.clock.nowMs + this.random.below(2) * this.random.below(CLOCKS_APART_MS);
  }
}
