// The address of the event store as an operator writes it: which kind of store, and where. What is wrong with it is
// said without repeating it.
import { join, resolve } from 'node:path';

/** Where the log is: in a file of this machine, or in a server that several Switchyards may share. */
export type EventStoreAddress =
  | { readonly kind: 'sqlite'; readonly path: string }
  /** The address may hold a password: it never reaches logs, errors or answers. */
  | { readonly kind: 'postgres' | 'kurrentdb'; readonly url: string };

const SCHEMES: Readonly<Record<string, 'postgres' | 'kurrentdb'>> = {
  postgres: 'postgres',
  postgresql: 'postgres',
  esdb: 'kurrentdb',
  'esdb+discover': 'kurrentdb',
  kurrentdb: 'kurrentdb',
  'kurrentdb+discover': 'kurrentdb',
};

/** An address, or what is wrong with it. The text itself is never repeated: it may hold a password. */
export function readAddress(text: string, dataFolder: string): EventStoreAddress | string {
  const scheme = /^([a-z+]+):/.exec(text)?.[1] ?? '';
  if (scheme === 'sqlite') return readSqliteAddress(text.slice('sqlite:'.length), dataFolder);
  const kind = Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme] : undefined;
  if (kind === undefined) {
    return 'must begin with sqlite:, postgres://, esdb://, esdb+discover:// or kurrentdb://';
  }
  return /^[a-z+]+:\/\/\S/.test(text) ? { kind, url: text } : `must name a host after ${scheme}://`;
}

function readSqliteAddress(path: string, dataFolder: string): EventStoreAddress | string {
  if (path.startsWith(':') || path.endsWith('/')) {
    return 'must name a file after sqlite:';
  }
  return { kind: 'sqlite', path: path === '' ? join(dataFolder, 'events.db') : resolve(path) };
}
