// Who is signed in, as memory and rows have it: always the same, whatever came in which order.
import type { SessionHolder } from '../../src/domain/session-holder.js';
import type { Recorded } from '../../src/domain/recorded.js';
import { type Directory } from '../../projections/directory.js';
import { Sessions, SESSIONS_OF_HOLDER_MAX, sessions } from '../../projections/sessions.js';
import { folded, liveViews, Log, timeOf } from '../support/log.js';
import { Random, seed } from '../support/random.js';

const WORKSPACE = { workspace: 'w1' };
const KEY = { keyId: 'k1', name: 'ci', hash: 'hash of k1', grants: [{ role: 'viewer' }] } as const;
const ofKey: SessionHolder = { type: 'api-key', keyId: 'k1', keyHash: 'hash of k1' };
const ofPerson: SessionHolder = { type: 'person', personId: 'ada', grants: [{ role: 'auditor' }] };

function begun(): Log {
  const log = new Log();
  log.append('access-w1', { type: 'WorkspaceCreated', slug: 'default', name: 'default' }, WORKSPACE);
  log.append('access-w1', { type: 'ApiKeyIssued', ...KEY }, WORKSPACE);
  return log;
}

function open(log: Log, id: string, holder: SessionHolder, expiresAt = timeOf(1_000_000)): void {
  log.append(`session-${id}`, { type: 'SessionOpened', hash: `hash of ${id}`, holder, expiresAt }, WORKSPACE);
}

/** Twice: as the events came, and as the next start finds it in the rows. */
function directories(log: Log): Directory[] {
  const loaded = liveViews(log.recorded.filter(({ stream }) => stream.startsWith('access-'))).directory;
  loaded.sessions.load(folded([sessions], log.recorded));
  return [liveViews(log.recorded).directory, loaded];
}

