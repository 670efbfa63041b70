// Signing in and out, whichever way somebody has shown who they are: a session is opened, its secret goes into a
// cookie, and what the browser was signed in with before has ended.
import type { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CloseSession, hashOfSecret, OpenSession } from '../commands/open-session.js';
import type { Actor } from '../domain/events.js';
import type { SessionHolder } from '../domain/session-holder.js';
import type { LogFollower } from '../read/log-follower.js';
import type { SignInConfig } from '../sign-in-config.js';
import type { Position } from '../store/event-store.js';
import { scopeFor } from './access.js';
import type { BrowserOrigin } from './cross-site.js';
import { Problem } from './problem.js';
import { sentFrom, type Scope } from './scope.js';
import { sessionCookie, type ServerCookie } from './session-cookie.js';

export interface Holder {
  readonly actor: Actor;
  readonly workspaceId: string;
  readonly holder: SessionHolder;
  /** When what was signed in with stops working, in milliseconds since 1970; infinity for never. */
  readonly worksUntil: number;
}

export class SignIn {
  private readonly cookie: ServerCookie;

  constructor(
    private readonly commands: CommandBus,
    private readonly follower: LogFollower,
    readonly origin: BrowserOrigin,
    private readonly settings: Pick<SignInConfig, 'sessionMs' | 'takesKeys'>,
  ) {
    this.cookie = sessionCookie(origin);
  }

  /** Throws `forbidden` where people sign in at the identity provider alone. */
  refuseKeys(): void {
    if (this.settings.takesKeys) return;
    throw new Problem('forbidden', 'No session is opened with a key here: SWITCHYARD_KEY_SIGN_IN is off.');
  }

  /** What the one who signed in may do from now on. */
  async open(
    request: FastifyRequest,
    reply: FastifyReply,
    { actor, workspaceId, holder, worksUntil }: Holder,
  ): Promise<{ readonly scope: Scope; readonly openedAt: string }> {
    request.limitSignIn?.({ actor, workspaceId }, reply);
    const { directory } = this.follower.live;
    const before = directory.principalInSession(hashOfSecret(this.cookie.valueIn(request) ?? ''));
    const caller = { actor, workspaceId, projectId: null, ...sentFrom(request) };
    const until = new Date(Date.now() + this.settings.sessionMs).toISOString();
    const holderUntil = worksUntil === Infinity ? null : new Date(worksUntil).toISOString();
    const opened = await this.commands.execute(new OpenSession(caller, { holder, until, holderUntil }));
    const principal = directory.principalInSession(hashOfSecret(opened.secret));
    // The key may have been revoked while this was going on.
    if (principal === undefined) throw new Problem('unauthorized', 'The key no longer works.');
    if (before?.sessionId !== undefined) {
      const { actor: was, workspaceId: where, sessionId } = before;
      await this.commands.execute(new CloseSession({ ...caller, actor: was, workspaceId: where }, sessionId));
    }
    const seconds =
      opened.expiresAt === until ? this.settings.sessionMs / 1_000 : secondsUntil(opened.expiresAt);
    this.cookie.set(request, reply, opened.secret, seconds);
    request.scope = scopeFor(request, principal, directory);
    return { scope: request.scope, openedAt: opened.openedAt };
  }

  async close(request: FastifyRequest, reply: FastifyReply, scope: Scope): Promise<Position> {
    const { callerInWorkspace: caller, principal } = scope;
    const { position } = await this.commands.execute(new CloseSession(caller, principal.sessionId ?? ''));
    this.cookie.clear(request, reply);
    return position;
  }
}

function secondsUntil(time: string): number {
  return Math.max(0, Math.floor((Date.parse(time) - Date.now()) / 1_000));
}
