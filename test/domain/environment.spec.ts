// The rules of an environment: activation, deactivation and promotion. Each change is one release, which
// carries everything that it changed.
import { fold } from '../../src/domain/decider.js';
import { environment, type ActivateVersion, type DeactivateVersion } from '../../src/domain/environment.js';
import type { Change, EnvironmentEvent } from '../../src/domain/environment.events.js';
import { encode } from '../../src/domain/recorded.js';
import { CHANGES_PER_EVENT_MAX, joined } from '../../src/domain/release-parts.js';
import { EnvironmentLog, promotion, version } from '../support/environment-log.js';
import { refusalOf, spec } from '../support/spec.js';

const given = spec(environment);
const v1 = version('chat', 1);
const v2 = version('chat', 2);
const firstActivation = activated(1, { flowId: 'chat', from: null, to: v1, fromSince: 0, toSince: 1 });

describe('Activating a version', () => {
  it('makes release 1 of an environment that had none', () =>
    given().when(activate(1)).then(firstActivation));

  it('takes the place of the version that was active, in the next release', () => {
    const second = activated(2, { flowId: 'chat', from: v1, to: v2, fromSince: 1, toSince: 2 });
    given(firstActivation).when(activate(2)).then(second);
    const state = fold(environment, [firstActivation, second]);
    expect([...state.flows]).toEqual([['chat', { version: v2, since: 2 }]]);
    expect(state).toMatchObject({ release: 2, inEffect: 2, activeCount: 1 });
  });

  it('of what is active already changes nothing', () => given(firstActivation).when(activate(1)).then());

  it('keeps the comment', () =>
    given()
      .when(activate(1, { comment: 'At last' }))
      .then({ ...firstActivation, comment: 'At last' }));

  it('leaves the other flows of the environment as they are', () =>
    expect(new EnvironmentLog().activate('chat', 1).activate('search', 4).activate('chat', 2).active).toEqual(
      {
        ...{ chat: 2, search: 4 },
      },
    ));

  it('is refused when the environment is not at the expected release', () => {
    given(firstActivation)
      .when(activate(2, { expectedRelease: 0 }))
      .refused('release-moved', '1', '0');
    given(firstActivation)
      .when(activate(2, { expectedRelease: 2 }))
      .refused('release-moved');
    given(firstActivation)
      .when(activate(1, { expectedRelease: 0 }))
      .refused('release-moved');
    given()
      .when(activate(1, { expectedRelease: 0 }))
      .then(firstActivation);
  });
});

describe('Deactivating a flow', () => {
  const gone: EnvironmentEvent = {
    type: 'VersionDeactivated',
    release: 2,
    comment: null,
    changes: [{ flowId: 'chat', from: v1, to: null, fromSince: 1, toSince: 2 }],
  };

  it('removes it from the environment', () => {
    given(firstActivation).when(deactivate()).then(gone);
    expect(fold(environment, [firstActivation, gone])).toMatchObject({ release: 2, activeCount: 0 });
  });

  it('that is not active changes nothing', () => {
    given().when(deactivate()).then();
    given(firstActivation, gone).when(deactivate()).then();
  });

  it('is refused when the environment is not at the expected release', () => {
    given(firstActivation)
      .when(deactivate({ expectedRelease: 7 }))
      .refused('release-moved', '7');
    given(firstActivation)
      .when(deactivate({ expectedRelease: 1 }))
      .then(gone);
  });

  it('is undone by activating the same version again, in a release of its own', () =>
    given(firstActivation, gone)
      .when(activate(1))
      .then(activated(3, { flowId: 'chat', from: null, to: v1, fromSince: 2, toSince: 3 })));
});

describe('A release', () => {
  it('never comes out of turn', () => {
    expect(() => fold(environment, [firstActivation, firstActivation])).toThrow('release 1 follows 1');
    expect(() => fold(environment, [{ ...firstActivation, release: 2 }])).toThrow('release 2 follows 0');
  });
});

