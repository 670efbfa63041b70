// Every fact that the log may hold, who is answerable for each, and the names of the streams.
import type { AccessEvent } from './access.events.js';
import type { EnvironmentEvent } from './environment.events.js';
import type { FlowEvent, FlowSlugReserved } from './flow.events.js';
import type { ProjectEvent } from './project.events.js';

export type DomainEvent = AccessEvent | ProjectEvent | FlowSlugReserved | FlowEvent | EnvironmentEvent;

export interface Actor {
  readonly type: 'api-key' | 'system';
  readonly id: string;
}

/** Who, when and why, beside every event. Names and addresses of people are joined on reading, never stored. */
export interface EventMetadata {
  readonly actor: Actor;
  readonly workspace: string;
  /** Null for what belongs to the workspace as a whole. */
  readonly project: string | null;
  /** UTC, RFC 3339 with milliseconds; never earlier than that of the event before. */
  readonly time: string;
  /** Which shape of its type the event has; a later shape is taken back to nothing, an earlier one upcast. */
  readonly schema: number;
  readonly requestId: string;
  readonly $correlationId: string;
  readonly $causationId: string;
  readonly idempotencyKey?: string;
  readonly ip?: string;
  readonly userAgent?: string;
}

export const SCHEMA = 1;

export type StreamKind = 'access' | 'project' | 'slug' | 'flow' | 'environment';

/** The kind has no dash: stores that group streams by kind cut the name at the first one. */
export function streamOf(kind: StreamKind, id: string): string {
  return `${kind}-${id}`;
}

export function idInStream(stream: string): string {
  return stream.slice(stream.indexOf('-') + 1);
}

/** The stream that holds one slug of one project: whoever writes it first has it. */
export function slugStream(projectId: string, slug: string): string {
  return streamOf('slug', `${projectId}.${slug}`);
}

const ENVIRONMENT_EVENTS: ReadonlySet<string> = new Set<EnvironmentEvent['type']>([
  'VersionActivated',
  'VersionDeactivated',
  'VersionsPromoted',
  'EnvironmentRolledBack',
]);

export function isEnvironmentEvent(event: DomainEvent): event is EnvironmentEvent {
  return ENVIRONMENT_EVENTS.has(event.type);
}
