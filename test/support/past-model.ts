// What a server has to answer about a moment, told as plainly as it can be: the events of the log up to there are
// folded one by one, without any code of the server, and read off.
import type { EnvironmentEvent, VersionRef } from '../../src/domain/environment.events.js';
import type { Actor, DomainEvent, EventMetadata } from '../../src/domain/events.js';
import type { FlowKind } from '../../src/domain/flow.events.js';

export interface LogEvent {
  readonly stream: string;
  readonly position: bigint;
  readonly timeMs: number;
  readonly event: DomainEvent;
  readonly meta: EventMetadata;
}

export interface Told {
  readonly status: number;
  /** The body, of a problem its code. */
  readonly body: unknown;
}

interface Environment {
  readonly id: string;
  slug: string;
  name: string;
  description: string | null;
  color: string | null;
  readonly createdAt: string;
  archivedAt: string | null;
}

interface Version {
  readonly id: string;
  readonly flowId: string;
  readonly number: number;
  state: 'draft' | 'locked';
  readonly forkedFrom: string | null;
  readonly createdAt: string;
  readonly actor: Actor;
  /** Digest, label, comment and content. */
  text: object;
}

interface Flow {
  readonly id: string;
  readonly slug: string;
  name: string;
  readonly kind: FlowKind;
  readonly createdAt: string;
  archivedAt: string | null;
  readonly versions: Version[];
}

interface Project {
  readonly id: string;
  readonly slug: string;
  name: string;
  policy: string;
  defaultId: string | null;
  readonly createdAt: string;
  archivedAt: string | null;
}

interface Run {
  release: number;
  readonly active: Map<string, VersionRef>;
  held: EnvironmentEvent['changes'][number][];
}

interface Decided {
  readonly reason: string;
  /** Id or number. */
  readonly version: string;
  readonly environment?: Environment;
}

class NotThere extends Error {
  constructor(readonly code: string) {
    super(code);
  }
}

export class PastModel {
  private project: Project | undefined;
  private readonly environments = new Map<string, Environment>();
  private readonly slugs = new Map<string, string>();
  private readonly flows = new Map<string, Flow>();
  private readonly runs = new Map<string, Run>();
  /** `environment flow`, in the order in which flows became active. */
  private readonly firsts: string[] = [];
  private readonly keys = new Map<string, string>();

  /** The state as of a position. */
  constructor(
    events: readonly LogEvent[],
    readonly position: bigint,
  ) {
    for (const event of events) if (event.position <= position) this.take(event);
  }

  /** What a question has to be answered with. */
  static told(ask: () => unknown): Told {
    try {
      return { status: 200, body: ask() };
    } catch (error) {
      if (error instanceof NotThere) return { status: 404, body: error.code };
      throw error;
    }
  }

  projectAnswer(): object {
    const { id, slug, name, policy, createdAt, archivedAt } = this.known();
    const asOf = { position: String(this.position) };
    return {
      id,
      slug,
      name,
      defaultEnvironment: this.defaultSlug(),
      withoutEnvironment: policy,
      createdAt,
      archivedAt,
      ...asOf,
    };
  }

  defaultAnswer(): object {
    return { environment: this.defaultSlug(), position: String(this.position) };
  }

  environmentAnswer(reference: string): object {
    const environment = this.environment(reference);
    const { release, active } = this.running(environment.id);
    const isDefault = this.known().defaultId === environment.id;
    const counts = { isDefault, release, activeCount: active.size };
    return { ...environment, ...counts, position: String(this.position) };
  }

  activeAnswer(reference: string): object {
    const { id, slug } = this.environment(reference);
    const { release, active } = this.running(id);
    const items = [...active].map(([flowId, ref]) => {
      const flow = there(this.flows.get(flowId));
      return { flowId, slug: flow.slug, kind: flow.kind, ...ref };
    });
    return { environment: slug, release, items: sorted(items), position: String(this.position) };
  }

  diffAnswer(source: string, target: string, all: boolean): object {
    const from = this.environment(source);
    const to = this.environment(target);
    const { summary, items } = this.compare(this.running(from.id).active, this.running(to.id).active, all);
    return {
      sourceEnvironment: from.slug,
      targetEnvironment: to.slug,
      sourceRelease: this.running(from.id).release,
      targetRelease: this.running(to.id).release,
      summary,
      items: items.map(({ one, other, ...item }) => ({ ...item, source: one, target: other })),
      position: String(this.position),
    };
  }

