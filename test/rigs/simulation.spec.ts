// The whole engine in one process, seed by seed, against a plain model: first the rig is shown to find what is planted,
// then the engine is shown to have nothing to find. TEST_SEED brings a seed again, TEST_SIMULATION_SEEDS runs more.
import { seed } from '../support/random.js';
import { unless } from '../support/spec.js';
import { PLANTS } from '../simulation/plants.js';
import { run } from '../simulation/run.js';
import { simulate, type Report } from '../simulation/simulate.js';

const SEEDS = Number(process.env['TEST_SIMULATION_SEEDS'] ?? 300);
const SEEDS_TO_MEET_ALL = 300;
const SEEDS_TO_FIND_A_BUG = 200;
const MS_PER_SEED_MAX = 1_000;

describe('The simulation finds', () => {
  it.each(PLANTS)('%s', async (_, planting) => {
    const { faults } = await simulate({ seeds: SEEDS_TO_FIND_A_BUG, faultsMax: 1, planting });
    expect(faults).toHaveLength(1);
  });
});

describe('A seed', () => {
  const told = async (one: number) => withoutIds((await run(one)).tell());

  it(`is the same run each time, but for the ids (seed ${seed})`, async () => {
    for (const one of [seed, seed + 1, seed + 2]) expect(await told(one)).toEqual(await told(one));
  });

  it(`is not another one (seed ${seed})`, async () => {
    expect(await told(seed)).not.toEqual(await told(seed + 1));
  });
});

describe(`In ${SEEDS} simulated runs (from seed ${seed})`, () => {
  let report: Report;

  beforeAll(
    async () => {
      report = await simulate({ from: seed, seeds: SEEDS });
    },
    60_000 + SEEDS * MS_PER_SEED_MAX,
  );

  it('the engine does what the model does', () => {
    expect(report.faults).toEqual([]);
    expect(report.seedsRun).toBe(SEEDS);
  });

  unless(SEEDS < SEEDS_TO_MEET_ALL ? 'too few of them' : '')(
    'every command is carried out, every rule says no, and every fault befalls somebody',
    async () => {
      expect(EVERYTHING.filter((what) => ![...report.met.keys()].some((met) => met.endsWith(what)))).toEqual(
        [],
      );
      expect(report.crashes).toBeGreaterThan(SEEDS / 10);
    },
  );
});

const COMMANDS = [
  ...['create-environment', 'change-environment', 'archive-environment', 'restore-environment'],
  ...['set-default', 'change-project', 'create-flow', 'rename-flow', 'archive-flow', 'draft', 'edit', 'fork'],
  ...['activate', 'deactivate', 'promote', 'rollback'],
];
const EVERYTHING = [
  ...COMMANDS.map((command) => `${command} done`),
  ...['project', 'resolve', 'environment', 'diff', 'flow', 'version', 'releases'].map(
    (kind) => `look ${kind}`,
  ),
  ...['environment-not-found', 'environment-archived', 'environment-exists', 'environment-is-default'],
  ...['flow-not-found', 'flow-exists', 'flow-archived', 'flow-is-active', 'flows-not-active'],
  ...['version-not-found', 'version-locked', 'same-environment', 'release-moved', 'unknown-release'],
  ...['no-prior-release', 'idempotency-key-reused', 'unavailable', 'unknown', 'none'],
];

/** Each id by the order in which it was first met. */
function withoutIds(lines: readonly string[]): string[] {
  const ids = new Map<string, string>();
  const uuid = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
  return lines.map((line) => {
    return line.replace(uuid, (id) => {
      ids.set(id, ids.get(id) ?? `id-${ids.size + 1}`);
      return ids.get(id) ?? id;
    });
  });
}
