// Random releases in several environments, on one log, some of them in parts: what the views of environments
// are tested with.
import fc from 'fast-check';
import type { EnvironmentEvent } from '../../src/domain/environment.events.js';
import { streamOf } from '../../src/domain/events.js';
import { Refused } from '../../src/domain/refused.js';
import { EnvironmentLog } from './environment-log.js';
import { Log } from './log.js';

export const FLOWS = ['chat', 'search', 'tools', 'agent', 'ranker'];

export interface EnvironmentMove {
  readonly place: number;
  readonly from: number;
  readonly what:
    'activate' | 'deactivate' | 'promote' | 'prune' | 'rollback' | 'rollback-to' | 'rollback-flow';
  readonly flowId: string;
  readonly number: number;
  /** A release is cut into parts of this many changes. */
  readonly cut: number;
}

export function environmentMove(places: number): fc.Arbitrary<EnvironmentMove> {
  return fc.record({
    place: fc.nat(places - 1),
    from: fc.nat(places - 1),
    what: fc.constantFrom(
      ...(['activate', 'activate', 'activate', 'deactivate', 'promote', 'prune'] as const),
      ...(['rollback', 'rollback-to', 'rollback-flow'] as const),
    ),
    flowId: fc.constantFrom(...FLOWS),
    number: fc.integer({ min: 1, max: 3 }),
    cut: fc.integer({ min: 1, max: 3 }),
  });
}

export class EnvironmentsOnOneLog {
  readonly log = new Log();
  readonly environments: readonly EnvironmentLog[];

  constructor(readonly ids: readonly string[]) {
    this.environments = ids.map((id) => new EnvironmentLog(id));
  }

  make(move: EnvironmentMove): void {
    const environment = this.environments[move.place] as EnvironmentLog;
    const known = environment.releases.length;
    try {
      this.run(environment, move);
    } catch (error) {
      // A rollback with nothing to go back to leaves everything as it is, which is a history like any other.
      if (!(error instanceof Refused)) throw error;
    }
    for (const event of environment.releases.slice(known).flat()) {
      for (const part of cut(event, move.cut)) this.log.append(streamOf('environment', environment.id), part);
    }
  }

  private run(environment: EnvironmentLog, { from, what, flowId, number }: EnvironmentMove): void {
    const source = this.environments[from] as EnvironmentLog;
    if (what === 'activate') environment.activate(flowId, number);
    else if (what === 'deactivate') environment.deactivate(flowId);
    else if (what === 'rollback') environment.rollback();
    else if (what === 'rollback-flow') environment.rollback({ flowIds: [flowId] });
    else if (what === 'rollback-to') environment.rollback({ toRelease: number - 1 });
    else if (source !== environment) environment.promote(source, { prune: what === 'prune' });
  }
}

/** Parts as small as the test wants them: whoever folds them does not know how many changes fit. */
function cut(event: EnvironmentEvent, changes: number): EnvironmentEvent[] {
  const of = Math.ceil(event.changes.length / changes);
  if (of === 1) return [event];
  return Array.from({ length: of }, (_, index) => ({
    ...event,
    changes: event.changes.slice(index * changes, (index + 1) * changes),
    part: { number: index + 1, of },
  }));
}