  flowAnswer(reference: string): object {
    const { versions, ...flow } = this.flow(reference);
    const newest = versions.at(-1);
    const activeVersions: Record<string, string> = {};
    for (const [{ slug }, { versionId }] of this.activeIn(flow.id)) activeVersions[slug] = versionId;
    const latest = { latest: newest?.number ?? null, latestVersionId: newest?.id ?? null };
    return { ...flow, ...latest, activeVersions, position: String(this.position) };
  }

  resolveAnswer(reference: string, requested: string | undefined, explicit: string | undefined): object {
    const flow = this.flow(reference);
    const decided = this.resolve(flow, requested, explicit);
    const { reason, environment } = decided;
    const version = flow.versions.find(({ id, number }) => [id, String(number)].includes(decided.version));
    if (version === undefined) throw new NotThere('version-not-found');
    const { actor, text, ...rest } = version;
    const resolution = {
      reason,
      requestedEnvironment: requested ?? null,
      environment: environment?.slug ?? null,
      release: environment === undefined ? null : this.running(environment.id).release,
      position: String(this.position),
    };
    const name = actor.type === 'system' ? 'Switchyard' : (this.keys.get(actor.id) ?? null);
    return { ...rest, ...text, actor: { ...actor, name }, resolution };
  }

  /** From this moment to another one: the environments by id. */
  statesAnswer(fromId: string, to: PastModel, toId: string, all: boolean): object {
    const later = to.position >= this.position ? to : this;
    const { summary, items } = later.compare(to.running(toId).active, this.running(fromId).active, all);
    return {
      from: this.side(fromId),
      to: to.side(toId),
      summary,
      items: items.map(({ one, other, ...item }) => ({ ...item, from: other, to: one })),
    };
  }

  environment(reference: string): Environment {
    this.known();
    const found = this.environments.get(this.slugs.get(reference) ?? reference);
    if (found === undefined) throw new NotThere('environment-not-found');
    return found;
  }

  private side(id: string): object {
    const { slug } = there(this.environments.get(id));
    return { environment: slug, release: this.running(id).release, position: String(this.position) };
  }

  private defaultSlug(): string | null {
    const { defaultId } = this.known();
    return defaultId === null ? null : there(this.environments.get(defaultId)).slug;
  }

  private resolve(flow: Flow, requested: string | undefined, explicit: string | undefined): Decided {
    if (explicit !== undefined) return { reason: 'version', version: explicit };
    if (requested !== undefined) return this.within('environment', flow, requested);
    const { defaultId, policy } = this.known();
    if (defaultId !== null) return this.within('default-environment', flow, defaultId);
    const [first] = policy === 'first-active' ? this.activeIn(flow.id) : [];
    if (first !== undefined) {
      return { reason: 'first-active', version: first[1].versionId, environment: first[0] };
    }
    const newest = flow.versions.at(-1);
    if (newest === undefined) throw new NotThere('version-not-found');
    return { reason: 'latest', version: newest.id };
  }

  private within(reason: string, flow: Flow, reference: string): Decided {
    const environment = this.environment(reference);
    if (environment.archivedAt !== null) throw new NotThere('environment-archived');
    const ref = this.running(environment.id).active.get(flow.id);
    if (ref === undefined) throw new NotThere('not-active');
    return { reason, version: ref.versionId, environment };
  }

  /** Where a flow is active, archived environments aside, in the order of its first activation. */
  private activeIn(flowId: string): [Environment, VersionRef][] {
    return this.firsts.flatMap((first): [Environment, VersionRef][] => {
      const [environmentId = '', flow] = first.split(' ');
      const environment = there(this.environments.get(environmentId));
      const ref = this.running(environmentId).active.get(flowId);
      return flow === flowId && environment.archivedAt === null && ref !== undefined
        ? [[environment, ref]]
        : [];
    });
  }

  private compare(
    one: ReadonlyMap<string, VersionRef>,
    other: ReadonlyMap<string, VersionRef>,
    all: boolean,
  ) {
    const rows = [...new Set([...one.keys(), ...other.keys()])].map((flowId) => {
      const [a, b] = [one.get(flowId) ?? null, other.get(flowId) ?? null];
      const same = a?.versionId === b?.versionId;
      const change = b === null ? 'added' : a === null ? 'removed' : same ? 'unchanged' : 'changed';
      const { slug, name, kind } = there(this.flows.get(flowId));
      return { flowId, slug, name, kind, change, one: a, other: b };
    });
    const count = (change: string): number => rows.filter((row) => row.change === change).length;
    const summary = {
      added: count('added'),
      changed: count('changed'),
      removed: count('removed'),
      unchanged: count('unchanged'),
    };
    return { summary, items: sorted(rows.filter((row) => all || row.change !== 'unchanged')) };
  }

