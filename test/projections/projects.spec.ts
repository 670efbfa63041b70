// The tables of projects, of workspaces and of releases, and what the directory finds in memory: begun again
// from the rows, it must know exactly what it knew from the log.
import type { EnvironmentEvent } from '../../src/domain/environment.events.js';
import type { DomainEvent } from '../../src/domain/events.js';
import { Directory } from '../../projections/directory.js';
import { flows } from '../../projections/flows.js';
import { allProjects, projects } from '../../projections/projects.js';
import { placeOfRelease, placesBelow, releases } from '../../projections/releases.js';
import { sessions } from '../../projections/sessions.js';
import { allWorkspaces, workspaces } from '../../projections/workspaces.js';
import { version } from '../support/environment-log.js';
import { folded, liveViews, Log, timeOf } from '../support/log.js';
import { refusalOf } from '../support/spec.js';

describe('The table of projects', () => {
  it('keeps a project with everything that was decided on it', () => {
    const { log } = world();
    const [project] = allProjects(folded([projects], log.recorded));
    expect(project).toMatchObject({
      ...{ id: 'p1', workspaceId: 'w1', createdAt: timeOf(2), revision: 7, position: 120n },
      state: {
        exists: true,
        slug: 'default',
        name: 'Shop',
        withoutEnvironment: 'latest',
        defaultEnvironment: 'e2',
      },
    });
    expect([...(project?.state.environments.values() ?? [])]).toEqual([
      { id: 'e1', slug: 'qa', name: 'QA', description: 'Try it', color: '#00aa55', archived: false },
      { id: 'e2', slug: 'production', name: 'Production', description: null, color: null, archived: false },
    ]);
  });

  it('knows when an environment came, and while it is archived, when it went', () => {
    const log = new Log();
    log.append('project-p1', projectCreated('default'));
    log.append('project-p1', environmentCreated('e1', 'staging'));
    log.append('project-p1', { type: 'EnvironmentArchived', environmentId: 'e1' });
    const timesOf = (events: Log['recorded']) =>
      allProjects(folded([projects], events))[0]?.environmentTimes.get('e1');
    expect(timesOf(log.recorded)).toEqual({ createdAt: timeOf(1), archivedAt: timeOf(2), created: '20' });
    log.append('project-p1', { type: 'EnvironmentRestored', environmentId: 'e1' });
    expect(timesOf(log.recorded)).toEqual({ createdAt: timeOf(1), archivedAt: null, created: '20' });
  });

  it('lists projects in the order of their creation', () => {
    const log = new Log();
    for (const id of ['p2', 'p1', 'p3']) log.append(`project-${id}`, projectCreated(id));
    expect(allProjects(folded([projects], log.recorded)).map(({ id }) => id)).toEqual(['p2', 'p1', 'p3']);
  });
});

describe('The table of workspaces', () => {
  it('keeps the keys that work, and those alone', () => {
    const log = new Log();
    log.append('access-w1', { type: 'WorkspaceCreated', slug: 'default', name: 'Default' });
    log.append('access-w1', keyIssued('k1', 'hash one'));
    log.append('access-w1', keyIssued('k2', 'hash two'));
    log.append('access-w1', { type: 'ApiKeyRevoked', keyId: 'k1' });
    const [workspace] = allWorkspaces(folded([workspaces], log.recorded));
    expect(workspace).toMatchObject({
      id: 'w1',
      revision: 3,
      state: { exists: true, slug: 'default', name: 'Default' },
    });
    expect([...(workspace?.state.keys.values() ?? [])]).toEqual([
      expect.objectContaining({ id: 'k2', name: 'administrator', hash: 'hash two' }),
    ]);
    expect([...(workspace?.issued ?? [])].map(([id, { former }]) => [id, former])).toEqual([
      ['k1', ['hash one']],
      ['k2', []],
    ]);
  });
});

