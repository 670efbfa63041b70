// The rules of a workspace and its keys: who may hand out which key, how one is replaced and ended, and that somebody
// always remains who may.
import { access, refuseGone, type ApiKey, type IssueKey, type RotateKey } from '../../src/domain/access.js';
import type { AccessEvent, ApiKeyIssued, Grant } from '../../src/domain/access.events.js';
import { fold } from '../../src/domain/decider.js';
import { refusalOf, spec } from '../support/spec.js';

const given = spec(access);

const created: AccessEvent = { type: 'WorkspaceCreated', slug: 'default', name: 'Default' };
const archived: AccessEvent = { type: 'WorkspaceArchived' };
const ADMIN: readonly Grant[] = [{ role: 'admin' }];
const firstKey = brought('k1', 'hash one');
const secondKey = brought('k2', 'hash two');

const SHOP: Grant = { role: 'admin', projects: ['shop'] };
const root = { id: 'k1', grants: ADMIN, expiresAt: null };

describe('A workspace', () => {
  it('begins without keys', () => {
    given().when({ type: 'CreateWorkspace', slug: 'default', name: 'Default' }).then(created);
    const state = fold(access, [created]);
    expect(state).toMatchObject({ exists: true, slug: 'default', name: 'Default', archived: false });
    expect(state.keys.size).toBe(0);
  });

  it('is created once, and the second one is told which field is taken', () => {
    const again = { type: 'CreateWorkspace', slug: 'default', name: 'Again' } as const;
    given(created).when(again).refused('workspace-exists', 'default');
    const { errors } = refusalOf(() => access.decide(fold(access, [created]), again));
    expect(errors.map(({ pointer }) => pointer)).toEqual(['/slug']);
  });

  it('is renamed and keeps its slug; the name that it has is no change', () => {
    const renamed: AccessEvent = { type: 'WorkspaceRenamed', name: 'Shop GmbH' };
    given(created).when({ type: 'RenameWorkspace', name: 'Shop GmbH' }).then(renamed);
    given(created).when({ type: 'RenameWorkspace', name: 'Default' }).then();
    expect(fold(access, [created, renamed])).toMatchObject({ slug: 'default', name: 'Shop GmbH' });
  });

  it('is archived and restored, each once, and keeps its keys', () => {
    const restored: AccessEvent = { type: 'WorkspaceRestored' };
    given(created).when({ type: 'ArchiveWorkspace' }).then(archived);
    given(created, archived).when({ type: 'ArchiveWorkspace' }).then();
    given(created, archived).when({ type: 'RestoreWorkspace' }).then(restored);
    given(created).when({ type: 'RestoreWorkspace' }).then();
    const before = fold(access, [created, firstKey]);
    expect(fold(access, [created, firstKey, archived, restored])).toEqual(before);
    expect(fold(access, [created, firstKey, archived]).keys).toEqual(before.keys);
  });
});

describe('The administrator key of the installation', () => {
  it('is kept as a hash alone', () => {
    given(created).when({ type: 'SetAdministratorKey', keyId: 'k1', hash: 'hash one' }).then(firstKey);
    expect(keysAfter(created, firstKey)).toEqual([
      {
        ...{ id: 'k1', name: 'administrator', hash: 'hash one', grants: ADMIN },
        ...{ prefix: null, previous: null, expiresAt: null, issuedBy: null, usedOn: null },
      },
    ]);
  });

  it('is known by its prefix, where it was made here', () => {
    given(created)
      .when({ type: 'SetAdministratorKey', keyId: 'k1', hash: 'hash one', prefix: 'swy_0123456789ab' })
      .then({ ...firstKey, prefix: 'swy_0123456789ab' });
  });

  it('ends the one before when it is replaced', () => {
    given(created, firstKey)
      .when({ type: 'SetAdministratorKey', keyId: 'k2', hash: 'hash two' })
      .then(secondKey, revoked('k1'));
    expect(keysAfter(created, firstKey, secondKey, revoked('k1')).map(({ id }) => id)).toEqual(['k2']);
  });

  it('leaves every key alone that somebody issued, administrators too', () => {
    const history = [created, firstKey, issued('ci', [{ role: 'promoter' }]), issued('ada', ADMIN)];
    given(...history)
      .when({ type: 'SetAdministratorKey', keyId: 'k2', hash: 'hash two' })
      .then(secondKey, revoked('k1'));
    const remaining = keysAfter(...history, secondKey, revoked('k1'));
    expect(remaining.map(({ id }) => id)).toEqual(['ci', 'ada', 'k2']);
  });

  it('changes nothing when it is the same key again, as at every start with a configured one', () =>
    given(created, firstKey).when({ type: 'SetAdministratorKey', keyId: 'k2', hash: 'hash one' }).then());

  it('can come back after it was revoked, or rotated away', () => {
    given(created, firstKey, secondKey, revoked('k1'))
      .when({ type: 'SetAdministratorKey', keyId: 'k3', hash: 'hash one' })
      .then(brought('k3', 'hash one'), revoked('k2'));
    given(created, firstKey, rotated('k1', 'hash new'))
      .when({ type: 'SetAdministratorKey', keyId: 'k3', hash: 'hash one' })
      .then(brought('k3', 'hash one'), revoked('k1'));
  });
});

