// The rules of a project and of its environments: names, slugs and aliases, the archive, and the default.
import { fold } from '../../src/domain/decider.js';
import { project, type ChangeEnvironment, type CreateEnvironment } from '../../src/domain/project.js';
import type { EnvironmentCreated, ProjectEvent } from '../../src/domain/project.events.js';
import { refusalOf, spec } from '../support/spec.js';

const given = spec(project);

const created: ProjectEvent = {
  type: 'ProjectCreated',
  slug: 'default',
  name: 'Default',
  withoutEnvironment: 'first-active',
};
const staging = environmentCreated('staging', 'Staging');
const production = environmentCreated('production', 'Production');
const stagingArchived: ProjectEvent = { type: 'EnvironmentArchived', environmentId: 'id-of-staging' };
const stagingIsDefault: ProjectEvent = { type: 'DefaultEnvironmentSet', environmentId: 'id-of-staging' };
const stagingIsNowQa: ProjectEvent = {
  type: 'EnvironmentRenamed',
  environmentId: 'id-of-staging',
  slug: 'qa',
  name: 'QA',
};

describe('A project', () => {
  it('begins with no environments, without a default, and resolves to the first active version', () => {
    given().when({ type: 'CreateProject', slug: 'default', name: 'Default' }).then(created);
    const state = fold(project, [created]);
    expect(state).toMatchObject({
      ...{ exists: true, slug: 'default', name: 'Default' },
      ...{ withoutEnvironment: 'first-active', defaultEnvironment: null },
    });
    expect(state.environments.size).toBe(0);
  });

  it('is created once, and the second one is told which field is taken', () => {
    const again = { type: 'CreateProject', slug: 'default', name: 'Again' } as const;
    given(created).when(again).refused('project-exists', 'default');
    const { errors } = refusalOf(() => project.decide(fold(project, [created]), again));
    expect(errors.map(({ pointer }) => pointer)).toEqual(['/slug']);
  });

  it('is archived and restored, each once, and keeps everything', () => {
    const [archived, restored] = [{ type: 'ProjectArchived' }, { type: 'ProjectRestored' }] as const;
    const history = [created, staging, stagingIsDefault];
    given(...history)
      .when({ type: 'ArchiveProject' })
      .then(archived);
    given(...history, archived)
      .when({ type: 'ArchiveProject' })
      .then();
    given(...history, archived)
      .when({ type: 'RestoreProject' })
      .then(restored);
    given(...history)
      .when({ type: 'RestoreProject' })
      .then();
    expect(fold(project, [...history, archived]).archived).toBe(true);
    expect(fold(project, [...history, archived, restored])).toEqual(fold(project, history));
  });

  it('can be renamed, and keeps its slug', () => {
    const renamed: ProjectEvent = { type: 'ProjectRenamed', name: 'Shop' };
    given(created).when({ type: 'ChangeProject', name: 'Shop' }).then(renamed);
    expect(fold(project, [created, renamed])).toMatchObject({ slug: 'default', name: 'Shop' });
  });

  it('can be told what runs for callers who name no environment', () => {
    const latest: ProjectEvent = { type: 'ResolutionPolicySet', withoutEnvironment: 'latest' };
    given(created).when({ type: 'ChangeProject', withoutEnvironment: 'latest' }).then(latest);
    expect(fold(project, [created, latest]).withoutEnvironment).toBe('latest');
  });

  it('records only what a change changes', () => {
    given(created)
      .when({ type: 'ChangeProject', name: 'Default', withoutEnvironment: 'first-active' })
      .then();
    given(created)
      .when({ type: 'ChangeProject', name: 'Shop', withoutEnvironment: 'latest' })
      .then(
        { type: 'ProjectRenamed', name: 'Shop' },
        { type: 'ResolutionPolicySet', withoutEnvironment: 'latest' },
      );
  });
});

