// The proofs over HTTP: the signed state of the workspace's log, that an event is in it, that it only grew, and the
// keys that sign it. docs/audit-format.md says how each of them is checked.
import { Controller, Get, Header, Query } from '@nestjs/common';
import { ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Checkpoints } from '../audit/checkpoints.js';
import { leafOf } from '../audit/leaf.js';
import { consistencyProof, inclusionProof, leafHash } from '../audit/merkle.js';
import { RecordKeeper } from '../commands/keep-record.js';
import { Refused } from '../domain/refused.js';
import { eventAt, LogFollower } from '../read/log-follower.js';
import { ledger, Tree } from '../../projections/ledger.js';
import { Engine } from '../engine.js';
import { InScope, InScopeWithQuery } from './access.js';
import { Scope } from './scope.js';
import { Reads } from './documented.js';
import { Problem } from './problem.js';
import {
  ConsistencyAnswer,
  ConsistencyQuery,
  InclusionAnswer,
  InclusionQuery,
  SigningKeysAnswer,
} from './record.dto.js';

@ApiTags('audit')
@Controller(['api/v1/audit', 'api/v1/projects/:project/audit'])
export class RecordController {
  private readonly checkpoints: Checkpoints;
  private readonly keeper: RecordKeeper;

  constructor(
    private readonly engine: Engine,
    private readonly follower: LogFollower,
  ) {
    this.checkpoints = engine.checkpoints;
    this.keeper = engine.recordKeeper;
  }

  /** The signed state of the log of the workspace, with everything that was in it when this was asked. */
  @Get('checkpoint')
  @Reads('log-fenced', 'store-unavailable')
  @ApiProduces('text/plain')
  @ApiResponse({ status: 200, content: { 'text/plain': { schema: { type: 'string' } } } })
  @Header('content-type', 'text/plain; charset=utf-8')
  async checkpoint(@InScope() { project }: Scope): Promise<string> {
    return (await this.checkpoints.newest(project.workspaceId)).note;
  }

  /** That the event at a position is in the signed log: the receipt of whatever it recorded. */
  @Get('proof/inclusion')
  @Reads('position-not-found', 'log-fenced', 'store-unavailable')
  async inclusion(
    @InScopeWithQuery() { project: { workspaceId: workspace } }: Scope,
    @Query() { position: asked }: InclusionQuery,
  ): Promise<InclusionAnswer> {
    const position = BigInt(asked);
    const { note, checkpoint } = await this.checkpoints.newest(workspace);
    const tree = new Tree(await this.follower.rows(ledger), workspace);
    const index = tree.indexOf(position);
    const event = index === undefined ? undefined : await eventAt(this.engine.store, position);
    if (index === undefined || event === undefined || index >= checkpoint.size) {
      throw new Refused('position-not-found', `There is no event at position ${position}.`);
    }
    const { size, root } = checkpoint;
    const leaf = leafOf(event, workspace, index);
    return {
      ...{ position: asked, index, size, checkpoint: note },
      leaf: leaf.toString('base64'),
      leafHash: leafHash(leaf).toString('base64'),
      root: root.toString('base64'),
      proof: inBase64(inclusionProof(index, size, tree.subtree)),
    };
  }

  /** That the log of one size is the beginning of that of another: nothing in between was taken away or changed. */
  @Get('proof/consistency')
  @Reads('log-fenced', 'store-unavailable')
  async consistency(
    @InScopeWithQuery() { project: { workspaceId: workspace } }: Scope,
    @Query() { from, to: asked }: ConsistencyQuery,
  ): Promise<ConsistencyAnswer> {
    const { note, checkpoint } = await this.checkpoints.newest(workspace);
    const to = asked ?? checkpoint.size;
    if (from > to || to > checkpoint.size) {
      const pointer = to > checkpoint.size ? '/to' : '/from';
      const detail = `must not be more than ${to > checkpoint.size ? checkpoint.size : to}`;
      throw new Problem('invalid-query', 'The log has no such sizes.', [{ pointer, detail }]);
    }
    const tree = new Tree(await this.follower.rows(ledger), workspace);
    return {
      ...{ from, to, checkpoint: note },
      fromRoot: tree.root(from).toString('base64'),
      toRoot: tree.root(to).toString('base64'),
      proof: inBase64(consistencyProof(from, to, tree.subtree)),
    };
  }

  /** Every key that has signed, or signs, the log of the workspace. */
  @Get('keys')
  @Reads('store-unavailable')
  async keys(@InScope() { project }: Scope): Promise<SigningKeysAnswer> {
    const { publicKeys } = await this.keeper.record(project.workspaceId);
    const items = publicKeys.map((publicKey) => {
      const [name = '', keyId = ''] = publicKey.split('+');
      return { publicKey, name, keyId, isCurrent: publicKey === this.checkpoints.publicKey };
    });
    return { items };
  }
}

function inBase64(hashes: readonly Buffer[]): string[] {
  return hashes.map((hash) => hash.toString('base64'));
}
