// The rules of a rollback: it puts the state of an earlier release in effect, going back twice goes further
// back, and history is never rewritten.
import { fold } from '../../src/domain/decider.js';
import { environment } from '../../src/domain/environment.js';
import type { EnvironmentEvent } from '../../src/domain/environment.events.js';
import { CHANGES_PER_EVENT_MAX } from '../../src/domain/release-parts.js';
import { releasesToRead, type RollbackRequest } from '../../src/domain/rollback.js';
import type { RefusalCode } from '../../src/domain/refused.js';
import { EnvironmentLog, rollbackRequest, version } from '../support/environment-log.js';
import { refusalOf, spec } from '../support/spec.js';

const given = spec(environment);

/** Releases 1, 2 and 3, each with the version of its number. */
const three = (): EnvironmentLog => new EnvironmentLog().activate('chat', 1, 2, 3);

describe('Rolling back', () => {
  it('is a release of its own that carries every change and names the release it restores', () => {
    const { events, history } = withHistory(three(), [3, 2]);
    given(...events)
      .when({ type: 'Rollback', ...rollbackRequest({ comment: 'Too slow' }), history })
      .then({
        type: 'EnvironmentRolledBack',
        release: 4,
        comment: 'Too slow',
        restores: 2,
        inEffect: 2,
        changes: [
          { flowId: 'chat', from: version('chat', 3), to: version('chat', 2), fromSince: 3, toSince: 2 },
        ],
      });
  });

  it('goes to the prior release, and the second time to the one before that, and then no further', () => {
    const log = three();
    log.rollback();
    expect(log.active).toEqual({ chat: 2 });
    log.rollback();
    expect(log.active).toEqual({ chat: 1 });
    refused(log, {}, 'no-prior-release');
    expect(log.state).toMatchObject({ release: 5, inEffect: 1 });
  });

  it('leaves the releases before it in the log as they were', () => {
    const log = three();
    const before = structuredClone(log.events);
    log.rollback();
    expect(log.events.slice(0, 3)).toEqual(Array.from(before));
  });

  it('is refused when there was never a release, or only one', () => {
    refused(new EnvironmentLog(), {}, 'no-prior-release');
    refused(new EnvironmentLog().activate('chat', 1), {}, 'no-prior-release');
  });

  it('undoes all of a release and nothing else', () => {
    const source = new EnvironmentLog('staging').activate('chat', 2).activate('search', 2);
    const log = new EnvironmentLog().activate('chat', 1).activate('legacy', 1).activate('tools', 1);
    log.promote(source, { prune: true });
    expect(log.active).toEqual({ chat: 2, search: 2 });
    log.rollback();
    expect(log.active).toEqual({ chat: 1, legacy: 1, tools: 1 });
    expect(source.active).toEqual({ chat: 2, search: 2 });
  });

  it('brings back what a deactivation removed', () => {
    const log = new EnvironmentLog().activate('chat', 1).deactivate('chat');
    log.rollback();
    expect(log.active).toEqual({ chat: 1 });
  });

  it('after a release that followed a rollback goes to the state that the rollback had restored', () => {
    const log = three();
    log.rollback();
    log.rollback();
    log.activate('search', 1);
    log.rollback();
    expect(log.active).toEqual({ chat: 1 });
    expect(log.state).toMatchObject({ release: 7, inEffect: 1 });
    refused(log, {}, 'no-prior-release');
  });

  it('goes on further back after a release that followed a rollback', () => {
    const log = three();
    log.rollback();
    log.activate('chat', 5);
    log.rollback();
    expect(log.active).toEqual({ chat: 2 });
    log.rollback();
    expect(log.active).toEqual({ chat: 1 });
  });

  it('is refused when the environment is not at the expected release', () => {
    refused(three(), { expectedRelease: 2 }, 'release-moved');
    refused(three(), { expectedRelease: 4, toRelease: 1 }, 'release-moved');
    refused(three(), { expectedRelease: 2, flowIds: ['chat'] }, 'release-moved');
    const log = three();
    log.rollback({ expectedRelease: 3 });
    expect(log.active).toEqual({ chat: 2 });
  });
});