describe('The table of releases', () => {
  const tables = () => {
    const log = new Log();
    log.append('environment-e1', release(1, 1));
    log.append('environment-e2', release(1, 3));
    log.append('environment-e1', { ...release(2, 2), part: { number: 1, of: 3 } });
    log.append('environment-e1', { ...release(2, 2), part: { number: 2, of: 3 } });
    log.append('environment-e1', { ...release(2, 1), part: { number: 3, of: 3 } });
    log.append('environment-e1', release(3, 1));
    return folded([releases], log.recorded);
  };

  it('says where the events of each release stand in the stream, and how many changes it has', () => {
    expect(placeOfRelease(tables(), 'e1', 1)).toEqual({ number: 1, revision: 0, events: 1, changes: 1 });
    expect(placeOfRelease(tables(), 'e1', 2)).toEqual({ number: 2, revision: 1, events: 3, changes: 5 });
    expect(placeOfRelease(tables(), 'e1', 3)).toEqual({ number: 3, revision: 4, events: 1, changes: 1 });
    expect(placeOfRelease(tables(), 'e2', 1)).toEqual({ number: 1, revision: 0, events: 1, changes: 3 });
  });

  it('has none that was never made', () => {
    expect(placeOfRelease(tables(), 'e1', 4)).toBeUndefined();
    expect(placeOfRelease(tables(), 'e3', 1)).toBeUndefined();
  });

  it('lists the releases of one environment, newest first, page by page', () => {
    const page = (below: number, limit: number) =>
      placesBelow(tables(), 'e1', below, limit).map(({ number }) => number);
    expect(page(Number.MAX_SAFE_INTEGER, 2)).toEqual([3, 2]);
    expect(page(2, 2)).toEqual([1]);
  });
});

