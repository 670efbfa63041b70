// Releases read back from the log, whole: the rows say where each one stands, the log says what it was.
import { assert } from '../domain/decider.js';
import type { EnvironmentEvent } from '../domain/environment.events.js';
import { isEnvironmentEvent, streamOf, type EventMetadata } from '../domain/events.js';
import { Recorded } from '../domain/recorded.js';
import { joined } from '../domain/release-parts.js';
import { placeOfRelease, placesBelow, releases, type ReleasePlace } from '../../projections/releases.js';
import { PAGE_EVENTS_MAX, type EventStore, type Position } from '../store/event-store.js';
import type { LogFollower } from './log-follower.js';

/** One release as it was made. */
export interface MadeRelease {
  readonly event: EnvironmentEvent;
  readonly meta: EventMetadata;
  readonly position: Position;
}

/** A page of releases ends early rather than hold more changes than this, however many were asked for. */
const CHANGES_PER_PAGE_MAX = 10_000;

export class ReleaseLog {
  constructor(
    private readonly store: EventStore,
    private readonly follower: LogFollower,
  ) {}

  async release(environmentId: string, number: number): Promise<MadeRelease | undefined> {
    const made = await this.releases(environmentId, [number]);
    return made.get(number);
  }

  /** The releases of these numbers; numbers that no release has are left out. */
  async releases(environmentId: string, numbers: readonly number[]): Promise<Map<number, MadeRelease>> {
    const rows = await this.follower.rows(releases);
    const places = numbers.flatMap((number) => placeOfRelease(rows, environmentId, number) ?? []);
    return this.read(environmentId, places);
  }

  /** Newest first, below a number: at most `limit`, and fewer where they hold very many changes. */
  async page(environmentId: string, below: number, limit: number): Promise<MadeRelease[]> {
    const places = placesBelow(await this.follower.rows(releases), environmentId, below, limit);
    let changes = 0;
    const fitting = places.filter((place, index) => {
      changes += place.changes;
      return index === 0 || changes <= CHANGES_PER_PAGE_MAX;
    });
    const made = await this.read(environmentId, fitting);
    return fitting.flatMap(({ number }) => made.get(number) ?? []);
  }

  private async read(
    environmentId: string,
    places: readonly ReleasePlace[],
  ): Promise<Map<number, MadeRelease>> {
    const made = new Map<number, MadeRelease>();
    const stream = streamOf('environment', environmentId);
    for (const run of runsOf(places)) {
      const recorded = await this.readRun(stream, run.from, run.events);
      let parts: Recorded[] = [];
      for (const event of recorded) {
        parts.push(event);
        const whole = wholeRelease(parts);
        if (whole === undefined) continue;
        made.set(whole.event.release, whole);
        parts = [];
      }
    }
    return made;
  }

  private async readRun(stream: string, from: number, events: number): Promise<Recorded[]> {
    const found: Recorded[] = [];
    while (found.length < events) {
      const limit = Math.min(events - found.length, PAGE_EVENTS_MAX);
      const page = await this.store.readStream(stream, { from: from + found.length, limit });
      assert(page.length > 0, `${stream} has the events that its releases were made of`);
      for (const event of page) found.push(new Recorded(event));
    }
    return found;
  }
}

/** Neighbours in the stream are read in one go. */
function runsOf(places: readonly ReleasePlace[]): { from: number; events: number }[] {
  const runs: { from: number; events: number }[] = [];
  for (const { revision, events } of [...places].sort((a, b) => a.revision - b.revision)) {
    const last = runs.at(-1);
    if (last !== undefined && last.from + last.events === revision) last.events += events;
    else runs.push({ from: revision, events });
  }
  return runs;
}

function wholeRelease(parts: readonly Recorded[]): MadeRelease | undefined {
  const events = parts.map(({ event }) => {
    assert(isEnvironmentEvent(event), 'the stream of an environment holds releases alone');
    return event;
  });
  const last = parts.at(-1);
  const part = events.at(-1)?.part;
  if (last === undefined || (part !== undefined && part.number < part.of)) return undefined;
  return { event: joined(events), meta: last.meta, position: last.position };
}
