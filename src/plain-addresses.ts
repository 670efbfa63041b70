// Which settings lead to another machine without TLS: whoever is on the way there can read and change what is sent. A
// start on one is refused unless it is asked for, since the way may be a private network, as in a docker compose.
const OWN_HOST = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\]|(?:\/|%2f).*|)$/i;
const OVER_TLS: ReadonlySet<string> = new Set(['require', 'verify-ca', 'verify-full']);

/** Each with its address; undefined for one that is not set. */
export function leadingOutInPlain(settings: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(settings).flatMap(([name, address]) => {
    return address !== undefined && isPlain(address) && !hostsIn(address).every(isOwn) ? [name] : [];
  });
}

export function plainRefusal(name: string): string {
  const wayOut = 'use TLS, or set SWITCHYARD_PLAIN_ADDRESSES=allow where nobody else is on the way';
  return `${name} leads to another machine without TLS: ${wayOut}`;
}

/** Why a command may not send secrets to an address that it was given; undefined where it may. */
export function refusedAsPlain(
  name: string,
  address: string,
  environment: NodeJS.ProcessEnv,
): string | undefined {
  const isAllowed = environment['SWITCHYARD_PLAIN_ADDRESSES'] === 'allow';
  return isAllowed ? undefined : leadingOutInPlain({ [name]: address }).map(plainRefusal)[0];
}

function isPlain(address: string): boolean {
  const scheme = /^[a-z]+/i.exec(address)?.[0].toLowerCase() ?? '';
  const query = queryOf(address);
  if (scheme.startsWith('postgres')) {
    const mode = query.get('sslmode');
    // As libpq has it, `require` takes any certificate.
    if (mode === 'require' && query.get('uselibpqcompat') === 'true') return true;
    return mode === null ? !/^(?:true|1)$/.test(query.get('ssl') ?? '') : !OVER_TLS.has(mode);
  }
  return scheme === 'http' || (/^(?:esdb|kurrentdb)$/.test(scheme) && query.get('tls') === 'false');
}

/** A PostgreSQL may be named behind the question mark as well; a cluster has several hosts. */
function hostsIn(address: string): string[] {
  const authority = /^[^:]+:\/\/(?:[^/?#]*@)?([^/?#]*)/.exec(address)?.[1] ?? '';
  return (queryOf(address).get('host') ?? authority).split(',');
}

function isOwn(host: string): boolean {
  return OWN_HOST.test(host.replace(/:\d*$/, ''));
}

function queryOf(address: string): URLSearchParams {
  return new URLSearchParams(/\?([^#]*)/.exec(address)?.[1] ?? '');
}
