// Two verifiers that were written apart are asked about the same bundles: clean ones, ones that somebody changed, and
// ones that a holder of the key has forged. Nothing may get past either, and they have to say the same.
import { spawnSync } from 'node:child_process';
import type { Terms } from '../../src/audit/evidence.js';
import { run } from '../support/command-line.js';
import { Attacks, type Attack } from '../support/evidence-attacks.js';
import { bundleOf, draftOf, fileOf, keyFrom, notesOf, restored, rootOf } from '../support/evidence-bundle.js';
import type { Bundle, Draft } from '../support/evidence-bundle.js';
import { appended, forgeries } from '../support/evidence-forgeries.js';
import { oddReleases } from '../support/odd-releases.js';
import { Random, seed } from '../support/random.js';
import { unless } from '../support/spec.js';
import { missingPython, SECOND_VERIFIER, TwoVerifiers } from '../support/two-verifiers.js';

const EVENTS = Number(process.env['TEST_EVIDENCE_EVENTS'] ?? 1_000);
const MUTATIONS = Number(process.env['TEST_EVIDENCE_MUTATIONS'] ?? 300);
const CLEAN = Number(process.env['TEST_EVIDENCE_CLEAN'] ?? 10);
const FORGERIES = Math.max(300, Math.floor(MUTATIONS / 10));
const HOUR_MS = 3_600_000;

describe(`Of an evidence bundle (TEST_SEED=${seed})`, () => {
  const random = new Random(seed);
  let verifiers: TwoVerifiers;

  beforeAll(() => (verifiers = new TwoVerifiers({ remember: true })));
  afterAll(() => verifiers.close());

  it(
    `${MUTATIONS} changes, each alone, are detected, and called the same by both`,
    async () => {
      const draft = draftOf(random, { events: EVENTS, restorations: 1 });
      const bundle = bundleOf(draft);
      const kept = fileOf(
        notesOf({ ...draft, signings: draft.signings.slice(random.below(draft.signings.length)) }),
      );
      const original = { ...bundle, kept };
      const attacks = new Attacks(bundle, kept);
      verifiers.put(bundle);
      verifiers.keep(kept);
      const found = new Map<number, number>();
      for (let count = 0; count < MUTATIONS; count += 1) {
        const attack = attacks.next(random);
        const terms = random.pick(termsOver(draft, [verifiers.kept]));
        const { exitCode } = await explained(attack, () =>
          verifiers.judgeAttack(attack, original[attack.file], terms),
        );
        // A kept checkpoint that is taken away from its file was not kept; nothing shows that it was there.
        if (exitCode === 0 && attack.file !== 'kept')
          throw new Error(`Nobody saw: ${attack.what} in ${attack.file}`);
        found.set(exitCode, (found.get(exitCode) ?? 0) + 1);
      }
      expect([...found.keys()].sort()).toEqual(expect.arrayContaining([2, 5]));
      expect((await verifiers.judge({ checkpoints: [] })).exitCode).toBe(0);
    },
    HOUR_MS * 3,
  );

  it(
    `${FORGERIES} that a holder of the key made are called what they are by both`,
    async () => {
      const drafts = [0, 1, 2].map((restorations) => draftOf(random, { events: 40, restorations }));
      const forged = forgeries(drafts, random);
      for (let count = 0; count < FORGERIES; count += 1) {
        const { what, bundle, exitCode } = forged.next().value;
        verifiers.put(bundle);
        const verdicts = await explained({ what }, () => verifiers.judge());
        if (verdicts.exitCode !== exitCode)
          throw new Error(`${what}: not ${exitCode}, but ${verdicts.details.join(', ')}`);
      }
    },
    HOUR_MS,
  );

  it(
    `${FORGERIES} odd histories of environments are taken or refused by both`,
    async () => {
      const draft = draftOf(random, { events: 5, checkpoints: 1 });
      const found = { 0: 0, 2: 0 };
      for (let count = 0; count < FORGERIES; count += 1) {
        const events = oddReleases(random);
        verifiers.put(appended(draft, events));
        const { exitCode } = await explained(events, () => verifiers.judge());
        if (exitCode !== 0 && exitCode !== 2)
          throw new Error(`Exit code ${exitCode} of ${JSON.stringify(events)}`);
        found[exitCode] += 1;
      }
      expect(Math.min(found[0], found[2])).toBeGreaterThan(FORGERIES / 10);
    },
    HOUR_MS,
  );

  it(
    `${CLEAN} that are clean raise no alarm, whatever is asked`,
    async () => {
      for (let count = 0; count < CLEAN; count += 1) {
        const events = 1 + random.below(2 * EVENTS);
        const draft = draftOf(random, {
          events,
          checkpoints: 1 + random.below(9),
          restorations: random.below(3),
        });
        const kept = fileOf(notesOf({ ...draft, signings: draft.signings.slice(-3) }));
        verifiers.put(bundleOf(draft));
        verifiers.keep(kept);
        const { exitCode, details } = await verifiers.judge(random.pick(termsOver(draft, [verifiers.kept])));
        if (exitCode !== 0)
          throw new Error(`A clean bundle of ${events} events was refused: ${details.join(', ')}`);
      }
    },
    HOUR_MS,
  );
});

