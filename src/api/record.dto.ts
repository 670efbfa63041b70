// What callers may ask of the proofs, and what they are answered.
import { ApiProperty } from '@nestjs/swagger';
import { Matches } from 'class-validator';
import { IfGiven, IsQueryInteger } from './validation.js';

export class InclusionQuery {
  /** Of the event, as every answer and every entry of the audit trail names it. */
  @Matches(/^(0|[1-9][0-9]{0,18})$/, { message: 'must be a position' })
  position: string;
}

export class ConsistencyQuery {
  /** Size of the older tree, as its checkpoint says. */
  @IsQueryInteger(0, Number.MAX_SAFE_INTEGER)
  from: number;

  /** Size of the newer tree. Left out: that of the newest checkpoint. */
  @IfGiven()
  @IsQueryInteger(0, Number.MAX_SAFE_INTEGER)
  to?: number;
}

export class EvidenceQuery {
  /** Index of the first leaf. */
  @IfGiven()
  @IsQueryInteger(0, Number.MAX_SAFE_INTEGER)
  from: number = 0;

  /** Of the tree that is asked for, as a checkpoint says. Left out: all that there is. */
  @IfGiven()
  @IsQueryInteger(0, Number.MAX_SAFE_INTEGER)
  size?: number;
}

/** That one event is in the signed log of the workspace (RFC 9162 §2.1.3). Hashes are in base64. */
export class InclusionAnswer {
  position: string;
  /** Place of the event among those of the workspace, from 0. */
  index: number;
  /** How many events the tree of the checkpoint has. */
  size: number;
  /** Leaf data of the event, in base64: its exact stored bytes, and where they stand. */
  leaf: string;
  leafHash: string;
  root: string;
  /** From the neighbour of the leaf up to the root. */
  @ApiProperty({ type: [String] })
  proof: string[];
  /** A signed note with the root. */
  checkpoint: string;
}

/** That one tree is the beginning of another (RFC 9162 §2.1.4). Hashes are in base64. */
export class ConsistencyAnswer {
  from: number;
  to: number;
  fromRoot: string;
  toRoot: string;
  @ApiProperty({ type: [String] })
  proof: string[];
  /** The newest signed note. */
  checkpoint: string;
}

export class SigningKeyAnswer {
  /** As C2SP signed-note writes it: name, key id and key. */
  publicKey: string;
  name: string;
  /** The first four bytes of a hash over name and key, in hex. */
  keyId: string;
  /** Whether this server signs with it. */
  isCurrent: boolean;
}

export class SigningKeysAnswer {
  /** In the order in which they were announced in the log; notes signed by any of them are valid. */
  @ApiProperty({ type: [SigningKeyAnswer] })
  items: SigningKeyAnswer[];
}
