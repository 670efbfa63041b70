// The checker is trusted because it accepts whatever one environment did one after another, and finds every planted
// mistake of a server that lost, repeated or reordered something.
import { EnvironmentModel, type Operation } from '../support/environment-model.js';
import { isLinearizable, type Event, type Outcome } from '../support/linearizability.js';
import { Random, seed } from '../support/random.js';

const activate = (version: string | null, flowId = 'chat'): Operation => ({
  kind: 'activate',
  flowId,
  version,
});
const made = (release: number, ...changes: [string, string | null][]): Outcome => ({
  ...{ kind: 'made', release, changes: new Map(changes) },
});
const during = (started: number, ended: number, operation: Event['operation'], outcome: Outcome): Event => ({
  ...{ operation, started, ended, outcome },
});
const read = { kind: 'read' } as const;
const saw = (release: number): Outcome => ({ kind: 'saw', release });

describe('A history is accepted', () => {
  it.each<[string, Event[]]>([
    ['that is empty', []],
    [
      'of two commands at once, in either order',
      [
        during(0, 10, activate('a'), made(2, ['chat', 'a'])),
        during(0, 10, activate('b'), made(1, ['chat', 'b'])),
      ],
    ],
    [
      'whose unknown command happened, as a later one shows',
      [
        during(0, Infinity, activate('a'), { kind: 'unknown' }),
        during(5, 6, activate('b'), made(2, ['chat', 'b'])),
      ],
    ],
    [
      'whose unknown command never happened',
      [
        during(0, Infinity, activate('a'), { kind: 'unknown' }),
        during(5, 6, activate('b'), made(1, ['chat', 'b'])),
        during(7, 8, read, saw(1)),
      ],
    ],
    [
      'in which a rollback goes past what an earlier one restored',
      [
        during(0, 1, activate('a'), made(1, ['chat', 'a'])),
        during(2, 3, activate('b'), made(2, ['chat', 'b'])),
        during(4, 5, { kind: 'rollback' }, made(3, ['chat', 'a'])),
        during(6, 7, { kind: 'rollback' }, { kind: 'refused', code: 'no-prior-release' }),
        during(8, 9, { kind: 'rollback', toRelease: 2 }, made(4, ['chat', 'b'])),
      ],
    ],
  ])('%s', (_, history) => expect(isLinearizable(history)).toBe(true));

  it(`that one environment made one after another, however the answers overlapped (seed ${seed})`, () => {
    const random = new Random(seed);
    for (let run = 0; run < 200; run += 1) expect(isLinearizable(simulated(random, 30))).toBe(true);
  });
});

describe('A history is refused', () => {
  it.each<[string, Event[]]>([
    [
      'in which an update was lost',
      [
        during(0, 1, activate('a', 'chat'), made(1, ['chat', 'a'])),
        during(2, 3, activate('b', 'search'), made(1, ['search', 'b'])),
      ],
    ],
    [
      'in which two answers have one release',
      [
        during(0, 10, activate('a'), made(1, ['chat', 'a'])),
        during(0, 10, activate('b'), made(1, ['chat', 'b'])),
      ],
    ],
    [
      'in which a release was skipped',
      [
        during(0, 1, activate('a'), made(1, ['chat', 'a'])),
        during(2, 3, activate('b'), made(3, ['chat', 'b'])),
      ],
    ],
    [
      'that was decided on an old state',
      [
        during(0, 1, activate('a'), made(1, ['chat', 'a'])),
        during(2, 3, activate('a'), made(2, ['chat', 'a'])),
      ],
    ],
    [
      'in which what was acknowledged has no effect',
      [during(0, 1, activate('a'), made(1, ['chat', 'a'])), during(2, 3, read, saw(0))],
    ],
    [
      'in which what was refused has an effect',
      [
        during(0, 1, { kind: 'rollback' }, { kind: 'refused', code: 'no-prior-release' }),
        during(2, 3, read, saw(1)),
      ],
    ],
    [
      'whose order is not that of the clock',
      [
        during(0, 1, activate('a'), made(2, ['chat', 'a'])),
        during(2, 3, activate('b'), made(1, ['chat', 'b'])),
      ],
    ],
    [
      'in which a read went back',
      [
        during(0, 1, activate('a'), made(1, ['chat', 'a'])),
        during(2, 3, activate('b'), made(2, ['chat', 'b'])),
        during(4, 5, read, saw(1)),
      ],
    ],
  ])('%s', (_, history) => expect(isLinearizable(history)).toBe(false));

  it(`in which one release of many was made twice (seed ${seed})`, () => {
    const random = new Random(seed);
    let planted = 0;
    for (let run = 0; run < 100; run += 1) {
      const history = simulated(random, 30);
      const changes = history.filter(({ outcome }) => outcome.kind === 'made');
      if (changes.length < 2) continue;
      const [one, other] = [changes[0] as Event, changes.at(-1) as Event];
      const twice = history.map((event) => (event === one ? { ...event, outcome: other.outcome } : event));
      expect(isLinearizable(twice)).toBe(false);
      planted += 1;
    }
    expect(planted).toBeGreaterThan(50);
  });
});

/** What five clients would see of an environment that does one thing after another. */
function simulated(random: Random, operations: number): Event[] {
  let model = new EnvironmentModel();
  const free = [0, 0, 0, 0, 0];
  const history: Event[] = [];
  for (let at = 10; history.length < operations; at += 1 + random.below(10)) {
    const client = random.below(free.length);
    const started = Math.max(free[client] ?? 0, at - random.below(30));
    const ended = at + random.below(30);
    if (started > at) continue;
    free[client] = ended + 1;
    const operation = anyOperation(random);
    const effect = model.effect(model.release, operation);
    let outcome: Outcome = { kind: 'unchanged' };
    if (typeof effect === 'string') outcome = { kind: 'refused', code: effect };
    else if (effect.size > 0) {
      outcome = { kind: 'made', release: model.release + 1, changes: effect };
      model = model.applied(operation, effect);
    }
    const lost = random.next() < 0.05 && outcome.kind === 'made';
    history.push(
      lost
        ? during(started, Infinity, operation, { kind: 'unknown' })
        : during(started, ended, operation, outcome),
    );
  }
  return history;
}

function anyOperation(random: Random): Operation {
  const flowId = random.pick(['chat', 'search']);
  switch (random.below(6)) {
    case 0:
      return { kind: 'rollback' };
    case 1:
      return { kind: 'rollback', toRelease: random.below(6) };
    case 2:
      return { kind: 'rollback', flowId };
    default:
      return activate(random.pick(['a', 'b', null]), flowId);
  }
}
