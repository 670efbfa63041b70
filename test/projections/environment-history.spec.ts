// What ran after each release, from the rows of the environments' histories: beside the fold of the releases, in
// parts, and in pages.
import fc from 'fast-check';
import { environment } from '../../src/domain/environment.js';
import { fold } from '../../src/domain/decider.js';
import { isEnvironmentEvent, streamOf } from '../../src/domain/events.js';
import { activeVersions } from '../../projections/active-versions.js';
import {
  environmentHistory,
  firstReleaseWith,
  movesBelow,
  placementAfter,
  placementsAfter,
  type PointerMove,
} from '../../projections/environment-history.js';
import { releaseAt, releaseHead, releases } from '../../projections/releases.js';
import { version } from '../support/environment-log.js';
import { environmentMove, EnvironmentsOnOneLog, FLOWS } from '../support/environment-moves.js';
import { folded, Log } from '../support/log.js';

const VIEWS = [activeVersions, environmentHistory, releases];
const ENVIRONMENTS = ['one', 'two'];

describe('The history of an environment', () => {
  it('has every release as the fold of the releases up to it', () => {
    fc.assert(
      fc.property(fc.array(environmentMove(ENVIRONMENTS.length), { maxLength: 25 }), (moves) => {
        const places = new EnvironmentsOnOneLog(ENVIRONMENTS);
        for (const move of moves) places.make(move);
        const { recorded } = places.log;
        const rows = folded(VIEWS, recorded);
        for (const id of ENVIRONMENTS) {
          const own = recorded.filter(({ stream }) => stream === streamOf('environment', id));
          const events = own.flatMap(({ event }) => (isEnvironmentEvent(event) ? event : []));
          for (const [index, { position }] of own.entries()) {
            const state = fold(environment, events.slice(0, index + 1));
            expect(releaseAt(rows, id, position)).toBe(state.release);
            const flows = placementsAfter(rows, id, state.release);
            expect(flows).toEqual(new Map(state.flows));
            for (const flowId of FLOWS) {
              expect(placementAfter(rows, id, flowId, state.release)).toEqual(flows.get(flowId));
            }
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  it('shows a release of several parts once its last part is there, and from there on', () => {
    const log = new Log();
    const part = (number: number, flowId: string) =>
      log.append('environment-e', {
        ...{ type: 'VersionsPromoted', release: 1, comment: null, part: { number, of: 2 } },
        source: { environmentId: 'other', release: 1 },
        changes: [{ flowId, from: null, to: version(flowId, 1), fromSince: 0, toSince: 1 }],
      });
    const first = part(1, 'chat');
    const half = folded(VIEWS, log.recorded);
    expect([releaseAt(half, 'e', first.position), releaseHead(half, 'e', 1)]).toEqual([0, undefined]);
    expect(movesBelow(half, 'e', 0, undefined, 9)).toEqual([]);
    const last = part(2, 'search');
    const whole = folded(VIEWS, log.recorded);
    expect([first, last].map(({ position }) => releaseAt(whole, 'e', position))).toEqual([0, 1]);
    expect(releaseHead(whole, 'e', 1)).toMatchObject({ number: 1, position: Number(last.position) });
    expect(firstReleaseWith(whole, 'e', 'chat')).toBe(1);
  });

  it('comes in pages that begin inside a release, the last change first', () => {
    const log = new Log();
    const ids = Array.from({ length: 250 }, (_, number) => `flow-${String(number).padStart(3, '0')}`);
    for (const release of [1, 2]) {
      const change = (flowId: string) => ({
        ...{ flowId, from: release === 1 ? null : version(flowId, 1), to: version(flowId, release) },
        ...{ fromSince: release - 1, toSince: release },
      });
      const promoted = {
        type: 'VersionsPromoted',
        release,
        comment: null,
        changes: ids.map(change),
      } as const;
      log.append('environment-e', { ...promoted, source: { environmentId: 'other', release } });
    }
    const rows = folded(VIEWS, log.recorded);
    const told: string[] = [];
    let below: PointerMove | undefined;
    for (let pages = 0; pages < 9; pages += 1) {
      const page = movesBelow(rows, 'e', 2, below, 70);
      told.push(...page.map(({ release, flowId }) => `${release} ${flowId}`));
      below = page.at(-1) ?? below;
    }
    expect(told).toEqual([2, 1].flatMap((release) => [...ids].reverse().map((id) => `${release} ${id}`)));
    expect(movesBelow(rows, 'e', 2, { release: 3, flowId: 'flow-000' }, 70)).toEqual([]);
  });
});
