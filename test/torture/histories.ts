// The rig `histories`: several clients at once, on one server over SQLite or on two over PostgreSQL, half of the time
// while servers are killed. Every history has to be told as one command after another.
import { CLIENTS, COMMANDS_EACH, Histories } from '../support/environment-histories.js';
import { missing, PostgresServer } from '../support/postgres-server.js';
import { Random } from '../support/random.js';
import { disturbedBy, Servers } from '../support/servers.js';
import { faultsFrom, type Outcome, type Part, type Rig } from './rig.js';

const AT_ONCE = 2;
/** Between two looks at the time. Under kills all of them are recorded at once, so that each meets one. */
const RECORDED_AT_A_TIME = 20;
/** A server that is up is killed within this. */
const KILL_WITHIN_MS = 1_000;

export const histories: Rig = {
  about: 'histories of commands sent at once, half of them under kills: each is linearizable',
  unit: 'histories',
  usual: 400,
  full: 10_000,
  part: 200,
  missing: '',
  run: (part) => record(part),
};

/** Parts with an odd seed are on PostgreSQL, where there is one. */
async function record(part: Part): Promise<Outcome> {
  if (part.seed % 2 === 0 || missing !== '') return recordOn(await Servers.start('sqlite:', 1), part);
  const postgres = await PostgresServer.start();
  try {
    return await recordOn(await Servers.start(await postgres.newDatabase()), part);
  } finally {
    await postgres.remove();
  }
}

async function recordOn(servers: Servers, { seed, count, until }: Part): Promise<Outcome> {
  try {
    const over = await Histories.over(servers, seed);
    const random = new Random(seed);
    const kill = () => servers.killNext();
    const faults: string[] = [];
    let recorded = 0;
    let killed = 0;
    while (recorded < count && performance.now() < until && faults.length === 0) {
      const some = Math.min(RECORDED_AT_A_TIME, Math.ceil(count / 2), count - recorded);
      const done =
        recorded < count / 2
          ? await over.recordAll(some, AT_ONCE)
          : await disturbedBy(kill, () => random.below(KILL_WITHIN_MS), over.recordAll(some, some));
      for (const history of done) faults.push(...(await over.faultsOf(history)));
      recorded += some;
      killed += done.filter(({ kills }) => kills > 0).length;
    }
    const figures = {
      commands: recorded * CLIENTS * COMMANDS_EACH,
      kills: servers.kills,
      'with a kill': killed,
      'commands sent again': servers.sentAgain,
      'not linearizable': faults.length,
    };
    return { count: recorded, figures, faults: faultsFrom(faults) };
  } finally {
    await servers.stop();
  }
}