describe('The directory of sessions', () => {
  it('knows who acts in a session, until it is closed', () => {
    const log = begun();
    open(log, 's1', ofKey);
    open(log, 's2', ofPerson);
    for (const directory of directories(log)) {
      expect(directory.principalInSession('hash of s1')).toMatchObject({
        ...{ actor: { type: 'api-key', id: 'k1' }, name: 'ci', workspaceId: 'w1', sessionId: 's1' },
        ...{ grants: [{ role: 'viewer' }], worksUntil: Date.parse(timeOf(1_000_000)) },
      });
      expect(directory.principalInSession('hash of s2')).toMatchObject({
        ...{ actor: { type: 'person', id: 'ada' }, name: null, workspaceId: 'w1', sessionId: 's2' },
        ...{ grants: [{ role: 'auditor' }], isArchived: false },
      });
      expect(directory.principalInSession('hash of k1')).toBeUndefined();
    }
    log.append('session-s1', { type: 'SessionClosed' }, WORKSPACE);
    for (const directory of directories(log)) {
      expect(directory.principalInSession('hash of s1')).toBeUndefined();
      expect(directory.principalInSession('hash of s2')).toBeDefined();
    }
  });

  it.each([
    ['revoked', [{ type: 'ApiKeyRevoked', keyId: 'k1' }]],
    [
      'rotated, also while the secret of before works',
      [{ type: 'ApiKeyRotated', keyId: 'k1', hash: 'next', prefix: 'p', previousUntil: timeOf(9_999_999) }],
    ],
    [
      'revoked, and brought along again as another one',
      [
        { type: 'ApiKeyRevoked', keyId: 'k1' },
        { type: 'ApiKeyIssued', ...KEY, keyId: 'k2' },
      ],
    ],
  ] as const)('knows nobody in a session whose key was %s', (_, events) => {
    const log = begun();
    open(log, 's1', ofKey);
    for (const event of events) log.append('access-w1', event, WORKSPACE);
    for (const directory of directories(log)) {
      expect(directory.principalInSession('hash of s1')).toBeUndefined();
    }
  });

  it('says of a person in an archived workspace that nothing may be done there', () => {
    const log = begun();
    open(log, 's1', ofPerson);
    log.append('access-w1', { type: 'WorkspaceArchived' }, WORKSPACE);
    for (const directory of directories(log)) {
      expect(directory.principalInSession('hash of s1')?.isArchived).toBe(true);
    }
  });

  it('drops what has expired when the next one opens', () => {
    const log = begun();
    open(log, 's1', ofKey, timeOf(4));
    open(log, 's2', ofKey);
    for (const { sessions: held } of directories(log)) {
      expect([held.isOpen('s1'), held.isOpen('s2')]).toEqual([true, true]);
    }
    open(log, 's3', ofKey);
    for (const { sessions: held } of directories(log)) {
      expect(['s1', 's2', 's3'].map((id) => held.isOpen(id))).toEqual([false, true, true]);
    }
  });

  it('does not look at all who are signed in for those whose time is over', () => {
    const held = new Sessions();
    const meta = { time: timeOf(0), workspace: 'w1' };
    const take = (n: number, expiresAt: string) => {
      const holder: SessionHolder = { type: 'person', personId: `p${n}`, grants: [] };
      const recorded = { stream: `session-s${n}`, meta } as unknown as Recorded;
      held.take({ type: 'SessionOpened', hash: `hash of s${n}`, holder, expiresAt }, recorded);
    };
    const began = performance.now();
    for (let n = 0; n < 20_000; n += 1) take(n, timeOf(1 + (n % 40_000)));
    expect(performance.now() - began).toBeLessThan(2_000);
    expect([held.isOpen('s0'), held.isOpen('s19999')]).toEqual([true, true]);
  });

  it('keeps the newest hundred of one holder, and all of another', () => {
    const log = begun();
    open(log, 'p', ofPerson);
    for (let n = 0; n <= SESSIONS_OF_HOLDER_MAX; n += 1) open(log, `s${n}`, ofKey);
    for (const { sessions: held } of directories(log)) {
      expect(['p', 's0', 's1', `s${SESSIONS_OF_HOLDER_MAX}`].map((id) => held.isOpen(id))).toEqual([
        ...[true, false, true, true],
      ]);
    }
  });

  it('ends the sessions of a person who is erased, and knows when that was', () => {
    const log = begun();
    open(log, 's1', ofPerson);
    open(log, 's2', ofKey);
    log.append('person-ada', { type: 'PersonErased' }, WORKSPACE);
    const erasedAt = timeOf(4);
    for (const { sessions: held } of directories(log)) {
      expect([held.isOpen('s1'), held.isOpen('s2')]).toEqual([false, true]);
      expect(held.person('ada')).toEqual({ workspaceId: 'w1', erasedAt, erasures: 1 });
      expect([...held.erased()]).toEqual([['ada', erasedAt]]);
    }
  });

  it(`is the same in memory and in rows after any history (seed ${seed})`, () => {
    const random = new Random(seed);
    const log = begun();
    for (let n = 0; n < 600; n += 1) {
      const person = random.pick(['ada', 'bob']);
      const holder = random.pick([ofKey, { ...ofPerson, personId: person }]);
      const id = `s${random.below(n + 1)}`;
      if (random.below(10) < 7) open(log, `s${n}`, holder, timeOf(n + random.below(300)));
      else if (random.below(10) < 9) log.append(`session-${id}`, { type: 'SessionClosed' }, WORKSPACE);
      else log.append(`person-${person}`, { type: 'PersonErased' }, WORKSPACE);
    }
    const [inMemory, loaded] = directories(log).map(({ sessions: held }) => stateOf(held));
    expect(loaded).toEqual(inMemory);
    expect(inMemory?.open.length).toBeGreaterThan(10);
  });
});

function stateOf(held: Sessions) {
  const ids = Array.from({ length: 600 }, (_, n) => `s${n}`);
  return {
    open: ids.filter((id) => held.isOpen(id)),
    byHash: ids.map((id) => held.find(`hash of ${id}`)),
    people: ['ada', 'bob'].map((id) => held.person(id)),
  };
}