describe('Rolling back to a release', () => {
  it('restores exactly what ran then', () => {
    const log = new EnvironmentLog()
      .activate('chat', 1)
      .activate('search', 1)
      .activate('chat', 2)
      .deactivate('search');
    const states = [{}, { chat: 1 }, { chat: 1, search: 1 }, { chat: 2, search: 1 }, { chat: 2 }];
    for (const toRelease of [1, 3, 0, 2, 4]) {
      log.rollback({ toRelease });
      expect(log.active).toEqual(states[toRelease]);
    }
  });

  it('forwards undoes a rollback', () => {
    const log = three();
    log.rollback();
    log.rollback({ toRelease: 3 });
    expect(log.active).toEqual({ chat: 3 });
    expect(log.state).toMatchObject({ release: 5, inEffect: 3 });
    log.rollback();
    expect(log.active).toEqual({ chat: 2 });
  });

  it('that was a rollback itself puts the release in effect that that one had restored', () => {
    const log = three();
    log.rollback();
    log.activate('chat', 4);
    const [event] = log.rollback({ toRelease: 4 });
    expect(event).toMatchObject({ restores: 4, inEffect: 2 });
    log.rollback();
    expect(log.active).toEqual({ chat: 1 });
  });

  it('0 empties the environment, and before that there is nothing', () => {
    const log = three().activate('search', 1);
    log.rollback({ toRelease: 0 });
    expect(log.active).toEqual({});
    expect(log.state).toMatchObject({ release: 5, inEffect: 0, activeCount: 0 });
    refused(log, {}, 'no-prior-release');
    log.rollback({ toRelease: 4 });
    expect(log.active).toEqual({ chat: 3, search: 1 });
  });

  it('0 of an environment that never had a release changes nothing', () =>
    expect(new EnvironmentLog().rollback({ toRelease: 0 })).toEqual([]));

  it('that is in effect already changes nothing', () => {
    const log = three();
    expect(log.rollback({ toRelease: 3 })).toEqual([]);
    log.rollback();
    expect(log.rollback({ toRelease: 2 })).toEqual([]);
    expect(log.rollback({ toRelease: 4 })).toEqual([]);
    expect(log.state.release).toBe(4);
  });

  it('that there is not, is refused and pointed at', () => {
    const refusal = refused(three(), { toRelease: 4 }, 'unknown-release');
    expect(refusal.message).toContain('4');
    expect(refusal.errors).toEqual([expect.objectContaining({ pointer: '/toRelease' })]);
    refused(new EnvironmentLog(), { toRelease: 1 }, 'unknown-release');
  });
});

describe('Rolling back some flows to a release', () => {
  const log = (): EnvironmentLog =>
    new EnvironmentLog().activate('chat', 1).activate('search', 1).activate('chat', 2).activate('search', 2);

  it('leaves the others as they are', () => {
    const partly = log();
    partly.rollback({ toRelease: 2, flowIds: ['chat'] });
    expect(partly.active).toEqual({ chat: 1, search: 2 });
  });

  it('makes a state of its own: the release before it is the prior one', () => {
    const partly = log();
    const [event] = partly.rollback({ toRelease: 2, flowIds: ['chat'] });
    expect(event).toMatchObject({ restores: 2, inEffect: 5 });
    partly.rollback();
    expect(partly.active).toEqual({ chat: 2, search: 2 });
  });

  it('removes those that were not active then', () => {
    const partly = log();
    partly.rollback({ toRelease: 1, flowIds: ['search'] });
    expect(partly.active).toEqual({ chat: 2 });
    partly.rollback({ toRelease: 0, flowIds: ['chat'] });
    expect(partly.active).toEqual({});
  });

  it('works forwards as well', () => {
    const partly = log();
    partly.rollback({ toRelease: 1 });
    partly.rollback({ toRelease: 4, flowIds: ['search'] });
    expect(partly.active).toEqual({ chat: 1, search: 2 });
  });

  it('that run the same version then and now changes nothing', () => {
    expect(log().rollback({ toRelease: 3, flowIds: ['chat'] })).toEqual([]);
    expect(log().rollback({ toRelease: 1, flowIds: [] })).toEqual([]);
  });

  it('is refused as a whole when one was never active here, pointing at it', () => {
    const refusal = refused(log(), { toRelease: 2, flowIds: ['chat', 'nowhere'] }, 'flows-not-active');
    expect(refusal.errors).toEqual([expect.objectContaining({ pointer: '/flowIds/1' })]);
    expect(refusal.message).toContain('nowhere');
  });

  it('is refused for a release that there is not', () => {
    refused(log(), { toRelease: 5, flowIds: ['chat'] }, 'unknown-release');
  });
});

