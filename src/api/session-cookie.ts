// The cookies of this server: what they are called, and with what attributes they are set. Names that begin with
// __Host- are kept by browsers for this very host alone, but need TLS.
import { parseCookie, stringifySetCookie } from 'cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { BrowserOrigin } from './cross-site.js';

type SameSite = 'strict' | 'lax';

export class ServerCookie {
  constructor(
    private readonly name: string,
    private readonly sameSite: SameSite,
    private readonly origin: BrowserOrigin,
  ) {}

  /** What was set here before. Over TLS a cookie of the plain name may come from anybody below the same domain. */
  valueIn(request: FastifyRequest): string | undefined {
    const header = request.headers.cookie;
    if (header === undefined) return undefined;
    const cookies = parseCookie(header);
    return cookies[`__Host-${this.name}`] ?? (this.origin.isSecure(request) ? undefined : cookies[this.name]);
  }

  set(request: FastifyRequest, reply: FastifyReply, value: string, maxAge: number): void {
    const secure = this.origin.isSecure(request);
    const name = secure ? `__Host-${this.name}` : this.name;
    const { sameSite } = this;
    const cookie = { name, value, maxAge, path: '/', httpOnly: true, secure, sameSite };
    void reply.header('set-cookie', stringifySetCookie(cookie));
  }

  clear(request: FastifyRequest, reply: FastifyReply): void {
    this.set(request, reply, '', 0);
  }
}

export function sessionCookie(origin: BrowserOrigin): ServerCookie {
  return new ServerCookie('switchyard', 'strict', origin);
}

/** Comes back with a browser that is sent here by the identity provider, which is another site. */
export function pendingCookie(origin: BrowserOrigin): ServerCookie {
  return new ServerCookie('switchyard-sign-in', 'lax', origin);
}
