// Which version runs for a caller: that of the environment asked for, else of the default one, and only where
// there is neither, what the project says. No environment ever falls back to another answer.
import type { DomainEvent } from '../../src/domain/events.js';
import type { WithoutEnvironment } from '../../src/domain/project.events.js';
import type { Resolved } from '../../projections/resolution.js';
import { EnvironmentLog } from '../support/environment-log.js';
import { liveViews, Log } from '../support/log.js';
import { refusalOf } from '../support/spec.js';

describe('Resolving with an environment', () => {
  it('gives the version that is active there, found by slug, id or former slug', () => {
    const world = new World().activate('dev', 1).activate('staging', 2).renameStagingToQa();
    const staging = {
      reason: 'environment',
      versionId: 'chat-v2',
      environment: { id: 'id-of-staging', slug: 'qa' },
    };
    expect(world.resolve('qa')).toMatchObject(staging);
    expect(world.resolve('id-of-staging')).toMatchObject(staging);
    expect(world.resolve('staging')).toMatchObject(staging);
    expect(world.resolve('dev')).toMatchObject({ versionId: 'chat-v1' });
  });

  it('wins over the default environment', () =>
    expect(
      new World().activate('dev', 1).activate('staging', 2).setDefault('staging').resolve('dev'),
    ).toMatchObject({
      ...{ reason: 'environment', versionId: 'chat-v1' },
    }));

  it('never falls back when the flow is not active there, and names the environment', () => {
    const world = new World().activate('dev', 1).setDefault('dev');
    world.refused('staging', 'not-active', 'chat', 'staging');
    world.policy('latest').refused('staging', 'not-active', 'staging');
    world.activate('staging', 2).deactivate('staging').refused('staging', 'not-active', 'staging');
  });

  it('never falls back when there is no such environment, and names it', () =>
    new World().activate('dev', 1).setDefault('dev').refused('nowhere', 'environment-not-found', 'nowhere'));

  it('never falls back when the environment is archived, also under a former slug, and names it', () => {
    const world = new World()
      .activate('dev', 1)
      .activate('staging', 2)
      .renameStagingToQa()
      .archive('staging');
    world.refused('qa', 'environment-archived', 'qa');
    world.refused('staging', 'environment-archived', 'qa');
    world.refused('id-of-staging', 'environment-archived', 'qa');
  });

  it('works again once the environment is restored', () =>
    expect(
      new World().activate('staging', 2).archive('staging').restore('staging').resolve('staging'),
    ).toMatchObject({
      ...{ reason: 'environment', versionId: 'chat-v2' },
    }));
});

describe('Resolving without an environment, where the project has a default one', () => {
  it('gives the version that is active there', () =>
    expect(
      new World().activate('dev', 1).activate('staging', 2).setDefault('staging').resolve(),
    ).toMatchObject({
      reason: 'default-environment',
      versionId: 'chat-v2',
      environment: { id: 'id-of-staging', slug: 'staging' },
    }));

  it('wins over what the project says for callers without an environment', () => {
    const world = new World().activate('dev', 1).activate('staging', 2).setDefault('staging');
    for (const policy of ['first-active', 'latest'] as const) {
      expect(world.policy(policy).resolve()).toMatchObject({
        reason: 'default-environment',
        versionId: 'chat-v2',
      });
    }
  });

  it('never falls back when the flow is not active there, whatever the project says, and names it', () => {
    const world = new World().activate('dev', 1).setDefault('staging');
    for (const policy of ['first-active', 'latest'] as const) {
      world.policy(policy).refused(undefined, 'not-active', 'chat', 'staging');
    }
  });

  it('goes on as if there had been none once the default is cleared', () =>
    expect(new World().activate('dev', 1).setDefault('staging').setDefault(null).resolve()).toMatchObject({
      reason: 'first-active',
    }));
});

describe('Resolving without an environment and without a default', () => {
  it('gives the first of the active versions, in the order of first activation', () => {
    const world = new World().activate('staging', 2).activate('dev', 1);
    const first = {
      reason: 'first-active',
      versionId: 'chat-v2',
      environment: { id: 'id-of-staging', slug: 'staging' },
    };
    expect(world.resolve()).toMatchObject(first);
    expect(world.activate('staging', 3).resolve()).toMatchObject({ ...first, versionId: 'chat-v3' });
  });

  it('passes over environments where the flow is active no more, and over archived ones', () => {
    const world = new World().activate('dev', 1).activate('staging', 2).activate('production', 3);
    expect(world.deactivate('dev').resolve()).toMatchObject({ versionId: 'chat-v2' });
    expect(world.archive('staging').resolve()).toMatchObject({
      reason: 'first-active',
      versionId: 'chat-v3',
    });
    expect(world.restore('staging').resolve()).toMatchObject({ versionId: 'chat-v2' });
  });

  it('gives the latest version, draft or not, when it is active nowhere', () => {
    const latest = { reason: 'latest', versionId: 'chat-v3', environment: null };
    expect(new World().resolve()).toMatchObject(latest);
    expect(new World().activate('dev', 1).deactivate('dev').resolve()).toMatchObject(latest);
    expect(new World().activate('dev', 1).archive('dev').resolve()).toMatchObject(latest);
  });

  it('gives the latest version, active or not, when the project says so', () =>
    expect(new World().activate('dev', 1).policy('latest').resolve()).toMatchObject({
      ...{ reason: 'latest', versionId: 'chat-v3', environment: null },
    }));

  it('is refused for a flow without any version', () =>
    new World({ versions: 0 }).refused(undefined, 'version-not-found', 'chat'));
});

