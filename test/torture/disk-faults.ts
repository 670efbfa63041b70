// The rig `faults`: at each write and each fsync that a command makes the disk fails, once or from then on. What was
// acknowledged is done, what is called not done is not, and the same command with its key settles what is unknown.
import { cpSync, rmSync } from 'node:fs';
import { FaultyDisk, missingDisk, type DiskCall, type DiskFault } from '../support/faulty-disk.js';
import { faultsOfLog } from '../support/crash-rig.js';
import { Http, type Answer } from '../support/http.js';
import { Random } from '../support/random.js';
import { ADMIN_KEY, ServerProcess, temporaryFolder } from '../support/server-process.js';
import { until } from '../support/spec.js';
import { COMMANDS, prepare, stateOf, type TriedCommand } from './disk-fault-commands.js';
import { faultsFrom, type Outcome, type Part, type Rig } from './rig.js';

/** Those that say: nothing was changed. */
const UNDONE = ['store-unavailable', 'storage-full', 'log-fenced'];
const KEYED = { 'idempotency-key': 'tried-once' };
/** A checkpoint writes a thousand pages, and views are no promise: of such files some calls stand for all. */
const CALLS_OF_LOG_MAX = 40;
const CALLS_OF_VIEWS_MAX = 6;
/** Views are written a little after the answer. */
const VIEWS_MS = 300;

export const faults: Rig = {
  about: 'EIO and ENOSPC at every write and fsync of a command: nothing is called done or failed that is not',
  unit: 'faults of the disk',
  usual: 60,
  full: 450,
  part: 450,
  missing: missingDisk,
  run: (part) => failDisks(part),
};

interface Site {
  readonly command: TriedCommand;
  readonly call: DiskCall;
  readonly fault: DiskFault;
  readonly when: 'once' | 'from';
}

export interface DiskTrial {
  /** Of the server whose disk fails, and of no other. */
  readonly settings?: Record<string, string>;
  /** All of them, unless some are named. */
  readonly commands?: readonly TriedCommand[];
  isTried?(call: DiskCall): boolean;
}

export async function failDisks({ seed, count, until: end }: Part, trial: DiskTrial = {}): Promise<Outcome> {
  const rig = new DiskFaults(new Random(seed), trial);
  const figures = { 'calls that failed': 0, acknowledged: 0, 'refused or unknown': 0 };
  try {
    const sites = await rig.sites();
    let tried = 0;
    while (tried < count && performance.now() < end && rig.faults.length === 0) {
      const { hasFailed, isDone } = await rig.fail(sites[tried % sites.length] as Site);
      figures['calls that failed'] += Number(hasFailed);
      figures[isDone ? 'acknowledged' : 'refused or unknown'] += 1;
      tried += 1;
    }
    return { count: tried, figures, faults: faultsFrom(rig.faults) };
  } finally {
    rig.end();
  }
}

class DiskFaults {
  readonly faults: string[] = [];
  /** A server that was killed with data in it: each fault has a copy of it. */
  private readonly before = temporaryFolder();
  private readonly folder = temporaryFolder();
  /** What each command makes of the data when nothing fails. */
  private readonly after = new Map<TriedCommand, string>();
  private beforeState = '';

  constructor(
    private readonly random: Random,
    private readonly trial: DiskTrial,
  ) {}

  end(): void {
    this.before.remove();
    this.folder.remove();
  }

  /** Every call of every command, with each fault that it may end in, in an order of chance. */
  async sites(): Promise<Site[]> {
    this.beforeState = await prepare(this.before.path);
    const sites: Site[] = [];
    const { commands = COMMANDS, isTried = () => true } = this.trial;
    for (const command of commands) {
      for (const call of (await this.callsOf(command)).filter(isTried)) {
        for (const error of ['eio', 'enospc'] as const) {
          const when = this.random.pick(['once', 'from'] as const);
          sites.push({ command, call, fault: `${call.call}-${error}`, when });
        }
      }
    }
    return shuffled(sites, this.random);
  }

