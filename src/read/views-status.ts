// How the views stand to the log, for whoever watches over a server: where each one is, which have stopped, how far
// behind the end of the log they are, and whether the log can be written to.
import { Fence } from '../audit/fence.js';
import type { EventStore } from '../store/event-store.js';
import { LIVE_VIEWS } from './live-views.js';
import type { LogFollower } from './log-follower.js';
import { PROJECTIONS } from './row-views.js';

export interface ViewStatus {
  readonly name: string;
  readonly state: 'running' | 'halted';
  readonly position: bigint;
  /** Of a halted view: the type of the event that it cannot take. */
  readonly stoppedAt: string | null;
}

/** Behind for longer than this, a server is not sent requests. */
const LAG_SECONDS_MAX = 30;

export class ViewsStatus {
  constructor(
    private readonly store: EventStore,
    private readonly follower: LogFollower,
    private readonly fence = new Fence(),
  ) {}

  get views(): ViewStatus[] {
    const { live, views, halts } = this.follower;
    const status = (name: string, reached: bigint): ViewStatus => {
      const halt = halts.find(({ view }) => view === name);
      if (halt === undefined) return { name, state: 'running', position: reached, stoppedAt: null };
      return { name, state: 'halted', position: halt.position - 1n, stoppedAt: halt.type };
    };
    return [
      ...LIVE_VIEWS.map((name) => status(name, live.progress.position)),
      ...PROJECTIONS.map(({ name }) => status(name, views.progress.position)),
    ];
  }

  /** The newest position of the log that is known here. */
  get head(): bigint {
    const { watchdog, live } = this.follower;
    return watchdog.head > live.progress.position ? watchdog.head : live.progress.position;
  }

  /** One line for each reason not to send requests here; empty while all is well. */
  get failures(): string[] {
    const { failures, watchdog } = this.follower;
    const lag = watchdog.lagSeconds;
    return [
      ...(this.fence.reason === undefined ? [] : [this.fence.reason]),
      ...failures,
      ...(this.store.failing === undefined ? [] : [`The log cannot be written: ${this.store.failing}`]),
      ...(watchdog.blind === undefined ? [] : [`The log cannot be reached: ${watchdog.blind}`]),
      ...(lag > LAG_SECONDS_MAX ? [`The views are ${Math.round(lag)} s behind the log`] : []),
    ];
  }
}
