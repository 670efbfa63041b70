// The two verifiers of evidence side by side, on a folder in memory: ours, and verify/verify_evidence.py, which knows
// nothing of it. Whatever one says of a bundle, the other has to say too.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { verifyEvidence, type Terms } from '../../src/audit/evidence.js';
import { FILES, type Bundle, type BundleFile } from './evidence-bundle.js';
import type { Attack } from './evidence-attacks.js';

export const SECOND_VERIFIER = 'verify/verify_evidence.py';
const RIG = 'test/support/evidence_rig.py';
const IN_MEMORY = '/dev/shm';
/** Lines of events that are remembered; one bundle and what was lately changed in it. */
const REMEMBERED = 50_000;

/** Why the second verifier cannot be asked; empty where it can. */
export const missingPython =
  spawnSync('python3', ['--version']).status === 0 ? '' : 'there is no python3 on this machine';

export interface Verdicts {
  readonly exitCode: number;
  /** What each of the two says. */
  readonly details: readonly string[];
}

interface Answer {
  readonly exitCode: number;
  readonly detail: string;
}

export class TwoVerifiers {
  /** Where the bundle lies that is judged. */
  readonly directory: string;
  readonly kept: string;
  private readonly root = mkdtempSync(join(existsSync(IN_MEMORY) ? IN_MEMORY : tmpdir(), 'evidence-'));
  private readonly second: SecondVerifier | undefined;
  private readonly cache: NonNullable<Terms['cache']> = new Map();

  /** `remember`: bundles that are judged one after another are nearly the same. */
  constructor(private readonly options: { readonly remember: boolean }) {
    this.directory = join(this.root, 'bundle');
    this.kept = join(this.root, 'kept.txt');
    mkdirSync(this.directory);
    if (missingPython === '') this.second = new SecondVerifier(options.remember);
  }

  put(bundle: Bundle): void {
    for (const file of FILES) writeFileSync(join(this.directory, file), bundle[file]);
  }

  keep(checkpoints: Buffer): void {
    writeFileSync(this.kept, checkpoints);
  }

  /** Judges what an attack makes of the bundle that lies there, and takes it back again. */
  async judgeAttack({ file, bytes }: Attack, original: Buffer, terms: Terms): Promise<Verdicts> {
    const path = this.pathOf(file);
    if (bytes === undefined) rmSync(path);
    else writeFileSync(path, bytes);
    try {
      return await this.judge(terms);
    } finally {
      writeFileSync(path, original);
    }
  }

  /** Throws where the two do not say the same. */
  async judge(terms: Terms = {}): Promise<Verdicts> {
    const asked = this.second?.judge(this.directory, terms);
    if (this.cache.size > REMEMBERED) this.cache.clear();
    const first = verifyEvidence(this.directory, {
      ...terms,
      ...(this.options.remember && { cache: this.cache }),
    });
    const second = await asked;
    if (second !== undefined && second.exitCode !== first.exitCode) {
      const says = [first, second].map(({ exitCode, detail }) => `${exitCode} “${detail}”`);
      throw new Error(`One verifier says ${says.join(', the other ')}`);
    }
    return {
      exitCode: first.exitCode,
      details: [first.line, ...(second === undefined ? [] : [second.detail])],
    };
  }

  close(): void {
    this.second?.close();
    rmSync(this.root, { recursive: true });
  }

  private pathOf(file: BundleFile | 'kept'): string {
    return file === 'kept' ? this.kept : join(this.directory, file);
  }
}

class SecondVerifier {
  private readonly child: ChildProcess;
  private readonly answers: AsyncIterator<string>;
  private readonly lines: Interface;

  constructor(remember: boolean) {
    const args = ['-B', RIG, SECOND_VERIFIER, remember ? 'remember' : 'afresh'];
    this.child = spawn('python3', args, { stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.child.stdout === null) throw new Error('The second verifier has no output');
    this.lines = createInterface({ input: this.child.stdout });
    this.answers = this.lines[Symbol.asyncIterator]();
  }

  async judge(directory: string, { keys, checkpoints, acceptRestored }: Terms): Promise<Answer> {
    const asked = {
      directory,
      keys: keys ?? [],
      checkpoints: checkpoints ?? [],
      acceptRestored: acceptRestored === true,
    };
    this.child.stdin?.write(`${JSON.stringify(asked)}\n`);
    const { value, done } = await this.answers.next();
    if (done === true) throw new Error('The second verifier has ended');
    return JSON.parse(value) as Answer;
  }

  close(): void {
    this.child.stdin?.end();
    this.lines.close();
  }
}