  /** What becomes of a command whose disk fails there. */
  async fail(site: Site): Promise<{ readonly hasFailed: boolean; readonly isDone: boolean }> {
    const { command, call, fault, when } = site;
    const disk = this.newDisk();
    const server = await this.start({ ...disk.environment, ...this.trial.settings });
    const http = new Http(server.url, ADMIN_KEY);
    disk.failAt(call, fault, when);
    const answer = await command.send(http, KEYED).catch(() => undefined);
    const read = await http.get('/environments').catch(() => undefined);
    if (call.file.startsWith('views')) await until(() => disk.hasFailed, VIEWS_MS).catch(() => undefined);
    const { hasFailed } = disk;
    await server.kill('SIGKILL');
    const losesPower = this.random.below(2) === 0;
    if (losesPower) disk.losePower(this.random.below(2) === 0 ? undefined : this.random);
    disk.remove();
    const said = `${command.name}, ${fault} at ${call.call} ${call.number} of ${call.file} (${when})`;
    const wrong = [
      ...(answer === undefined ? ['The server gave no answer'] : []),
      ...(read?.status === 200 ? [] : [`A read was answered ${read?.text}`]),
      ...(await this.settled(command, answer)),
    ];
    const power = losesPower ? ', then a power loss' : '';
    this.faults.push(...wrong.map((what) => `${said}${power}: ${what}`));
    return { hasFailed, isDone: answer?.status !== undefined && answer.status < 300 };
  }

  /** After the next start, with a disk that works: what was said is so, and said again it is done once. */
  private async settled(command: TriedCommand, answer: Answer | undefined): Promise<string[]> {
    const server = await this.start({});
    const http = new Http(server.url, ADMIN_KEY);
    const after = this.after.get(command) ?? '';
    const found = await stateOf(http);
    const said = answer === undefined || answer.status < 300 ? answer?.status : codeOf(answer);
    const allowed = allowedAfter(answer, this.beforeState, after);
    const wrong: string[] = [];
    if (!allowed.includes(found)) wrong.push(`It was answered ${said}, and then the data was ${found}`);
    const again = await command.send(http, KEYED);
    if (again.status >= 300) wrong.push(`Sent again it was answered ${again.text}`);
    if (answer !== undefined && answer.status < 300 && again.text !== answer.text)
      wrong.push(`It was answered ${answer.text}, and sent again ${again.text}`);
    const twice = await stateOf(http);
    if (twice !== after) wrong.push(`Sent again it made ${twice}`);
    await server.kill('SIGTERM');
    return [...wrong, ...faultsOfLog(this.folder.path)];
  }

  private async callsOf(command: TriedCommand): Promise<DiskCall[]> {
    const disk = this.newDisk();
    const server = await this.start(disk.environment);
    const http = new Http(server.url, ADMIN_KEY);
    const before = disk.calls().length;
    const { status, text } = await command.send(http, KEYED);
    if (status >= 300) throw new Error(`${command.name} does not work at all: ${text}`);
    this.after.set(command, await stateOf(http));
    const calls = disk.calls().slice(before);
    await server.kill('SIGKILL');
    disk.remove();
    return numbered(calls).flatMap((ofFile) => {
      const most = ofFile[0]?.file.startsWith('views') ? CALLS_OF_VIEWS_MAX : CALLS_OF_LOG_MAX;
      return shuffled(ofFile, this.random).slice(0, most);
    });
  }

  private newDisk(): FaultyDisk {
    rmSync(this.folder.path, { recursive: true });
    cpSync(this.before.path, this.folder.path, { recursive: true });
    return new FaultyDisk(this.folder.path);
  }

  private start(settings: Record<string, string>): Promise<ServerProcess> {
    return ServerProcess.start(this.folder.path, { SWITCHYARD_LOG_LEVEL: 'silent', ...settings });
  }
}

function allowedAfter(answer: Answer | undefined, before: string, after: string): string[] {
  if (answer === undefined) return [before, after];
  if (answer.status < 300) return [after];
  const code = codeOf(answer);
  if (code === 'outcome-unknown') return [before, after];
  return UNDONE.includes(code) ? [before] : [];
}

function codeOf({ body, text }: Answer): string {
  return (body as { readonly code?: string } | undefined)?.code ?? text;
}

/** The calls of each kind on each file, counted. */
function numbered(calls: readonly Omit<DiskCall, 'number'>[]): DiskCall[][] {
  const groups = new Map<string, DiskCall[]>();
  for (const { call, file } of calls) {
    const group = groups.get(`${call} ${file}`) ?? [];
    group.push({ call, file, number: group.length + 1 });
    groups.set(`${call} ${file}`, group);
  }
  return [...groups.values()];
}

function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  return items
    .map((item) => ({ item, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
