// The log of the server: lines of JSON on stderr. Nothing here is meant to write a secret down; what follows is the
// second line of defence, for the day on which something does all the same.
import { pino, type DestinationStream, type Logger } from 'pino';
import type { Config } from './config.js';

const CENSORED = '[censored]';

/** Fields that hold a secret or what a caller sent, wherever they turn up. */
const FIELDS = [
  ...['authorization', 'cookie', 'set-cookie', 'key', 'apiKey', 'password', 'secret', 'token'],
  ...['body', 'content', 'headers', 'query', 'url', 'session'],
];
const DEPTHS = ['', '*', '*.*'];

/** Keys of ours, whatever kind, and whatever comes after the word that introduces one in a header. */
const KEYS = /swy_[0-9A-Za-z_]{16,}|\bBearer +[\x21\x23-\x5b\x5d-\x7e]+/gi;

type Secrets = Pick<Config, 'adminKey' | 'eventStore' | 'record' | 'signIn'>;

export function openLog(
  config: Pick<Config, 'logLevel'> & Secrets,
  destination: DestinationStream = pino.destination(2),
): Logger {
  const secrets = secretsIn(config);
  const options = {
    level: config.logLevel,
    redact: {
      paths: DEPTHS.flatMap((depth) => FIELDS.map((field) => pathOf(depth, field))),
      censor: CENSORED,
    },
    serializers: { req: idOf, request: idOf, res: statusOf, reply: statusOf, err: faultOf, error: faultOf },
    hooks: {
      streamWrite: (line: string) =>
        secrets.reduce((text, secret) => text.replaceAll(secret, CENSORED), line).replace(KEYS, CENSORED),
    },
  };
  return pino(options, destination);
}

function pathOf(depth: string, field: string): string {
  const name = /^\w+$/.test(field) ? field : `["${field}"]`;
  return depth === '' || name.startsWith('[') ? depth + name : `${depth}.${name}`;
}

/** What the operator has entrusted to this process, as it would stand in a line. */
function secretsIn({ adminKey, eventStore, record, signIn }: Secrets): string[] {
  const addresses = [eventStore, record.sink].flatMap((place) =>
    place && 'url' in place ? [place.url] : [],
  );
  const passwords = addresses.flatMap((url) => /:\/\/[^/@]*:([^/@]+)@/.exec(url)?.[1] ?? []);
  const secrets = [adminKey ?? [], signIn.oidc?.clientSecret ?? []].flat();
  const found = [secrets, addresses, passwords, passwords.map(decoded)].flat();
  return found.filter((secret) => secret.length > 3).map((secret) => JSON.stringify(secret).slice(1, -1));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function idOf({ id, method }: { readonly id?: unknown; readonly method?: unknown }) {
  return { id, method };
}

function statusOf({ statusCode: status }: { readonly statusCode?: unknown }) {
  return { status };
}

/** An error may carry the request, a query or a password in other properties. */
function faultOf({ name, message, stack, code }: Record<'name' | 'message' | 'stack' | 'code', unknown>) {
  return { name, message, stack, code };
}
