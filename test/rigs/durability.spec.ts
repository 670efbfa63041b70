// The rigs of kills, power losses and failing disks are trusted because each finds the mistake that is planted
// in the real server for it.
import { crash } from '../support/crash-rig.js';
import { FaultyDisk, missingDisk } from '../support/faulty-disk.js';
import { seed } from '../support/random.js';
import { unless } from '../support/spec.js';
import { COMMANDS } from '../torture/disk-fault-commands.js';
import { failDisks } from '../torture/disk-faults.js';
import { withMistake } from '../torture/planted.js';

const CRASHES = 20;
const FAULTS = 20;
const onDisk = unless(missingDisk);

describe(`A mistake is found (seed ${seed})`, () => {
  it('by kills: commands that are acknowledged before the commit', async () => {
    const environment = () => withMistake('acknowledges-before-the-commit');
    const { faults } = await crash({ seed, count: CRASHES, environment });
    // Whoever looks at once for what is not there yet may find a server that cannot answer.
    expect(faults.join('\n')).toMatch(/was acknowledged, and|^\S+ holds .*, not |Status 500/m);
  }, 120_000);

  onDisk(
    'by power losses: a log that does not wait for the disk',
    async () => {
      let disk: FaultyDisk | undefined;
      const { faults } = await crash({
        seed,
        count: CRASHES,
        environment: (folder) => ({
          ...(disk ??= new FaultyDisk(folder)).environment,
          ...withMistake('does-not-wait-for-the-disk'),
        }),
        afterKill: () => disk?.losePower(undefined),
      });
      disk?.remove();
      expect(faults.join('\n')).toMatch(/was acknowledged, and|has lost its newest events/);
    },
    120_000,
  );

  onDisk(
    'by disks that fail: an unknown outcome that is called a failure',
    async () => {
      const part = { seed, count: FAULTS, until: Infinity };
      const { faults } = await failDisks(part, {
        settings: withMistake('calls-the-unknown-failed'),
        commands: COMMANDS.slice(0, 1),
        isTried: ({ call, file }) => call === 'fsync' && file === 'events.db-wal',
      });
      expect(faults.map(({ what }) => what).join('\n')).toMatch(/It was answered storage-full, and then/);
    },
    120_000,
  );
});
