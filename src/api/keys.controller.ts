// API keys over HTTP: issuing, listing, rotating and revoking them, and telling callers what they may do. Whoever
// administers a part of the workspace sees and changes the keys that reach no further than that.
import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import { IssueKey, RevokeKey, RotateKey, type MadeKey } from '../commands/issue-key.js';
import { dayOf } from '../commands/record-key-use.js';
import { keyNotFound, type ApiKey } from '../domain/access.js';
import { LogFollower } from '../read/log-follower.js';
import type { Workspace } from '../../projections/workspaces.js';
import { InScope, InScopeWithQuery } from './access.js';
import { timeOf } from './at.js';
import { Commands, Paged, Reads, WithPosition } from './documented.js';
import { grantsOf, presentGrants } from './grants.js';
import { AnswerHasSecret } from './idempotency.js';
import { KeyAnswer, MeAnswer, NewKeyAnswer } from './keys.answers.js';
import { IssueKeyBody, RotateKeyBody } from './keys.dto.js';
import { fromCursor, ID_CURSOR, page, PageQuery, toCursor } from './paging.js';
import { presentMe } from './present-me.js';
import { Problem } from './problem.js';
import { Scope } from './scope.js';
import { NoBody, ReferencePipe } from './validation.js';

/** For one page: whoever may see next to none of many keys is given a short page, or an empty one. */
const LOOKED_AT_MAX = 1_000;

@ApiTags('keys')
@Controller('api/v1')
export class KeysController {
  constructor(
    private readonly commands: CommandBus,
    private readonly follower: LogFollower,
  ) {}

  /** Who is calling, and what the caller may do. */
  @Get('me')
  @Reads()
  me(@InScope() scope: Scope): MeAnswer {
    return presentMe(scope, this.follower.live.directory);
  }

  /** A new key. It is shown in this answer and never again. It may do no more than the key that asks. */
  @Post('keys')
  @AnswerHasSecret()
  @Commands('grant-too-wide', 'too-many-keys', 'recent-sign-in-needed')
  @WithPosition(NewKeyAnswer, 201)
  async issue(@InScope() scope: Scope, @Body() body: IssueKeyBody) {
    const { issuer, callerInWorkspace: caller, isDone } = scope;
    const name = body.name.normalize('NFC');
    // What it was issued with is in the log by then, and what was named may be called otherwise or be gone.
    const limits = isDone ? { grants: [], expiresAt: null } : this.limitsOf(scope, body);
    return this.made(scope, await this.commands.execute(new IssueKey(caller, { name, ...limits }, issuer)));
  }

  /** Oldest first. */
  @Get('keys')
  @Reads()
  @Paged(KeyAnswer)
  list(@InScopeWithQuery() scope: Scope, @Query() query: PageQuery) {
    const { keys } = this.workspace(scope.workspaceId).state;
    const after = fromCursor(query.cursor, ID_CURSOR) ?? '';
    const rest = [...keys.values()].filter(({ id }) => id > after).sort((a, b) => (a.id < b.id ? -1 : 1));
    const looked = rest.slice(0, LOOKED_AT_MAX);
    const found: ApiKey[] = [];
    for (const key of looked) {
      if (found.length > query.limit) break;
      if (isWithin(scope, key)) found.push(key);
    }
    const { items, nextCursor } = page(found, query.limit, ({ id }) => id);
    const last = looked.length < rest.length ? looked.at(-1) : undefined;
    return {
      items: items.map((key) => this.present(scope, key)),
      nextCursor: nextCursor ?? (last === undefined ? null : toCursor(last.id)),
    };
  }

  /** One key, without its secret. */
  @Get('keys/:key')
  @Reads('key-not-found')
  get(@InScope() scope: Scope, @Param('key', ReferencePipe) id: string): KeyAnswer {
    return this.present(scope, this.find(scope, id));
  }

