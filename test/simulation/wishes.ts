// What clients wish for next: any command and any question, about the few things that they have heard of, so that they
// meet each other at every turn. Now and then it is about something that is not there, or no longer as it was.
import type { Random } from '../support/random.js';
import type { Question } from './history.js';
import type { Answer, Content, Operation, Text } from './operations.js';

const ENVIRONMENTS = ['development', 'staging', 'production', 'eu'] as const;
const FLOWS = ['chat', 'search', 'triage', 'billing'] as const;
const CONTENTS = 6;
const ENOUGH_ENVIRONMENTS = 3;
const ENOUGH_FLOWS = 2;
const NOWHERE = '00000000-0000-7000-8000-000000000000';

interface KnownFlow {
  readonly id: string;
  versions: number;
}

export class Wishes {
  private readonly environments = new Map<string, { readonly id: string; release: number }>();
  private readonly flows = new Map<string, KnownFlow>();
  private readonly asked = new Set<string>();

  constructor(private readonly random: Random) {}

  /** What came of an operation, for everybody to refer to. */
  hear(operation: Operation, answer: Answer): void {
    if (answer.kind !== 'done') return;
    const { id, release } = JSON.parse(answer.body) as { id?: string; release?: { release: number } | null };
    if (id !== undefined && operation.kind === 'create-environment') {
      this.environments.set(id, { id, release: 0 });
    } else if (id !== undefined && operation.kind === 'create-flow') {
      this.flows.set(id, { id, versions: operation.content === null ? 0 : 1 });
    } else if (operation.kind === 'draft' || operation.kind === 'fork') {
      const flow = this.flows.get(operation.flowId);
      if (flow !== undefined) flow.versions += 1;
    }
    const environment = this.environments.get(environmentOf(operation) ?? '');
    if (release && environment !== undefined) environment.release = release.release;
  }

  operation(): Operation {
    const { random } = this;
    if (this.flows.size < ENOUGH_FLOWS && random.next() < 0.5) return this.newFlow();
    if (this.environments.size < ENOUGH_ENVIRONMENTS && random.next() < 0.7) return this.newEnvironment();
    const chance = random.next();
    if (chance < 0.6) return this.release();
    if (chance < 0.8) return this.onFlow();
    return this.onProject();
  }

  question(): Question {
    const { random } = this;
    switch (random.below(9)) {
      case 0:
        return { kind: 'environment', environment: this.environment() };
      case 1:
        return { kind: 'diff', source: this.environment(), target: this.environment() };
      case 2:
        return { kind: 'flow', flow: this.flow().id };
      case 3:
        return { kind: 'version', flow: this.flow().id, version: this.version() };
      case 4:
        return { kind: 'releases', environment: this.environment() };
      case 5:
        return { kind: 'project' };
      default: {
        const named = random.next() < 0.5 ? this.environment() : random.pick(ENVIRONMENTS);
        const environment = random.next() < 0.5 ? null : named;
        return {
          kind: 'resolve',
          flow: random.next() < 0.5 ? this.flow().id : random.pick(FLOWS),
          environment,
        };
      }
    }
  }

  private newEnvironment(): Operation {
    const { random } = this;
    const slug = this.newOne(ENVIRONMENTS);
    const rest = {
      description: null,
      color: random.pick(['#00ff00', null]),
      makeDefault: random.next() < 0.2,
    };
    return { kind: 'create-environment', slug, name: slug.toUpperCase(), ...rest };
  }

  private newFlow(): Operation {
    const { random } = this;
    const slug = this.newOne(FLOWS);
    const content = random.next() < 0.8 ? this.content() : null;
    return { kind: 'create-flow', slug, name: slug, content, comment: this.comment() };
  }

  /** A slug that nobody has asked for yet, where there is one. */
  private newOne(slugs: readonly string[]): string {
    const free = slugs.filter((slug) => !this.asked.has(slug));
    const slug = this.random.pick(free.length === 0 || this.random.next() < 0.1 ? slugs : free);
    this.asked.add(slug);
    return slug;
  }

