// The engine without its HTTP: log, views and commands, opened in their order and closed in the reverse one.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CommandLog } from './commands/command-log.js';
import { FirstStart } from './commands/first-start.js';
import { Streams } from './commands/streams.js';
import type { Config } from './config.js';
import { LogFollower } from './read/log-follower.js';
import { NotCaughtUp } from './read/progress.js';
import { ReleaseLog } from './read/release-log.js';
import { VersionLog } from './read/version-log.js';
import { StoreRefused } from './store/event-store.js';
import { SqliteEventStore } from './store/sqlite.event-store.js';

export class Engine {
  readonly streams: Streams;
  readonly commandLog: CommandLog;
  readonly releases: ReleaseLog;
  readonly versions: VersionLog;
  /** The administrator key, when this start made it. */
  newKey: string | undefined;

  private constructor(
    readonly store: SqliteEventStore,
    readonly follower: LogFollower,
  ) {
    this.streams = new Streams(store, follower);
    this.commandLog = new CommandLog(store, follower);
    this.releases = new ReleaseLog(store, follower);
    this.versions = new VersionLog(follower);
  }

  /** Throws `StoreRefused` when the log cannot be opened; it is left as it was. */
  static async open({ dataFolder, eventStore, adminKey }: Config): Promise<Engine> {
    makeFolder(dataFolder);
    const store = await SqliteEventStore.open(eventStore.path);
    try {
      const engine = new Engine(store, await LogFollower.start(store, join(dataFolder, 'views.db')));
      engine.newKey = await new FirstStart(engine).prepare(adminKey);
      return engine;
    } catch (error) {
      await store.close();
      // A log that this version cannot follow to its end is for the operator, not a fault of the process.
      throw error instanceof NotCaughtUp ? new StoreRefused(error.message) : error;
    }
  }

  async close(): Promise<void> {
    await this.follower.close();
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
