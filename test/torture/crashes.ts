// The rigs `kill` and `power-loss`: a server that ends without warning under load, as the specs of test/api run it.
import { crash, type Crashes } from '../support/crash-rig.js';
import { FaultyDisk, missingDisk } from '../support/faulty-disk.js';
import { faultsFrom, type Outcome, type Part, type Rig } from './rig.js';

export const kill: Rig = {
  about: 'kill -9 of the server under load: nothing acknowledged is lost, nothing is half there',
  unit: 'kills',
  usual: 80,
  full: 1_000,
  part: 50,
  missing: '',
  run: (part) => crashes(part),
};

export const powerLoss: Rig = {
  about: 'the same, and whatever was not fsynced is taken back, all of it or some',
  unit: 'power losses',
  usual: 60,
  full: 1_000,
  part: 25,
  missing: missingDisk,
  async run(part) {
    let disk: FaultyDisk | undefined;
    const outcome = await crashes(part, {
      environment: (folder) => (disk ??= new FaultyDisk(folder)).environment,
      afterKill: (random) => disk?.losePower(random.next() < 0.5 ? undefined : random),
    });
    const figures = { ...outcome.figures, 'bytes taken back': disk?.lostBytes ?? 0 };
    disk?.remove();
    return { ...outcome, figures };
  },
};

async function crashes(part: Part, how: Omit<Crashes, 'seed' | 'count'> = {}): Promise<Outcome> {
  const { kills, killedStarting, acknowledged, releases, faults } = await crash({ ...part, ...how });
  const figures = {
    'kills while starting': killedStarting,
    'acknowledged commands': acknowledged,
    releases,
    'lost or wrong': faults.length,
  };
  return { count: kills, figures, faults: faultsFrom(faults) };
}
