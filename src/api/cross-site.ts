// Browsers send cookies by themselves, also where a page of somebody else asks them to. So a request that is
// authenticated by a cookie, and may change something, has to come from a page of this server.
import type { FastifyRequest } from 'fastify';
import { Problem } from './problem.js';

const CHANGES_NOTHING: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** `none` is what people do themselves, such as following a bookmark. */
const OWN_SITES: ReadonlySet<string> = new Set(['same-origin', 'none']);

export class BrowserOrigin {
  /** As the operator has told it; else what requests say is all that is known. */
  constructor(private readonly publicOrigin: string | undefined) {}

  /** Whether browsers see this server over TLS, wherever that ends. */
  isSecure({ protocol }: FastifyRequest): boolean {
    return protocol === 'https' || this.publicOrigin?.startsWith('https:') === true;
  }

  /** Throws `cross-site-request`. Browsers that do not send `Sec-Fetch-Site` send `Origin`. */
  refuseOthers(request: FastifyRequest): void {
    if (CHANGES_NOTHING.has(request.method)) return;
    const { origin, 'sec-fetch-site': site } = request.headers;
    const isOwn = typeof site === 'string' ? OWN_SITES.has(site) : this.isOwn(origin, request);
    if (!isOwn) throw new Problem('cross-site-request', DETAIL);
  }

  /** Throws `cross-site-request` for a link on a page of somebody else. */
  refuseComingFromOthers({ headers }: FastifyRequest): void {
    const site = headers['sec-fetch-site'];
    if (typeof site !== 'string' || OWN_SITES.has(site)) return;
    throw new Problem(
      'cross-site-request',
      'A sign-in begins on a page of this server, or with its address.',
    );
  }

  private isOwn(origin: string | undefined, { protocol, host }: FastifyRequest): boolean {
    if (origin === undefined) return false;
    const asked = `${protocol}://${host}`;
    return origin === this.publicOrigin || (URL.canParse(asked) && origin === new URL(asked).origin);
  }
}

const DETAIL =
  'With a session, changes are taken from pages of this server alone: Sec-Fetch-Site or Origin says otherwise.';
