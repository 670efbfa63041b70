// A disk that can lose power or fail, for programs that a test starts: compiles the shim beside this file and, after a
// kill, takes back whatever the program had written and not fsynced.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  closeSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { mkdtempSync, realpathSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Random } from './random.js';

const SOURCE = 'test/support/faulty-disk.c';
const SECTOR_BYTES = 512;
const NUMBERS = 5;

/** Why there is no such disk here; empty when there is one. */
export const missingDisk =
  process.platform !== 'linux' ? 'only on Linux' : compiler() === '' ? 'no C compiler' : '';
if (missingDisk !== '') {
  process.stderr.write(
    `NO FAULTY DISK: ${missingDisk}, so the tests of power loss and failing disks are SKIPPED\n`,
  );
}

export type DiskFault = 'fsync-eio' | 'fsync-enospc' | 'wal-fsync-eio' | 'write-eio' | 'write-enospc';

/** One of the calls that a program makes on files of a name, counted from the moment at which it is chosen. */
export interface DiskCall {
  readonly call: 'write' | 'fsync';
  readonly file: string;
  readonly number: number;
}

interface Write {
  readonly kind: 'w' | 't';
  readonly path: string;
  readonly at: number;
  readonly size: number;
  readonly old: Buffer;
  readonly fresh: Buffer;
}

export class FaultyDisk {
  private readonly own = mkdtempSync(join(tmpdir(), 'switchyard-disk-'));
  private readonly journal = join(this.own, 'journal');
  private readonly control = join(this.own, 'control');
  private readonly library = join(this.own, 'faulty-disk.so');
  /** Bytes that power losses have taken back. */
  lostBytes = 0;

  constructor(private readonly folder: string) {
    execFileSync(compiler(), ['-shared', '-fPIC', '-O1', '-o', this.library, SOURCE, '-ldl', '-lpthread']);
  }

  /** For the program that is to write to this disk. */
  get environment(): Record<string, string> {
    return {
      LD_PRELOAD: this.library,
      FAULTY_DISK_FOLDER: `${realpathSync(this.folder)}/`,
      FAULTY_DISK_JOURNAL: this.journal,
      FAULTY_DISK_CONTROL: this.control,
    };
  }

  fail(fault: DiskFault): void {
    writeFileSync(this.control, fault);
  }

  /** That call alone fails, or that one and all such calls after it. */
  failAt({ file, number }: DiskCall, fault: DiskFault, when: 'once' | 'from'): void {
    // Written whole before it is there: the program may look at any time.
    writeFileSync(`${this.control}.new`, `${fault} ${number} ${when} ${file}`);
    renameSync(`${this.control}.new`, this.control);
  }

  get hasFailed(): boolean {
    return existsSync(`${this.control}.hit`);
  }

  mend(): void {
    rmSync(this.control, { force: true });
    rmSync(`${this.control}.hit`, { force: true });
  }

  /** Every write and fsync since the program began, or since power was lost. */
  calls(): Omit<DiskCall, 'number'>[] {
    if (!existsSync(this.journal)) return [];
    return [...recordsIn(readFileSync(this.journal))]
      .filter(({ kind }) => kind !== 't')
      .map(({ kind, path }) => ({ call: kind === 's' ? 'fsync' : 'write', file: basename(path) }));
  }

  /**
   * After a kill: what was not fsynced is gone. With a chance, each such write is there all the same, or only its
   * first sectors, since a disk may have been busy with it.
   */
  losePower(random: Random | undefined): void {
    if (!existsSync(this.journal)) return;
    const unsynced = this.unsyncedWrites();
    rmSync(this.journal);
    for (const path of new Set(unsynced.map((write) => write.path))) {
      if (existsSync(path))
        this.spoil(
          path,
          unsynced.filter((write) => write.path === path),
          random,
        );
    }
  }

  remove(): void {
    rmSync(this.own, { recursive: true, force: true });
  }

  private spoil(path: string, writes: readonly Write[], random: Random | undefined): void {
    const file = openSync(path, 'r+');
    for (const { kind, at, size, old, fresh } of [...writes].reverse()) {
      if (old.length > 0) writeSync(file, old, 0, old.length, at);
      ftruncateSync(file, size);
      if (kind === 'w') this.lostBytes += fresh.length;
    }
    // Lengths are changed late, so what is cut off here stays cut off.
    for (const { kind, at, fresh } of writes) {
      const chance = random?.next() ?? 1;
      if (kind !== 'w' || chance > 0.5) continue;
      const kept = chance > 0.25 ? fresh.length : Math.floor(fresh.length / SECTOR_BYTES / 2) * SECTOR_BYTES;
      if (kept > 0) writeSync(file, fresh, 0, kept, at);
    }
    closeSync(file);
  }

  /** In their order: of each file, those after its last fsync. */
  private unsyncedWrites(): Write[] {
    let open: Write[] = [];
    for (const { kind, ...rest } of recordsIn(readFileSync(this.journal))) {
      if (kind === 's') open = open.filter(({ path }) => path !== rest.path);
      else open.push({ kind, ...rest });
    }
    return open;
  }
}

/** A kill leaves at most the last record incomplete. */
function* recordsIn(bytes: Buffer): Generator<Omit<Write, 'kind'> & { readonly kind: 'w' | 't' | 's' }> {
  const head = 1 + NUMBERS * 8;
  for (let from = 0; from + head <= bytes.length;) {
    const kind = bytes.toString('latin1', from, from + 1) as 'w' | 't' | 's';
    const [path = 0, at = 0, size = 0, old = 0, fresh = 0] = Array.from({ length: NUMBERS }, (_, i) =>
      Number(bytes.readBigUInt64LE(from + 1 + i * 8)),
    );
    const a = from + head;
    const [b, c, d] = [a + path, a + path + old, a + path + old + fresh];
    if (d > bytes.length) return;
    const name = bytes.toString('utf8', a, b);
    yield { kind, path: name, at, size, old: bytes.subarray(b, c), fresh: bytes.subarray(c, d) };
    from = d;
  }
}

function compiler(): string {
  for (const name of ['cc', 'gcc', 'clang']) {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' });
      return name;
    } catch {
      // Not this one.
    }
  }
  return '';
}