describe('Promoting', () => {
  const staging = (): EnvironmentLog =>
    new EnvironmentLog('staging').activate('chat', 1, 2).activate('search', 5);

  it('brings all that is active in the source, in one release that names the release of the source', () =>
    given()
      .when(promotion(staging(), { comment: 'Sprint 12' }))
      .then({
        type: 'VersionsPromoted',
        release: 1,
        comment: 'Sprint 12',
        source: { environmentId: 'staging', release: 3 },
        changes: [
          { flowId: 'chat', from: null, to: v2, fromSince: 0, toSince: 1 },
          { flowId: 'search', from: null, to: version('search', 5), fromSince: 0, toSince: 1 },
        ],
      }));

  it('leaves out what is equal already', () => {
    const production = new EnvironmentLog().activate('search', 5).activate('chat', 1);
    const [promoted] = production.promote(staging());
    expect(promoted?.changes).toEqual([{ flowId: 'chat', from: v1, to: v2, fromSince: 2, toSince: 3 }]);
    expect(production.active).toEqual({ chat: 2, search: 5 });
  });

  it('of what is equal altogether changes nothing', () => {
    const production = new EnvironmentLog();
    production.promote(staging());
    given(...production.events)
      .when(promotion(staging()))
      .then();
    given()
      .when(promotion(new EnvironmentLog('staging')))
      .then();
  });

  it('leaves the source as it is', () => {
    const source = staging();
    new EnvironmentLog().promote(source, { prune: true });
    expect(source.active).toEqual({ chat: 2, search: 5 });
    expect(source.state).toEqual(fold(environment, source.events));
  });

  it('removes nothing that is active in the target alone', () => {
    const production = new EnvironmentLog().activate('legacy', 1);
    production.promote(staging());
    expect(production.active).toEqual({ legacy: 1, chat: 2, search: 5 });
  });

  it('ignores what was active in the source and no longer is', () => {
    const production = new EnvironmentLog().activate('search', 4);
    production.promote(staging().deactivate('search'));
    expect(production.active).toEqual({ search: 4, chat: 2 });
  });

  it('with prune deactivates what is active in the target alone', () => {
    const production = new EnvironmentLog().activate('legacy', 1).activate('search', 5);
    const [promoted] = production.promote(staging().deactivate('search'), { prune: true });
    expect(production.active).toEqual({ chat: 2 });
    expect(promoted?.changes).toContainEqual({
      flowId: 'legacy',
      from: version('legacy', 1),
      to: null,
      fromSince: 1,
      toSince: 3,
    });
  });

  it('from an empty source with prune empties the target, and without changes nothing', () => {
    const empty = new EnvironmentLog('staging');
    const production = new EnvironmentLog().activate('chat', 1);
    given(...production.events)
      .when(promotion(empty))
      .then();
    production.promote(empty, { prune: true });
    expect(production.active).toEqual({});
  });

  it('is refused when either environment has moved since it was reviewed', () => {
    const reviewed = { expectedSourceRelease: 3, expectedTargetRelease: 1 };
    const { events } = new EnvironmentLog().activate('chat', 1);
    for (const [name, expected] of [
      ['source', { ...reviewed, expectedSourceRelease: 2 }],
      ['target', { ...reviewed, expectedTargetRelease: 0 }],
    ] as const) {
      given(...events)
        .when(promotion(staging(), expected))
        .refused('release-moved', name);
    }
    expect(environment.decide(fold(environment, events), promotion(staging(), reviewed))).toHaveLength(1);
  });

  it('is refused for a moved environment even when nothing would change', () => {
    const production = new EnvironmentLog();
    production.promote(staging());
    given(...production.events)
      .when(promotion(staging(), { expectedTargetRelease: 0 }))
      .refused('release-moved');
  });
});

describe('Promoting some flows', () => {
  const staging = (): EnvironmentLog =>
    new EnvironmentLog('staging')
      .activate('chat', 2)
      .activate('search', 5)
      .activate('old', 1)
      .deactivate('old');

  it('leaves the others as they are', () => {
    const production = new EnvironmentLog().activate('chat', 1);
    production.promote(staging(), { flowIds: ['search'] });
    expect(production.active).toEqual({ chat: 1, search: 5 });
  });

  it('that are equal already changes nothing', () => {
    const { events } = new EnvironmentLog().activate('chat', 2);
    given(...events)
      .when(promotion(staging(), { flowIds: ['chat'] }))
      .then();
    given(...events)
      .when(promotion(staging(), { flowIds: [] }))
      .then();
  });

  it('takes a flow that is named twice once', () => {
    const [promoted] = new EnvironmentLog().promote(staging(), { flowIds: ['chat', 'search', 'chat'] });
    expect(promoted?.changes.map(({ flowId }) => flowId)).toEqual(['chat', 'search']);
  });

  it('is refused as a whole when some are not active in the source, naming and pointing at each', () => {
    const command = promotion(staging(), { flowIds: ['nowhere', 'chat', 'old'] });
    given().when(command).refused('flows-not-active', 'nowhere', 'old');
    const { errors, message } = refusalOf(() => environment.decide(environment.initial(), command));
    expect(errors.map(({ pointer }) => pointer)).toEqual(['/flowIds/0', '/flowIds/2']);
    expect(message).not.toContain('chat');
  });

  it('is refused for one that is active in the target alone, unless asked to prune it', () => {
    const { events } = new EnvironmentLog().activate('old', 1).activate('legacy', 1);
    given(...events)
      .when(promotion(staging(), { flowIds: ['old'] }))
      .refused('flows-not-active', 'old');
    const pruned = new EnvironmentLog().activate('old', 1).activate('legacy', 1);
    pruned.promote(staging(), { flowIds: ['old'], prune: true });
    expect(pruned.active).toEqual({ legacy: 1 });
  });

  it('with prune is still refused for one that is active in neither', () =>
    given()
      .when(promotion(staging(), { flowIds: ['nowhere'], prune: true }))
      .refused('flows-not-active', 'nowhere'));
});