describe('Rolling back some flows by their own history', () => {
  it('gives each the version that it had before its current one, however long ago that was', () => {
    const log = three().activate('search', 1, 2).activate('tools', 1, 2);
    const [event] = log.rollback({ flowIds: ['chat', 'search'] });
    expect(event).toMatchObject({ release: 8, restores: null, inEffect: 8 });
    expect(log.active).toEqual({ chat: 2, search: 1, tools: 2 });
  });

  it('goes further back each time and never toggles, also with other releases in between', () => {
    const log = new EnvironmentLog().activate('chat', 1, 2, 3, 4);
    log.rollback({ flowIds: ['chat'] });
    expect(log.active).toEqual({ chat: 3 });
    log.activate('search', 1);
    log.rollback({ flowIds: ['chat'] });
    expect(log.active).toEqual({ chat: 2, search: 1 });
    log.rollback({ flowIds: ['chat'] });
    expect(log.active).toEqual({ chat: 1, search: 1 });
    refused(log, { flowIds: ['chat'] }, 'no-prior-release');
  });

  it('goes to the version before when a release came after it', () => {
    const log = three();
    log.rollback({ flowIds: ['chat'] });
    log.activate('chat', 7);
    log.rollback({ flowIds: ['chat'] });
    expect(log.active).toEqual({ chat: 2 });
    log.rollback({ flowIds: ['chat'] });
    expect(log.active).toEqual({ chat: 1 });
  });

  it('brings back what was deactivated, and then goes on behind it', () => {
    const log = new EnvironmentLog().activate('chat', 1, 2).deactivate('chat');
    log.rollback({ flowIds: ['chat'] });
    expect(log.active).toEqual({ chat: 2 });
    log.rollback({ flowIds: ['chat'] });
    expect(log.active).toEqual({ chat: 1 });
  });

  it('goes back to having been deactivated', () => {
    const log = new EnvironmentLog().activate('chat', 1).deactivate('chat').activate('chat', 2);
    log.rollback({ flowIds: ['chat'] });
    expect(log.active).toEqual({});
    log.rollback({ flowIds: ['chat'] });
    expect(log.active).toEqual({ chat: 1 });
  });

  it('after a rollback of the whole environment starts from the version that that one restored', () => {
    const log = new EnvironmentLog().activate('chat', 1, 2, 3, 4).activate('search', 1);
    log.rollback({ toRelease: 3 });
    log.rollback({ flowIds: ['chat'] });
    expect(log.active).toEqual({ chat: 2 });
    log.rollback({ toRelease: 5 });
    log.rollback({ flowIds: ['chat'] });
    expect(log.active).toEqual({ chat: 3, search: 1 });
  });

  it('undoes what a promotion brought', () => {
    const log = new EnvironmentLog().activate('chat', 1).activate('search', 1);
    log.promote(new EnvironmentLog('staging').activate('chat', 2).activate('search', 2));
    log.rollback({ flowIds: ['search'] });
    expect(log.active).toEqual({ chat: 2, search: 1 });
  });

  it('takes a flow that is named twice once', () => {
    const [event] = three().rollback({ flowIds: ['chat', 'chat'] });
    expect(event?.changes).toHaveLength(1);
  });

  it('is refused as a whole when one had no version before, naming and pointing at every such one', () => {
    const log = three().activate('search', 1).activate('tools', 1);
    const refusal = refused(log, { flowIds: ['search', 'chat', 'tools'] }, 'no-prior-release');
    expect(refusal.errors.map(({ pointer }) => pointer)).toEqual(['/flowIds/0', '/flowIds/2']);
    expect(refusal.message).toMatch(/search.*tools/);
    expect(refusal.message).not.toContain('chat');
  });

  it('is refused for a flow that a rollback has brought back to never having been active', () => {
    const log = new EnvironmentLog().activate('chat', 1).activate('search', 1);
    log.rollback();
    refused(log, { flowIds: ['search'] }, 'no-prior-release');
  });

  it('is refused as a whole when one was never active here, pointing at it', () => {
    const refusal = refused(three(), { flowIds: ['nowhere', 'chat'] }, 'flows-not-active');
    expect(refusal.errors).toEqual([expect.objectContaining({ pointer: '/flowIds/0' })]);
    expect(refusal.message).toContain('nowhere');
  });
});