describe('The directory', () => {
  it('knows the same from the rows as from the log', () => {
    const { log, fromLog, fromRows } = world();
    expect(fromRows).toEqual(fromLog);
    for (const directory of [fromLog, fromRows]) {
      expect(directory.project('w1', 'default').state.environments.size).toBe(2);
      expect(directory.workspaceBySlug('default')?.id).toBe('w1');
    }
    expect(log.recorded).not.toHaveLength(0);
  });

  it.each(['from the log', 'from the rows'])('finds things by slug and by id, %s', (from) => {
    const { fromLog, fromRows } = world();
    const directory = from === 'from the log' ? fromLog : fromRows;
    const project = directory.project('w1', 'default');
    expect(directory.project('w1', 'p1')).toBe(project);
    expect(directory.environment(project, 'qa').id).toBe('e1');
    expect(directory.environment(project, 'e1').id).toBe('e1');
    expect(directory.flow(project, 'chat').id).toBe('f1');
    expect(directory.flow(project, 'f1').slug).toBe('chat');
    expect(directory.flowById('f1')).toMatchObject({ name: 'Talk', latestId: 'v1', latestNumber: 1 });
    expect(directory.keyByHash('hash one')).toMatchObject({ workspaceId: 'w1', key: { id: 'k1' } });
    expect(directory.keyName('w1', 'k1')).toBe('administrator');
  });

  it('finds an environment by a former slug, until another one takes it', () => {
    const { log } = world();
    const find = () => {
      const { directory } = liveViews(log.recorded);
      return directory.environment(directory.project('w1', 'default'), 'staging').id;
    };
    expect(find()).toBe('e1');
    log.append('project-p1', environmentCreated('e3', 'staging'));
    expect(find()).toBe('e3');
  });

  it('finds an archived environment, but not as one to work in', () => {
    const { log } = world();
    log.append('project-p1', { type: 'EnvironmentArchived', environmentId: 'e1' });
    const { directory } = liveViews(log.recorded);
    const project = directory.project('w1', 'default');
    expect(directory.environment(project, 'qa').archived).toBe(true);
    expect(refusalOf(() => directory.openEnvironment(project, 'qa')).code).toBe('environment-archived');
    expect(directory.openEnvironment(project, 'production').id).toBe('e2');
  });

  it('refuses what is not there, naming it', () => {
    const { fromLog: directory } = world();
    const project = directory.project('w1', 'default');
    const refusals = [
      refusalOf(() => directory.project('w1', 'nowhere')),
      refusalOf(() => directory.environment(project, 'nowhere')),
      refusalOf(() => directory.flow(project, 'nowhere')),
    ];
    expect(refusals.map(({ code }) => code)).toEqual([
      'project-not-found',
      'environment-not-found',
      'flow-not-found',
    ]);
    for (const { message } of refusals) expect(message).toContain('nowhere');
  });

  it('shows nothing of one workspace to another, nor of one project to another', () => {
    const { log } = world();
    log.append('access-w2', { type: 'WorkspaceCreated', slug: 'other', name: 'Other' }, { workspace: 'w2' });
    log.append('project-p2', projectCreated('default'), { workspace: 'w2', project: 'p2' });
    const { directory } = liveViews(log.recorded);
    const theirs = directory.project('w2', 'default');
    expect(theirs.id).toBe('p2');
    expect(directory.projectsOf('w1').map(({ id }) => id)).toEqual(['p1']);
    expect(refusalOf(() => directory.project('w2', 'p1')).code).toBe('project-not-found');
    expect(refusalOf(() => directory.flow(theirs, 'chat')).code).toBe('flow-not-found');
    expect(refusalOf(() => directory.flow(theirs, 'f1')).code).toBe('flow-not-found');
    expect(refusalOf(() => directory.environment(theirs, 'e1')).code).toBe('environment-not-found');
    expect(directory.keyName('w2', 'k1')).toBeUndefined();
  });

  it('knows an environment by its id alone, as it is called now', () => {
    const { fromLog, fromRows } = world();
    for (const directory of [fromLog, fromRows]) {
      const found = ['e1', 'e2', 'e3', 'p1'].map((id) => directory.environmentById(id)?.slug);
      expect(found).toEqual(['qa', 'production', undefined, undefined]);
    }
  });

  it('knows of a key that was revoked what it was called, and who tries it', () => {
    const { log } = world();
    log.append('access-w1', keyIssued('k2', 'hash two'));
    log.append('access-w1', { type: 'ApiKeyRevoked', keyId: 'k1' });
    const fromRows = new Directory();
    fromRows.load(folded([workspaces, sessions, projects, flows], log.recorded));
    for (const directory of [liveViews(log.recorded).directory, fromRows]) {
      expect(directory.keyByHash('hash one')).toBeUndefined();
      expect(directory.formerKeyByHash('hash one')).toEqual({ keyId: 'k1', workspaceId: 'w1' });
      expect(directory.keyName('w1', 'k1')).toBe('administrator');
      expect(directory.keyByHash('hash two')?.key.id).toBe('k2');
    }
  });

  it('knows a key that was rotated by both of its secrets, and of the older ones who tries them', () => {
    const { log } = world();
    for (const hash of ['hash two', 'hash three']) log.append('access-w1', keyRotated('k1', hash));
    for (const directory of bothOf(log)) {
      expect(directory.formerKeyByHash('hash one')).toEqual({ keyId: 'k1', workspaceId: 'w1' });
      expect(directory.keyByHash('hash one')).toBeUndefined();
      expect(directory.keyByHash('hash two')).toMatchObject({ worksUntil: Date.parse(timeOf(99)) });
      expect(directory.keyByHash('hash three')).toMatchObject({ key: { id: 'k1' }, worksUntil: Infinity });
    }
  });

  it('takes a secret that comes back as another key for that one, although the former key goes then', () => {
    const { log } = world();
    log.append('access-w1', keyRotated('k1', 'hash two'));
    log.append('access-w1', keyIssued('k2', 'hash one'));
    log.append('access-w1', { type: 'ApiKeyRevoked', keyId: 'k1' });
    for (const directory of bothOf(log)) {
      expect(directory.keyByHash('hash one')).toMatchObject({ key: { id: 'k2' }, worksUntil: Infinity });
      expect(directory.formerKeyByHash('hash one')).toBeUndefined();
      expect(directory.keyByHash('hash two')).toBeUndefined();
    }
  });

  it('calls the workspace the first that came first in the log, whatever the clocks said', () => {
    const { log } = world();
    const meta = { workspace: 'a', time: '2001-01-01T00:00:00.000Z' };
    log.append('access-a', { type: 'WorkspaceCreated', slug: 'early', name: 'Early' }, meta);
    log.append('access-w1', { type: 'WorkspaceRenamed', name: 'Renamed' });
    for (const directory of bothOf(log)) {
      expect(directory.allWorkspaces().map(({ id }) => id)).toEqual(['w1', 'a']);
      expect([directory.isFirst('w1'), directory.isFirst('a')]).toEqual([true, false]);
    }
  });

  it('knows all keys of an archived workspace as such, until it is restored', () => {
    const { log } = world();
    log.append('access-w1', { type: 'WorkspaceArchived' });
    for (const directory of bothOf(log)) expect(directory.keyByHash('hash one')?.isArchived).toBe(true);
    log.append('access-w1', { type: 'WorkspaceRestored' });
    for (const directory of bothOf(log)) expect(directory.keyByHash('hash one')?.isArchived).toBe(false);
  });
});

