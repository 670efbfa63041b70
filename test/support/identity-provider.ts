// A real OpenID Connect provider in the test's own process, on another host name than the server's, so that it is
// another site. Whoever comes to sign in is the one that the test has named, and consents to everything.
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Provider } from 'oidc-provider';

export const CLIENT_ID = 'switchyard';
export const CLIENT_SECRET = 'a-client-secret-for-tests-alone';
const SCOPE = 'openid profile email';

export type PersonClaims = Readonly<Record<string, unknown>>;

export class IdentityProvider {
  /** Who comes next; null for somebody who does not want to. */
  next: string | null = null;
  /** How they show who they are, as the provider calls it. */
  acr: string | undefined;
  /** Answers each question of the server like this, where it is set. */
  failsWith: number | undefined;
  /** Questions of servers that were answered. */
  asked: string[] = [];
  private readonly provider: Provider;

  private constructor(
    readonly issuer: string,
    private readonly server: Server,
    provider: new (issuer: string, setup: object) => Provider,
    redirectUri: string,
    private readonly people: Readonly<Record<string, PersonClaims>>,
  ) {
    this.provider = new provider(issuer, this.setup(redirectUri));
    const answer = this.provider.callback();
    server.on('request', (request, response) => {
      if (request.url?.startsWith('/interaction/')) return void this.signIn(request, response);
      if (this.failsWith !== undefined) return void response.writeHead(this.failsWith).end();
      this.asked.push(`${request.method} ${request.url?.split('?')[0]}`);
      void answer(request, response);
    });
  }

  static async start(
    redirectUri: string,
    people: Readonly<Record<string, PersonClaims>>,
  ): Promise<IdentityProvider> {
    const server = createServer();
    const port = await listen(server, 0);
    return inSilence(async () => {
      const { Provider: provider } = await import('oidc-provider');
      return new IdentityProvider(`http://localhost:${port}`, server, provider, redirectUri, people);
    });
  }

  async goAway(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  async comeBack(): Promise<void> {
    await listen(this.server, Number(new URL(this.issuer).port));
  }

  private setup(redirectUri: string): object {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const client = { client_id: CLIENT_ID, client_secret: CLIENT_SECRET, redirect_uris: [redirectUri] };
    return {
      clients: [client],
      acrValues: ['password', 'two-factors', 'smart-card'],
      jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' }] },
      cookies: { keys: ['a key of the tests'] },
      claims: {
        openid: ['sub'],
        profile: ['name', 'groups', 'realm_access'],
        email: ['email', 'email_verified'],
      },
      features: { devInteractions: { enabled: false } },
      pkce: { required: () => true },
      ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: 600, IdToken: 600 },
      interactions: {
        url: (_: unknown, { uid }: { readonly uid: string }) => `/interaction/${uid}`,
      },
      findAccount: (_: unknown, id: string) => ({
        accountId: id,
        claims: async () => ({ sub: id, ...this.people[id] }),
      }),
      loadExistingGrant: ({ oidc }: GrantContext) => {
        const accountId = oidc.session.accountId;
        const grant = new this.provider.Grant({ accountId, clientId: oidc.client.clientId });
        grant.addOIDCScope(SCOPE);
        return grant.save().then(() => grant);
      },
    };
  }

  private async signIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { next } = this;
    const denied = { error: 'access_denied', error_description: '<b>No</b>' };
    const result =
      next === null
        ? denied
        : { login: { accountId: next, ...(this.acr !== undefined && { acr: this.acr }) } };
    await this.provider.interactionFinished(request, response, result);
  }
}

interface GrantContext {
  readonly oidc: {
    readonly session: { readonly accountId: string };
    readonly client: { readonly clientId: string };
  };
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, 'localhost');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A port that was free a moment ago, for a server that has to know its own address before it starts. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server, 0);
  server.close();
  await once(server, 'close');
  return port;
}

/** It warns, at length, that it is not set up for production, and that this is not the newest Node. */
async function inSilence<Result>(work: () => Promise<Result>): Promise<Result> {
  const target = globalThis['console'];
  const { warn, info } = target;
  Object.assign(target, { warn: () => undefined, info: () => undefined });
  try {
    return await work();
  } finally {
    Object.assign(target, { warn, info });
  }
}
