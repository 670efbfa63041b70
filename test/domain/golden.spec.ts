// Stored events are a contract: each file of test/golden is an event as a log may hold it for ever. None is
// ever edited; a new shape of an event gets a file of its own beside the old one.
import { readdirSync, readFileSync } from 'node:fs';
import { digestOf } from '../../src/commands/content.js';
import type { AccessEvent } from '../../src/domain/access.events.js';
import { access } from '../../src/domain/access.js';
import { fold } from '../../src/domain/decider.js';
import { environment } from '../../src/domain/environment.js';
import type { EnvironmentEvent, VersionRef } from '../../src/domain/environment.events.js';
import type { StreamKind } from '../../src/domain/events.js';
import { flow } from '../../src/domain/flow.js';
import type { FlowEvent } from '../../src/domain/flow.events.js';
import type { ProjectEvent } from '../../src/domain/project.events.js';
import { project } from '../../src/domain/project.js';
import { encode, EVENT_TYPES, Recorded, UnknownEvent, type StoredFact } from '../../src/domain/recorded.js';
import { liveViews } from '../support/log.js';
import { refusalOf } from '../support/spec.js';

interface Golden {
  readonly type: string;
  readonly stream: string;
  readonly data: object;
  readonly meta: { readonly time: string };
}

const FOLDER = 'test/golden';
const names = readdirSync(FOLDER).sort();
/** In the order of their times, as the one log that they are. */
const goldens = names
  .map(read)
  .sort((a, b) => (a.meta.time < b.meta.time ? -1 : a.meta.time > b.meta.time ? 1 : 0));

const WORKSPACE = '0198c5a2-1000-7a01-8c11-4b7de2a90f01';
const PROJECT = '0198c5a2-1001-7b02-9d22-5c8ef3ba1f02';
const KEY = '0198c5a2-1002-7c03-8e33-6d9fa4cb2f03';
const CI_KEY = '0198c5a2-1003-7d04-8f44-7ea0b5dc3f13';
const PRODUCTION = '0198c5a2-2000-7d04-9f44-7ea0b5dc3f04';
const CHAT = '0198c5a2-3000-7f06-9b66-90c2d7fe5f06';
const RANKER = '0198c5a2-3001-7a07-8c77-a1d3e80f6f07';
const TRANSLATOR = '0198c5a2-3002-7b08-9d88-b2e4f9101f0b';
const CHAT_V1 = '0198c5a2-4000-7b08-9d88-b2e4f9107f08';
const RANKER_V1 = '0198c5a2-4001-7c09-8e99-c3f50a218f09';

describe('The golden events', () => {
  it('are there for every type of event', () =>
    expect(EVENT_TYPES.filter((type) => !names.includes(`${type}.v1.json`))).toEqual([]));

  it.each(names)(
    '%s is named after its type, its version and, where there are more, what is special in it',
    (name) => {
      const [type, ...rest] = name.split('.');
      expect(EVENT_TYPES).toContain(type);
      expect(read(name).type).toBe(type);
      expect(rest.join('.')).toMatch(/^v[1-9]\d*(\.[a-z0-9-]+)?\.json$/);
    },
  );

  it.each(names)('%s is read, and written again to the same bytes', (name) => {
    const golden = read(name);
    expect(readFileSync(`${FOLDER}/${name}`, 'utf8')).toBe(`${JSON.stringify(golden, null, 2)}\n`);
    const stored = storedAs(golden, 0, 1n);
    const recorded = new Recorded(stored);
    expect(recorded.event).toEqual({ type: golden.type, ...golden.data });
    expect(encode(recorded.event)).toBe(stored.data);
    expect(recorded.meta).toEqual(golden.meta);
  });

  it('have the digests that their contents have', () => {
    const versions = goldens.filter(
      (golden): golden is Golden & { data: Written } => 'content' in golden.data,
    );
    expect(versions.map(({ type }) => type)).toEqual(['VersionDrafted', 'VersionEdited']);
    for (const { data } of versions) expect(digestOf(data.content)).toBe(data.digest);
  });
});

