// Every fact that the log may hold, who is answerable for each, and the names of the streams.
import type { AccessEvent } from './access.events.js';
import type { AuditEvent } from './audit.events.js';
import type { CommandAnswered } from './command.events.js';
import type { EnvironmentEvent } from './environment.events.js';
import type { FlowEvent } from './flow.events.js';
import type { ProjectEvent } from './project.events.js';
import type { PersonErased, SessionEvent } from './session.events.js';
import type { SlugReserved } from './slug.events.js';

export type DomainEvent =
  | AccessEvent
  | ProjectEvent
  | SlugReserved
  | FlowEvent
  | EnvironmentEvent
  | CommandAnswered
  | AuditEvent
  | SessionEvent
  | PersonErased;

export interface Actor {
  readonly type: 'api-key' | 'person' | 'system';
  readonly id: string;
}

/** Who, when and why, beside every event. Names and addresses of people are joined on reading, never stored. */
export interface EventMetadata {
  readonly actor: Actor;
  readonly workspace: string;
  /** Null for what belongs to the workspace as a whole. */
  readonly project: string | null;
  /** UTC, RFC 3339 with milliseconds; never earlier than that of an event which was known when this was decided. */
  readonly time: string;
  /** Which shape of its type the event has; a later shape is taken back to nothing, an earlier one upcast. */
  readonly schema: number;
  readonly requestId: string;
  readonly $correlationId: string;
  readonly $causationId: string;
  /** What the caller sent, so that the same command sent again is known. */
  readonly idempotencyKey?: string;
  /** SHA-256, in hex, over what was asked with the key. */
  readonly requestHash?: string;
  readonly ip?: string;
  readonly userAgent?: string;
}

export const SCHEMA = 1;

export const STREAM_KINDS = [
  ...(['access', 'project', 'slug', 'flow', 'environment', 'command'] as const),
  ...(['record', 'attempt', 'session', 'person'] as const),
] as const;
export type StreamKind = (typeof STREAM_KINDS)[number];

/** The kind has no dash: stores that group streams by kind cut the name at the first one. */
export function streamOf(kind: StreamKind, id: string): string {
  return `${kind}-${id}`;
}

/** Undefined for a kind that a newer version has brought. */
export function kindOf(stream: string): StreamKind | undefined {
  return STREAM_KINDS.find((kind) => stream.startsWith(`${kind}-`));
}

export function idInStream(stream: string): string {
  return stream.slice(stream.indexOf('-') + 1);
}

/** The stream that holds one slug of one owner, for a flow its project: whoever writes it first has it. */
export function slugStream(ownerId: string, slug: string): string {
  return streamOf('slug', `${ownerId}.${slug}`);
}

/** What owns the slugs of workspaces. */
export const INSTALLATION = 'installation';

const ENVIRONMENT_EVENTS: ReadonlySet<string> = new Set<EnvironmentEvent['type']>([
  'VersionActivated',
  'VersionDeactivated',
  'VersionsPromoted',
  'EnvironmentRolledBack',
]);

export function isEnvironmentEvent(event: DomainEvent): event is EnvironmentEvent {
  return ENVIRONMENT_EVENTS.has(event.type);
}
