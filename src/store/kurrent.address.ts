// The address of an EventStoreDB or KurrentDB, taken apart. User and password never reach the client's own
// parser, whose errors and warnings repeat what they were given: they go along with each call instead.

import { StoreRefused } from './event-store.js';

export interface KurrentAddress {
  /** For the client, without user and password. */
  readonly connection: string;
  /** The hosts alone, fit for logs and errors. */
  readonly shown: string;
  readonly user: string;
  readonly password: string;
  /** Without TLS such a server knows no users and asks for none. */
  readonly insecure: boolean;
}

const ADDRESS = /^(?:esdb|kurrentdb)(\+discover)?:\/\/(?:([^@/?#]*)@)?([^@/?#]+)\/?(?:\?([^#]*))?$/;
const HOST = /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(:\d{1,5})?$/;
/** As the client writes them; it takes any case, and dashes and underscores anywhere. */
const SETTINGS = [
  'connectionName',
  'defaultDeadline',
  'discoveryInterval',
  'gossipTimeout',
  'keepAliveInterval',
  'keepAliveTimeout',
  'maxDiscoverAttempts',
  'nodePreference',
  'throwOnAppendFailure',
  'tls',
  'tlsCAFile',
  'tlsVerifyCert',
  'userCertFile',
  'userKeyFile',
];
/** What an address may say of these, and why nothing else; they are not handed on. */
const FIXED: Readonly<Record<string, readonly [value: string, why: string]>> = {
  tlsVerifyCert: ['true', 'the client would verify all the same: name the authority in tlsCAFile instead'],
  throwOnAppendFailure: ['true', 'a failed append must never look like a success'],
  nodePreference: ['leader', 'decisions are made on what the leader holds'],
};

/** Throws `StoreRefused` with one line that repeats nothing of a user or a password. */
export function readKurrentAddress(text: string): KurrentAddress {
  const [, discover = '', userInfo, hosts = '', query = ''] = ADDRESS.exec(text.trim()) ?? [];
  if (hosts === '' || !hosts.split(',').every((host) => HOST.test(host))) {
    throw refusal(
      'must read esdb://[user:password@]host[:port][,host[:port]...][?key=value&...], ' +
        'with any of : @ / ? # in a user or password percent-encoded',
    );
  }
  const settings = readSettings(query);
  const insecure = settings.get('tls') === 'false';
  if (!insecure && userInfo === undefined) {
    throw refusal('needs user:password@ before the host: over TLS the server asks who reads its log');
  }
  const { user, password } = readUserInfo(userInfo);
  const handedOn = [...settings].map(([key, value]) => `${key}=${value}`).join('&');
  return {
    connection: `esdb${discover}://${hosts}${handedOn === '' ? '' : `?${handedOn}`}`,
    shown: hosts,
    user,
    password,
    insecure,
  };
}

function readSettings(query: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const pair of query === '' ? [] : query.split('&')) {
    const [, name = '', value = ''] = /^([A-Za-z_-]{1,40})=([^=]+)$/.exec(pair) ?? [];
    if (name === '') throw refusal('must hold settings as key=value after the ?, joined by &');
    const key = SETTINGS.find((known) => flat(known) === flat(name));
    if (key === undefined) throw refusal(`knows no setting ${name}`);
    const [fixed, why] = FIXED[key] ?? [];
    if (fixed === undefined) settings.set(key, value);
    else if (flat(value) !== fixed) throw refusal(`cannot have ${key} other than ${fixed}: ${why}`);
  }
  return settings;
}

/** An insecure server ignores whoever is named, but only a call that names somebody takes the sound path. */
function readUserInfo(userInfo = 'nobody:nothing'): { user: string; password: string } {
  const colon = userInfo.indexOf(':');
  try {
    const user = decodeURIComponent(userInfo.slice(0, colon));
    const password = decodeURIComponent(userInfo.slice(colon + 1));
    if (colon > 0 && password !== '') return { user, password };
  } catch {
    // A stray percent sign: said below, together with what else may be wrong.
  }
  throw refusal('must name user and password as user:password@, percent-encoded where needed');
}

function flat(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, '');
}

function refusal(why: string): StoreRefused {
  return new StoreRefused(`The address of the event store ${why}`);
}