  private release(): Operation {
    const { random } = this;
    const environmentId = this.environment();
    const expectedRelease = this.pin(environmentId);
    const comment = this.comment();
    const dryRun = random.next() < 0.1;
    const chance = random.next();
    if (chance < 0.4) {
      const version = this.version();
      return { kind: 'activate', environmentId, flowId: this.flow().id, version, comment, expectedRelease };
    }
    if (chance < 0.5) {
      return { kind: 'deactivate', environmentId, flowId: this.flow().id, comment, expectedRelease };
    }
    const flowIds = random.next() < 0.3 ? this.someFlows() : null;
    if (chance < 0.75) {
      const sourceId = this.environment();
      const pins = {
        expectedSourceRelease: this.pin(sourceId),
        expectedTargetRelease: expectedRelease,
      };
      const how = { prune: random.next() < 0.4, comment, dryRun };
      return { kind: 'promote', sourceId, targetId: environmentId, flowIds, ...how, ...pins };
    }
    const toRelease = random.next() < 0.4 ? random.below(this.releaseOf(environmentId) + 2) : null;
    return { kind: 'rollback', environmentId, toRelease, flowIds, comment, dryRun, expectedRelease };
  }

  private onFlow(): Operation {
    const { random } = this;
    const flowId = this.flow().id;
    const text: Text = {
      ...(random.next() < 0.6 && { content: this.content() }),
      ...(random.next() < 0.4 && { label: random.pick(['first', 'second', null]) }),
      ...(random.next() < 0.4 && { comment: this.comment() }),
    };
    const chance = random.next();
    if (chance < 0.4) return { kind: 'draft', flowId, text: { ...text, content: this.content() } };
    if (chance < 0.6) return { kind: 'edit', flowId, versionId: this.version(), text };
    if (chance < 0.75) return { kind: 'fork', flowId, versionId: this.version(), text };
    if (chance < 0.85)
      return { kind: 'rename-flow', flowId, name: random.pick(['Chat', 'Search', 'Chat 2']) };
    if (chance < 0.9) return { kind: 'archive-flow', flowId };
    return this.newFlow();
  }

  private onProject(): Operation {
    const { random } = this;
    const environmentId = this.environment();
    const chance = random.next();
    if (chance < 0.25) return this.renamed(environmentId);
    if (chance < 0.4) return { kind: 'archive-environment', environmentId };
    if (chance < 0.55) return { kind: 'restore-environment', environmentId };
    if (chance < 0.8)
      return { kind: 'set-default', environmentId: random.next() < 0.4 ? null : environmentId };
    if (chance < 0.9) return this.newEnvironment();
    const withoutEnvironment = random.pick(['first-active', 'latest'] as const);
    return { kind: 'change-project', withoutEnvironment, ...(random.next() < 0.4 && { name: this.word() }) };
  }

  private renamed(environmentId: string): Operation {
    const slug = this.random.pick(ENVIRONMENTS);
    return {
      kind: 'change-environment',
      environmentId,
      ...(this.random.next() < 0.6 && { slug, name: slug.toUpperCase() }),
      ...(this.random.next() < 0.6 && { description: this.word() }),
    };
  }

  private environment(): string {
    const known = [...this.environments.keys()];
    return known.length === 0 || this.random.next() < 0.02 ? NOWHERE : this.random.pick(known);
  }

  private flow(): KnownFlow {
    const { random } = this;
    const known = [...this.flows.values()];
    return known.length === 0 || random.next() < 0.02 ? { id: NOWHERE, versions: 1 } : random.pick(known);
  }

  private someFlows(): string[] {
    return Array.from({ length: 1 + this.random.below(2) }, () => this.flow().id);
  }

  /** Sometimes one that is not there yet. */
  private version(): string {
    const most = Math.max(1, ...[...this.flows.values()].map(({ versions }) => versions));
    return String(1 + this.random.below(most));
  }

  private pin(environmentId: string): number | null {
    return this.random.next() < 0.2 ? this.releaseOf(environmentId) : null;
  }

  private releaseOf(environmentId: string): number {
    return this.environments.get(environmentId)?.release ?? 0;
  }

  private content(): Content {
    return { text: `content ${this.random.below(CONTENTS)}` };
  }

  private comment(): string | null {
    return this.random.next() < 0.5 ? null : this.word();
  }

  private word(): string {
    return this.random.pick(['one', 'two', 'three']);
  }
}

function environmentOf(operation: Operation): string | null {
  if (operation.kind === 'promote') return operation.targetId;
  return 'environmentId' in operation ? operation.environmentId : null;
}
