// When a session begins and ends: it is never open for longer than what was signed in with works.
import { session, type OpenSession } from '../../src/domain/session.js';
import type { SessionOpened } from '../../src/domain/session.events.js';
import { fold } from '../../src/domain/decider.js';
import { spec } from '../support/spec.js';

const given = spec(session);
const NOON = '2026-03-02T12:00:00.000Z';
const EVENING = '2026-03-02T20:00:00.000Z';

const holder = { type: 'api-key', keyId: 'k1', keyHash: 'hash of k1' } as const;
const opened: SessionOpened = { type: 'SessionOpened', hash: 'h', holder, expiresAt: EVENING };
const open: OpenSession = { type: 'OpenSession', hash: 'h', holder, until: EVENING, holderUntil: null };

describe('A session', () => {
  it('is open for as long as sessions are, with a key that does not expire', () => {
    given().when(open).then(opened);
  });

  it('ends with its key, when that expires sooner', () => {
    given()
      .when({ ...open, holderUntil: NOON })
      .then({ ...opened, expiresAt: NOON });
  });

  it('does not last longer because its key does', () => {
    given()
      .when({ ...open, until: NOON, holderUntil: EVENING })
      .then({ ...opened, expiresAt: NOON });
  });

  it('does not end in the year 10000, whose times come first where they are compared as text', () => {
    given()
      .when({ ...open, holderUntil: '+010000-01-01T00:00:00.000Z' })
      .then(opened);
  });

  it('of a person is what the rules gave at the sign-in', () => {
    const person = { type: 'person', personId: 'p1', grants: [{ role: 'viewer' }] } as const;
    given()
      .when({ ...open, holder: person })
      .then({ ...opened, holder: person });
  });

  it('is closed once', () => {
    given(opened).when({ type: 'CloseSession' }).then({ type: 'SessionClosed' });
    given(opened, { type: 'SessionClosed' }).when({ type: 'CloseSession' }).then();
  });

  it('that was never opened has nothing to close', () => given().when({ type: 'CloseSession' }).then());

  it('is never opened twice: its id is new', () => {
    const state = fold(session, [opened]);
    expect(() => session.decide(state, open)).toThrow('Broken promise');
  });
});
