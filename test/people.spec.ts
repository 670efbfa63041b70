// What people are called: in a file that only its owner may read, from which it can be taken for good.
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withNames, withoutNames } from '../src/api/kept-names.js';
import { keyFrom, localPath, PENDING_SECONDS, seal, unseal } from '../src/api/oidc-pending.js';
import { People, personIdOf } from '../src/people.js';
import { temporaryFolder } from './support/server-process.js';

const ADA = { workspaceId: 'w1', issuer: 'https://login.example', subject: 'ada' };
const TOLD = { ...ADA, name: 'Ada', email: 'ada@example.com', seenAt: '2026-03-02T08:00:00.000Z' };
const SILENT = { warn: () => undefined };

describe('The names of people', () => {
  const folder = temporaryFolder();
  const path = join(folder.path, 'people.json');
  afterAll(() => folder.remove());

  it('are found again, by their owner alone, until they are forgotten', async () => {
    const people = People.open(path, SILENT);
    expect(existsSync(path)).toBe(false);
    await people.keep('id-1', TOLD);
    await people.keep('id-2', { ...TOLD, subject: 'bob', name: null });
    await people.keep('id-3', { ...TOLD, subject: 'eve', name: null, email: null });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const again = People.open(path, SILENT);
    expect(['id-1', 'id-2', 'id-3', 'id-4'].map((id) => again.nameOf(id))).toEqual([
      ...['Ada', 'ada@example.com', undefined, undefined],
    ]);
    expect(again.idOf(ADA)).toBe('id-1');
    expect(again.idOf({ ...ADA, workspaceId: 'w2' })).toBeUndefined();
    await again.forget('id-1');
    expect(again.nameOf('id-1')).toBeUndefined();
    expect(readFileSync(path, 'utf8')).not.toContain('Ada');
    expect(existsSync(`${path}.new`)).toBe(false);
  });

  it('are told to whoever keeps something worded with them, when they change', async () => {
    const people = People.open(path, SILENT);
    let changes = 0;
    people.onChange(() => (changes += 1));
    await people.keep('id-9', TOLD);
    await people.keep('id-9', { ...TOLD, seenAt: '2026-03-03T08:00:00.000Z' });
    expect(changes).toBe(1);
    await people.keep('id-9', { ...TOLD, name: 'Ada L.' });
    await people.forget('id-9');
    await people.forget('id-9');
    expect(changes).toBe(3);
  });

  it('are all written, whoever comes while a write is under way', async () => {
    const people = People.open(path, SILENT);
    const ids = Array.from({ length: 50 }, (_, n) => `many-${n}`);
    await Promise.all(ids.map((id) => people.keep(id, { ...TOLD, subject: id })));
    expect(ids.every((id) => People.open(path, SILENT).nameOf(id) === 'Ada')).toBe(true);
  });

  it('stop the start where the file is spoilt, and never those who sign in where it cannot be written', async () => {
    const people = People.open(join(folder.path, 'nowhere', 'people.json'), SILENT);
    await people.keep('id-1', TOLD);
    expect(people.nameOf('id-1')).toBe('Ada');
    writeFileSync(path, '{"people":{');
    expect(() => People.open(path, SILENT)).toThrow('The names of people cannot be read');
  });
});

describe('The id of a person', () => {
  it('is a UUID that follows from key, workspace, issuer and subject, and from nothing less', () => {
    const key = keyFrom('secret', 'person-id');
    const id = personIdOf(key, ADA);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(personIdOf(key, { ...ADA })).toBe(id);
    const others = [
      personIdOf(keyFrom('another', 'person-id'), ADA),
      personIdOf(keyFrom('secret', 'sign-in'), ADA),
      ...[{ workspaceId: 'w2' }, { issuer: 'https://other.example' }, { subject: 'bob' }].map((change) =>
        personIdOf(key, { ...ADA, ...change }),
      ),
      // Where one ends and the next begins counts too.
      personIdOf(key, { ...ADA, issuer: `${ADA.issuer}","ada`, subject: '' }),
    ];
    expect(new Set([id, ...others]).size).toBe(others.length + 1);
  });
});

describe('An answer that is kept', () => {
  const nameOf = (id: string) => ({ p1: 'Ada' })[id];
  const actor = { type: 'person', id: 'p1', name: 'Ada' };
  const content = { actor, release: { actor }, type: 'person' };

  it.each([
    ['of a version', { id: 'v1', actor, content }],
    ['of a release', { changed: true, release: { number: 1, actor, changes: [] }, position: '7' }],
  ])('%s has no name of a person in it, and gets it back byte for byte', (_, answer) => {
    const text = JSON.stringify(answer);
    const kept = JSON.parse(withoutNames(text)) as { actor?: object; release?: { actor: object } };
    expect(kept.actor ?? kept.release?.actor).toEqual({ ...actor, name: null });
    expect(withNames(withoutNames(text), nameOf)).toBe(text);
    expect(withNames(withoutNames(text), () => undefined)).not.toBe(text);
  });

  it('is left alone where nobody is a person, and in what somebody wrote', () => {
    const text = '{ "actor": {"type":"api-key","name":"ci"}, "content":  {} }';
    expect(withoutNames(text)).toBe(text);
    const version = JSON.parse(withoutNames(JSON.stringify({ actor, content }))) as { content: object };
    expect(version.content).toEqual(content);
  });
});

describe('A sign-in under way', () => {
  const key = keyFrom('secret', 'sign-in');
  const pending = { state: 's', nonce: 'n', verifier: 'v', returnTo: '/a?b#c', workspace: null };

  it('is opened by whoever has the key, for ten minutes', () => {
    const sealed = seal(key, pending, 1_000);
    expect(sealed).not.toBe(seal(key, pending, 1_000));
    expect(unseal(keyFrom('secret', 'sign-in'), sealed, 1_000)).toEqual(pending);
    expect(unseal(key, sealed, 1_000 + PENDING_SECONDS * 1_000 - 1)).toEqual(pending);
    expect(unseal(key, sealed, 1_000 + PENDING_SECONDS * 1_000)).toBeUndefined();
    expect(unseal(keyFrom('another', 'sign-in'), sealed, 1_000)).toBeUndefined();
    expect(unseal(keyFrom('secret', 'person-id'), sealed, 1_000)).toBeUndefined();
  });

  it('is not opened with a bit of it changed', () => {
    const bytes = Buffer.from(seal(key, pending, 0), 'base64url');
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(unseal(key, changed.toString('base64url'), 0)).toBeUndefined();
    }
  });

  it('ends at a path of this server, as a browser reads it', () => {
    const good = ['/', '/flows?q=a//b#/c', '/a/../b', '/%2F%2Fevil.example', '/a:b@c'];
    expect(good.map(localPath)).toEqual(['/', '/flows?q=a//b#/c', '/b', '/%2F%2Fevil.example', '/a:b@c']);
    const bad = [
      '',
      'a',
      '//a',
      '///a',
      '/\\a',
      '\\/a',
      '/.//a',
      '/a/..//b',
      '/\n/a',
      'https:/a',
      '/é',
      '/ a',
    ];
    expect(bad.map(localPath)).toEqual(bad.map(() => undefined));
    expect(localPath(`/${'a'.repeat(1_000)}`)).toBeUndefined();
  });
});
