// The conversation with the identity provider: where people sign in, and who it says has come back. Nothing is asked
// of it before somebody signs in, and a provider that was away is asked again by the next one.
import * as oidc from 'openid-client';
import { isLoopback, type OidcConfig } from '../sign-in-config.js';
import type { Pending } from './oidc-pending.js';
import type { Claims } from './oidc-roles.js';
import { Problem, type ProblemCode } from './problem.js';
import { RateLimit } from './rate-limit.js';

export interface OidcLog {
  warn(fields: object, message: string): void;
}

/** Whom the provider says it is, and what else it says. */
export interface Identity {
  readonly issuer: string;
  readonly subject: string;
  readonly claims: Claims;
}

export type Proofs = Pick<Pending, 'state' | 'nonce' | 'verifier'>;

const TIMEOUT_SECONDS = 5;
const LINES_AT_ONCE = 10;
export const CALLBACK_PATH = '/auth/oidc/callback';

export class OidcClient {
  private discovered: Promise<oidc.Configuration> | undefined;
  /** Whoever comes back with nonsense can do so again at once, and must not fill the disk with it. */
  private readonly lines = new RateLimit('sign-in-lines', 1, LINES_AT_ONCE);

  constructor(
    private readonly config: OidcConfig,
    private readonly log: OidcLog,
  ) {}

  /** Where to send the browser, and what has to come back with it. Throws `sign-in-unavailable`. */
  async begin(): Promise<{ readonly url: URL; readonly proofs: Proofs }> {
    const configuration = await this.configuration();
    const verifier = oidc.randomPKCECodeVerifier();
    const proofs = { state: oidc.randomState(), nonce: oidc.randomNonce(), verifier };
    const { acrValues } = this.config;
    const url = oidc.buildAuthorizationUrl(configuration, {
      redirect_uri: this.config.publicOrigin + CALLBACK_PATH,
      scope: this.config.scopes,
      state: proofs.state,
      nonce: proofs.nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...(acrValues.length > 0 && { acr_values: acrValues.join(' ') }),
    });
    return { url, proofs };
  }

  /** Throws `sign-in-failed` for whatever is not what was begun, and `sign-in-unavailable`. */
  async finish(path: string, { state, nonce, verifier }: Proofs): Promise<Identity> {
    const configuration = await this.configuration();
    try {
      const tokens = await oidc.authorizationCodeGrant(
        configuration,
        new URL(this.config.publicOrigin + path),
        {
          ...{ expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier },
          idTokenExpected: true,
        },
      );
      const claims = tokens.claims();
      if (claims === undefined) throw new Error('Broken promise: an ID token was expected');
      this.refuseWeaker(claims.acr);
      const { iss: issuer, sub: subject } = claims;
      const asksMore = configuration.serverMetadata().userinfo_endpoint !== undefined;
      const more = asksMore ? await oidc.fetchUserInfo(configuration, tokens.access_token, subject) : {};
      return { issuer, subject, claims: { ...claims, ...more } };
    } catch (error) {
      throw this.problemOf(error);
    }
  }

  /** A provider may take what it was asked for as a wish, so what it did is what counts. */
  private refuseWeaker(acr: unknown): void {
    const { acrValues } = this.config;
    if (acrValues.length === 0 || acrValues.some((value) => value === acr)) return;
    throw new Error('the sign-in was none of SWITCHYARD_OIDC_ACR_VALUES');
  }

  private configuration(): Promise<oidc.Configuration> {
    this.discovered ??= this.discover().catch((error: unknown) => {
      this.discovered = undefined;
      throw this.problemOf(error, 'sign-in-unavailable');
    });
    return this.discovered;
  }

  private discover(): Promise<oidc.Configuration> {
    const { issuer, clientId, clientSecret } = this.config;
    const server = new URL(issuer);
    const insecure = isLoopback(server) ? [oidc.allowInsecureRequests] : [];
    return oidc.discovery(server, clientId, {}, authentication(clientSecret), {
      execute: [...insecure, oidc.enableNonRepudiationChecks],
      timeout: TIMEOUT_SECONDS,
    });
  }

  /** What the operator needs goes into the log, and nothing that came with the request. */
  private problemOf(error: unknown, code = codeOf(error)): Problem {
    const now = performance.now();
    const hasRoom = this.lines.take(this.lines.bucketOf('', now), now) === 0;
    if (hasRoom) {
      this.log.warn({ reason: reasonOf(error) }, 'somebody could not sign in at the identity provider');
    }
    const answer = error instanceof oidc.AuthorizationResponseError ? ` It said: ${word(error.error)}.` : '';
    return new Problem(code, DETAILS[code] + answer);
  }
}

type Failure = Extract<ProblemCode, 'sign-in-failed' | 'sign-in-unavailable'>;

const DETAILS: Readonly<Record<Failure, string>> = {
  'sign-in-failed':
    'What came back from the identity provider is not the sign-in that was begun. Begin again.',
  'sign-in-unavailable': 'The identity provider does not answer as it should. Try again in a moment.',
};

/** `client_secret_basic` is what every provider takes that does not say otherwise (OpenID Connect Discovery, 3). */
function authentication(secret: string): oidc.ClientAuth {
  return (server, client, body, headers) => {
    const methods = server.token_endpoint_auth_methods_supported;
    const isBasic = methods === undefined || methods.includes('client_secret_basic');
    const authenticate = isBasic ? oidc.ClientSecretBasic(secret) : oidc.ClientSecretPost(secret);
    authenticate(server, client, body, headers);
  };
}

const AWAY: ReadonlySet<string> = new Set([
  'OAUTH_TIMEOUT',
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
  'OAUTH_RESPONSE_IS_NOT_JSON',
  'OAUTH_PARSE_ERROR',
]);

function codeOf(error: unknown): Failure {
  // What `fetch` throws when nobody answers.
  if (error instanceof TypeError) return 'sign-in-unavailable';
  if (error instanceof oidc.ResponseBodyError && error.status >= 500) return 'sign-in-unavailable';
  const isAway = error instanceof oidc.ClientError && AWAY.has(error.code ?? '');
  return isAway ? 'sign-in-unavailable' : 'sign-in-failed';
}

function reasonOf(error: unknown): string {
  if (error instanceof oidc.AuthorizationResponseError || error instanceof oidc.ResponseBodyError) {
    return `the provider answered ${word(error.error)}`;
  }
  if (!(error instanceof Error)) return 'unknown';
  const { cause } = error;
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
}

/** The codes of OAuth are such words; anything else is not repeated. */
function word(code: string): string {
  return /^[a-z_]{1,50}$/.test(code) ? code : 'something else';
}
