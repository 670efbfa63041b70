// `switchyard copy FROM TO`: moves a log from one store to another, event by event in the order of the log, and then
// reads both and compares them. Cut short, it goes on where it ended when it is run again.
import { createHash } from 'node:crypto';
import { Command } from 'commander';
import { readAddress, readConfig, type EventStoreAddress } from '../src/config.js';
import {
  AppendTooLarge,
  PAGE_EVENTS_MAX,
  START,
  type EventStore,
  type Position,
  type StoredEvent,
} from '../src/store/event-store.js';
import { openEventStore } from '../src/store/open-event-store.js';
import { exitCodes, Failed, progressOf, report, type OutputOptions, type Progress } from './outcome.js';

export function copyCommand(): Command {
  return new Command('copy')
    .argument(
      '<from>',
      'a log, as SWITCHYARD_EVENT_STORE names it, or env:NAME of the variable that holds that',
    )
    .argument('<to>', 'an empty log, or what an earlier copy had made of it; named likewise')
    .description('copies a log into another store and compares the two; no server may be running on either')
    .option('--json', 'says what was done as JSON')
    .addHelpText(
      'after',
      '\nExample, with TARGET=postgres://… in the environment:\n  switchyard copy sqlite:data/events.db env:TARGET',
    )
    .action(async (from: string, to: string, options: OutputOptions) => {
      const addresses = [addressOf('FROM', from), addressOf('TO', to)] as const;
      const done = await copyBetween(...addresses);
      const { events, copied, hash } = done;
      report(
        options,
        done,
        `${events} events, ${copied} of them copied now. Both logs are the same: ${hash}`,
      );
    });
}

export interface Copied {
  /** In each of the logs. */
  readonly events: number;
  /** Of those, how many this run has appended. */
  readonly copied: number;
  /** SHA-256 over all events of either log. */
  readonly hash: string;
}

/** Throws `Failed` with exit code 2 where the two logs differ. */
export async function copyBetween(from: EventStoreAddress, to: EventStoreAddress): Promise<Copied> {
  const source = await openEventStore(from);
  try {
    const target = await openEventStore(to);
    try {
      return await copyLog(source, target, countsPositions(from) && countsPositions(to));
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** `samePositions`: both stores number their events 1, 2, 3 … */
export async function copyLog(
  source: EventStore,
  target: EventStore,
  samePositions: boolean,
): Promise<Copied> {
  const head = await source.head();
  const progress = progressOf('copying', Number(head));
  try {
    const after = await endOfPrefix(source, target);
    const copied = await appendRest(source, target, after, progress);
    if ((await source.head()) !== head)
      throw new Failed('FROM was written to meanwhile; stop its servers first');
    return { ...(await compare(source, target, samePositions)), copied };
  } finally {
    progress.stop();
  }
}

/** Where in the source the target ends; throws when it holds anything else than the beginning of the source. */
async function endOfPrefix(source: EventStore, target: EventStore): Promise<Position> {
  const ours = eventsOf(source, START);
  let end = START;
  for await (const theirs of eventsOf(target, START)) {
    const { value } = await ours.next();
    const same = value !== undefined && textOf(value) === textOf(theirs);
    if (!same)
      throw new Failed(
        `TO is not empty, and not the beginning of FROM: ${placeOf(theirs)} differs`,
        exitCodes.differs,
      );
    end = value.position;
  }
  return end;
}

async function appendRest(source: EventStore, target: EventStore, after: Position, progress: Progress) {
  let copied = 0;
  let group: StoredEvent[] = [];
  const append = async (): Promise<void> => {
    const [first] = group;
    if (first === undefined) return;
    const expected = first.revision === 0 ? 'no-stream' : first.revision - 1;
    try {
      await target.append(
        first.stream,
        group.map(({ id, type, data, meta }) => ({ id, type, data, meta })),
        expected,
      );
    } catch (error) {
      if (!(error instanceof AppendTooLarge)) throw error;
      throw new Failed(`TO cannot hold ${placeOf(first)}: ${error.message}`);
    }
    copied += group.length;
    progress.to(Number(group.at(-1)?.position ?? 0));
    group = [];
  };
  for await (const event of eventsOf(source, after)) {
    if (!belongsTo(group, event)) await append();
    group.push(event);
  }
  await append();
  return copied;
}

/** Events of one command stand together on one stream and share their metadata, so they were one append. */
function belongsTo(group: readonly StoredEvent[], { stream, meta }: StoredEvent): boolean {
  const last = group.at(-1);
  return last !== undefined && last.stream === stream && last.meta === meta;
}

async function compare(source: EventStore, target: EventStore, samePositions: boolean) {
  const hash = createHash('sha256');
  const theirs = eventsOf(target, START);
  let events = 0;
  for await (const ours of eventsOf(source, START)) {
    const { value } = await theirs.next();
    const same = value !== undefined && textOf(value) === textOf(ours);
    if (!same || (samePositions && value.position !== ours.position)) {
      throw new Failed(`The logs differ at ${placeOf(ours)}`, exitCodes.differs);
    }
    hash.update(textOf(ours));
    events += 1;
  }
  const { value: more } = await theirs.next();
  if (more !== undefined) throw new Failed(`TO has more than FROM: ${placeOf(more)}`, exitCodes.differs);
  return { events, hash: hash.digest('hex') };
}

async function* eventsOf(store: EventStore, after: Position): AsyncGenerator<StoredEvent, undefined> {
  for (let from = after; ;) {
    const page = await store.readAll({ after: from, limit: PAGE_EVENTS_MAX });
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return undefined;
    from = last.position;
  }
}

/** Everything that a store has to keep of an event, in an unmistakable form. */
function textOf({ stream, revision, id, type, data, meta }: StoredEvent): string {
  return `${JSON.stringify([stream, revision, id, type, data, meta])}\n`;
}

function placeOf({ stream, revision, position }: StoredEvent): string {
  return `${stream} revision ${revision}, position ${position}`;
}

function countsPositions({ kind }: EventStoreAddress): boolean {
  return kind !== 'kurrentdb';
}

/** A password need not stand in the list of processes: `env:NAME` reads the address from the environment. */
function addressOf(what: string, text: string): EventStoreAddress {
  const name = /^env:(\w+)$/.exec(text)?.[1];
  const address = readAddress(name === undefined ? text : (process.env[name] ?? ''), readConfig().dataFolder);
  if (typeof address !== 'string') return address;
  throw new Failed(`${what} ${address}`, exitCodes.usage);
}
