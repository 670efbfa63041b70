// The stored facts of the record itself: the keys that sign it, a loss that was owned up to, and what was refused.

/** From now on checkpoints of the workspace's log may bear this key's signature, beside those of the keys before. */
export interface SigningKeyAnnounced {
  readonly type: 'SigningKeyAnnounced';
  /** As C2SP signed-note writes it: `<name>+<key id in hex>+<base64>`. */
  readonly publicKey: string;
}

/** An older backup was taken into service: what came after it is lost, and a new epoch begins with this event. */
export interface LogRestored {
  readonly type: 'LogRestored';
  /** One more than the newest epoch that anybody has seen. */
  readonly epoch: number;
  /** How many events of the workspace the backup held. */
  readonly survived: number;
  /** How many there had been, as far as the heads kept outside the log tell. */
  readonly known: number;
  /** The newest signed checkpoint that covers lost events; null where none was signed. */
  readonly checkpoint: string | null;
  readonly comment: string | null;
}

/** Somebody tried what they may not, or acted on a state that had moved. It changed nothing. */
export interface AttemptDenied {
  readonly type: 'AttemptDenied';
  /** Of the problem that was answered. */
  readonly code: string;
  readonly status: number;
  readonly method: string;
  /** The pattern of the path: what callers put into paths is not kept. */
  readonly route: string;
  readonly environmentId: string | null;
  /** How many more of this actor were left out before this one, because there were too many. */
  readonly leftOut: number;
}

export type RecordEvent = SigningKeyAnnounced | LogRestored;
export type AuditEvent = RecordEvent | AttemptDenied;
