// Our own verifier of evidence: what it says where a check fails, in which order it looks, and what it needs to do so.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvironmentFold, Unfoldable } from '../../src/audit/evidence-state.js';
import { eventLine } from '../../src/audit/evidence-lines.js';
import { leafData } from '../../src/audit/leaf.js';
import { verifyEvidence, type Terms } from '../../src/audit/evidence.js';
import type { Judgement } from '../../src/audit/evidence-verdict.js';
import { run } from '../support/command-line.js';
import { bundleOf, draftOf, fileOf, FILES, notesOf, restored, rootOf } from '../support/evidence-bundle.js';
import type { Bundle, Draft } from '../support/evidence-bundle.js';
import { appended } from '../support/evidence-forgeries.js';
import { Random, seed } from '../support/random.js';

const draft = draftOf(new Random(seed), { events: 50, checkpoints: 3 });
const bundle = bundleOf(draft);
const root = rootOf(draft.leaves).toString('base64');

describe(`The verifier of evidence (TEST_SEED=${seed})`, () => {
  let folder: string;
  let kept: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'evidence-'));
    kept = join(folder, 'kept.txt');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function verdict(files: Partial<Bundle>, terms: Terms = {}): Judgement {
    for (const file of FILES) {
      rmSync(join(folder, file), { recursive: true, force: true });
      const bytes = files[file];
      if (bytes !== undefined) writeFileSync(join(folder, file), bytes);
    }
    return verifyEvidence(folder, terms);
  }

  it('says of a clean bundle how many events it holds, under which root', () => {
    const line = `OK 50 events, root ${root}`;
    const expected = { verdict: 'ok', exitCode: 0, size: 50, root, detail: line.slice(3), line };
    expect(verdict(bundle)).toEqual(expected);
  });

  it('needs all four files', () => {
    for (const file of FILES) {
      const { [file]: _, ...rest } = bundle;
      expect(verdict(rest).line).toMatch(/^ALTERED: a file of the bundle cannot be read: .*ENOENT/);
      mkdirSync(join(folder, file));
      expect(verifyEvidence(folder).line).toMatch(/^ALTERED: a file of the bundle cannot be read: /);
    }
    expect(verifyEvidence(join(folder, 'nowhere')).exitCode).toBe(2);
  });

  it('stops at the first check that fails, in the order of the specification', () => {
    // Each is added to those before it in the list, and comes before them in the order of the checks.
    const faults: readonly (readonly [RegExp, (files: Bundle) => Bundle])[] = [
      [/^ALTERED: manifest/, (files) => ({ ...files, 'manifest.json': Buffer.of() })],
      [
        /^ALTERED at index 50: bytes/,
        (files) => ({ ...files, 'events.ndjson': joined(files['events.ndjson'], 'x') }),
      ],
      [
        /^TRUNCATED 10 < \d+: /,
        (files) => ({ ...files, 'events.ndjson': first(10, files['events.ndjson']) }),
      ],
      [
        /^ALTERED at index 4: the line/,
        (files) => ({ ...files, 'events.ndjson': swapped(files['events.ndjson'], 4) }),
      ],
      [
        /^ALTERED at size \d+: checkpoints.txt is not in order/,
        (files) => ({ ...files, 'checkpoints.txt': backwards() }),
      ],
      [/^BAD SIGNATURE: checkpoints.txt is not/, (files) => ({ ...files, 'checkpoints.txt': Buffer.of() })],
      [/^BAD SIGNATURE: line 1 of pubkeys.txt/, (files) => ({ ...files, 'pubkeys.txt': Buffer.from('\n') })],
    ];
    let files = bundle;
    for (const [line, fault] of faults) {
      files = fault(files);
      expect(verdict(files).line).toMatch(line);
    }
  });

  it('gives size and root only where the events are those that were signed', () => {
    const claims = { ...bundle, 'manifest.json': Buffer.of() };
    expect(verdict(claims)).toMatchObject({ exitCode: 2, size: 50, root });
    const cut = { ...bundle, 'events.ndjson': first(49, bundle['events.ndjson']) };
    expect(verdict(cut)).toMatchObject({
      exitCode: 3,
      size: null,
      root: null,
      line: expect.stringMatching(/^TRUNCATED 49 < 50: /),
    });
  });

  it('says between which sizes the events are others', () => {
    const [size = 0] = draft.signings.map((signing) => signing.size);
    const leaves = draft.leaves.map((leaf, index) => (index === size ? otherMeta(leaf) : leaf));
    const lines = leaves.map((leaf, index) => eventLine(index, leaf)).join('');
    const next = draft.signings[1]?.size ?? 0;
    expect(verdict({ ...bundle, 'events.ndjson': Buffer.from(lines) }).line).toBe(
      `ALTERED at size ${next}: the first ${next} events are not those that were signed; the first ${size} are`,
    );
  });

  it('trusts the keys that it is given alone', () => {
    const [signer] = draft.signings.slice(-1).map(({ key }) => key.publicKey);
    const [other] = draft.pubkeys.filter((key) => key !== signer);
    if (signer === undefined || other === undefined) throw new Error('There are two keys');
    const alone = bundleOf({ ...draft, signings: draft.signings.slice(-1) });
    expect(verdict(alone, { keys: [signer] }).exitCode).toBe(0);
    expect(verdict(alone, { keys: [other] }).line).toMatch(/^BAD SIGNATURE: .*no trusted key has signed/);
    expect(verdict(alone, { keys: [signer, 'x'] }).line).toBe('BAD SIGNATURE: "x" is not in pubkeys.txt');
  });

  it('leaves a kept checkpoint aside only where a later epoch began before it', () => {
    const { key } = draft.signings[0] ?? {};
    if (key === undefined) throw new Error('The draft is signed');
    const restoredAt50 = appended(draft, [restored(draft.workspace, 2)], 2);
    const longer = draftOf(new Random(seed + 1), { events: 60 });
    const keep = (size: number, epoch: number): void => {
      const signings = [{ size, epoch, key }];
      writeFileSync(kept, fileOf(notesOf({ workspace: draft.workspace, leaves: longer.leaves, signings })));
    };
    const judged = (): string => verdict(restoredAt50, { checkpoints: [kept] }).line;
    keep(55, 1);
    expect(judged()).toMatch(/^TRUNCATED 50 < 55: an older backup/);
    keep(51, 1);
    expect(judged()).toMatch(/^TRUNCATED 50 < 51: an older backup/);
    keep(50, 1);
    expect(judged()).toMatch(/^ALTERED at size 50: /);
    keep(55, 2);
    expect(judged()).toMatch(/^TRUNCATED 51 < 55: events that were signed are missing/);
    keep(55, 3);
    expect(judged()).toMatch(/^TRUNCATED 51 < 55: events that were signed are missing/);
  });

  it('takes a restoration only where it opens a later epoch', () => {
    const judged = (data: string, epoch: number): string =>
      verdict(appended(draft, [{ ...restored(draft.workspace, 2), data }], epoch)).line;
    const none = ['0', '1', '-2', '2.5', '"2"', 'null', '[2]', '9007199254740992', '1e400', '02', 'NaN'];
    for (const data of [
      ...none.map((epoch) => `{"epoch":${epoch}}`),
      '{}',
      '[]',
      '',
      'null',
      '{"epoch":2}}',
    ]) {
      expect([data, judged(data, 1)]).toEqual([
        data,
        'ALTERED at index 50: a LogRestored that opens no later epoch',
      ]);
    }
    for (const epoch of ['2', '2.0', '20e-1', '0,"epoch":2'])
      expect(judged(`{"epoch":${epoch}}`, 2)).toMatch(/^OK/);
    expect(judged('{"epoch":7}', 7)).toMatch(/^OK/);
    expect(judged('{"epoch":7}', 6)).toBe(
      'ALTERED at size 51: a checkpoint of epoch 6 over events of epoch 7',
    );
    const twice = appended(draft, [restored(draft.workspace, 3), restored(draft.workspace, 3)], 3);
    expect(verdict(twice).line).toMatch(/^ALTERED at index 51: a LogRestored/);
  });

  it('reads lines that are longer than a piece of the file, and lines that lie across two', () => {
    const fill = (bytes: number): { stream: string; type: string; data: string } => {
      return {
        stream: 'flow-1',
        type: 'VersionEdited',
        data: JSON.stringify({ text: 'é'.repeat(bytes / 2) }),
      };
    };
    const large = appended(draft, [700_000, 2_500_000, 10, 900_000, 0].map(fill));
    expect(verdict(large).line).toMatch(/^OK 55 events/);
    const events = Buffer.from(large['events.ndjson']);
    // In the data of a leaf that is long enough to be hashed in pieces.
    events[events.length - 1_000_000] = events[events.length - 1_000_000] === 65 ? 66 : 65;
    expect(verdict({ ...large, 'events.ndjson': events }).exitCode).toBe(2);
  });

  it('tells how far it is', () => {
    const shares: number[] = [];
    verdict(bundle, { onProgress: (share) => shares.push(share) });
    expect(shares.at(-1)).toBe(1);
  });

  it('is no verdict where a kept checkpoint cannot be read, or the command line is wrong', async () => {
    verdict(bundle);
    expect(() => verifyEvidence(folder, { checkpoints: [kept] })).toThrow('ENOENT');
    const failed = await run(['audit', 'verify', folder, '--checkpoint', kept]);
    expect(failed).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/^ENOENT.*\n$/) });
    expect((await run(['audit', 'verify'])).code).toBe(64);
    expect((await run(['audit', 'verify', folder, '--keys', 'x'])).code).toBe(64);
  });

  it('explains its exit codes on the command line, and prints the verdict first', async () => {
    const { code, stdout } = await run(['audit', 'verify', '--help']);
    expect(code).toBe(0);
    for (const line of [
      /^ {2}2 +ALTERED: /m,
      /^ {2}3 +TRUNCATED: /m,
      /^ {2}4 +FORK: /m,
      /^ {2}5 +BAD SIGNATURE: /m,
    ]) {
      expect(stdout).toMatch(line);
    }
    expect(stdout).not.toContain('the two logs differ');
    verdict({ ...bundle, 'manifest.json': Buffer.of() });
    const ran = await run(['audit', 'verify', folder]);
    expect(ran).toMatchObject({
      code: 2,
      stderr: '',
      stdout: expect.stringMatching(/^ALTERED: manifest.json .*\n$/),
    });
    const json = await run(['audit', 'verify', '--json', folder]);
    expect(JSON.parse(json.stdout)).toEqual({
      verdict: 'altered',
      exitCode: 2,
      detail: expect.any(String),
      size: 50,
      root,
    });
    expect((await run(['copy', '--help'])).stdout).toContain('the two logs differ');
  });
});