describe('A release of more changes than one event takes', () => {
  const total = 2 * CHANGES_PER_EVENT_MAX + 1;

  it('is several events of one release, each with the same source and comment, numbered within it', () => {
    const { promoted } = large(total);
    expect(promoted.map(({ part }) => part)).toEqual([1, 2, 3].map((number) => ({ number, of: 3 })));
    expect(promoted.map(({ changes }) => changes.length)).toEqual([
      CHANGES_PER_EVENT_MAX,
      CHANGES_PER_EVENT_MAX,
      1,
    ]);
    for (const event of promoted) {
      expect(event).toMatchObject({
        release: 1,
        comment: 'All',
        source: { environmentId: 'staging', release: 1 },
      });
    }
  });

  it('is one event without parts as long as it fits', () => {
    const { promoted } = large(CHANGES_PER_EVENT_MAX);
    expect(promoted).toHaveLength(1);
    expect(promoted[0]).not.toHaveProperty('part');
  });

  it('is seen by nobody before its last part has come', () => {
    const { promoted } = large(total);
    const [first, second, last] = promoted as [EnvironmentEvent, EnvironmentEvent, EnvironmentEvent];
    const state = fold(environment, [first, second]);
    expect(state).toMatchObject({ release: 0, inEffect: 0, activeCount: 0 });
    expect(state.flows.size).toBe(0);
    environment.evolve(state, last);
    expect(state).toMatchObject({ release: 1, inEffect: 1, activeCount: total, held: [] });
    expect(state.flows.size).toBe(total);
  });

  it('has the flows in the order of its changes', () => {
    const { promoted, flowIds } = large(total);
    expect([...fold(environment, promoted).flows.keys()]).toEqual(flowIds);
  });

  it('is joined again from its parts, and one of a single event is what it was', () => {
    const { promoted, flowIds } = large(total);
    const whole = joined(promoted);
    expect(whole).toMatchObject({ release: 1, comment: 'All' });
    expect(whole.part).toBeUndefined();
    expect(whole.changes.map(({ flowId }) => flowId)).toEqual(flowIds);
    expect(joined([firstActivation])).toBe(firstActivation);
    expect(() => joined([])).toThrow('at least one part');
  });

  it('is followed by ordinary ones', () => {
    const { promoted } = large(total);
    const state = fold(environment, promoted);
    const [next] = environment.decide(state, activate(1));
    expect(next).toMatchObject({ type: 'VersionActivated', release: 2 });
  });

  it('has parts of less than 1 MiB each, whatever their numbers and comment', () => {
    const ref = { versionId: 'x'.repeat(36), number: 999_999_999, digest: 'x'.repeat(64) };
    const change = {
      flowId: 'x'.repeat(36),
      from: ref,
      to: ref,
      fromSince: 999_999_999,
      toSince: 999_999_999,
    };
    const part: EnvironmentEvent = {
      type: 'EnvironmentRolledBack',
      release: 999_999_999,
      comment: '\u0000'.repeat(5_000),
      restores: 999_999_999,
      inEffect: 999_999_999,
      changes: Array.from({ length: CHANGES_PER_EVENT_MAX }, () => change),
      part: { number: 999, of: 999 },
    };
    expect(Buffer.byteLength(encode(part))).toBeLessThan(1024 * 1024);
  });
});

function activate(number: number, options: Partial<ActivateVersion> = {}): ActivateVersion {
  const asked = { flowId: 'chat', version: version('chat', number), comment: null, expectedRelease: null };
  return { type: 'ActivateVersion', ...asked, ...options };
}

function deactivate(options: Partial<DeactivateVersion> = {}): DeactivateVersion {
  return { type: 'DeactivateVersion', flowId: 'chat', comment: null, expectedRelease: null, ...options };
}

function activated(release: number, change: Change): EnvironmentEvent {
  return { type: 'VersionActivated', release, comment: null, changes: [change] };
}

/** What promoting so many flows in one release makes. */
function large(flows: number): { promoted: readonly EnvironmentEvent[]; flowIds: readonly string[] } {
  const flowIds = Array.from({ length: flows }, (_, index) => `flow-${index}`);
  const source = new EnvironmentLog('staging');
  for (const flowId of flowIds) source.state.flows.set(flowId, { version: version(flowId, 1), since: 1 });
  source.state.release = 1;
  const promoted = environment.decide(environment.initial(), promotion(source, { comment: 'All' }));
  return { promoted, flowIds };
}
