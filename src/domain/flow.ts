// A flow and its versions: drafts that can be edited until their first activation locks them for ever after.
import { assert, unreachable, type Decider } from './decider.js';
import type { Content, FlowEvent, FlowKind, VersionDrafted, VersionEdited } from './flow.events.js';
import { Refused } from './refused.js';

/** All that decisions need of a version; its content stays in the log and in the views. */
export interface VersionState {
  readonly id: string;
  readonly number: number;
  readonly locked: boolean;
  readonly digest: string;
  readonly label: string | null;
  readonly comment: string | null;
}

export interface FlowState {
  /** False until `FlowCreated`. */
  exists: boolean;
  slug: string;
  name: string;
  archived: boolean;
  /** By id, in the order of their numbers. */
  readonly versions: Map<string, VersionState>;
}

export interface VersionText {
  readonly content: Content;
  readonly digest: string;
  readonly label: string | null;
  readonly comment: string | null;
}

export interface CreateFlow {
  readonly type: 'CreateFlow';
  readonly slug: string;
  readonly name: string;
  readonly kind: FlowKind;
  /** The content of version 1, if the flow starts with one. */
  readonly first: ({ readonly versionId: string } & VersionText) | null;
}

export interface RenameFlow {
  readonly type: 'RenameFlow';
  readonly name: string;
}

export interface ArchiveFlow {
  readonly type: 'ArchiveFlow';
  /** Slugs of the environments where the flow is active, as the views show them. */
  readonly activeIn: readonly string[];
}

export interface DraftVersion extends VersionText {
  readonly type: 'DraftVersion';
  readonly versionId: string;
}

export interface ForkVersion extends VersionText {
  readonly type: 'ForkVersion';
  readonly versionId: string;
  readonly forkedFrom: string;
}

export interface EditVersion extends VersionText {
  readonly type: 'EditVersion';
  readonly versionId: string;
  /** The draft as it was read for the edit, so that an edit made meanwhile is not overwritten unseen. */
  readonly before: VersionText;
}

/** The first half of an activation. */
export interface LockVersion {
  readonly type: 'LockVersion';
  readonly versionId: string;
}

export type FlowCommand =
  CreateFlow | RenameFlow | ArchiveFlow | DraftVersion | ForkVersion | EditVersion | LockVersion;

export const flow: Decider<FlowState, FlowCommand, FlowEvent> = {
  initial: () => ({ exists: false, slug: '', name: '', archived: false, versions: new Map() }),

  decide(state, command) {
    switch (command.type) {
      case 'CreateFlow':
        return createFlow(state, command);
      case 'RenameFlow':
        refuseArchived(state);
        return command.name === state.name ? [] : [{ type: 'FlowRenamed', name: command.name }];
      case 'ArchiveFlow':
        return archiveFlow(state, command);
      case 'DraftVersion':
        refuseArchived(state);
        return [drafted(state, command, null)];
      case 'ForkVersion':
        refuseArchived(state);
        versionIn(state, command.forkedFrom);
        return [drafted(state, command, command.forkedFrom)];
      case 'EditVersion':
        return editVersion(state, command);
      case 'LockVersion':
        return lockVersion(state, command);
      default:
        return unreachable(command);
    }
  },

  evolve(state, event) {
    switch (event.type) {
      case 'FlowCreated':
        state.exists = true;
        state.slug = event.slug;
        state.name = event.name;
        return state;
      case 'FlowRenamed':
        state.name = event.name;
        return state;
      case 'FlowArchived':
        state.archived = true;
        return state;
      case 'VersionDrafted':
        assert(event.number === state.versions.size + 1, `version ${event.number} is the next one`);
        return putDraft(state, event);
      case 'VersionEdited':
        return putDraft(state, event);
      case 'VersionLocked':
        state.versions.set(event.versionId, { ...versionIn(state, event.versionId), locked: true });
        return state;
      default:
        return unreachable(event);
    }
  },
};

function createFlow(state: FlowState, command: CreateFlow): FlowEvent[] {
  const { slug, name, kind, first } = command;
  if (state.exists) {
    const detail = `Flow ${JSON.stringify(slug)} exists already.`;
    throw new Refused('flow-exists', detail, [{ pointer: '/slug', detail }]);
  }
  const created: FlowEvent = { type: 'FlowCreated', slug, name, kind };
  return first === null ? [created] : [created, drafted(state, first, null)];
}

function archiveFlow(state: FlowState, command: ArchiveFlow): FlowEvent[] {
  if (state.archived) return [];
  if (command.activeIn.length > 0) {
    throw new Refused(
      'flow-is-active',
      `Flow ${state.slug} is active in ${command.activeIn.join(', ')}; deactivate it there first.`,
    );
  }
  return [{ type: 'FlowArchived' }];
}

function editVersion(state: FlowState, command: EditVersion): FlowEvent[] {
  refuseArchived(state);
  const version = versionIn(state, command.versionId);
  if (version.locked) {
    throw new Refused(
      'version-locked',
      `Version ${version.number} of flow ${state.slug} has been active and is locked; fork it to change it.`,
    );
  }
  const { versionId, content, digest, label, comment, before } = command;
  if (!sameText(version, before)) {
    throw new Refused('concurrent-change', `Version ${version.number} was edited meanwhile; read it again.`);
  }
  if (sameText({ digest, label, comment }, before)) return [];
  return [{ type: 'VersionEdited', versionId, number: version.number, content, digest, label, comment }];
}

function lockVersion(state: FlowState, command: LockVersion): FlowEvent[] {
  refuseArchived(state);
  const { id: versionId, number, digest, locked } = versionIn(state, command.versionId);
  return locked ? [] : [{ type: 'VersionLocked', versionId, number, digest }];
}

function drafted(
  state: FlowState,
  { versionId, content, digest, label, comment }: { readonly versionId: string } & VersionText,
  forkedFrom: string | null,
): FlowEvent {
  const number = state.versions.size + 1;
  return { type: 'VersionDrafted', versionId, number, content, digest, label, comment, forkedFrom };
}

function refuseArchived(state: FlowState): void {
  if (state.archived) throw new Refused('flow-archived', `Flow ${state.slug} is archived.`);
}

type Text = Omit<VersionText, 'content'>;

function sameText(a: Text, b: Text): boolean {
  return a.digest === b.digest && a.label === b.label && a.comment === b.comment;
}

function putDraft(state: FlowState, event: VersionDrafted | VersionEdited): FlowState {
  const { versionId: id, number, digest, label, comment } = event;
  state.versions.set(id, { id, number, digest, label, comment, locked: false });
  return state;
}

export function versionIn(state: FlowState, versionId: string): VersionState {
  const version = state.versions.get(versionId);
  if (version !== undefined) return version;
  throw new Refused('version-not-found', `Flow ${state.slug} has no version ${versionId}.`);
}

/** By id or by number, as callers name versions. */
export function versionNamed(state: FlowState, reference: string): VersionState {
  const named = [...state.versions.values()].find(({ number }) => String(number) === reference);
  return named ?? versionIn(state, reference);
}