describe('The golden events, folded as one log,', () => {
  it('make a workspace whose first key was revoked, and another one rotated', () => {
    const state = fold(access, eventsOf<AccessEvent>('access'));
    const until = '2026-03-03T08:50:00.000Z';
    const key = {
      ...{ id: CI_KEY, name: 'CI of the shop', prefix: 'swy_9Zt3Lm5cVw0y' },
      hash: '7e240de74fb1ed08fa08d38063f6a6a91462a815f1f9f1ad0b1d4d3c2f6b8a7e',
      previous: { hash: '5d41402abc4b2a76b9719d911017c592f1f9f1ad0b1d4d3c2f6b8a7e9c0d1e2f', until },
      grants: [{ role: 'promoter', projects: [PROJECT], environments: [PRODUCTION] }, { role: 'viewer' }],
      ...{ expiresAt: '2027-03-02T00:00:00.000Z', issuedBy: KEY, usedOn: '2026-03-02' },
    };
    const keys = new Map([[CI_KEY, key]]);
    expect(state).toEqual({ exists: true, slug: 'default', name: 'Shop GmbH', archived: false, keys });
  });

  it('make a project with one environment, renamed, restored and the default', () => {
    const state = fold(project, eventsOf<ProjectEvent>('project'));
    const production = {
      ...{ id: PRODUCTION, slug: 'eu-prod', name: 'Produktion Zürich', description: 'What customers see.' },
      ...{ color: '#d7263d', archived: false },
    };
    expect(state).toEqual({
      ...{ exists: true, slug: 'default', name: 'Online shop', archived: false },
      withoutEnvironment: 'latest',
      defaultEnvironment: PRODUCTION,
      environments: new Map([[PRODUCTION, production]]),
      slugs: new Map([
        ['production', PRODUCTION],
        ['eu-prod', PRODUCTION],
      ]),
    });
  });

  it('make an archived flow with one locked version', () => {
    const state = fold(flow, eventsOf<FlowEvent>('flow'));
    const digest = 'aae37154de87807b9bd775ad6bbe79df0bf6c3ebc76ddcf6043f5510ec44d743';
    expect(state).toEqual({
      ...{ exists: true, archived: true, slug: 'support-chat', name: 'Support chat (web)' },
      versions: new Map([
        [CHAT_V1, { id: CHAT_V1, number: 1, locked: true, digest, label: 'v1.0', comment: 'Friendlier' }],
      ]),
    });
  });

  it('make an environment at release 6, where one of three flows is active', () => {
    const state = fold(environment, eventsOf<EnvironmentEvent>('environment'));
    expect(state).toMatchObject({ release: 6, inEffect: 6, activeCount: 1, held: [] });
    expect([...state.flows]).toEqual([
      [CHAT, { version: null, since: 6 }],
      [
        RANKER,
        { version: expect.objectContaining({ versionId: RANKER_V1, number: 1 }) as VersionRef, since: 2 },
      ],
      [TRANSLATOR, { version: null, since: 0 }],
    ]);
  });

  it('make the views that answer from memory', () => {
    const { directory, activeVersions, resolution } = liveViews(recordedInOrder());
    expect(directory.workspace(WORKSPACE)?.state.keys.has(KEY)).toBe(false);
    expect(directory.keyName(WORKSPACE, KEY)).toBe('administrator');
    const found = directory.project(WORKSPACE, 'default');
    expect(found).toMatchObject({ id: PROJECT, revision: 10 });
    expect(directory.environment(found, 'production').slug).toBe('eu-prod');
    const chat = directory.flow(found, 'support-chat');
    expect(chat).toMatchObject({
      id: CHAT,
      projectId: PROJECT,
      kind: 'prompt',
      latestId: CHAT_V1,
      latestNumber: 1,
    });
    expect(chat.archivedAt).not.toBeNull();
    expect(activeVersions.environmentsOf(RANKER)).toEqual([PRODUCTION]);
    expect(activeVersions.active(PRODUCTION, CHAT)).toBeNull();
    expect(activeVersions.environment(PRODUCTION)).toMatchObject({ revision: 6, state: { release: 6 } });
    expect(
      refusalOf(() => resolution.resolve(found, directory.flowNumber(found, CHAT), undefined)),
    ).toMatchObject({
      code: 'not-active',
      message: expect.stringContaining('eu-prod'),
    });
  });
});

describe('An event of a type that is not known', () => {
  it('is met with a stop, never skipped', () => {
    const meta = { time: '', schema: 1 };
    const stored = storedAs({ type: 'FlowTeleported', stream: 'flow-a', data: {}, meta }, 0, 7n);
    expect(() => new Recorded(stored)).toThrow(UnknownEvent);
    expect(() => new Recorded(stored)).toThrow('FlowTeleported (schema 1) at position 7');
    expect(() => new Recorded({ ...stored, type: 'toString' })).toThrow(UnknownEvent);
  });

  it('is met with a stop too where only its shape is newer', () => {
    const meta = { time: '', schema: 2 };
    const stored = storedAs({ type: 'FlowRenamed', stream: 'flow-a', data: { title: 'x' }, meta }, 0, 7n);
    expect(() => new Recorded(stored)).toThrow('FlowRenamed (schema 2) at position 7');
  });
});

interface Written {
  readonly content: Readonly<Record<string, unknown>>;
  readonly digest: string;
}

function read(name: string): Golden {
  return JSON.parse(readFileSync(`${FOLDER}/${name}`, 'utf8')) as Golden;
}

function storedAs({ type, stream, data, meta }: Golden, revision: number, position: bigint): StoredFact {
  return {
    id: `${position}`,
    type,
    data: JSON.stringify(data),
    meta: JSON.stringify(meta),
    stream,
    revision,
    position,
  };
}

function recordedInOrder(): Recorded[] {
  const revisions = new Map<string, number>();
  return goldens.map((golden, index) => {
    const revision = (revisions.get(golden.stream) ?? -1) + 1;
    revisions.set(golden.stream, revision);
    return new Recorded(storedAs(golden, revision, BigInt(index + 1)));
  });
}

/** The kind of a stream says which aggregate folds it. */
function eventsOf<Event extends Recorded['event']>(kind: StreamKind): Event[] {
  const events = recordedInOrder().filter(({ stream }) => stream.startsWith(`${kind}-`));
  return events.map(({ event }) => event as Event);
}
