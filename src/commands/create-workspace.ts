// CreateWorkspace and what changes one: a tenant with its own projects and keys. It begins with a project and one
// administrator key, which is handed to whoever asked.
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { v7 as uuidv7 } from 'uuid';
import type { AccessCommand } from '../domain/access.js';
import { INSTALLATION } from '../domain/events.js';
import type { WorkspaceSlugReserved } from '../domain/slug.events.js';
import type { Position } from '../store/event-store.js';
import { AccessStream } from './access-stream.js';
import { newKey } from './api-key.js';
import { CommandLog, type Caller } from './command-log.js';
import { makeDefaultProject } from './default-project.js';
import type { MadeKey } from './issue-key.js';
import { reserveSlug } from './reserve-slug.js';
import { Streams } from './streams.js';

export class CreateWorkspace extends Command<MadeKey & { readonly workspaceId: string }> {
  constructor(
    readonly caller: Caller,
    readonly request: { readonly slug: string; readonly name: string },
  ) {
    super();
  }
}

export class ChangeWorkspace extends Command<{ position: Position }> {
  constructor(
    readonly caller: Caller,
    readonly workspaceId: string,
    readonly change: Extract<AccessCommand, { readonly type: `${string}Workspace` }>,
  ) {
    super();
  }
}

const ADMINISTRATOR = { name: 'administrator', grants: [{ role: 'admin' }], expiresAt: null } as const;

@CommandHandler(CreateWorkspace)
export class CreateWorkspaceHandler implements ICommandHandler<CreateWorkspace> {
  constructor(
    readonly log: CommandLog,
    readonly streams: Streams,
    private readonly access: AccessStream,
  ) {}

  async execute({ caller, request: { slug, name } }: CreateWorkspace) {
    const type = 'WorkspaceSlugReserved';
    const offered: WorkspaceSlugReserved = { type, slug, workspaceId: uuidv7() };
    const offering = { ...caller, workspaceId: offered.workspaceId, projectId: null };
    const { workspaceId } = await reserveSlug(this, INSTALLATION, offered, offering);
    const inside = { ...caller, workspaceId, projectId: null };
    await makeDefaultProject(this, inside);
    const { key, prefix, hash } = newKey();
    // Whoever looks after the installation hands the workspace out whole and for good.
    const by = { id: caller.actor.id, grants: ADMINISTRATOR.grants, expiresAt: null };
    // The workspace comes last: once it is there, nothing of it is missing.
    const { events, position } = await this.access.run(inside, [
      { type: 'CreateWorkspace', slug, name },
      { type: 'IssueKey', keyId: uuidv7(), ...ADMINISTRATOR, prefix, hash, by },
    ]);
    const issued = events.find((event) => event.type === 'ApiKeyIssued');
    if (issued === undefined) throw new Error('Broken promise: a workspace is made with a key, or refused');
    return { workspaceId, keyId: issued.keyId, key: issued.hash === hash ? key : null, position };
  }
}

@CommandHandler(ChangeWorkspace)
export class ChangeWorkspaceHandler implements ICommandHandler<ChangeWorkspace> {
  constructor(private readonly access: AccessStream) {}

  execute({ caller, workspaceId, change }: ChangeWorkspace) {
    return this.access.run({ ...caller, workspaceId, projectId: null }, [change]);
  }
}
