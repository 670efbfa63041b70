// The headers that protect whoever reads an answer in a browser. They are on every answer, also those of streams, of
// files and of a socket that never sent a request, because the class of all responses writes them.
import { ServerResponse, type IncomingMessage } from 'node:http';

/** The page at /docs; nothing else here is ever shown as a page. */
const DOCS = /^\/docs(?:[/?]|$)/;

const API_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const DOCS_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  // The icons of the page are written into its style sheet.
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const ALWAYS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

export const SECURITY_HEADERS = { 'content-security-policy': API_POLICY, ...ALWAYS };
export const NO_STORE = { 'cache-control': 'no-store' };

/**
 * RFC 6797 forbids this header on an answer that went over plain HTTP, and on its host it would forbid plain HTTP to
 * every other port too. So it goes with answers of which a trusted proxy said that they leave over TLS.
 */
export function strictTransport(hasSubdomains: boolean): string {
  const scope = hasSubdomains ? '; includeSubDomains' : '';
  return linesOf({ 'strict-transport-security': `max-age=31536000${scope}` });
}

const API_LINES = linesOf(SECURITY_HEADERS);
const DOCS_LINES = linesOf({ 'content-security-policy': DOCS_POLICY, ...ALWAYS });
const NO_STORE_LINES = linesOf(NO_STORE);

/** As they stand in the head of an answer. Names and values are ours: nothing that was sent to us may get in here. */
export function linesOf(headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return lines.join('');
}

type Headers = Readonly<Record<string, unknown>> | readonly unknown[] | undefined;

/** What Node calls to put the head of an answer together; it has no other place where lines can be added at once. */
type Response = new (request: IncomingMessage) => ServerResponse & {
  _storeHeader(statusLine: string, headers: Headers): void;
};

/**
 * Node checks and joins headers one by one, which for these would cost a tenth of all that the hot route costs. Here
 * they are one string, made once.
 */
export class SecureResponse extends (ServerResponse as unknown as Response) {
  /** Further lines for this one answer, from `linesOf`. */
  lines = '';

  override _storeHeader(statusLine: string, headers: Headers): void {
    const security = DOCS.test(this.req.url ?? '') ? DOCS_LINES : API_LINES;
    const caching = setsCaching(headers) ? '' : NO_STORE_LINES;
    super._storeHeader(statusLine + security + caching + this.lines, headers);
  }
}

/** Fastify hands over names in lower case, and so do we. */
function setsCaching(headers: Headers): boolean {
  return typeof headers === 'object' && 'cache-control' in headers;
}
