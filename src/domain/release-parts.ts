// A bulk release is one append, all or nothing. Where its changes outgrow one event it is cut into parts.
import { assert } from './decider.js';
import type { EnvironmentEvent, EnvironmentRolledBack, VersionsPromoted } from './environment.events.js';

/** About 800 KiB of JSON, so that a part fits the smallest event limit of the stores we write to (1 MiB). */
export const CHANGES_PER_EVENT_MAX = 2_000;

export function inParts<Event extends VersionsPromoted | EnvironmentRolledBack>(release: Event): Event[] {
  const of = Math.ceil(release.changes.length / CHANGES_PER_EVENT_MAX);
  if (of <= 1) return [release];
  return Array.from({ length: of }, (_, index) => ({
    ...release,
    changes: release.changes.slice(index * CHANGES_PER_EVENT_MAX, (index + 1) * CHANGES_PER_EVENT_MAX),
    part: { number: index + 1, of },
  }));
}

/** The whole release again, from its parts in their order. */
export function joined(parts: readonly EnvironmentEvent[]): EnvironmentEvent {
  const [first] = parts;
  assert(first !== undefined, 'a release has at least one part');
  if (parts.length === 1) return first;
  const { part: _, ...release } = first;
  return { ...release, changes: parts.flatMap((part) => part.changes) };
}
