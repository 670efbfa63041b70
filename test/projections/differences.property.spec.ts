// Where environments differ: what is kept up to date change by change must be what a fresh comparison would
// find.
import fc from 'fast-check';
import { ActiveVersions } from '../../projections/active-versions.js';
import type { EnvironmentEvent } from '../../src/domain/environment.events.js';
import type { Recorded } from '../../src/domain/recorded.js';
import type { EnvironmentLog } from '../support/environment-log.js';
import { environmentMove, EnvironmentsOnOneLog } from '../support/environment-moves.js';

const PLACES = ['dev', 'staging', 'production', 'eu-prod'];

describe('The differences of two environments', () => {
  it('are kept as a fresh comparison finds them, whenever they were first asked for', () => {
    const move = fc.tuple(environmentMove(PLACES.length), fc.nat(3), fc.nat(3), fc.boolean());
    fc.assert(
      fc.property(fc.array(move, { maxLength: 30, size: 'max' }), (moves) => {
        const world = new EnvironmentsOnOneLog(PLACES);
        const view = new ActiveVersions();
        for (const [next, one, other, asks] of moves) {
          const known = world.log.recorded.length;
          world.make(next);
          follow(view, world.log.recorded.slice(known));
          if (asks) isRight(view, world, one, other);
        }
        for (const one of PLACES.keys()) for (const other of PLACES.keys()) isRight(view, world, one, other);
      }),
      { numRuns: 500 },
    );
  });

  it('do not show half of a release', () => {
    const world = new EnvironmentsOnOneLog(PLACES);
    world.environments[0]?.activate('chat', 1).activate('search', 1);
    const view = new ActiveVersions();
    const promote = { place: 1, from: 0, what: 'promote', flowId: 'chat', number: 1, cut: 1 } as const;
    view.differences.between('staging', 'eu-prod');
    world.make(promote);
    const [first, second] = world.log.recorded as [Recorded, Recorded];
    follow(view, [first]);
    expect([...view.differences.between('staging', 'eu-prod')]).toEqual([]);
    follow(view, [second]);
    expect([...view.differences.between('staging', 'eu-prod')]).toEqual(['chat', 'search']);
  });

  it('are kept once for both directions', () => {
    const { differences } = new ActiveVersions();
    expect(differences.between('dev', 'staging')).toBe(differences.between('staging', 'dev'));
  });

  it('are forgotten for the pair that was asked about longest ago, so that memory stays bounded', () => {
    const { differences } = new ActiveVersions();
    const [idle, busy] = [differences.between('a', 'idle'), differences.between('a', 'busy')];
    for (let other = 0; other < 2 * 64; other += 1) {
      differences.between('a', `other-${other}`);
      expect(differences.between('busy', 'a')).toBe(busy);
    }
    expect(differences.between('a', 'idle')).not.toBe(idle);
  });

  it('are right for more pairs than are kept at a time', () => {
    const ids = Array.from({ length: 13 }, (_, index) => `env-${index}`);
    const world = new EnvironmentsOnOneLog(ids);
    const view = new ActiveVersions();
    const pairs = ids.flatMap((_, one) =>
      ids.slice(one + 1).map((__, index) => [one, one + 1 + index] as const),
    );
    expect(pairs.length).toBeGreaterThan(64);
    for (const round of [1, 2, 3]) {
      for (const place of ids.keys()) {
        const known = world.log.recorded.length;
        const number = 1 + (place % (round + 1));
        world.make({ place, from: 0, what: 'activate', flowId: `flow-${round}`, number, cut: 1 });
        follow(view, world.log.recorded.slice(known));
      }
      for (const [one, other] of pairs) isRight(view, world, one, other);
    }
  });
});

function follow(view: ActiveVersions, recorded: readonly Recorded[]): void {
  for (const next of recorded) view.take(next.event as EnvironmentEvent, next);
}

function isRight(view: ActiveVersions, world: EnvironmentsOnOneLog, one: number, other: number): void {
  const [a, b] = [world.environments[one], world.environments[other]] as [EnvironmentLog, EnvironmentLog];
  const kept = [...view.differences.between(a.id, b.id)].sort();
  const fresh = [...new Set([...Object.keys(a.active), ...Object.keys(b.active)])]
    .filter((flowId) => a.active[flowId] !== b.active[flowId])
    .sort();
  if (kept.join() !== fresh.join()) expect(kept).toEqual(fresh);
}