describe('Creating an environment', () => {
  it('does not make it the default, not even the first', () =>
    given(created).when(create('staging', 'Staging')).then(staging));

  it('makes it the default when asked to', () =>
    given(created)
      .when(create('staging', 'Staging', { makeDefault: true }))
      .then(staging, stagingIsDefault));

  it('keeps what it is described as', () => {
    const described = { description: 'Where we try it', color: '#00aa55' };
    given(created)
      .when(create('staging', 'Staging', described))
      .then({ ...staging, ...described });
  });

  it('is refused when another environment has the slug', () =>
    given(created, staging)
      .when(create('staging', 'Another', { environmentId: 'id-of-another' }))
      .refused('environment-exists', 'staging', 'slug'));

  it('is refused when another environment has the name', () =>
    given(created, staging)
      .when(create('another', 'Staging'))
      .refused('environment-exists', 'Staging', 'name'));

  it('is refused when an archived environment has the slug or the name, and says that it is archived', () => {
    const history = [created, staging, stagingArchived];
    given(...history)
      .when(create('staging', 'Another', { environmentId: 'id-of-another' }))
      .refused('environment-exists', 'archived');
    given(...history)
      .when(create('another', 'Staging'))
      .refused('environment-exists', 'archived');
  });

  it('points at the field that is taken', () => {
    const pointersOf = (command: CreateEnvironment) =>
      refusalOf(() => project.decide(fold(project, [created, staging]), command)).errors.map(
        ({ pointer }) => pointer,
      );
    expect(pointersOf(create('staging', 'Another', { environmentId: 'id-of-another' }))).toEqual(['/slug']);
    expect(pointersOf(create('another', 'Staging'))).toEqual(['/name']);
  });

  it('may take the former slug of another environment, which then leads to the new one', () => {
    const history = [created, staging, stagingIsNowQa];
    const taken = { ...environmentCreated('staging', 'Second'), environmentId: 'id-of-second' };
    given(...history)
      .when(create('staging', 'Second', { environmentId: 'id-of-second' }))
      .then(taken);
    const { slugs } = fold(project, [...history, taken]);
    expect(Object.fromEntries(slugs)).toEqual({ staging: 'id-of-second', qa: 'id-of-staging' });
  });
});

describe('Renaming an environment', () => {
  it('keeps its id, and the old slug goes on leading to it', () => {
    given(created, staging)
      .when(change('staging', { slug: 'qa', name: 'QA' }))
      .then(stagingIsNowQa);
    const { environments, slugs } = fold(project, [created, staging, stagingIsNowQa]);
    expect([...environments.values()]).toEqual([
      expect.objectContaining({ id: 'id-of-staging', slug: 'qa', name: 'QA' }),
    ]);
    expect(Object.fromEntries(slugs)).toEqual({ staging: 'id-of-staging', qa: 'id-of-staging' });
  });

  it('changes the name alone or the slug alone when only that is given', () => {
    given(created, staging)
      .when(change('staging', { name: 'QA' }))
      .then({ type: 'EnvironmentRenamed', environmentId: 'id-of-staging', slug: 'staging', name: 'QA' });
    given(created, staging)
      .when(change('staging', { slug: 'qa' }))
      .then({ type: 'EnvironmentRenamed', environmentId: 'id-of-staging', slug: 'qa', name: 'Staging' });
  });

  it('is refused when another environment has the slug or the name', () => {
    const history = [created, staging, production];
    given(...history)
      .when(change('staging', { slug: 'production' }))
      .refused('environment-exists', 'production');
    given(...history)
      .when(change('staging', { name: 'Production' }))
      .refused('environment-exists', 'Production');
  });

  it('may take the former slug of another environment, which then leads here', () => {
    const history = [created, staging, stagingIsNowQa, production];
    const taken: ProjectEvent = {
      type: 'EnvironmentRenamed',
      environmentId: 'id-of-production',
      slug: 'staging',
      name: 'Production',
    };
    given(...history)
      .when(change('production', { slug: 'staging' }))
      .then(taken);
    expect(fold(project, [...history, taken]).slugs.get('staging')).toBe('id-of-production');
  });

  it('may take its own former slug back', () =>
    given(created, staging, stagingIsNowQa)
      .when(change('staging', { slug: 'staging', name: 'Staging' }))
      .then({
        type: 'EnvironmentRenamed',
        environmentId: 'id-of-staging',
        slug: 'staging',
        name: 'Staging',
      }));

  it('keeps it the default', () =>
    expect(fold(project, [created, staging, stagingIsDefault, stagingIsNowQa]).defaultEnvironment).toBe(
      'id-of-staging',
    ));

  it('is refused for an environment that is archived or not there', () => {
    given(created, staging, stagingArchived)
      .when(change('staging', { name: 'QA' }))
      .refused('environment-archived', 'staging');
    given(created)
      .when(change('staging', { name: 'QA' }))
      .refused('environment-not-found', 'id-of-staging');
  });
});

describe('Describing an environment', () => {
  it('changes description and color, and is no rename', () =>
    given(created, staging)
      .when(change('staging', { description: 'Where we try it' }))
      .then({
        type: 'EnvironmentDescribed',
        environmentId: 'id-of-staging',
        description: 'Where we try it',
        color: null,
      }));

  it('clears with null, and leaves what is not given as it was', () => {
    const described: ProjectEvent = {
      type: 'EnvironmentDescribed',
      environmentId: 'id-of-staging',
      description: 'Where we try it',
      color: '#00aa55',
    };
    given(created, staging, described)
      .when(change('staging', { description: null }))
      .then({ ...described, description: null });
  });

  it('changes nothing when everything is as it was', () =>
    given(created, staging)
      .when(change('staging', { slug: 'staging', name: 'Staging', description: null, color: null }))
      .then());
});

