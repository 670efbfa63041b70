// GET /auth/oidc/login and /auth/oidc/callback: the way to an identity provider and back, for people in a browser.
// Registered only where a provider is configured.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isSlug } from '../domain/naming.js';
import { personIdOf, type People } from '../people.js';
import type { LogFollower } from '../read/log-follower.js';
import type { OidcConfig } from '../sign-in-config.js';
import { CALLBACK_PATH, type Identity, type OidcClient, type OidcLog } from './oidc-client.js';
import { keyFrom, localPath, PENDING_SECONDS, seal, unseal, type Pending } from './oidc-pending.js';
import { givenBy } from './oidc-roles.js';
import { Problem } from './problem.js';
import { pendingCookie, type ServerCookie } from './session-cookie.js';
import type { SignIn } from './sign-in.js';

const LOGIN_PATH = '/auth/oidc/login';
const NAME_CHARACTERS_MAX = 200;

export class OidcRoute {
  private readonly cookie: ServerCookie;
  private readonly sealingKey: Buffer;
  private readonly personKey: Buffer;

  constructor(
    private readonly config: OidcConfig,
    private readonly client: OidcClient,
    private readonly signIn: SignIn,
    private readonly follower: LogFollower,
    private readonly people: People,
    private readonly log: OidcLog,
  ) {
    this.cookie = pendingCookie(signIn.origin);
    this.sealingKey = keyFrom(config.clientSecret, 'sign-in');
    this.personKey = keyFrom(config.clientSecret, 'person-id');
  }

  register(instance: FastifyInstance): void {
    const options = { exposeHeadRoute: false };
    instance.get(LOGIN_PATH, options, (request, reply) => this.login(request, reply));
    instance.get(CALLBACK_PATH, options, (request, reply) => this.callback(request, reply));
  }

  private async login(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    this.signIn.origin.refuseComingFromOthers(request);
    const asked = queryOf(request.query as Record<string, unknown>);
    const { url, proofs } = await this.client.begin();
    const sealed = seal(this.sealingKey, { ...proofs, ...asked }, Date.now());
    this.cookie.set(request, reply, sealed, PENDING_SECONDS);
    return reply.code(303).header('location', url.href).send();
  }

  private async callback(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const pending = unseal(this.sealingKey, this.cookie.valueIn(request) ?? '', Date.now());
    // Whatever comes of it: a sign-in is finished once.
    this.cookie.clear(request, reply);
    if (pending === undefined) {
      throw new Problem('sign-in-expired', 'No sign-in is under way in this browser, or it took too long.');
    }
    const identity = await this.client.finish(request.url, pending);
    await this.admit(request, reply, identity, pending);
    return reply
      .code(303)
      .header('location', this.config.publicOrigin + pending.returnTo)
      .send();
  }

  /** Throws `forbidden` for somebody to whom no rule gives anything. */
  private async admit(
    request: FastifyRequest,
    reply: FastifyReply,
    { issuer, subject, claims }: Identity,
    { workspace }: Pending,
  ): Promise<void> {
    const { directory } = this.follower.live;
    const tellUnknown = (unknown: string) =>
      this.log.warn(
        { unknown },
        'a rule of SWITCHYARD_OIDC_ROLES names what is not there, and gives nothing',
      );
    const { rules } = this.config;
    const { workspaceId, grants } = givenBy(rules, claims, workspace, directory, tellUnknown);
    const identity = { workspaceId, issuer, subject };
    const personId = this.people.idOf(identity) ?? personIdOf(this.personKey, identity);
    if (grants.length === 0) {
      request.refusedPerson = { personId, workspaceId };
      throw new Problem(
        'forbidden',
        'You have signed in, but nothing here is open to you: no rule gives a role.',
      );
    }
    const actor = { type: 'person', id: personId } as const;
    const holder = { type: 'person', personId, grants } as const;
    const opening = { actor, workspaceId, holder, worksUntil: Infinity };
    const { openedAt: seenAt } = await this.signIn.open(request, reply, opening);
    const [name, email] = [textIn(claims['name']), textIn(claims['email'])];
    // Whoever was erased in this very moment stays so.
    const erasedAt = directory.sessions.person(personId)?.erasedAt ?? '';
    if (erasedAt < seenAt) await this.people.keep(personId, { ...identity, name, email, seenAt });
  }
}

function queryOf(query: Record<string, unknown>): Pick<Pending, 'returnTo' | 'workspace'> {
  const { returnTo = '/', workspace = null, ...others } = query;
  const path = typeof returnTo === 'string' ? localPath(returnTo) : undefined;
  const errors = Object.keys(others).map((name) => ({ pointer: `/${name}`, detail: 'is not known here' }));
  if (path === undefined) errors.push({ pointer: '/returnTo', detail: 'must be a path of this server' });
  if (workspace !== null && (typeof workspace !== 'string' || !isSlug(workspace)))
    errors.push({ pointer: '/workspace', detail: 'must be the slug of a workspace' });
  if (path !== undefined && errors.length === 0)
    return { returnTo: path, workspace: workspace as string | null };
  throw new Problem('invalid-query', 'The query is not what is expected; see errors.', errors);
}

function textIn(claim: unknown): string | null {
  return typeof claim === 'string' && claim !== '' ? claim.slice(0, NAME_CHARACTERS_MAX) : null;
}
