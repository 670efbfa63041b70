// Fills a log quickly and honestly: the facts are decided by the domain and carry the metadata, ids and digests that
// a command would have given them. Only the way in is short: in large batches, straight through the event store.
import { v7 as uuidv7 } from 'uuid';
import { digestOf } from '../src/commands/content.js';
import { ProjectStream, type InProject } from '../src/commands/project-stream.js';
import { readConfig, type Config } from '../src/config.js';
import { environment, type EnvironmentCommand } from '../src/domain/environment.js';
import { fold } from '../src/domain/decider.js';
import { SCHEMA, slugStream, streamOf, type DomainEvent, type EventMetadata } from '../src/domain/events.js';
import { flow, versionIn, type FlowCommand, type FlowState } from '../src/domain/flow.js';
import { encode } from '../src/domain/recorded.js';
import { Engine } from '../src/engine.js';
import type { EventStore, NewEvent } from '../src/store/event-store.js';
import { openEventStore } from '../src/store/open-event-store.js';

export interface SeedPlan {
  readonly flows: number;
  /** In each round every flow gets one more version, which is locked and activated in all of `ENVIRONMENTS`. */
  readonly rounds: number;
  /** Environments beside those, with nothing in them. */
  readonly lanes: number;
}

export interface Seed {
  readonly plan: SeedPlan;
  readonly folder: string;
  readonly key: string;
  readonly events: number;
}

export const ENVIRONMENTS = ['development', 'staging', 'production'] as const;
const FLOWS_PER_BATCH = 1_000;
const EVENTS_PER_APPEND = 1_000;

export function slugOf(flowNumber: number): string {
  return `flow-${String(flowNumber).padStart(6, '0')}`;
}

export function laneOf(laneNumber: number): string {
  return `lane-${laneNumber}`;
}

export function contentOf(slug: string, version: number) {
  const prompt = `You answer questions about ${slug}. Be brief, name your sources, and say so when you do not know. `;
  return { prompt: prompt.repeat(2), model: 'large-2', temperature: 0.2, maxTokens: 1_024, wording: version };
}

export async function plant(folder: string, key: string, plan: SeedPlan): Promise<Seed> {
  const config = readConfig({ SWITCHYARD_DATA: folder, SWITCHYARD_ADMIN_KEY: key });
  const { caller, environmentIds } = await prepare(config, plan);
  const store = await openEventStore(config.eventStore);
  const seeding = new Seeding(store, caller);
  await seeding.createFlows(plan.flows);
  const [development = '', ...others] = environmentIds;
  for (let round = 1; round <= plan.rounds; round += 1) {
    await seeding.draftAndLock(round);
    await seeding.activateAll(development);
    for (const id of others) {
      // The first time as one release each, afterwards flow by flow: a log has both.
      if (round === 1) await seeding.promote(development, id);
      else await seeding.activateAll(id);
    }
  }
  const events = Number(await store.head());
  await store.close();
  // Brings the views to the end of the log, and leaves both as a clean stop does.
  await (await Engine.open(config)).close();
  return { plan, folder, key, events };
}

/** What there are only a few of goes in as every command does. */
async function prepare(config: Config, { lanes }: SeedPlan) {
  const engine = await Engine.open(config);
  const { directory } = engine.follower.live;
  const workspace = directory.workspaceBySlug('default');
  const [project] = directory.projectsOf(workspace?.id ?? '');
  const [keyId] = workspace?.state.keys.keys() ?? [];
  if (workspace === undefined || project === undefined || keyId === undefined) {
    throw new Error('A fresh log has a workspace, a project and a key');
  }
  const caller: InProject = {
    actor: { type: 'api-key', id: keyId },
    workspaceId: workspace.id,
    projectId: project.id,
    requestId: uuidv7(),
    ip: '127.0.0.1',
    userAgent: 'switchyard-bench',
  };
  const projects = new ProjectStream(engine.commandLog, engine.streams);
  const slugs = [...ENVIRONMENTS, ...Array.from({ length: lanes }, (_, lane) => laneOf(lane))];
  const environmentIds: string[] = [];
  for (const slug of slugs) {
    const environmentId = uuidv7();
    await projects.run(caller, {
      ...{ type: 'CreateEnvironment', environmentId, slug, name: slug },
      ...{ description: null, color: null, makeDefault: false },
    });
    if (environmentIds.length < ENVIRONMENTS.length) environmentIds.push(environmentId);
  }
  await engine.close();
  return { caller, environmentIds };
}

interface Seeded<State> {
  readonly id: string;
  readonly state: State;
  revision: number;
}

