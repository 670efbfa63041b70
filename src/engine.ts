// The engine without its HTTP: log, views and commands, opened in their order and closed in the reverse one.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CheckpointSink, type SinkLog } from './audit/checkpoint-sink.js';
import { Checkpoints } from './audit/checkpoints.js';
import { Fence } from './audit/fence.js';
import { HeadsLog } from './audit/heads-log.js';
import { openSigningKey } from './audit/signing-key-file.js';
import { AnsweredCommands } from './commands/answered-commands.js';
import { CommandLog } from './commands/command-log.js';
import { FirstStart } from './commands/first-start.js';
import { RecordKeeper } from './commands/keep-record.js';
import { Streams } from './commands/streams.js';
import type { Loss } from './audit/compare-with-heads.js';
import type { Config, RecordConfig } from './config.js';
import { People } from './people.js';
import { LogFollower } from './read/log-follower.js';
import { Past } from './read/past.js';
import { NotCaughtUp } from './read/progress.js';
import { ReleaseLog } from './read/release-log.js';
import { VersionLog } from './read/version-log.js';
import { ViewsStatus } from './read/views-status.js';
import { StoreRefused, type EventStore } from './store/event-store.js';
import { openEventStore } from './store/open-event-store.js';
import { lockFile } from './store/sqlite.file.js';

const SILENT: SinkLog = { warn: () => undefined };

export class Engine {
  readonly fence = new Fence();
  readonly recordKeeper: RecordKeeper;
  readonly streams: Streams;
  readonly commandLog: CommandLog;
  readonly answeredCommands: AnsweredCommands;
  readonly releases: ReleaseLog;
  readonly versions: VersionLog;
  readonly past: Past;
  readonly viewsStatus: ViewsStatus;
  readonly headsLog: HeadsLog;
  readonly checkpoints: Checkpoints;
  /** What the log has lost since it was last seen here; the server is fenced while there is anything. */
  losses: readonly Loss[] = [];
  /** The administrator key, when this start made it. */
  newKey: string | undefined;

  private constructor(
    readonly store: EventStore,
    readonly follower: LogFollower,
    readonly people: People,
    private readonly viewsLock: { close(): void },
    record: OpenRecord,
  ) {
    this.streams = new Streams(store, follower);
    this.commandLog = new CommandLog(store, follower, this.fence);
    this.recordKeeper = new RecordKeeper(this.commandLog, this.streams);
    this.answeredCommands = new AnsweredCommands(store, follower, this.commandLog);
    this.releases = new ReleaseLog(store, follower);
    this.versions = new VersionLog(follower);
    this.past = new Past(store, follower);
    this.viewsStatus = new ViewsStatus(store, follower, this.fence);
    const { fence, recordKeeper: keeper } = this;
    this.headsLog = record.heads;
    this.checkpoints = new Checkpoints({ store, follower, keeper, fence, ...record });
  }

  /** Ready to serve; fenced, where the log is not what it was. Throws `StoreRefused`. */
  static async open(config: Config, log?: SinkLog): Promise<Engine> {
    const engine = await Engine.look(config, log);
    // A log that lost its beginning must not be given a new one.
    if (engine.losses.length > 0) return engine;
    try {
      engine.newKey = await new FirstStart(engine).prepare(config.adminKey);
      await engine.checkpoints.begin();
      return engine;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  /** The log and its views, in which nothing is changed. Throws `StoreRefused` when the log cannot be opened. */
  static async look(config: Config, log: SinkLog = SILENT): Promise<Engine> {
    const { dataFolder, eventStore } = config;
    makeFolder(dataFolder);
    const store = await openEventStore(eventStore);
    const close: (() => unknown)[] = [() => store.close()];
    try {
      const viewsPath = join(dataFolder, 'views.db');
      // Servers that share a log still have views of their own.
      const lock = lockFile(viewsPath);
      close.unshift(() => lock.close());
      const follower = await LogFollower.start(store, viewsPath);
      close.unshift(() => follower.close());
      const record = openRecord(config.record, log);
      close.unshift(() => record.heads.close());
      const people = People.open(join(dataFolder, 'people.json'), log);
      people.follow(follower);
      const engine = new Engine(store, follower, people, lock, record);
      engine.losses = await engine.checkpoints.compare();
      return engine;
    } catch (error) {
      for (const undo of close) await undo();
      // A log that this version cannot follow to its end is for the operator, not a fault of the process.
      throw error instanceof NotCaughtUp ? new StoreRefused(error.message) : error;
    }
  }

  async close(): Promise<void> {
    await this.checkpoints.close();
    await this.follower.close();
    this.viewsLock.close();
    await this.store.close();
  }
}

type OpenRecord = ReturnType<typeof openRecord>;

function openRecord({ signingKey, logName, heads, sink }: RecordConfig, log: SinkLog) {
  const key = openSigningKey(signingKey, logName);
  try {
    return { key, heads: new HeadsLog(heads), sink: sink && new CheckpointSink(sink, log), log };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StoreRefused(`The heads of the log cannot be kept in ${heads}: ${why}`);
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StoreRefused(`The data folder ${folder} cannot be made: ${why}`);
  }
}