  private known(): Project {
    if (this.project === undefined) throw new NotThere('project-not-found');
    return this.project;
  }

  private flow(reference: string): Flow {
    this.known();
    const found = [...this.flows.values()].find(({ id, slug }) => id === reference || slug === reference);
    if (found === undefined) throw new NotThere('flow-not-found');
    return found;
  }

  private running(environmentId: string): Run {
    return this.runs.get(environmentId) ?? { release: 0, active: new Map(), held: [] };
  }

  private take({ event, stream, meta: { time, actor } }: LogEvent): void {
    const id = stream.slice(stream.indexOf('-') + 1);
    const own = (environmentId: string): Environment => there(this.environments.get(environmentId));
    const flow = (): Flow => there(this.flows.get(id));
    const version = (versionId: string): Version =>
      there(flow().versions.find((one) => one.id === versionId));
    switch (event.type) {
      case 'ApiKeyIssued':
        return void this.keys.set(event.keyId, event.name);
      case 'ProjectCreated': {
        const { slug, name, withoutEnvironment: policy } = event;
        this.project = { id, slug, name, policy, defaultId: null, createdAt: time, archivedAt: null };
        return;
      }
      case 'ProjectRenamed':
        return void (this.known().name = event.name);
      case 'ProjectArchived':
        return void (this.known().archivedAt = time);
      case 'ProjectRestored':
        return void (this.known().archivedAt = null);
      case 'ResolutionPolicySet':
        return void (this.known().policy = event.withoutEnvironment);
      case 'DefaultEnvironmentSet':
        return void (this.known().defaultId = event.environmentId);
      case 'EnvironmentCreated': {
        const { environmentId, slug, name, description, color } = event;
        this.slugs.set(slug, environmentId);
        const times = { createdAt: time, archivedAt: null };
        this.environments.set(environmentId, { id: environmentId, slug, name, description, color, ...times });
        return;
      }
      case 'EnvironmentRenamed':
        this.slugs.set(event.slug, event.environmentId);
        return void Object.assign(own(event.environmentId), { slug: event.slug, name: event.name });
      case 'EnvironmentDescribed':
        own(event.environmentId).color = event.color;
        return void (own(event.environmentId).description = event.description);
      case 'EnvironmentArchived':
        return void (own(event.environmentId).archivedAt = time);
      case 'EnvironmentRestored':
        return void (own(event.environmentId).archivedAt = null);
      case 'FlowCreated': {
        const { slug, name, kind } = event;
        this.flows.set(id, { id, slug, name, kind, createdAt: time, archivedAt: null, versions: [] });
        return;
      }
      case 'FlowRenamed':
        return void (flow().name = event.name);
      case 'FlowArchived':
        return void (flow().archivedAt = time);
      case 'VersionDrafted': {
        const { versionId, number, forkedFrom } = event;
        const origin = { forkedFrom, createdAt: time, actor };
        const text = textOf(event);
        flow().versions.push({ id: versionId, flowId: id, number, state: 'draft', ...origin, text });
        return;
      }
      case 'VersionEdited':
        return void (version(event.versionId).text = textOf(event));
      case 'VersionLocked':
        return void (version(event.versionId).state = 'locked');
      default:
        if ('changes' in event) this.takeRelease(id, event);
    }
  }

  private takeRelease(id: string, event: EnvironmentEvent): void {
    const run = this.running(id);
    this.runs.set(id, run);
    run.held.push(...event.changes);
    if (event.part !== undefined && event.part.number < event.part.of) return;
    for (const { flowId, to } of run.held) {
      if (to === null) run.active.delete(flowId);
      else run.active.set(flowId, to);
      const first = `${id} ${flowId}`;
      if (!this.firsts.includes(first)) this.firsts.push(first);
    }
    run.held = [];
    run.release = event.release;
  }
}

function textOf({ digest, label, comment, content }: Extract<DomainEvent, { readonly content: unknown }>) {
  return { digest, label, comment, content };
}

function there<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('The log speaks of what it has not told of before');
  return value;
}

function sorted<Item extends { readonly slug: string }>(items: readonly Item[]): Item[] {
  return [...items].sort((a, b) => (a.slug < b.slug ? -1 : 1));
}