  /** A new secret for the same key; the one before works for a while longer. */
  @Post('keys/:key/rotate')
  @HttpCode(200)
  @AnswerHasSecret()
  @Commands('key-not-found', 'grant-too-wide', 'recent-sign-in-needed')
  @WithPosition(NewKeyAnswer)
  async rotate(
    @InScope() scope: Scope,
    @Param('key', ReferencePipe) id: string,
    @Body() { overlapSeconds }: RotateKeyBody,
  ) {
    const key = this.find(scope, id);
    const previousUntil = new Date(Date.now() + overlapSeconds * 1_000).toISOString();
    const command = new RotateKey(scope.callerInWorkspace, key.id, previousUntil, scope.issuer);
    return this.made(scope, await this.commands.execute(command));
  }

  /** From now on it does not work. The last administrator of a workspace cannot go. */
  @Delete('keys/:key')
  @HttpCode(200)
  @Commands('key-not-found', 'last-administrator', 'recent-sign-in-needed')
  @WithPosition(KeyAnswer)
  @ApiResponse({ status: 200 })
  async revoke(@InScope() scope: Scope, @Param('key', ReferencePipe) id: string, @Body() _: NoBody) {
    const key = this.present(scope, this.find(scope, id));
    const { position } = await this.commands.execute(
      new RevokeKey(scope.callerInWorkspace, id, scope.issuer),
    );
    return { ...key, position: String(position) };
  }

  private limitsOf(scope: Scope, { grants, expiresAt }: IssueKeyBody) {
    return {
      grants: grantsOf(grants, scope, this.follower.live.directory),
      expiresAt: expiresAt === undefined ? null : inFuture(expiresAt),
    };
  }

  private made(scope: Scope, { keyId, key, position }: MadeKey) {
    const issued = this.workspace(scope.workspaceId).issued.get(keyId);
    if (issued === undefined) throw keyNotFound();
    return { ...this.present(scope, issued.key), key, position: String(position) };
  }

  private find(scope: Scope, id: string): ApiKey {
    const { state, issued } = this.workspace(scope.workspaceId);
    const key = scope.isDone ? issued.get(id)?.key : state.keys.get(id);
    if (key !== undefined && isWithin(scope, key)) return key;
    throw keyNotFound();
  }

  private present({ workspaceId }: Scope, key: ApiKey): KeyAnswer {
    const { directory } = this.follower.live;
    const issued = this.workspace(workspaceId).issued.get(key.id);
    return {
      ...{ id: key.id, name: key.name, prefix: key.prefix },
      grants: presentGrants(key.grants, workspaceId, directory),
      createdAt: issued?.issuedAt ?? '',
      createdBy: key.issuedBy,
      expiresAt: key.expiresAt,
      lastUsedOn: this.lastUsed(key),
      previousUntil: key.previous?.until ?? null,
    };
  }

  /** What is recorded, or what this server has seen since. */
  private lastUsed({ hash, usedOn }: ApiKey): string | null {
    const atMs = this.follower.live.directory.keyByHash(hash)?.use.atMs ?? 0;
    const seen = atMs === 0 ? null : dayOf(atMs);
    return seen === null || (usedOn !== null && usedOn > seen) ? usedOn : seen;
  }

  private workspace(id: string): Workspace {
    const workspace = this.follower.live.directory.workspace(id);
    if (workspace === undefined) throw new Error('Broken promise: a key belongs to a workspace');
    return workspace;
  }
}

/** Whether the caller administers all that a key reaches: to be able to do what it does is not enough. */
function isWithin({ access }: Scope, { grants }: ApiKey): boolean {
  return grants.every((grant) => access.hasWherever('administer', grant));
}

function inFuture(text: string): string {
  const timeMs = timeOf(text) ?? 0;
  if (timeMs > Date.now()) return new Date(timeMs).toISOString();
  const errors = [{ pointer: '/expiresAt', detail: 'must be in the future' }];
  throw new Problem('invalid-body', 'The body is not what is expected; see errors.', errors);
}