describe(`Somebody who (TEST_SEED=${seed})`, () => {
  const random = new Random(seed + 1);
  const draft = draftOf(random, { events: 128, checkpoints: 4 });
  const [keptSigning] = draft.signings;
  let verifiers: TwoVerifiers;

  beforeAll(() => (verifiers = new TwoVerifiers({ remember: false })));
  afterAll(() => verifiers.close());
  beforeEach(() => verifiers.keep(fileOf(notesOf({ ...draft, signings: draft.signings.slice(0, 1) }))));

  async function verdict(bundle: Bundle, terms: Terms = {}): Promise<string> {
    verifiers.put(bundle);
    const { exitCode, details } = await verifiers.judge(terms);
    return `${exitCode} ${details[0]}`;
  }

  it('does nothing is told how much there is', async () => {
    const root = rootOf(draft.leaves).toString('base64');
    expect(await verdict(bundleOf(draft), { checkpoints: [verifiers.kept] })).toBe(
      `0 OK 128 events, root ${root}`,
    );
  });

  it('deletes the tail has truncated the record', async () => {
    const signings = draft.signings.slice(0, 1);
    const short = bundleOf({ ...draft, leaves: draft.leaves.slice(0, 90) });
    verifiers.keep(fileOf(notesOf(draft)));
    expect(await verdict({ ...short, 'checkpoints.txt': bundleOf(draft)['checkpoints.txt'] })).toMatch(
      /^3 TRUNCATED 90 < \d+: /,
    );
    const size = keptSigning?.size ?? 0;
    const signed = bundleOf({ ...draft, leaves: draft.leaves.slice(0, size), signings });
    expect(await verdict(signed)).toMatch(/^0 OK/);
    expect(await verdict(signed, { checkpoints: [verifiers.kept] })).toMatch(/^3 TRUNCATED/);
  });

  it('rewrites the log with the key is betrayed by a checkpoint of another size', async () => {
    const rewritten = rewrite(draft, ({ size }) => size !== keptSigning?.size);
    expect(await verdict(rewritten)).toMatch(/^0 OK/);
    expect(await verdict(rewritten, { checkpoints: [verifiers.kept] })).toMatch(/^2 ALTERED at size/);
  });

  it('rewrites the log with the key has forked it at the size of a kept checkpoint', async () => {
    const rewritten = rewrite(draft, () => true);
    expect(await verdict(rewritten, { checkpoints: [verifiers.kept] })).toMatch(/^4 FORK at size \d+: /);
  });

  it('rewrites the log without the key cannot sign it', async () => {
    const key = keyFrom(random);
    const signings = draft.signings.map((signing) => ({ ...signing, key }));
    const all = draft.pubkeys;
    const own = { ...draft, signings, pubkeys: [key.publicKey] };
    const unsigned = bundleOf({ ...draft, signings });
    expect(await verdict(unsigned)).toMatch(/^5 BAD SIGNATURE: /);
    expect(await verdict(bundleOf(own))).toMatch(/^0 OK/);
    expect(await verdict(bundleOf(own), { keys: all })).toMatch(/^5 BAD SIGNATURE: /);
    expect(await verdict(bundleOf({ ...own, pubkeys: [...all, key.publicKey] }), { keys: all })).toMatch(
      /^5 BAD SIGNATURE: /,
    );
    expect(await verdict(bundleOf(own), { checkpoints: [verifiers.kept] })).toMatch(/^5 BAD SIGNATURE: /);
  });

  it('signs two histories has forked the log, whatever the rest is', async () => {
    const forged = bundleOf({
      ...draft,
      leaves: [...draft.leaves].reverse(),
      signings: draft.signings.slice(-1),
    });
    const kept = [...notesOf({ ...draft, signings: draft.signings.slice(-1) })];
    verifiers.keep(fileOf(kept));
    expect(await verdict(forged, { checkpoints: [verifiers.kept] })).toMatch(/^4 FORK at size 128: /);
  });

  it('takes an old backup into service owns up to it, and is forgiven when asked', async () => {
    const leaves = draft.leaves.slice(0, 90);
    const [first, ...lost] = draft.signings.toReversed().filter(({ size }) => size > 90 || size === 128);
    if (first === undefined) throw new Error('The draft is signed as a whole');
    const event = restored(draft.workspace, 3);
    const after = appended({ ...draft, leaves, signings: [{ ...first, size: 90 }] }, [event], 3);
    verifiers.keep(fileOf(notesOf({ ...draft, signings: [...lost, first] })));
    const checkpoints = [verifiers.kept];
    expect(await verdict(after)).toMatch(/^0 OK 91 events/);
    expect(await verdict(after, { checkpoints })).toMatch(/^3 TRUNCATED 90 < \d+: /);
    expect(await verdict(after, { checkpoints, acceptRestored: true })).toMatch(/^0 OK 91 events/);
    const silent = bundleOf({ ...draft, leaves, signings: [{ ...first, size: 90 }] });
    expect(await verdict(silent, { checkpoints, acceptRestored: true })).toMatch(/^3 TRUNCATED 90 < \d+: /);
  });

  it('claims of an environment what its events do not say is contradicted', async () => {
    const bundle = bundleOf(draft);
    const claims = bundle['manifest.json']
      .toString()
      .replace(/"release":(\d+)/, (_, release) => `"release":${Number(release) + 1}`);
    expect(await verdict({ ...bundle, 'manifest.json': Buffer.from(claims) })).toMatch(
      /^2 ALTERED: manifest/,
    );
  });

  unless(missingPython)('asks either on the command line gets the same verdict from both', async () => {
    const bundles = [
      bundleOf(draft),
      rewrite(draft, () => true),
      { ...bundleOf(draft), 'pubkeys.txt': Buffer.of() },
    ];
    for (const [index, exitCode] of [0, 4, 5].entries()) {
      verifiers.put(bundles[index] ?? bundleOf(draft));
      const args = [verifiers.directory, '--checkpoint', verifiers.kept];
      const ours = await run(['audit', 'verify', ...args]);
      const other = spawnSync('python3', ['-B', SECOND_VERIFIER, ...args], { encoding: 'utf8' });
      expect([ours.code, other.status]).toEqual([exitCode, exitCode]);
      const verdicts = [ours.stdout, other.stdout].map((text) => text.split(/[:\d]/, 1)[0]);
      expect(new Set(verdicts).size).toBe(1);
      const json = await run(['audit', 'verify', '--json', ...args]);
      expect(JSON.parse(json.stdout)).toMatchObject({
        exitCode,
        verdict: ['ok', 'fork', 'bad-signature'][index],
      });
    }
  });
});

/** The terms under which the bundle is in order. */
function termsOver({ pubkeys }: Draft, checkpoints: readonly string[]): readonly Terms[] {
  return [{}, { keys: pubkeys }, { checkpoints }, { keys: pubkeys, checkpoints, acceptRestored: true }];
}

/** A log in which the first event never was, and all others moved up. */
function rewrite(draft: Draft, isSigned: (signing: Draft['signings'][number]) => boolean): Bundle {
  const { leaves } = draftOf(new Random(seed + 2), { events: draft.leaves.length });
  const own = leaves.map((leaf) =>
    Buffer.from(leaf.toString().replace(/^v1\n[^\n]+/, `v1\n${draft.workspace}`)),
  );
  return bundleOf({ ...draft, leaves: own, signings: draft.signings.filter(isSigned) });
}

async function explained<Value>(what: Partial<Attack> | object, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    const { bytes: _, ...told } = what as Partial<Attack>;
    throw new Error(`${JSON.stringify(told)}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
