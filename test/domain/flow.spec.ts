// The rules of a flow: versions are numbered, a draft can be edited, and the first activation locks it for
// ever.
import { fold } from '../../src/domain/decider.js';
import { flow, versionNamed, type EditVersion, type VersionText } from '../../src/domain/flow.js';
import type { FlowEvent, VersionDrafted, VersionLocked } from '../../src/domain/flow.events.js';
import { refusalOf, spec } from '../support/spec.js';

const given = spec(flow);

const created: FlowEvent = { type: 'FlowCreated', slug: 'chat', name: 'Chat', kind: 'prompt' };
const archived: FlowEvent = { type: 'FlowArchived' };
const first = drafted(1);
const second = drafted(2);
const firstLocked = locked(1);

describe('Creating a flow', () => {
  const create = { type: 'CreateFlow', slug: 'chat', name: 'Chat', kind: 'prompt' } as const;

  it('begins without versions', () =>
    given()
      .when({ ...create, first: null })
      .then(created));

  it('with content makes version 1, a draft', () => {
    given()
      .when({ ...create, first: { versionId: 'v1', ...text('one') } })
      .then(created, drafted(1, text('one')));
    expect(fold(flow, [created, first]).versions.get('v1')).toMatchObject({ number: 1, locked: false });
  });

  it('is refused when the slug is taken, and points at it', () => {
    given(created)
      .when({ ...create, first: null })
      .refused('flow-exists', 'chat');
    const refusal = refusalOf(() => flow.decide(fold(flow, [created]), { ...create, first: null }));
    expect(refusal.errors).toEqual([expect.objectContaining({ pointer: '/slug' })]);
  });
});

describe('Renaming a flow', () => {
  it('keeps its slug', () => {
    const renamed: FlowEvent = { type: 'FlowRenamed', name: 'Talk' };
    given(created).when({ type: 'RenameFlow', name: 'Talk' }).then(renamed);
    expect(fold(flow, [created, renamed])).toMatchObject({ slug: 'chat', name: 'Talk' });
  });

  it('changes nothing when it has that name', () =>
    given(created).when({ type: 'RenameFlow', name: 'Chat' }).then());
});

describe('Drafting a version', () => {
  it('gives the next number', () => {
    given(created)
      .when({ type: 'DraftVersion', versionId: 'v1', ...text('one') })
      .then(drafted(1, text('one')));
    given(created, first, firstLocked)
      .when({ type: 'DraftVersion', versionId: 'v2', ...text('two') })
      .then(drafted(2, text('two')));
  });

  it('keeps label and comment', () => {
    const written = { ...text('one'), label: 'v1.0', comment: 'Friendlier' };
    given(created)
      .when({ type: 'DraftVersion', versionId: 'v1', ...written })
      .then(drafted(1, written));
  });

  it('may repeat the content of another version: it is a version of its own', () =>
    given(created, first)
      .when({ type: 'DraftVersion', versionId: 'v2', ...text('one') })
      .then(drafted(2, text('one'))));
});

describe('Editing a version', () => {
  it('changes a draft, which keeps its number', () => {
    const edited: FlowEvent = { type: 'VersionEdited', versionId: 'v2', number: 2, ...text('better') };
    given(created, first, second)
      .when(edit('v2', text('better'), text('two')))
      .then(edited);
    expect(fold(flow, [created, first, second, edited]).versions.get('v2')).toMatchObject({
      ...{ id: 'v2', number: 2, digest: 'digest of better', locked: false },
    });
  });

  it('is refused when somebody else has changed the label or the comment since it was read', () => {
    const theirs: FlowEvent = {
      type: 'VersionEdited',
      versionId: 'v1',
      number: 1,
      ...text('one'),
      label: 'theirs',
    };
    given(created, first, theirs)
      .when(edit('v1', text('better'), text('one')))
      .refused('concurrent-change');
  });

  it('can change the label or the comment alone', () => {
    for (const change of [{ label: 'v1.0' }, { comment: 'Friendlier' }]) {
      const after = { ...text('one'), ...change };
      given(created, first)
        .when(edit('v1', after, text('one')))
        .then({ type: 'VersionEdited', versionId: 'v1', number: 1, ...after });
    }
  });

  it('changes nothing when everything is as it was', () =>
    given(created, first)
      .when(edit('v1', text('one'), text('one')))
      .then());

  it('is refused for a locked version, and says: fork it', () =>
    given(created, first, firstLocked)
      .when(edit('v1', text('better'), text('one')))
      .refused('version-locked', 'fork', '1'));

  it('of a draft is open while another version is locked', () =>
    given(created, first, firstLocked, second)
      .when(edit('v2', text('better'), text('two')))
      .then({ type: 'VersionEdited', versionId: 'v2', number: 2, ...text('better') }));

  it('is refused when the content was edited meanwhile', () =>
    given(created, first, { type: 'VersionEdited', versionId: 'v1', number: 1, ...text('theirs') })
      .when(edit('v1', text('mine'), text('one')))
      .refused('concurrent-change'));

  it('is refused for a version that the flow does not have', () =>
    given(created, first)
      .when(edit('v2', text('better'), text('two')))
      .refused('version-not-found', 'v2'));
});