describe('The state of an environment', () => {
  const event = (release: number, to: string | null, part?: object): readonly [string, string, string] => {
    const changes = [
      { flowId: 'f', to: to === null ? null : { versionId: to } },
      { flowId: `f${release}`, to: null },
    ];
    return ['environment-e', 'VersionsPromoted', JSON.stringify({ release, changes, ...(part && { part }) })];
  };

  it('is that of its last whole release', () => {
    const fold = new EnvironmentFold();
    const state = (): unknown => fold.states().map(({ release, active }) => [release, ...active.entries()]);
    fold.take(...event(1, 'v1', { number: 1, of: 2 }));
    expect(state()).toEqual([]);
    fold.take(...event(1, 'v2', { number: 2, of: 2 }));
    expect(state()).toEqual([[1, ['f', 'v2']]]);
    fold.take(...event(2, null));
    expect(state()).toEqual([[2]]);
    fold.take(...event(3, 'v3', { number: 1, of: 3 }));
    fold.take(...event(3, 'v4', { number: 2, of: 3 }));
    expect(state()).toEqual([[2]]);
  });

  it('knows no release of one part, and none of more parts than can be counted', () => {
    for (const of of [1, 0, 2 ** 53, 1e300]) {
      expect(() => new EnvironmentFold().take(...event(1, 'v1', { number: 1, of }))).toThrow(Unfoldable);
    }
    new EnvironmentFold().take(...event(1, 'v1', { number: 1, of: 2 ** 53 - 1 }));
  });

  it('knows no id with half of a surrogate pair in it, wherever it stands', () => {
    const take = (change: string): void => {
      const data = `{"release":1,"changes":[${change}]}`;
      new EnvironmentFold().take('environment-e', 'VersionActivated', data);
    };
    take('{"flowId":"\\ud83d\\ude00","to":{"versionId":"\\ud83d\\ude00"}}');
    expect(() => take('{"flowId":"\\ud83d","to":null}')).toThrow(Unfoldable);
    expect(() => take('{"flowId":"f","to":{"versionId":"\\ude00\\ud83d"}}')).toThrow(Unfoldable);
  });

  it('is not told by an event that does not follow, and stays as it was', () => {
    const fold = new EnvironmentFold();
    fold.take(...event(1, 'v1'));
    fold.take(...event(2, 'v2', { number: 1, of: 2 }));
    const wrong = [
      event(2, 'v3'),
      event(3, 'v3'),
      event(2, 'v3', { number: 1, of: 2 }),
      event(2, 'v3', { number: 2, of: 3 }),
      event(3, 'v3', { number: 2, of: 2 }),
      event(2, 'v3', { number: 2, of: 1 }),
      ...[[], {}, { number: '2', of: '2' }, { number: 2, of: 2.5 }].map((part) => event(2, 'v3', part)),
      ['environment-e', 'EnvironmentRenamed', '{}'] as const,
      ['environment-e', 'VersionActivated', '{}'] as const,
    ];
    for (const one of wrong) expect(() => fold.take(...one)).toThrow(Unfoldable);
    fold.take('flow-f', 'VersionActivated', 'what it is does not matter');
    fold.take(...event(2, 'v4', { number: 2, of: 2 }));
    expect(fold.states()).toEqual([{ id: 'e', release: 2, active: new Map([['f', 'v4']]) }]);
  });
});

function joined(bytes: Buffer, text: string): Buffer {
  return Buffer.concat([bytes, Buffer.from(text)]);
}

function first(lines: number, bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString().split('\n').slice(0, lines).join('\n') + '\n');
}

function swapped(bytes: Buffer, at: number): Buffer {
  const lines = bytes.toString().split('\n');
  [lines[at], lines[at + 1]] = [lines[at + 1] ?? '', lines[at] ?? ''];
  return Buffer.from(lines.join('\n'));
}

function backwards({ signings, ...rest }: Draft = draft): Buffer {
  return fileOf(notesOf({ ...rest, signings: signings.toReversed() }));
}

function otherMeta(leaf: Buffer): Buffer {
  const [, workspace = '', index, stream = '', revision, id = '', type = '', data = ''] = leaf
    .toString()
    .split('\n');
  return leafData({
    workspace,
    index: Number(index),
    stream,
    revision: Number(revision),
    id,
    type,
    data,
    meta: '{}',
  });
}
