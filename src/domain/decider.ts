// The shape of an aggregate: what it is before its first event, what it decides, what an event does to it.

export interface Decider<State, Command, Event> {
  initial(): State;
  /** Refuses by throwing `Refused`, or answers the facts that follow; no facts when nothing changes. Pure. */
  decide(state: State, command: Command): readonly Event[];
  /**
   * Takes one fact in. A state belongs to one fold, so `evolve` may change and return the object it was
   * given: an environment with 100,000 flows is not copied for each event.
   */
  evolve(state: State, event: Event): State;
}

export function fold<State, Command, Event>(
  decider: Decider<State, Command, Event>,
  events: Iterable<Event>,
  state: State = decider.initial(),
): State {
  let folded = state;
  for (const event of events) folded = decider.evolve(folded, event);
  return folded;
}

/** A promise that the code makes to itself. A failure is a bug of ours and never a user's mistake. */
export function assert(holds: unknown, promise: string): asserts holds {
  if (!holds) throw new Error(`Broken promise: ${promise}`);
}

/** Makes a missing case in a switch fail to compile. */
export function unreachable(value: never): never {
  throw new Error(`Broken promise: every case is handled, yet ${JSON.stringify(value)} came`);
}
