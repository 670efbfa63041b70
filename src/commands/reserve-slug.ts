// A slug is reserved before what bears it is made, on a stream of its own: creations at the same moment, even on
// several servers, agree on one id. A crash in between leaves a reservation, and whoever comes next takes its id
// over.
import { slugStream } from '../domain/events.js';
import type { SlugReserved } from '../domain/slug.events.js';
import { withoutKey, type Caller, type CommandLog } from './command-log.js';
import type { Streams } from './streams.js';

interface Over {
  readonly log: CommandLog;
  readonly streams: Streams;
}

/** Answers the reservation that holds: the one offered, unless somebody was quicker. */
export async function reserveSlug<Reserved extends SlugReserved>(
  { log, streams }: Over,
  ownerId: string,
  offered: Reserved,
  caller: Caller,
): Promise<Reserved> {
  let holding = offered;
  await log.run<Reserved | null, Reserved>({
    stream: slugStream(ownerId, offered.slug),
    load: () => streams.slug<Reserved>(ownerId, offered.slug),
    decide: (reserved) => {
      if (reserved === null) return [offered];
      holding = reserved;
      return [];
    },
    caller: withoutKey(caller),
  });
  return holding;
}
