// As much of a browser as signing in needs: it keeps cookies and sends them by the rules of RFC 6265bis, says where a
// request comes from, and follows redirects from one host to another.
import { parseSetCookie, stringifyCookie } from 'cookie';
import type { Answer } from './http.js';

interface Kept {
  readonly host: string;
  readonly path: string;
  readonly name: string;
  readonly value: string;
  readonly sameSite: unknown;
}

export interface Visit extends Answer {
  readonly url: string;
}

export interface Asked {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

const REDIRECTS_MAX = 20;

export class Browser {
  private kept: Kept[] = [];
  /** Told of every cookie that is set. */
  onCookie: (name: string, value: string) => void = () => undefined;

  /** What a page of the server itself asks for. */
  async fetch<Body>(url: string, { method = 'GET', body, headers = {} }: Asked = {}): Promise<Answer<Body>> {
    return this.send<Body>(url, false, {
      method,
      headers: {
        'sec-fetch-site': 'same-origin',
        ...(method !== 'GET' && { origin: new URL(url).origin }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }

  /** Goes to an address as somebody who typed it, and on to wherever it leads, but not to what `stop` names. */
  go(url: string, stop?: (url: string) => boolean): Promise<Visit> {
    return this.goOn(url, false, stop);
  }

  /** The same on the way from a page of another site. */
  goFromElsewhere(url: string, stop?: (url: string) => boolean): Promise<Visit> {
    return this.goOn(url, true, stop);
  }

  private async goOn(
    url: string,
    isFromElsewhere: boolean,
    stop: (url: string) => boolean = () => false,
  ): Promise<Visit> {
    const { hostname } = new URL(url);
    let at = url;
    // A redirect from another site stays a request from there, wherever it leads.
    let isCrossSite = isFromElsewhere;
    for (let turn = 0; turn < REDIRECTS_MAX; turn += 1) {
      const answer = await this.send(at, isCrossSite, {});
      const location = answer.headers.get('location');
      if (location === null) return { ...answer, url: at };
      at = new URL(location, at).href;
      if (stop(at)) return { ...answer, url: at };
      isCrossSite ||= new URL(at).hostname !== hostname;
    }
    throw new Error(`${url} leads round and round`);
  }

  cookieNamed(name: string): string | undefined {
    return this.kept.find((cookie) => cookie.name === name)?.value;
  }

  /** Puts a cookie there as whoever has stolen it, or has kept it, would. */
  plant(url: string, name: string, value: string): void {
    this.keep({ host: new URL(url).hostname, path: '/', name, value, sameSite: undefined });
  }

  private async send<Body>(url: string, isCrossSite: boolean, sent: RequestInit): Promise<Answer<Body>> {
    const cookie = this.cookiesFor(new URL(url), isCrossSite);
    const headers = { ...(sent.headers as Record<string, string>), ...(cookie !== '' && { cookie }) };
    const answer = await fetch(url, { ...sent, headers, redirect: 'manual' });
    for (const line of answer.headers.getSetCookie()) this.take(new URL(url), line);
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text, body: jsonIn(text) as Body };
  }

  private cookiesFor({ hostname, pathname }: URL, isCrossSite: boolean): string {
    const sent = this.kept.filter(
      ({ host, path, sameSite }) =>
        host === hostname && pathname.startsWith(path) && !(isCrossSite && sameSite === 'strict'),
    );
    return stringifyCookie(Object.fromEntries(sent.map(({ name, value }) => [name, value])));
  }

  private take({ hostname, pathname }: URL, line: string): void {
    const { name, value = '', path = pathname, maxAge, expires, sameSite } = parseSetCookie(line);
    this.onCookie(name, value);
    this.kept = this.kept.filter((one) => !(one.name === name && one.host === hostname && one.path === path));
    const isGone = maxAge === 0 || (expires !== undefined && expires.getTime() <= Date.now());
    if (!isGone) this.keep({ host: hostname, path, name, value, sameSite });
  }

  private keep(cookie: Kept): void {
    this.kept.push(cookie);
  }
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
