// OpenSession, CloseSession and ErasePerson: people who sign in and out. The secret of a session is made here, handed
// to the one browser that is to have it, and kept as a hash alone.
import { createHash, randomBytes } from 'node:crypto';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { v7 as uuidv7 } from 'uuid';
import { streamOf } from '../domain/events.js';
import { session, type SessionCommand, type SessionState } from '../domain/session.js';
import type { PersonErased, SessionEvent } from '../domain/session.events.js';
import type { SessionHolder } from '../domain/session-holder.js';
import { LogFollower } from '../read/log-follower.js';
import type { Position } from '../store/event-store.js';
import { CommandLog, withoutKey, type Caller } from './command-log.js';

export interface OpenedSession {
  readonly sessionId: string;
  readonly secret: string;
  /** Of the event: no later than any erasure that was known when it was decided. */
  readonly openedAt: string;
  readonly expiresAt: string;
}

export class OpenSession extends Command<OpenedSession> {
  constructor(
    readonly caller: Caller,
    readonly request: {
      readonly holder: SessionHolder;
      readonly until: string;
      readonly holderUntil: string | null;
    },
  ) {
    super();
  }
}

export class CloseSession extends Command<{ position: Position }> {
  constructor(
    readonly caller: Caller,
    readonly sessionId: string,
  ) {
    super();
  }
}

/** The name itself is not in the log: this ends the sessions, and tells every server to forget it. */
export class ErasePerson extends Command<{ position: Position }> {
  constructor(
    readonly caller: Caller,
    readonly personId: string,
  ) {
    super();
  }
}

const SECRET_BYTES = 32;

/** With the prefix of keys, so that what looks for leaked keys finds a leaked session too. */
function newSecret(): string {
  return `swy_session_${randomBytes(SECRET_BYTES).toString('hex')}`;
}

/** In milliseconds since 1970, by the server that made the id: a UUID of version 7 begins with the time. */
export function openedAt(sessionId: string): number {
  return Number.parseInt(sessionId.replace('-', '').slice(0, 12), 16);
}

/** With 256 random bits there is nothing to guess, so a plain SHA-256 is enough. */
export function hashOfSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

@CommandHandler(OpenSession)
export class OpenSessionHandler implements ICommandHandler<OpenSession> {
  constructor(private readonly log: CommandLog) {}

  async execute({ caller, request }: OpenSession): Promise<OpenedSession> {
    const secret = newSecret();
    const sessionId = uuidv7();
    const command: SessionCommand = { type: 'OpenSession', hash: hashOfSecret(secret), ...request };
    const { events, meta } = await this.log.run<SessionState, SessionEvent>({
      stream: streamOf('session', sessionId),
      load: () => ({ state: session.initial(), revision: -1 }),
      decide: (state) => session.decide(state, command),
      caller: withoutKey(caller),
    });
    const [opened] = events;
    if (opened?.type !== 'SessionOpened') throw new Error('Broken promise: a new session is opened');
    return { sessionId, secret, openedAt: meta.time, expiresAt: opened.expiresAt };
  }
}

@CommandHandler(CloseSession)
export class CloseSessionHandler implements ICommandHandler<CloseSession> {
  constructor(
    private readonly log: CommandLog,
    private readonly follower: LogFollower,
  ) {}

  execute({ caller, sessionId }: CloseSession) {
    return this.log.run<SessionState, SessionEvent>({
      stream: streamOf('session', sessionId),
      load: () => this.load(sessionId),
      decide: (state) => session.decide(state, { type: 'CloseSession' }),
      caller,
    });
  }

  /** One that is open has been opened, and nothing else. */
  private load(sessionId: string): { state: SessionState; revision: number } {
    const isOpen = this.follower.live.directory.sessions.isOpen(sessionId);
    return isOpen ? { state: 'open', revision: 0 } : { state: 'closed', revision: 1 };
  }
}

@CommandHandler(ErasePerson)
export class ErasePersonHandler implements ICommandHandler<ErasePerson> {
  constructor(
    private readonly log: CommandLog,
    private readonly follower: LogFollower,
  ) {}

  execute({ caller, personId }: ErasePerson) {
    return this.log.run<number, PersonErased>({
      stream: streamOf('person', personId),
      load: () => {
        const erasures = this.follower.live.directory.sessions.person(personId)?.erasures ?? 0;
        return { state: erasures, revision: erasures - 1 };
      },
      // Whoever was erased may have signed in again since.
      decide: () => [{ type: 'PersonErased' }],
      caller,
    });
  }
}