describe('Issuing a key', () => {
  it('records what it may do, until when, and by which key it was issued', () => {
    const grants: Grant[] = [{ role: 'promoter', projects: ['shop'], environments: ['production'] }];
    const expiresAt = '2027-01-01T00:00:00.000Z';
    const event: ApiKeyIssued = {
      ...{ type: 'ApiKeyIssued', keyId: 'ci', name: 'CI', prefix: 'swy_ci', hash: 'hash of ci', grants },
      ...{ issuedBy: 'k1', expiresAt },
    };
    given(created, firstKey)
      .when(issue('ci', grants, { expiresAt }))
      .then(event);
    const { expiresAt: _, ...endless } = event;
    given(created, firstKey).when(issue('ci', grants)).then(endless);
    expect(keysAfter(created, firstKey, event)[1]).toMatchObject({ grants, expiresAt, issuedBy: 'k1' });
  });

  it('is refused for whatever the key that asks may not do itself, with a pointer to each such grant', () => {
    const by = { id: 'k9', grants: [SHOP], expiresAt: null };
    const asked: Grant[] = [
      { role: 'viewer', projects: ['shop'] },
      { role: 'viewer' },
      { role: 'resolver', projects: ['shop', 'blog'], environments: ['production'] },
      { role: 'admin', projects: ['shop'], environments: ['production'] },
    ];
    given(created, firstKey)
      .when(issue('ci', asked, { by }))
      .refused('grant-too-wide');
    const { errors } = refusalOf(() => access.decide(fold(access, [created]), issue('ci', asked, { by })));
    expect(errors.map(({ pointer }) => pointer)).toEqual(['/grants/1', '/grants/2']);
  });

  it.each([
    ['later than itself', '2026-06-01T00:00:00.001Z'],
    ['without an end', null],
    ['far later', '+010000-01-01T00:00:00.000Z'],
  ])('is refused to a key that expires, for one that works %s', (_, expiresAt) => {
    const by = { ...root, expiresAt: '2026-06-01T00:00:00.000Z' };
    const command = issue('ci', [{ role: 'viewer' }], { by, expiresAt });
    given(created, firstKey).when(command).refused('grant-too-wide');
    const { errors } = refusalOf(() => access.decide(fold(access, [created]), command));
    expect(errors.map(({ pointer }) => pointer)).toEqual(['/expiresAt']);
    const until = { by, expiresAt: by.expiresAt };
    expect(access.decide(fold(access, [created]), issue('ci', [{ role: 'viewer' }], until))).toHaveLength(1);
  });
});

describe('Whoever asks', () => {
  const asks = (secretHash: string | null, ...events: AccessEvent[]) =>
    refuseGone(
      fold(access, [created, firstKey, ...events]),
      { id: 'ci', secretHash },
      '2026-03-01T12:00:00.000Z',
    );
  const ci = issued('ci', [{ role: 'admin' }]);
  const overlapping = (until: string) => rotated('ci', 'hash new', until);

  it('is heard as long as its secret works, rotated or not', () => {
    expect(() => asks('hash of ci', ci)).not.toThrow();
    expect(() => asks('hash new', ci, overlapping('2026-03-01T12:00:00.000Z'))).not.toThrow();
    expect(() => asks('hash of ci', ci, overlapping('2026-03-01T12:00:00.001Z'))).not.toThrow();
    expect(() => asks(null)).not.toThrow();
  });

  it('is not heard once its key was revoked or its secret has ended, though it had been let in', () => {
    for (const end of [revoked('ci'), overlapping('2026-03-01T12:00:00.000Z')]) {
      expect(refusalOf(() => asks('hash of ci', ci, end)).code).toBe('unauthorized');
    }
  });
});

describe('Rotating a key', () => {
  const history = [created, firstKey, issued('ci', [{ role: 'promoter', projects: ['shop'] }])];

  it('gives it another secret, beside which the one before works for a while', () => {
    given(...history)
      .when(rotate('ci'))
      .then(rotated('ci', 'hash new'));
    expect(keysAfter(...history, rotated('ci', 'hash new'))[1]).toMatchObject({
      ...{ id: 'ci', name: 'CI', hash: 'hash new', prefix: 'swy_new' },
      previous: { hash: 'hash of ci', until: '2026-03-02T00:00:00.000Z' },
      grants: [{ role: 'promoter', projects: ['shop'] }],
    });
  });

  it('again ends the one before the last at once', () => {
    const twice = [...history, rotated('ci', 'hash new'), rotated('ci', 'hash newer')];
    expect(keysAfter(...twice)[1]).toMatchObject({ hash: 'hash newer', previous: { hash: 'hash new' } });
  });

  it('is refused to whoever would gain by its secret: a permission, or time', () => {
    const short = { ...root, expiresAt: '2026-06-01T00:00:00.000Z' };
    given(...history)
      .when(rotate('ci', { id: 'k9', grants: [{ role: 'admin', projects: ['blog'] }], expiresAt: null }))
      .refused('grant-too-wide');
    given(...history)
      .when(rotate('ci', short))
      .refused('grant-too-wide');
    given(...history)
      .when(rotate('ci', { id: 'k9', grants: [SHOP], expiresAt: null }))
      .then(rotated('ci', 'hash new'));
  });

  it('is refused for a key that is not there, or was revoked', () => {
    given(created, firstKey).when(rotate('ci')).refused('key-not-found');
    given(...history, revoked('ci'))
      .when(rotate('ci'))
      .refused('key-not-found');
  });
});

