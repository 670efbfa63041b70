// The sessions of whoever asks: which there are, and the end of one of them, wherever it was opened. Of the sessions of
// anybody else nothing is told.
import { Body, Controller, Delete, Get, HttpCode, Param } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { CloseSession, openedAt } from '../commands/open-session.js';
import { LogFollower } from '../read/log-follower.js';
import { InScope } from './access.js';
import { Commands, Reads } from './documented.js';
import { Problem } from './problem.js';
import { Scope } from './scope.js';
import { SessionsAnswer, SignedOutAnswer, type SessionAnswer } from './session.dto.js';
import { NoBody, ReferencePipe } from './validation.js';

@ApiTags('sessions')
@Controller('api/v1/sessions')
export class SessionsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly follower: LogFollower,
  ) {}

  /** Where the caller is signed in, the oldest session first. */
  @Get()
  @Reads()
  list(@InScope() scope: Scope): SessionsAnswer {
    return { items: this.sessionsOf(scope) };
  }

  /** Sign out there, on every server. */
  @Delete(':session')
  @HttpCode(200)
  @Commands('session-not-found', 'recent-sign-in-needed')
  async end(
    @InScope() scope: Scope,
    @Param('session', ReferencePipe) id: string,
    @Body() _: NoBody,
  ): Promise<SignedOutAnswer> {
    // One that was ended by this very command is there no more.
    if (!scope.isDone && !this.sessionsOf(scope).some((session) => session.id === id)) {
      throw new Problem('session-not-found', 'You are not signed in with such a session.');
    }
    const { position } = await this.commands.execute(new CloseSession(scope.callerInWorkspace, id));
    return { position: String(position) };
  }

  private sessionsOf({ principal }: Scope): SessionAnswer[] {
    const { directory } = this.follower.live;
    return directory.sessions.of(principal.actor.id).flatMap(({ id, hash }) => {
      const { worksUntil = 0 } = directory.principalInSession(hash) ?? {};
      if (worksUntil <= Date.now()) return [];
      const createdAt = new Date(openedAt(id)).toISOString();
      const expiresAt = new Date(worksUntil).toISOString();
      return { id, createdAt, expiresAt, isThis: id === principal.sessionId };
    });
  }
}
