// IssueKey, RotateKey and RevokeKey: who may act in a workspace. A key is made here, handed to whoever asked, and kept
// as a hash alone.
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { v7 as uuidv7 } from 'uuid';
import type { Asker, Issuer } from '../domain/access.js';
import type { Grant } from '../domain/access.events.js';
import type { Position } from '../store/event-store.js';
import { AccessStream } from './access-stream.js';
import { newKey } from './api-key.js';
import type { Caller } from './command-log.js';

export interface MadeKey {
  readonly keyId: string;
  /** The key itself; null when the command was sent again, because nobody has it any more. */
  readonly key: string | null;
  readonly position: Position;
}

export class IssueKey extends Command<MadeKey> {
  constructor(
    readonly caller: Caller,
    readonly request: {
      readonly name: string;
      readonly grants: readonly Grant[];
      /** RFC 3339. */
      readonly expiresAt: string | null;
    },
    readonly by: Issuer & Asker,
  ) {
    super();
  }
}

export class RotateKey extends Command<MadeKey> {
  constructor(
    readonly caller: Caller,
    readonly keyId: string,
    /** RFC 3339: until when the secret that it had goes on working. */
    readonly previousUntil: string,
    readonly by: Issuer & Asker,
  ) {
    super();
  }
}

export class RevokeKey extends Command<{ position: Position }> {
  constructor(
    readonly caller: Caller,
    readonly keyId: string,
    readonly by: Asker,
  ) {
    super();
  }
}

@CommandHandler(IssueKey)
export class IssueKeyHandler implements ICommandHandler<IssueKey> {
  constructor(private readonly access: AccessStream) {}

  async execute({ caller, request, by }: IssueKey): Promise<MadeKey> {
    const { key, prefix, hash } = newKey();
    const command = { type: 'IssueKey', keyId: uuidv7(), ...request, prefix, hash, by } as const;
    const { events, position } = await this.access.run(caller, [command], by);
    const issued = events.find((event) => event.type === 'ApiKeyIssued');
    if (issued === undefined) throw new Error('Broken promise: a key is issued or refused');
    return { keyId: issued.keyId, key: issued.hash === hash ? key : null, position };
  }
}

@CommandHandler(RotateKey)
export class RotateKeyHandler implements ICommandHandler<RotateKey> {
  constructor(private readonly access: AccessStream) {}

  async execute({ caller, keyId, previousUntil, by }: RotateKey): Promise<MadeKey> {
    const { key, prefix, hash } = newKey();
    const command = { type: 'RotateKey', keyId, prefix, hash, previousUntil, by } as const;
    const { events, position } = await this.access.run(caller, [command], by);
    const isMine = events.some((event) => event.type === 'ApiKeyRotated' && event.hash === hash);
    return { keyId, key: isMine ? key : null, position };
  }
}

@CommandHandler(RevokeKey)
export class RevokeKeyHandler implements ICommandHandler<RevokeKey> {
  constructor(private readonly access: AccessStream) {}

  execute({ caller, keyId, by }: RevokeKey) {
    return this.access.run(caller, [{ type: 'RevokeKey', keyId }], by);
  }
}
