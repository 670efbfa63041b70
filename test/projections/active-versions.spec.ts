// Which version of each flow runs where: followed from the log, and begun again from the rows of an earlier
// run.
import fc from 'fast-check';
import { ActiveVersions, activeVersions } from '../../projections/active-versions.js';
import type { EnvironmentEvent } from '../../src/domain/environment.events.js';
import type { Recorded } from '../../src/domain/recorded.js';
import { type EnvironmentLog, version } from '../support/environment-log.js';
import { environmentMove, EnvironmentsOnOneLog, FLOWS } from '../support/environment-moves.js';
import { folded } from '../support/log.js';

const PLACES = ['dev', 'staging', 'production'];

describe('The active versions of a flow', () => {
  it('are those of the environments where it is active now', () => {
    const view = viewOf((dev, staging) => {
      dev('activate', 'chat', 1);
      staging('activate', 'chat', 2);
      dev('deactivate', 'chat');
    });
    expect(view.environmentsOf('chat')).toEqual(['staging']);
    expect(view.active('staging', 'chat')).toEqual(version('chat', 2));
    expect(view.active('dev', 'chat')).toBeNull();
    expect(view.active('nowhere', 'chat')).toBeNull();
    expect(view.environmentsOf('search')).toEqual([]);
  });

  it('stand in the order in which the environments were first activated, not created or last changed', () => {
    const view = viewOf((dev, staging, production) => {
      production('activate', 'chat', 1);
      dev('activate', 'search', 1);
      dev('activate', 'chat', 1);
      staging('activate', 'chat', 1);
      production('activate', 'chat', 2);
    });
    expect(view.environmentsOf('chat')).toEqual(['production', 'dev', 'staging']);
  });

  it('keep their place when a flow is deactivated and comes back', () => {
    const view = viewOf((dev, staging) => {
      dev('activate', 'chat', 1);
      staging('activate', 'chat', 1);
      dev('deactivate', 'chat');
      dev('activate', 'chat', 2);
    });
    expect(view.environmentsOf('chat')).toEqual(['dev', 'staging']);
  });
});

describe('An environment in memory', () => {
  it('is at release 0 before its first release', () => {
    const { revision, position, state } = new ActiveVersions().environment('dev');
    expect({ revision, position, release: state.release }).toEqual({
      revision: -1,
      position: null,
      release: 0,
    });
  });

  it('knows the revision of its newest event and where its newest release is complete', () => {
    const world = new EnvironmentsOnOneLog(PLACES);
    world.environments[1]?.activate('chat', 1).activate('search', 1).activate('tools', 1);
    world.make({ place: 0, from: 1, what: 'promote', flowId: '', number: 1, cut: 2 });
    const view = new ActiveVersions();
    const [first, last] = world.log.recorded as [Recorded, Recorded];
    follow(view, [first]);
    expect(view.environment('dev')).toMatchObject({
      revision: 0,
      position: null,
      state: { release: 0, activeCount: 0 },
    });
    expect(view.active('dev', 'chat')).toBeNull();
    expect(view.environmentsOf('chat')).toEqual([]);
    follow(view, [last]);
    expect(view.environment('dev')).toMatchObject({
      revision: 1,
      position: 20n,
      state: { release: 1, activeCount: 3 },
    });
    expect(view.environmentsOf('chat')).toEqual(['dev']);
  });
});

describe('The view begun again from the rows of an earlier run', () => {
  it('is the view that followed the log, and stays so as it goes on, wherever that run stopped', () => {
    const stop = fc.nat();
    fc.assert(
      fc.property(
        fc.array(environmentMove(PLACES.length), { maxLength: 25, size: 'max' }),
        stop,
        (moves, stopped) => {
          const world = new EnvironmentsOnOneLog(PLACES);
          for (const move of moves) world.make(move);
          const { recorded } = world.log;
          const followed = new ActiveVersions();
          follow(followed, recorded);
          agree(seen(fromRows(recorded)), seen(followed));

          // It may have stopped between two parts of one release, so only the end counts.
          const rows = stopped % (recorded.length + 1);
          const resumed = fromRows(recorded.slice(0, rows));
          follow(resumed, recorded.slice(rows));
          agree(seen(resumed), seen(followed));
          for (const environment of world.environments) {
            agree([environment.active], [activeIn(followed, environment)]);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});

type Do = (what: 'activate' | 'deactivate', flowId: string, number?: number) => void;

/** The view after what is done in dev, staging and production. */
function viewOf(work: (dev: Do, staging: Do, production: Do) => void): ActiveVersions {
  const world = new EnvironmentsOnOneLog(PLACES);
  const [dev, staging, production] = PLACES.map((_, place): Do => (what, flowId, number = 1) => {
    world.make({ place, from: place, what, flowId, number, cut: 1 });
  }) as [Do, Do, Do];
  work(dev, staging, production);
  const view = new ActiveVersions();
  follow(view, world.log.recorded);
  return view;
}

function follow(view: ActiveVersions, recorded: readonly Recorded[]): void {
  for (const next of recorded) view.take(next.event as EnvironmentEvent, next);
}

function fromRows(recorded: readonly Recorded[]): ActiveVersions {
  const view = new ActiveVersions();
  view.load(folded([activeVersions], recorded));
  return view;
}

/** All that the view tells anybody, the order of things included. */
function seen(view: ActiveVersions) {
  return [
    ...PLACES.map((id) => {
      const { revision, position, state } = view.environment(id);
      return [id, revision, String(position), { ...state, flows: [...state.flows] }];
    }),
    ...FLOWS.map((flowId) => [flowId, view.environmentsOf(flowId)]),
  ];
}

function activeIn(view: ActiveVersions, { id }: EnvironmentLog): Record<string, number> {
  const active: Record<string, number> = {};
  for (const flowId of FLOWS) {
    const version = view.active(id, flowId);
    if (version !== null) active[flowId] = version.number;
  }
  return active;
}

function agree(actual: readonly unknown[], expected: readonly unknown[]): void {
  for (const [index, one] of expected.entries()) expect(actual[index]).toEqual(one);
}
