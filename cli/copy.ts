// `switchyard copy FROM TO`: a log into another store, append by append in the order of the log, and then a look at
// every byte of both. Events are never parsed: whatever stands in the one comes to stand in the other.
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { ADDRESS_HELP, addressFrom, nameOf } from './addresses.js';
import { compareLogs, eventsOf, type Comparison, type Difference } from './compare-logs.js';
import { EXIT, examplesAndCodes, Failure } from './exit.js';
import { count, counted, showProgress } from './progress.js';
import type { EventStoreAddress } from '../src/store-address.js';
import {
  AppendTooLarge,
  RevisionConflict,
  START,
  StoreRefused,
  type EventStore,
  type Position,
  type StoredEvent,
} from '../src/store/event-store.js';
import { openEventStore } from '../src/store/open-event-store.js';

interface Route {
  readonly from: EventStore;
  readonly to: EventStore;
  /** What comes after it in the source came after the copy had begun. */
  readonly head: Position;
  /** SQLite and PostgreSQL number 1, 2, 3 …; a KurrentDB counts the bytes of all that it holds. */
  readonly positionsCount: boolean;
}

export interface Copied {
  /** In each of the two. */
  readonly events: number;
  /** Of those, how many came to stand in the target by this. */
  readonly copied: number;
  /** Of the newest event in the source. */
  readonly position: Position;
  readonly sha256: string;
}

export function addCopy(program: Command): void {
  program
    .command('copy')
    .description(
      'Copy the log FROM into the store TO, and compare the two byte for byte. No server may be writing to either. ' +
        'TO is empty, or holds the beginning of FROM: a copy that was interrupted goes on where it ended.',
    )
    .argument('<FROM>', 'the address of the log')
    .argument('<TO>', 'the address of the store that it is copied into')
    .option('--json', 'print the outcome as one line of JSON')
    .helpOption('-h, --help', 'print this')
    .allowExcessArguments(false)
    .addHelpText('after', ADDRESS_HELP)
    .addHelpText(
      'after',
      examplesAndCodes(
        [
          'switchyard copy sqlite:data/events.db env:NEW_STORE',
          'switchyard copy env:OLD_STORE sqlite:/var/lib/switchyard/events.db',
          'switchyard copy --json sqlite:backup.db env:NEW_STORE',
        ],
        [EXIT.ok, EXIT.failed, EXIT.differs, EXIT.usage, EXIT.refused],
      ),
    )
    .action(async (from: string, to: string, { json }: { readonly json?: true }) => {
      const target = addressFrom(to, 'TO');
      const outcome = await copyBetween(addressFrom(from, 'FROM'), target);
      process.stdout.write(json === true ? inJson(outcome) : inWords(outcome, target));
    });
}

/** Throws a `Failure`, with exit code 2 where the two come to differ. */
export async function copyBetween(source: EventStoreAddress, target: EventStoreAddress): Promise<Copied> {
  if (JSON.stringify(source) === JSON.stringify(target)) {
    throw new Failure('FROM and TO are the same log', EXIT.usage);
  }
  // Opening would begin a new log where there is none.
  if (source.kind === 'sqlite' && !existsSync(source.path)) {
    throw new StoreRefused(`FROM: there is no log at ${source.path}`);
  }
  const from = await opened(source, 'FROM');
  try {
    const to = await opened(target, 'TO');
    try {
      const head = await from.head();
      const positionsCount = source.kind !== 'kurrentdb' && target.kind !== 'kurrentdb';
      return await copyAndCompare({ from, to, head, positionsCount });
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

async function opened(address: EventStoreAddress, argument: string): Promise<EventStore> {
  try {
    return await openEventStore(address);
  } catch (error) {
    throw error instanceof StoreRefused ? new StoreRefused(`${argument}: ${error.message}`) : error;
  }
}

async function copyAndCompare(route: Route): Promise<Copied> {
  const before = await compare(route);
  const copied = await copyAfter(before.position, route);
  const { same, position, hash } = copied === 0 ? before : await compare(route);
  if (position !== route.head) throw differing({ event: same + 1, what: 'TO ends before it, FROM goes on' });
  if ((await route.from.head()) !== route.head) {
    throw new Failure(
      'FROM was written to meanwhile: stop every server on it, and run this again for the rest',
    );
  }
  return { events: same, copied, position, sha256: hash };
}

async function compare(route: Route): Promise<Comparison> {
  const progress = showProgress('Comparing');
  try {
    const onEvent = ({ position }: StoredEvent): void => progress.reached(share(position, route.head));
    const compared = await compareLogs({ ...route, onEvent });
    if (compared.difference !== undefined) throw differing(compared.difference);
    return compared;
  } finally {
    progress.stop();
  }
}

function differing({ event, what }: Difference): Failure {
  return new Failure(`The logs differ at event ${count(event)}: ${what}`, EXIT.differs);
}

/** How many events were copied. */
async function copyAfter(reached: Position, { from, to, head }: Route): Promise<number> {
  const progress = showProgress('Copying');
  let copied = 0;
  try {
    for await (const append of appendsOf(eventsOf(from, reached, head))) {
      // One after the other: what was interrupted then always is a beginning of the log, and can be gone on with.
      await appendTo(to, append);
      copied += append.length;
      progress.reached(share(append.at(-1)?.position ?? START, head));
    }
  } finally {
    progress.stop();
  }
  return copied;
}

/**
 * What was appended as one is appended as one again, so that no half of a release ever stands in the target. A
 * command writes the same metadata, with the id of its request in it, to all events of its append. Where a client
 * used an id twice within a millisecond, two appends become one: that changes no event, nor their order.
 */
async function* appendsOf(events: AsyncIterable<StoredEvent>): AsyncGenerator<StoredEvent[]> {
  let append: StoredEvent[] = [];
  for await (const event of events) {
    const [first] = append;
    if (first !== undefined && (event.stream !== first.stream || event.meta !== first.meta)) {
      yield append;
      append = [];
    }
    append.push(event);
  }
  if (append.length > 0) yield append;
}

async function appendTo(to: EventStore, append: readonly StoredEvent[]): Promise<void> {
  const [first] = append;
  if (first === undefined) return;
  const { stream, revision, position } = first;
  try {
    await to.append(stream, append, revision === 0 ? 'no-stream' : revision - 1);
  } catch (error) {
    if (error instanceof AppendTooLarge) {
      throw new Failure(`TO cannot hold this log: ${error.message} (position ${position} of FROM)`);
    }
    if (error instanceof RevisionConflict) {
      throw new Failure(`Somebody else is writing to TO: ${error.message}`, EXIT.differs);
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure(`${reason}. Run the same command again to go on from here`);
  }
}

function share(position: Position, head: Position): number {
  return head === START ? 1 : Number(position) / Number(head);
}

function inWords({ events, copied, sha256 }: Copied, target: EventStoreAddress): string {
  const already = events > copied ? `, ${count(events - copied)} were there already` : '';
  return (
    `Copied ${counted(copied, 'event')} to ${nameOf(target)}${already}\n` +
    `The two are the same in all ${counted(events, 'event')}, SHA-256 ${sha256}\n`
  );
}

function inJson(outcome: Copied): string {
  return `${JSON.stringify({ ...outcome, position: String(outcome.position) })}\n`;
}