describe('Forking a version', () => {
  it('makes a new draft that remembers where it came from, locked or not', () => {
    const fork = { type: 'ForkVersion', versionId: 'v2', forkedFrom: 'v1', ...text('one') } as const;
    const forked: FlowEvent = { ...drafted(2, text('one')), forkedFrom: 'v1' };
    given(created, first, firstLocked).when(fork).then(forked);
    given(created, first).when(fork).then(forked);
    expect(fold(flow, [created, first, firstLocked, forked]).versions.get('v2')?.locked).toBe(false);
  });

  it('is refused for a version that the flow does not have', () =>
    given(created, first)
      .when({ type: 'ForkVersion', versionId: 'v2', forkedFrom: 'v9', ...text('one') })
      .refused('version-not-found', 'v9'));
});

describe('Locking a version', () => {
  it('happens once, before its first activation, with the content that it has then', () => {
    const edited: FlowEvent = { type: 'VersionEdited', versionId: 'v1', number: 1, ...text('better') };
    const asEdited: FlowEvent = { ...firstLocked, digest: 'digest of better' };
    given(created, first, edited).when({ type: 'LockVersion', versionId: 'v1' }).then(asEdited);
    given(created, first, edited, asEdited).when({ type: 'LockVersion', versionId: 'v1' }).then();
  });

  it('leaves the other versions as they are', () => {
    const { versions } = fold(flow, [created, first, second, firstLocked]);
    expect([...versions.values()].map(({ locked }) => locked)).toEqual([true, false]);
  });

  it('is refused for a version that the flow does not have', () =>
    given(created, first).when({ type: 'LockVersion', versionId: 'v2' }).refused('version-not-found', 'v2'));
});

describe('Archiving a flow', () => {
  it('is refused while it is active, naming where', () =>
    given(created, first, firstLocked)
      .when({ type: 'ArchiveFlow', activeIn: ['staging', 'eu-prod'] })
      .refused('flow-is-active', 'staging', 'eu-prod'));

  it('happens once', () => {
    given(created, first).when({ type: 'ArchiveFlow', activeIn: [] }).then(archived);
    given(created, first, archived).when({ type: 'ArchiveFlow', activeIn: [] }).then();
  });

  it('ends everything else: renaming, drafting, editing, forking, and locking, hence activating', () => {
    const gone = given(created, first, firstLocked, second, archived);
    gone.when({ type: 'RenameFlow', name: 'Talk' }).refused('flow-archived', 'chat');
    gone.when({ type: 'DraftVersion', versionId: 'v3', ...text('three') }).refused('flow-archived');
    gone.when(edit('v2', text('better'), text('two'))).refused('flow-archived');
    gone
      .when({ type: 'ForkVersion', versionId: 'v3', forkedFrom: 'v1', ...text('one') })
      .refused('flow-archived');
    gone.when({ type: 'LockVersion', versionId: 'v1' }).refused('flow-archived');
  });
});

describe('A version of a flow', () => {
  it('is found by its id and by its number', () => {
    const state = fold(flow, [created, first]);
    expect(versionNamed(state, 'v1')).toMatchObject({
      id: 'v1',
      number: 1,
      digest: 'digest of one',
      locked: false,
    });
    expect(versionNamed(state, '1')).toBe(versionNamed(state, 'v1'));
    for (const other of ['v2', '2', '01', '1.0', '']) {
      expect(refusalOf(() => versionNamed(state, other)).code).toBe('version-not-found');
    }
  });

  it('never has a number out of turn', () =>
    expect(() => fold(flow, [created, second])).toThrow('version 2 is the next one'));
});

function text(word: string): VersionText {
  return { content: { prompt: word }, digest: `digest of ${word}`, label: null, comment: null };
}

function drafted(number: 1 | 2, written: VersionText = text(number === 1 ? 'one' : 'two')): VersionDrafted {
  return { type: 'VersionDrafted', versionId: `v${number}`, number, ...written, forkedFrom: null };
}

function locked(number: 1): VersionLocked {
  return { type: 'VersionLocked', versionId: `v${number}`, number, digest: 'digest of one' };
}

function edit(versionId: string, to: VersionText, before: VersionText): EditVersion {
  return { type: 'EditVersion', versionId, ...to, before };
}