describe('Revoking a key', () => {
  const revoke = (keyId: string) => ({ type: 'RevokeKey', keyId }) as const;

  it('ends it for good', () => {
    const history = [created, firstKey, issued('ci', [{ role: 'viewer' }])];
    given(...history)
      .when(revoke('ci'))
      .then(revoked('ci'));
    expect(keysAfter(...history, revoked('ci')).map(({ id }) => id)).toEqual(['k1']);
    given(...history, revoked('ci'))
      .when(revoke('ci'))
      .refused('key-not-found');
  });

  it.each<[string, AccessEvent]>([
    ['administers one project', issued('ada', [SHOP])],
    ['administers some environments', issued('ada', [{ role: 'admin', environments: ['production'] }])],
    ['expires by itself', issued('ada', ADMIN, '2027-01-01T00:00:00.000Z')],
    ['may do everything but administer', issued('ada', [{ role: 'editor' }, { role: 'auditor' }])],
  ])('is refused for the last administrator when whoever remains %s', (_, other) => {
    given(created, firstKey, other).when(revoke('k1')).refused('last-administrator', 'admin');
    given(created, firstKey, other).when(revoke('ada')).then(revoked('ada'));
  });

  it('takes any administrator while another one without limits and end remains, in turn', () => {
    const history = [created, firstKey, issued('ada', ADMIN)];
    given(...history)
      .when(revoke('k1'))
      .then(revoked('k1'));
    given(...history, revoked('k1'))
      .when(revoke('ada'))
      .refused('last-administrator');
  });

  it('takes one with an end even where no other administrator is there', () =>
    given(created, issued('ada', ADMIN, '2027-01-01T00:00:00.000Z'))
      .when(revoke('ada'))
      .then(revoked('ada')));
});

describe('The use of a key', () => {
  const used = (day: string): AccessEvent => ({ type: 'ApiKeyUsed', keyId: 'k1', day });
  const record = (day: string) => ({ type: 'RecordKeyUse', keyId: 'k1', day }) as const;

  it('is recorded once a day, whichever server saw it', () => {
    given(created, firstKey).when(record('2026-03-02')).then(used('2026-03-02'));
    given(created, firstKey, used('2026-03-02')).when(record('2026-03-02')).then();
    given(created, firstKey, used('2026-03-02')).when(record('2026-03-01')).then();
    given(created, firstKey, used('2026-03-02')).when(record('2026-03-03')).then(used('2026-03-03'));
    expect(keysAfter(created, firstKey, used('2026-03-02'))[0]?.usedOn).toBe('2026-03-02');
  });

  it('is not recorded of a key that is gone', () =>
    given(created, firstKey, secondKey, revoked('k1')).when(record('2026-03-02')).then());
});

function keysAfter(...events: readonly AccessEvent[]): ApiKey[] {
  return [...fold(access, events).keys.values()];
}

function brought(keyId: string, hash: string): ApiKeyIssued {
  return { type: 'ApiKeyIssued', keyId, name: 'administrator', hash, grants: ADMIN };
}

function issued(keyId: string, grants: readonly Grant[], expiresAt?: string): ApiKeyIssued {
  return {
    ...{ type: 'ApiKeyIssued', keyId, name: 'CI', prefix: `swy_${keyId}`, hash: `hash of ${keyId}`, grants },
    ...{ issuedBy: 'k1', ...(expiresAt !== undefined && { expiresAt }) },
  };
}

function issue(keyId: string, grants: readonly Grant[], more: Partial<IssueKey> = {}): IssueKey {
  const made = { keyId, name: 'CI', prefix: `swy_${keyId}`, hash: `hash of ${keyId}` };
  return { type: 'IssueKey', ...made, grants, expiresAt: null, by: root, ...more };
}

function rotate(keyId: string, by: RotateKey['by'] = root): RotateKey {
  const previousUntil = '2026-03-02T00:00:00.000Z';
  return { type: 'RotateKey', keyId, prefix: 'swy_new', hash: 'hash new', previousUntil, by };
}

function rotated(keyId: string, hash: string, previousUntil = '2026-03-02T00:00:00.000Z'): AccessEvent {
  return { type: 'ApiKeyRotated', keyId, prefix: 'swy_new', hash, previousUntil };
}

function revoked(keyId: string): AccessEvent {
  return { type: 'ApiKeyRevoked', keyId };
}
