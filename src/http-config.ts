// What the operator may set of everything that a request meets before its route: how many, from whom, and what is
// written down of it. Read for src/config.ts, which knows the environment.
import { isIP } from 'node:net';

/** Requests a second that one of each may send on average; 0 for no limit. */
export interface RateLimits {
  readonly key: number;
  readonly workspace: number;
  readonly address: number;
  /** From one address without a key that works. */
  readonly unauthorized: number;
}

const SOURCE_ADDRESSES = ['keep', 'truncate', 'drop'] as const;
const LOGGED_REQUESTS = ['none', 'problems', 'commands', 'all'] as const;

/** What becomes of the address that a request came from, in events and in the log. */
export type SourceAddressPolicy = (typeof SOURCE_ADDRESSES)[number];
/** Which requests get a line in the log; each of these includes the ones before it. */
export type LoggedRequests = (typeof LOGGED_REQUESTS)[number];

export interface HttpConfig {
  readonly rateLimits: RateLimits;
  readonly connectionsMax: number;
  /** Addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are believed. */
  readonly trustedProxies: readonly string[];
  /** Whether browsers that came over TLS are told to reach the hosts below this one over TLS too. */
  readonly hstsSubdomains: boolean;
  readonly sourceAddress: SourceAddressPolicy;
  readonly loggedRequests: LoggedRequests;
}

/** Reads settings one by one, and keeps what is wrong with them. */
export interface SettingsReader {
  readonly problems: string[];
  text(name: string): string | undefined;
  secret(name: string): string | undefined;
  oneOf<Word extends string>(name: string, words: readonly Word[], usual: Word): Word;
  whole(name: string, usual: number, range: readonly [min: number, max: number]): number;
}

const RATES = [0, 1_000_000] as const;

export function readHttpConfig(reader: SettingsReader): HttpConfig {
  return {
    rateLimits: {
      key: reader.whole('SWITCHYARD_RATE_LIMIT_KEY', 5_000, RATES),
      workspace: reader.whole('SWITCHYARD_RATE_LIMIT_WORKSPACE', 10_000, RATES),
      address: reader.whole('SWITCHYARD_RATE_LIMIT_ADDRESS', 10_000, RATES),
      unauthorized: reader.whole('SWITCHYARD_RATE_LIMIT_UNAUTHORIZED', 5, RATES),
    },
    connectionsMax: reader.whole('SWITCHYARD_MAX_CONNECTIONS', 10_000, [1, 1_000_000]),
    trustedProxies: trustedProxies(reader),
    hstsSubdomains: reader.oneOf('SWITCHYARD_HSTS_SUBDOMAINS', ['on', 'off'], 'on') === 'on',
    sourceAddress: reader.oneOf('SWITCHYARD_SOURCE_ADDRESS', SOURCE_ADDRESSES, 'keep'),
    loggedRequests: reader.oneOf('SWITCHYARD_LOG_REQUESTS', LOGGED_REQUESTS, 'problems'),
  };
}

function trustedProxies(reader: SettingsReader): string[] {
  const listed = reader.text('SWITCHYARD_TRUST_PROXY')?.split(',') ?? [];
  const proxies = listed.map((proxy) => proxy.trim());
  for (const proxy of proxies.filter((each) => !isNetwork(each))) {
    const expected = 'must list addresses and networks, such as 10.0.0.7 or 10.0.0.0/8';
    reader.problems.push(`SWITCHYARD_TRUST_PROXY ${expected}, not ${JSON.stringify(proxy.slice(0, 80))}`);
  }
  return proxies;
}

/** Of a network at least one bit counts: none would be to believe everybody. */
function isNetwork(text: string): boolean {
  const [address = '', bits, more] = text.split('/');
  const family = isIP(address);
  if (family === 0 || more !== undefined) return false;
  return bits === undefined || (/^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}
