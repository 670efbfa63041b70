// Loaded in front of a server under test: on SIGUSR2 it says in one line of its output how much memory it holds after
// a full collection, and what has changed about the prototypes that every object shares.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

export const WATCH = import.meta.url;
export const WATCH_LINE = 'watch ';

export interface Watched {
  readonly rssBytes: number;
  /** Of JavaScript and of buffers. */
  readonly heldBytes: number;
  readonly changedPrototypes: readonly string[];
}

const SHARED = { Object, Array, Function, String, Number, Boolean, RegExp, Date, Map, Set, Promise, Error };

function prototypes(): Map<string, unknown> {
  const seen = new Map<string, unknown>();
  for (const [name, { prototype }] of Object.entries(SHARED)) {
    for (const key of Reflect.ownKeys(prototype)) {
      const { value, get } = Reflect.getOwnPropertyDescriptor(prototype, key) ?? {};
      seen.set(`${name}.prototype.${String(key)}`, value ?? get);
    }
  }
  return seen;
}

function changedSince(before: Map<string, unknown>): string[] {
  const now = prototypes();
  const names = new Set([...before.keys(), ...now.keys()]);
  return [...names].filter(
    (name) => before.get(name) !== now.get(name) || before.has(name) !== now.has(name),
  );
}

if (isMainThread && process.env['SWITCHYARD_DATA'] !== undefined) {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const before = prototypes();
  process.on('SIGUSR2', () => {
    collect();
    const { rss, heapUsed, external } = process.memoryUsage();
    const watched: Watched = {
      rssBytes: rss,
      heldBytes: heapUsed + external,
      changedPrototypes: changedSince(before),
    };
    process.stdout.write(`${WATCH_LINE}${JSON.stringify(watched)}\n`);
  });
}
