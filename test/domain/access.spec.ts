// The rules of a workspace: it is made once, and one administrator key works in it at a time.
import { access } from '../../src/domain/access.js';
import type { AccessEvent } from '../../src/domain/access.events.js';
import { fold } from '../../src/domain/decider.js';
import { spec } from '../support/spec.js';

const given = spec(access);

const created: AccessEvent = { type: 'WorkspaceCreated', slug: 'default', name: 'Default' };
const firstKey = issued('k1', 'hash one');
const secondKey = issued('k2', 'hash two');

describe('A workspace', () => {
  it('begins without keys', () => {
    given().when({ type: 'CreateWorkspace', slug: 'default', name: 'Default' }).then(created);
    const state = fold(access, [created]);
    expect(state).toMatchObject({ exists: true, slug: 'default', name: 'Default' });
    expect(state.keys.size).toBe(0);
  });

  it('is created once', () =>
    expect(() =>
      access.decide(fold(access, [created]), { type: 'CreateWorkspace', slug: 'default', name: 'Default' }),
    ).toThrow('a workspace is created once'));
});

describe('The administrator key of a workspace', () => {
  it('is kept as a hash alone', () => {
    given(created).when({ type: 'SetAdministratorKey', keyId: 'k1', hash: 'hash one' }).then(firstKey);
    expect([...fold(access, [created, firstKey]).keys.values()]).toEqual([
      { id: 'k1', name: 'administrator', hash: 'hash one', grants: [{ role: 'admin' }] },
    ]);
  });

  it('ends the one before when it is replaced', () => {
    const revoked: AccessEvent = { type: 'ApiKeyRevoked', keyId: 'k1' };
    given(created, firstKey)
      .when({ type: 'SetAdministratorKey', keyId: 'k2', hash: 'hash two' })
      .then(secondKey, revoked);
    expect([...fold(access, [created, firstKey, secondKey, revoked]).keys.keys()]).toEqual(['k2']);
  });

  it('changes nothing when it is the same key again, as at every start with a configured one', () =>
    given(created, firstKey).when({ type: 'SetAdministratorKey', keyId: 'k2', hash: 'hash one' }).then());

  it('can come back after it was revoked', () =>
    given(created, firstKey, secondKey, { type: 'ApiKeyRevoked', keyId: 'k1' })
      .when({ type: 'SetAdministratorKey', keyId: 'k3', hash: 'hash one' })
      .then(issued('k3', 'hash one'), { type: 'ApiKeyRevoked', keyId: 'k2' }));
});

function issued(keyId: string, hash: string): AccessEvent {
  return { type: 'ApiKeyIssued', keyId, name: 'administrator', hash, grants: [{ role: 'admin' }] };
}