/** What is known from the log alone, and what a start knows from the rows. */
function bothOf(log: Log): Directory[] {
  const fromRows = new Directory();
  fromRows.load(folded([workspaces, sessions, projects, flows], log.recorded));
  return [liveViews(log.recorded).directory, fromRows];
}

function keyRotated(keyId: string, hash: string): DomainEvent {
  return { type: 'ApiKeyRotated', keyId, hash, prefix: 'swy_new', previousUntil: timeOf(99) };
}

/** A workspace with a key, a project with two environments, and a flow with a version. */
function world(): { log: Log; fromLog: Directory; fromRows: Directory } {
  const log = new Log();
  const events: [string, DomainEvent][] = [
    ['access-w1', { type: 'WorkspaceCreated', slug: 'default', name: 'Default' }],
    ['access-w1', keyIssued('k1', 'hash one')],
    ['project-p1', projectCreated('default')],
    ['project-p1', environmentCreated('e1', 'staging')],
    ['project-p1', environmentCreated('e2', 'production', 'Production')],
    ['project-p1', { type: 'ProjectRenamed', name: 'Shop' }],
    ['project-p1', { type: 'EnvironmentRenamed', environmentId: 'e1', slug: 'qa', name: 'QA' }],
    ['flow-f1', { type: 'FlowCreated', slug: 'chat', name: 'Chat', kind: 'prompt' }],
    ['flow-f1', { type: 'FlowRenamed', name: 'Talk' }],
    [
      'project-p1',
      { type: 'EnvironmentDescribed', environmentId: 'e1', description: 'Try it', color: '#00aa55' },
    ],
    ['project-p1', { type: 'ResolutionPolicySet', withoutEnvironment: 'latest' }],
  ];
  for (const [stream, event] of events) log.append(stream, event);
  log.append('project-p1', { type: 'DefaultEnvironmentSet', environmentId: 'e2' });
  const content = { content: {}, digest: 'd', label: null, comment: null, forkedFrom: null };
  log.append('flow-f1', { type: 'VersionDrafted', versionId: 'v1', number: 1, ...content });
  const fromRows = new Directory();
  fromRows.load(folded([workspaces, sessions, projects, flows], log.recorded));
  return { log, fromLog: liveViews(log.recorded).directory, fromRows };
}

function projectCreated(slug: string): DomainEvent {
  return { type: 'ProjectCreated', slug, name: 'Default', withoutEnvironment: 'first-active' };
}

function environmentCreated(environmentId: string, slug: string, name = slug): DomainEvent {
  return { type: 'EnvironmentCreated', environmentId, slug, name, description: null, color: null };
}

function keyIssued(keyId: string, hash: string): DomainEvent {
  return { type: 'ApiKeyIssued', keyId, name: 'administrator', hash, grants: [{ role: 'admin' }] };
}

function release(number: number, changes: number): EnvironmentEvent {
  const change = { flowId: 'f1', from: null, to: version('f1', 1), fromSince: 0, toSince: number };
  return {
    type: 'VersionActivated',
    release: number,
    comment: null,
    changes: Array.from({ length: changes }, () => change),
  };
}