describe('A rollback reads from the log', () => {
  it('the release in effect and the prior one, however many rollbacks came since', () => {
    const log = three();
    log.rollback();
    log.rollback({ toRelease: 3 });
    log.rollback();
    expect(releasesToRead(log.state, rollbackRequest())).toEqual([2, 1]);
    expect(releasesToRead(log.state, rollbackRequest({ toRelease: 1 }))).toEqual([2, 1]);
  });

  it('the releases after the one to restore, and that one itself', () => {
    expect(releasesToRead(three().state, rollbackRequest({ toRelease: 1 }))).toEqual([3, 2, 1]);
    expect(releasesToRead(three().state, rollbackRequest({ toRelease: 0 }))).toEqual([3, 2, 1]);
  });

  it('for the own history of a flow the one release that had put its version there', () => {
    const log = new EnvironmentLog().activate('chat', 1, 2).activate('search', 1, 2, 3);
    expect(releasesToRead(log.state, rollbackRequest({ flowIds: ['chat', 'search', 'chat'] }))).toEqual([
      2, 5,
    ]);
  });

  it('and is a broken promise without it', () => {
    const { state } = three();
    const decide = () =>
      environment.decide(state, { type: 'Rollback', ...rollbackRequest(), history: new Map() });
    expect(decide).toThrow('release 3 was read before the rollback was decided');
  });
});

describe('A rollback of more changes than one event takes', () => {
  const total = CHANGES_PER_EVENT_MAX + 1;

  it('is one release in parts that nobody sees half of, and undoes a promotion in parts', () => {
    const source = new EnvironmentLog('staging');
    const first = new EnvironmentLog('dev');
    for (let index = 0; index < total; index += 1) {
      first.state.flows.set(`flow-${index}`, { version: version(`flow-${index}`, 1), since: 1 });
      source.state.flows.set(`flow-${index}`, { version: version(`flow-${index}`, 2), since: 1 });
    }
    const log = new EnvironmentLog();
    log.promote(first);
    const before = log.active;
    expect(log.promote(source)).toHaveLength(2);
    expect(log.active).not.toEqual(before);

    const parts = log.rollback();
    expect(parts.map(({ type, release, part }) => ({ type, release, part }))).toEqual(
      [1, 2].map((number) => ({ type: 'EnvironmentRolledBack', release: 3, part: { number, of: 2 } })),
    );
    expect(log.active).toEqual(before);

    const half = fold(environment, log.events.slice(0, -1));
    expect(half).toMatchObject({ release: 2, inEffect: 2 });
    expect(half.flows.get('flow-0')?.version).toEqual(version('flow-0', 2));
    expect(fold(environment, log.events)).toEqual(log.state);
  });
});

/** Both halves refuse it: the one that says what must be read, and the decision itself. */
function refused(log: EnvironmentLog, request: Partial<RollbackRequest>, code: RefusalCode) {
  const asked = rollbackRequest(request);
  const early = refusalOf(() => releasesRead(log, asked));
  expect(early.code).toBe(code);
  given(...log.events)
    .when({ type: 'Rollback', ...asked, history: log.history() })
    .refused(code);
  return early;
}

/** Some refusals need the history itself, so they come only once that has been read. */
function releasesRead(log: EnvironmentLog, asked: RollbackRequest): readonly EnvironmentEvent[] {
  const history = log.history(releasesToRead(log.state, asked));
  return environment.decide(log.state, { type: 'Rollback', ...asked, history });
}

function withHistory(log: EnvironmentLog, numbers: readonly number[]) {
  return { events: log.events, history: log.history(numbers) };
}