describe('Archiving an environment', () => {
  it('hides it and keeps it', () => {
    given(created, staging)
      .when({ type: 'ArchiveEnvironment', environmentId: 'id-of-staging' })
      .then(stagingArchived);
    expect(
      fold(project, [created, staging, stagingArchived]).environments.get('id-of-staging')?.archived,
    ).toBe(true);
  });

  it('is refused for the default environment', () =>
    given(created, staging, stagingIsDefault)
      .when({ type: 'ArchiveEnvironment', environmentId: 'id-of-staging' })
      .refused('environment-is-default', 'staging'));

  it('works once another environment is the default, or none', () => {
    const archive = { type: 'ArchiveEnvironment', environmentId: 'id-of-staging' } as const;
    const history = [created, staging, production, stagingIsDefault];
    for (const environmentId of ['id-of-production', null]) {
      given(...history, { type: 'DefaultEnvironmentSet', environmentId })
        .when(archive)
        .then(stagingArchived);
    }
  });

  it('changes nothing when it is archived already', () =>
    given(created, staging, stagingArchived)
      .when({ type: 'ArchiveEnvironment', environmentId: 'id-of-staging' })
      .then());

  it('is undone by restoring', () => {
    const restored: ProjectEvent = { type: 'EnvironmentRestored', environmentId: 'id-of-staging' };
    const restore = { type: 'RestoreEnvironment', environmentId: 'id-of-staging' } as const;
    given(created, staging, stagingArchived).when(restore).then(restored);
    given(created, staging).when(restore).then();
    const before = fold(project, [created, staging]);
    expect(fold(project, [created, staging, stagingArchived, restored])).toEqual(before);
  });

  it('is refused, as is restoring, for an environment that is not there', () => {
    given(created)
      .when({ type: 'ArchiveEnvironment', environmentId: 'nowhere' })
      .refused('environment-not-found', 'nowhere');
    given(created)
      .when({ type: 'RestoreEnvironment', environmentId: 'nowhere' })
      .refused('environment-not-found', 'nowhere');
  });
});

describe('Setting the default environment', () => {
  it('takes the place of the one before', () => {
    const productionIsDefault: ProjectEvent = {
      type: 'DefaultEnvironmentSet',
      environmentId: 'id-of-production',
    };
    given(created, staging, production, stagingIsDefault)
      .when({ type: 'SetDefault', environmentId: 'id-of-production' })
      .then(productionIsDefault);
    const { defaultEnvironment } = fold(project, [
      created,
      staging,
      production,
      stagingIsDefault,
      productionIsDefault,
    ]);
    expect(defaultEnvironment).toBe('id-of-production');
  });

  it('to null clears it', () => {
    const cleared: ProjectEvent = { type: 'DefaultEnvironmentSet', environmentId: null };
    given(created, staging, stagingIsDefault).when({ type: 'SetDefault', environmentId: null }).then(cleared);
    expect(fold(project, [created, staging, stagingIsDefault, cleared]).defaultEnvironment).toBeNull();
  });

  it('changes nothing when it is the default already, or when there is none to clear', () => {
    given(created, staging, stagingIsDefault)
      .when({ type: 'SetDefault', environmentId: 'id-of-staging' })
      .then();
    given(created).when({ type: 'SetDefault', environmentId: null }).then();
  });

  it('is refused for an environment that is archived or not there', () => {
    given(created, staging, stagingArchived)
      .when({ type: 'SetDefault', environmentId: 'id-of-staging' })
      .refused('environment-archived', 'staging');
    given(created)
      .when({ type: 'SetDefault', environmentId: 'nowhere' })
      .refused('environment-not-found', 'nowhere');
  });
});

function environmentCreated(slug: string, name: string): EnvironmentCreated {
  return {
    type: 'EnvironmentCreated',
    environmentId: `id-of-${slug}`,
    slug,
    name,
    description: null,
    color: null,
  };
}

function create(slug: string, name: string, more: Partial<CreateEnvironment> = {}): CreateEnvironment {
  const blank = { description: null, color: null, makeDefault: false };
  return { type: 'CreateEnvironment', environmentId: `id-of-${slug}`, slug, name, ...blank, ...more };
}

function change(slug: string, to: Omit<ChangeEnvironment, 'type' | 'environmentId'>): ChangeEnvironment {
  return { type: 'ChangeEnvironment', environmentId: `id-of-${slug}`, ...to };
}
