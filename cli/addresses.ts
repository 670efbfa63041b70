// Addresses of logs as they are given to commands: in the same form as in SWITCHYARD_EVENT_STORE, or as the name of
// a variable that holds one, since everybody on a machine can read the arguments of a command.
import { readConfig } from '../src/config.js';
import { refusedAsPlain } from '../src/plain-addresses.js';
import { readAddress, type EventStoreAddress } from '../src/store-address.js';
import { EXIT, Failure } from './exit.js';

export const ADDRESS_HELP = `
An address is sqlite: (events.db in the data folder), sqlite:/path/to/events.db, postgres://…, esdb://… or
kurrentdb://…, or env:NAME for the variable NAME that holds one: arguments can be read by everybody on the machine.`;

/** The log that a server with the settings of this environment would open. Throws `ConfigRefused`. */
export function configuredAddress(): EventStoreAddress {
  return readConfig().eventStore;
}

/** What is wrong is said without the text itself, which may hold a password. */
export function addressFrom(given: string, argument: string): EventStoreAddress {
  const name = /^env:(.*)$/s.exec(given)?.[1];
  const text = name === undefined ? given : process.env[name];
  if (text === undefined || text === '') {
    throw new Failure(`${argument} is ${given}, but there is no such variable`, EXIT.usage);
  }
  const where = name === undefined ? argument : `${argument} (${given})`;
  const address = readAddress(text, readConfig().dataFolder);
  if (typeof address === 'string') throw new Failure(`${where} ${address}`, EXIT.usage);
  const refusal = 'url' in address ? refusedAsPlain(where, address.url, process.env) : undefined;
  if (refusal !== undefined) throw new Failure(refusal, EXIT.usage);
  return address;
}

const NAMES = { sqlite: 'SQLite', postgres: 'PostgreSQL', kurrentdb: 'KurrentDB' } as const;

/** Fit to be printed: only a file has its place in it. */
export function nameOf(address: EventStoreAddress): string {
  return address.kind === 'sqlite' ? address.path : NAMES[address.kind];
}
