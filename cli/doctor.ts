// `switchyard doctor`: looks whether everything is as it should be, while the server is stopped: the settings, every
// event of the log, the views against a fresh fold, what the heads remember, and the keys. Views that are wrong are
// made anew, since they can be; nothing else is touched.
import { existsSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import { eventsOf } from './compare-logs.js';
import { EXIT, examplesAndCodes } from './exit.js';
import { count, counted, showProgress } from './progress.js';
import { openNote, parseNote, PublicKey } from '../src/audit/checkpoint.js';
import { describeLoss } from '../src/audit/compare-with-heads.js';
import { reread } from '../src/audit/reread.js';
import { readConfig, type Config } from '../src/config.js';
import { Recorded } from '../src/domain/recorded.js';
import { Engine } from '../src/engine.js';
import { START } from '../src/store/event-store.js';

interface Finding {
  readonly check: 'settings' | 'log' | 'views' | 'heads' | 'keys';
  readonly ok: boolean;
  readonly detail: string;
}

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description(
      'Check the settings, the log, the views against a fresh fold, the heads and the keys. ' +
        'The server must be stopped.',
    )
    .option('--json', 'print the findings as one line of JSON')
    .helpOption('-h, --help', 'print this')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      examplesAndCodes(
        ['switchyard doctor', 'SWITCHYARD_DATA=/var/lib/switchyard switchyard doctor --json'],
        [EXIT.ok, EXIT.failed, [EXIT.differs, 'something is wrong'], EXIT.usage, EXIT.refused],
      ),
    )
    .action(async ({ json }: { readonly json?: true }) => {
      const findings = await examine(readConfig());
      const healthy = findings.every(({ ok }) => ok);
      const lines = findings.map(
        ({ check, ok, detail }) => `${ok ? 'ok   ' : 'WRONG'} ${check.padEnd(9)} ${detail}`,
      );
      process.stdout.write(`${json === true ? JSON.stringify({ healthy, findings }) : lines.join('\n')}\n`);
      if (!healthy) process.exitCode = EXIT.differs;
    });
}

async function examine(config: Config): Promise<Finding[]> {
  const findings: Finding[] = [settings(config)];
  const engine = await Engine.look(config);
  try {
    findings.push(await log(engine));
    findings.push(await views(engine));
    findings.push(...(await heads(engine)));
    findings.push(await keys(engine, config));
  } finally {
    await engine.close();
  }
  return findings;
}

/** They were read, or the command would have ended before. */
function settings({ dataFolder, eventStore }: Config): Finding {
  return { check: 'settings', ok: true, detail: `${eventStore.kind} log, data folder ${dataFolder}` };
}

/** Each stream without gaps, positions that rise, and no event that cannot be read. */
async function log({ store }: Engine): Promise<Finding> {
  const head = await store.head();
  const progress = showProgress('Log');
  const revisions = new Map<string, number>();
  let events = 0;
  let last = START;
  try {
    for await (const stored of eventsOf(store, START, head)) {
      const { stream, revision, position } = stored;
      if (position <= last) return wrong('log', `position ${position} follows ${last}`);
      if (revision !== (revisions.get(stream) ?? -1) + 1) {
        return wrong(
          'log',
          `revision ${revision} of ${stream} at position ${position} does not follow the one before`,
        );
      }
      const unread = unreadable(new Recorded(stored));
      if (unread !== undefined)
        return wrong('log', `the event at position ${position} cannot be read: ${unread}`);
      revisions.set(stream, revision);
      events += 1;
      last = position;
      progress.reached(Number(position) / Number(head));
    }
  } catch (error) {
    return wrong('log', reasonOf(error));
  } finally {
    progress.stop();
  }
  const detail = `${counted(events, 'event')} in ${counted(revisions.size, 'stream')}, up to position ${head}`;
  return { check: 'log', ok: true, detail };
}

function unreadable(recorded: Recorded): string | undefined {
  return Number.isNaN(Date.parse(recorded.meta.time)) ? 'it has no time' : undefined;
}

async function views({ follower }: Engine): Promise<Finding> {
  const { failures } = follower;
  if (failures.length > 0) return wrong('views', failures.join(' '));
  try {
    const { equal, position } = await follower.rebuild();
    if (equal !== true) return wrong('views', 'they were not what the log says, and have been made anew');
    return { check: 'views', ok: true, detail: `the same as a fresh fold, at position ${position}` };
  } catch (error) {
    return wrong('views', reasonOf(error));
  }
}

async function heads(engine: Engine): Promise<Finding[]> {
  const { losses, store, headsLog, recordKeeper } = engine;
  const head = await store.head();
  if (losses.length > 0) return losses.map((loss) => wrong('heads', describeLoss(loss, head)));
  const progress = showProgress('Heads');
  const recordOf = (workspace: string) => recordKeeper.record(workspace);
  const { differences, checkpoints, events } = await reread(
    { store, heads: headsLog, recordOf },
    head,
    async (reached) => progress.reached(Number(reached) / Number(head)),
  ).finally(() => progress.stop());
  if (differences.length > 0) return differences.map((difference) => wrong('heads', difference));
  const detail = `${counted(checkpoints, 'signed checkpoint')} held against ${count(events)} events`;
  return [{ check: 'heads', ok: true, detail }];
}

/** Only its owner may read the key, and every checkpoint that is kept was signed by a key that the log announced. */
async function keys({ headsLog, recordKeeper }: Engine, { record }: Config): Promise<Finding> {
  if (existsSync(record.signingKey) && (statSync(record.signingKey).mode & 0o077) !== 0) {
    return wrong('keys', `others than its owner may read ${record.signingKey}: chmod 600 mends it`);
  }
  let signed = 0;
  for (const workspace of headsLog.workspaces) {
    const { publicKeys } = await recordKeeper.record(workspace);
    const announced = publicKeys.flatMap((key) => PublicKey.parse(key) ?? []);
    for (const { note, checkpoint } of headsLog.signed(workspace)) {
      const parsed = parseNote(note);
      signed += 1;
      if (parsed !== undefined && openNote(parsed, announced) !== undefined) continue;
      return wrong(
        'keys',
        `the checkpoint of ${checkpoint.origin} at size ${checkpoint.size} is not signed by an announced key`,
      );
    }
  }
  return { check: 'keys', ok: true, detail: `${counted(signed, 'signature')} by announced keys` };
}

function wrong(check: Finding['check'], detail: string): Finding {
  return { check, ok: false, detail };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
