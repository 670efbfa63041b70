// The engine without its HTTP: log, views and commands, opened in their order and closed in the reverse one.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AnsweredCommands } from './commands/answered-commands.js';
import { CommandLog } from './commands/command-log.js';
import { FirstStart } from './commands/first-start.js';
import { Streams } from './commands/streams.js';
import type { Config } from './config.js';
import { LogFollower } from './read/log-follower.js';
import { NotCaughtUp } from './read/progress.js';
import { ReleaseLog } from './read/release-log.js';
import { VersionLog } from './read/version-log.js';
import { ViewsStatus } from './read/views-status.js';
import { StoreRefused, type EventStore } from './store/event-store.js';
import { openEventStore } from './store/open-event-store.js';
import { lockFile } from './store/sqlite.file.js';

export class Engine {
  readonly streams: Streams;
  readonly commandLog: CommandLog;
  readonly answeredCommands: AnsweredCommands;
  readonly releases: ReleaseLog;
  readonly versions: VersionLog;
  readonly viewsStatus: ViewsStatus;
  /** The administrator key, when this start made it. */
  newKey: string | undefined;

  private constructor(
    readonly store: EventStore,
    readonly follower: LogFollower,
    private readonly viewsLock: { close(): void },
  ) {
    this.streams = new Streams(store, follower);
    this.commandLog = new CommandLog(store, follower);
    this.answeredCommands = new AnsweredCommands(store, follower, this.commandLog);
    this.releases = new ReleaseLog(store, follower);
    this.versions = new VersionLog(follower);
    this.viewsStatus = new ViewsStatus(store, follower);
  }

  /** Throws `StoreRefused` when the log cannot be opened; it is left as it was. */
  static async open({ dataFolder, eventStore, adminKey }: Config): Promise<Engine> {
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
      const engine = new Engine(store, follower, lock);
      engine.newKey = await new FirstStart(engine).prepare(adminKey);
      return engine;
    } catch (error) {
      for (const undo of close) await undo();
      // A log that this version cannot follow to its end is for the operator, not a fault of the process.
      throw error instanceof NotCaughtUp ? new StoreRefused(error.message) : error;
    }
  }

  async close(): Promise<void> {
    await this.follower.close();
    this.viewsLock.close();
    await this.store.close();
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
