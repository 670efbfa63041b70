// Sessions over HTTP: signing in with a key, who is signed in, signing out; and forgetting what a person is called.
import { Body, Controller, Delete, Get, Header, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { hashOfKey } from '../commands/api-key.js';
import { ErasePerson } from '../commands/open-session.js';
import { People } from '../people.js';
import { LogFollower } from '../read/log-follower.js';
import { InScope, keyIn } from './access.js';
import { Commands, Reads } from './documented.js';
import { AnswerNotKept } from './idempotency.js';
import { MeAnswer } from './keys.answers.js';
import { presentMe } from './present-me.js';
import { Problem } from './problem.js';
import { Scope } from './scope.js';
import { PersonErasedAnswer, SignedOutAnswer, SignInBody } from './session.dto.js';
import { SignIn } from './sign-in.js';
import { NoBody, ReferencePipe } from './validation.js';

@ApiTags('sessions')
@Controller('api/v1')
export class SessionController {
  constructor(
    private readonly signIn: SignIn,
    private readonly commands: CommandBus,
    private readonly follower: LogFollower,
    private readonly people: People,
  ) {}

  /** Sign in with a key. The session is in a cookie that scripts cannot read, and ends no later than the key. */
  @Post('session')
  @AnswerNotKept()
  @Commands()
  @ApiResponse({ status: 201, type: MeAnswer })
  async open(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Body() { key }: SignInBody,
  ): Promise<MeAnswer> {
    this.signIn.origin.refuseOthers(request);
    this.signIn.refuseKeys();
    const { directory } = this.follower.live;
    const keyHash = hashOfKey(key);
    const known = keyIn(request, keyHash, directory, 'The key is not valid.');
    // Its session would end with the next look at it: the secret that came after is the one that counts.
    if (known.key.hash !== keyHash)
      throw new Problem('unauthorized', 'The key was rotated: use the new one.');
    const { actor, workspaceId, worksUntil } = known;
    const holder = { type: 'api-key', keyId: actor.id, keyHash } as const;
    const { scope } = await this.signIn.open(request, reply, { actor, workspaceId, worksUntil, holder });
    return presentMe(scope, directory);
  }

  /** Who is signed in, and until when. */
  @Get('session')
  @Reads()
  get(@InScope() scope: Scope): MeAnswer {
    return presentMe(scope, this.follower.live.directory);
  }

  /** Sign out, on every server. */
  @Delete('session')
  @HttpCode(200)
  // Nothing is kept under the origin of an API but answers.
  @Header('clear-site-data', '"cache"')
  @AnswerNotKept()
  @Commands()
  async close(
    @InScope() scope: Scope,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Body() _: NoBody,
  ): Promise<SignedOutAnswer> {
    return { position: String(await this.signIn.close(request, reply, scope)) };
  }

  /** Forget what a person is called, and end the sessions. Events stay, and know the person by the id alone. */
  @Delete('people/:person')
  @HttpCode(200)
  @Commands('person-not-found')
  async erase(
    @InScope() { callerInWorkspace: caller, workspaceId }: Scope,
    @Param('person', ReferencePipe) id: string,
    @Body() _: NoBody,
  ): Promise<PersonErasedAnswer> {
    const person = this.follower.live.directory.sessions.person(id);
    if (person?.workspaceId !== workspaceId) {
      throw new Problem('person-not-found', 'Nobody of this id has signed in to the workspace.');
    }
    const { position } = await this.commands.execute(new ErasePerson(caller, id));
    await this.people.forget(id);
    return { id, position: String(position) };
  }
}