describe('Resolving in one project', () => {
  it('knows neither the environments nor the default of another', () => {
    const world = new World().activate('dev', 1);
    world.append(
      'project-p2',
      { type: 'EnvironmentCreated', environmentId: 'id-of-theirs', ...named('theirs') },
      'p2',
    );
    world.append('project-p2', { type: 'DefaultEnvironmentSet', environmentId: 'id-of-theirs' }, 'p2');
    world.refused('theirs', 'environment-not-found', 'theirs');
    expect(world.resolve()).toMatchObject({ reason: 'first-active', versionId: 'chat-v1' });
  });
});

/** A project with the environments dev, staging and production, and the flow chat with three versions. */
class World {
  private readonly log = new Log();
  private readonly environments = new Map<string, EnvironmentLog>();

  constructor({ versions } = { versions: 3 }) {
    this.append('project-p1', {
      ...{ type: 'ProjectCreated', slug: 'default', name: 'Default', withoutEnvironment: 'first-active' },
    });
    for (const slug of ['dev', 'staging', 'production']) {
      this.append('project-p1', {
        type: 'EnvironmentCreated',
        environmentId: `id-of-${slug}`,
        ...named(slug),
      });
      this.environments.set(slug, new EnvironmentLog(`id-of-${slug}`));
    }
    this.append('flow-f1', { type: 'FlowCreated', slug: 'chat', name: 'Chat', kind: 'prompt' });
    for (let number = 1; number <= versions; number += 1) {
      const text = { content: {}, digest: 'd', label: null, comment: null, forkedFrom: null };
      this.append('flow-f1', { type: 'VersionDrafted', versionId: `chat-v${number}`, number, ...text });
    }
  }

  append(stream: string, event: DomainEvent, project = 'p1'): this {
    this.log.append(stream, event, { project });
    return this;
  }

  activate(slug: string, number: number): this {
    return this.released(slug, (environment) => environment.activate('chat', number));
  }

  deactivate(slug: string): this {
    return this.released(slug, (environment) => environment.deactivate('chat'));
  }

  setDefault(slug: string | null): this {
    const environmentId = slug === null ? null : `id-of-${slug}`;
    return this.append('project-p1', { type: 'DefaultEnvironmentSet', environmentId });
  }

  policy(withoutEnvironment: WithoutEnvironment): this {
    return this.append('project-p1', { type: 'ResolutionPolicySet', withoutEnvironment });
  }

  archive(slug: string): this {
    return this.append('project-p1', { type: 'EnvironmentArchived', environmentId: `id-of-${slug}` });
  }

  restore(slug: string): this {
    return this.append('project-p1', { type: 'EnvironmentRestored', environmentId: `id-of-${slug}` });
  }

  renameStagingToQa(): this {
    const renamed = { environmentId: 'id-of-staging', slug: 'qa', name: 'QA' };
    return this.append('project-p1', { type: 'EnvironmentRenamed', ...renamed });
  }

  resolve(environment?: string): Resolved {
    const { directory, resolution } = liveViews(this.log.recorded);
    const project = directory.project('w1', 'p1');
    return resolution.resolve(project, directory.flowNumber(project, 'chat'), environment);
  }

  refused(environment: string | undefined, code: string, ...words: readonly string[]): void {
    const refusal = refusalOf(() => this.resolve(environment));
    expect(refusal.code).toBe(code);
    for (const word of words) expect(refusal.message).toContain(word);
  }

  private released(slug: string, work: (environment: EnvironmentLog) => void): this {
    const environment = this.environments.get(slug) as EnvironmentLog;
    const known = environment.events.length;
    work(environment);
    for (const event of environment.events.slice(known)) {
      // Here the flow is named by its id, and its versions by the slug.
      const changes = event.changes.map((change) => ({ ...change, flowId: 'f1' }));
      this.append(`environment-${environment.id}`, { ...event, changes });
    }
    return this;
  }
}

function named(slug: string) {
  return { slug, name: slug, description: null, color: null };
}