class Seeding {
  private readonly flows: (Seeded<FlowState> & { readonly slug: string; newest: string })[] = [];
  private readonly environments = new Map<string, Seeded<ReturnType<typeof environment.initial>>>();

  constructor(
    private readonly store: EventStore,
    private readonly caller: InProject,
  ) {}

  async createFlows(count: number): Promise<void> {
    for (let number = 0; number < count; number += 1) {
      this.flows.push({
        ...{ id: uuidv7(), slug: slugOf(number), state: flow.initial(), revision: -1, newest: '' },
      });
    }
    await this.inBatches(async (each) => {
      const reserved = { type: 'FlowSlugReserved', slug: each.slug, flowId: each.id } as const;
      const reservation = slugStream(this.caller.projectId, each.slug);
      await this.append(reservation, -1, this.written([reserved]));
      const { slug } = each;
      await this.decideFlow(each, [{ type: 'CreateFlow', slug, name: slug, kind: 'prompt', first: null }]);
    });
  }

  draftAndLock(round: number): Promise<void> {
    return this.inBatches(async (each) => {
      const content = contentOf(each.slug, round);
      each.newest = uuidv7();
      const text = { content, digest: digestOf(content), label: null, comment: null };
      await this.decideFlow(each, [
        { type: 'DraftVersion', versionId: each.newest, ...text },
        { type: 'LockVersion', versionId: each.newest },
      ]);
    });
  }

  async activateAll(environmentId: string): Promise<void> {
    let waiting: NewEvent[] = [];
    for (const { id: flowId, state, newest } of this.flows) {
      const { number, digest } = versionIn(state, newest);
      const version = { versionId: newest, number, digest };
      const command = {
        type: 'ActivateVersion',
        flowId,
        version,
        comment: null,
        expectedRelease: null,
      } as const;
      waiting.push(...this.decideEnvironment(environmentId, command));
      if (waiting.length < EVENTS_PER_APPEND) continue;
      await this.appendTo(environmentId, waiting);
      waiting = [];
    }
    if (waiting.length > 0) await this.appendTo(environmentId, waiting);
  }

  async promote(sourceId: string, targetId: string): Promise<void> {
    const source = { environmentId: sourceId, state: this.environment(sourceId).state };
    const expected = { expectedSourceRelease: null, expectedTargetRelease: null };
    const rest = { flowIds: null, prune: false, comment: null, ...expected };
    await this.appendTo(targetId, this.decideEnvironment(targetId, { type: 'Promote', source, ...rest }));
  }

  private environment(id: string) {
    const known = this.environments.get(id) ?? { id, state: environment.initial(), revision: -1 };
    this.environments.set(id, known);
    return known;
  }

  private decideEnvironment(id: string, command: EnvironmentCommand): NewEvent[] {
    const { state } = this.environment(id);
    const events = environment.decide(state, command);
    fold(environment, events, state);
    return this.written(events);
  }

  private async appendTo(id: string, events: readonly NewEvent[]): Promise<void> {
    const known = this.environment(id);
    const { revision } = known;
    known.revision += events.length;
    await this.append(streamOf('environment', id), revision, events);
  }

  private async decideFlow(each: Seeded<FlowState>, commands: readonly FlowCommand[]): Promise<void> {
    const events = commands.flatMap((command) => {
      const decided = flow.decide(each.state, command);
      fold(flow, decided, each.state);
      return this.written(decided);
    });
    const { revision } = each;
    each.revision += events.length;
    await this.append(streamOf('flow', each.id), revision, events);
  }

  private async inBatches(work: (each: Seeding['flows'][number]) => Promise<void>): Promise<void> {
    for (let from = 0; from < this.flows.length; from += FLOWS_PER_BATCH) {
      await Promise.all(this.flows.slice(from, from + FLOWS_PER_BATCH).map(work));
    }
  }

  private async append(stream: string, revision: number, events: readonly NewEvent[]): Promise<void> {
    await this.store.append(stream, events, revision < 0 ? 'no-stream' : revision);
  }

  /** The events of one command share its metadata. */
  private written(events: readonly DomainEvent[]): NewEvent[] {
    const { actor, workspaceId: workspace, projectId, ip = '', userAgent = '' } = this.caller;
    const requestId = uuidv7();
    const meta: EventMetadata = {
      ...{ actor, workspace, project: projectId, time: new Date().toISOString(), schema: SCHEMA },
      ...{ requestId, $correlationId: requestId, $causationId: requestId, ip, userAgent },
    };
    const text = JSON.stringify(meta);
    return events.map((event) => ({ id: uuidv7(), type: event.type, data: encode(event), meta: text }));
  }
}
