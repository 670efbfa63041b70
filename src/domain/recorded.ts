// An event as readers meet it: the fact, its metadata and its place. Stored bytes become facts here and nowhere
// else, so this is where an old shape of an event would be brought to today's.
import { SCHEMA, type DomainEvent, type EventMetadata } from './events.js';

/** What a store gives back of one event. */
export interface StoredFact {
  readonly id: string;
  readonly type: string;
  readonly data: string;
  readonly meta: string;
  readonly stream: string;
  readonly revision: number;
  readonly position: bigint;
  /** The decided event, where this process appended it: parsing a large release again costs more than all else. */
  readonly decided?: DomainEvent;
}

const KNOWN: Record<DomainEvent['type'], true> = {
  WorkspaceSlugReserved: true,
  ProjectSlugReserved: true,
  WorkspaceCreated: true,
  WorkspaceRenamed: true,
  WorkspaceArchived: true,
  WorkspaceRestored: true,
  ApiKeyIssued: true,
  ApiKeyRotated: true,
  ApiKeyRevoked: true,
  ApiKeyUsed: true,
  ProjectCreated: true,
  ProjectRenamed: true,
  ProjectArchived: true,
  ProjectRestored: true,
  ResolutionPolicySet: true,
  EnvironmentCreated: true,
  EnvironmentRenamed: true,
  EnvironmentDescribed: true,
  EnvironmentArchived: true,
  EnvironmentRestored: true,
  DefaultEnvironmentSet: true,
  FlowSlugReserved: true,
  FlowCreated: true,
  FlowRenamed: true,
  FlowArchived: true,
  VersionDrafted: true,
  VersionEdited: true,
  VersionLocked: true,
  VersionActivated: true,
  VersionDeactivated: true,
  VersionsPromoted: true,
  EnvironmentRolledBack: true,
  CommandAnswered: true,
  SigningKeyAnnounced: true,
  LogRestored: true,
  AttemptDenied: true,
  SessionOpened: true,
  SessionClosed: true,
  PersonErased: true,
};

export const EVENT_TYPES = Object.keys(KNOWN) as readonly DomainEvent['type'][];

/** An event that this version of the software cannot read. Whoever meets it stops there instead of skipping it. */
export class UnknownEvent extends Error {
  constructor(type: string, schema: number, position: bigint) {
    super(`Event ${type} (schema ${schema}) at position ${position} was written by a newer version.`);
    this.name = 'UnknownEvent';
  }
}

export class Recorded {
  readonly event: DomainEvent;
  private parsedMeta: EventMetadata | undefined;

  constructor(private readonly stored: StoredFact) {
    // Quotes inside a value are escaped, so this can only be the member itself.
    const schema = Number(/"schema":(\d+)/.exec(stored.meta)?.[1]);
    if (schema !== SCHEMA || !Object.hasOwn(KNOWN, stored.type)) {
      throw new UnknownEvent(stored.type, schema, stored.position);
    }
    this.event = stored.decided ?? decode(stored);
  }

  get stream(): string {
    return this.stored.stream;
  }

  get type(): string {
    return this.stored.type;
  }

  get revision(): number {
    return this.stored.revision;
  }

  get position(): bigint {
    return this.stored.position;
  }

  /** Looked for in the text first: hardly any event has one, and then nothing has to be parsed. */
  get idempotencyKey(): string | undefined {
    return this.stored.meta.includes('"idempotencyKey":') ? this.meta.idempotencyKey : undefined;
  }

  /** Parsed when first asked for: most folds never do. */
  get meta(): EventMetadata {
    this.parsedMeta ??= JSON.parse(this.stored.meta) as EventMetadata;
    return this.parsedMeta;
  }
}

function decode(stored: StoredFact): DomainEvent {
  return { type: stored.type, ...(JSON.parse(stored.data) as object) } as DomainEvent;
}

/** The stored form of a fact. Its type stands beside the data, so it is not repeated inside. */
export function encode(event: DomainEvent): string {
  const { type: _, ...data } = event;
  return JSON.stringify(data);
}
