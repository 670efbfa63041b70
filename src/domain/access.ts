// A workspace and its API keys: who may act in it, and what each may do.
import { assert, unreachable, type Decider } from './decider.js';
import type { AccessEvent, ApiKeyIssued, Grant } from './access.events.js';
import { Access } from './permissions.js';
import { Refused } from './refused.js';

/** That were not revoked: a workspace holds all of them in memory, and looks through them. */
export const KEYS_MAX = 10_000;

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly prefix: string | null;
  /** SHA-256 of the key, in hex. */
  readonly hash: string;
  /** The secret before the last rotation, while it still works. */
  readonly previous: { readonly hash: string; readonly until: string } | null;
  readonly grants: readonly Grant[];
  readonly expiresAt: string | null;
  /** Null for the administrator key of the installation. */
  readonly issuedBy: string | null;
  /** The newest day on which it was recorded in use; null where it never was. */
  readonly usedOn: string | null;
}

export interface AccessState {
  /** False until `WorkspaceCreated`. */
  exists: boolean;
  slug: string;
  name: string;
  archived: boolean;
  /** The keys that were not revoked, by id. */
  readonly keys: Map<string, ApiKey>;
}

export interface CreateWorkspace {
  readonly type: 'CreateWorkspace';
  readonly slug: string;
  readonly name: string;
}

export interface RenameWorkspace {
  readonly type: 'RenameWorkspace';
  readonly name: string;
}

export interface ArchiveWorkspace {
  readonly type: 'ArchiveWorkspace';
}

export interface RestoreWorkspace {
  readonly type: 'RestoreWorkspace';
}

/** The one administrator key of the installation: the one before stops working, and no other. */
export interface SetAdministratorKey {
  readonly type: 'SetAdministratorKey';
  readonly keyId: string;
  readonly hash: string;
  /** Only of a key that was made here. */
  readonly prefix?: string | undefined;
}

export interface IssueKey {
  readonly type: 'IssueKey';
  readonly keyId: string;
  readonly name: string;
  readonly prefix: string;
  readonly hash: string;
  readonly grants: readonly Grant[];
  readonly expiresAt: string | null;
  readonly by: Issuer;
}

/** Whoever hands a key out, with what that one may do itself and until when. */
export type Issuer = Pick<ApiKey, 'id' | 'grants' | 'expiresAt'>;

/** Whoever asks for something, as it was let in. */
export interface Asker {
  readonly id: string;
  /** SHA-256, in hex, of the secret that was shown; null for a person. */
  readonly secretHash: string | null;
}

export interface RotateKey {
  readonly type: 'RotateKey';
  readonly keyId: string;
  readonly prefix: string;
  readonly hash: string;
  readonly previousUntil: string;
  readonly by: Issuer;
}

export interface RevokeKey {
  readonly type: 'RevokeKey';
  readonly keyId: string;
}

export interface RecordKeyUse {
  readonly type: 'RecordKeyUse';
  readonly keyId: string;
  /** As `2026-03-02`, in UTC. */
  readonly day: string;
}

export type AccessCommand =
  | CreateWorkspace
  | RenameWorkspace
  | ArchiveWorkspace
  | RestoreWorkspace
  | SetAdministratorKey
  | IssueKey
  | RotateKey
  | RevokeKey
  | RecordKeyUse;

export const access: Decider<AccessState, AccessCommand, AccessEvent> = {
  initial: () => ({ exists: false, slug: '', name: '', archived: false, keys: new Map() }),

  decide(state, command) {
    switch (command.type) {
      case 'CreateWorkspace':
        if (state.exists) throw workspaceExists(command.slug);
        return [{ type: 'WorkspaceCreated', slug: command.slug, name: command.name }];
      case 'RenameWorkspace':
        return command.name === state.name ? [] : [{ type: 'WorkspaceRenamed', name: command.name }];
      case 'ArchiveWorkspace':
        return state.archived ? [] : [{ type: 'WorkspaceArchived' }];
      case 'RestoreWorkspace':
        return state.archived ? [{ type: 'WorkspaceRestored' }] : [];
      case 'SetAdministratorKey':
        return setAdministratorKey(state, command);
      case 'IssueKey':
        return [issueKey(state, command)];
      case 'RotateKey': {
        const { by, type: _, ...rotated } = command;
        const { grants, expiresAt } = keyIn(state, command.keyId);
        refuseWider(by, { grants, expiresAt });
        return [{ type: 'ApiKeyRotated', ...rotated }];
      }
      case 'RevokeKey':
        return revokeKey(state, command.keyId);
      case 'RecordKeyUse':
        return recordKeyUse(state, command);
      default:
        return unreachable(command);
    }
  },

  evolve(state, event) {
    switch (event.type) {
      case 'WorkspaceCreated':
        state.exists = true;
        state.slug = event.slug;
        state.name = event.name;
        return state;
      case 'WorkspaceRenamed':
        state.name = event.name;
        return state;
      case 'WorkspaceArchived':
      case 'WorkspaceRestored':
        state.archived = event.type === 'WorkspaceArchived';
        return state;
      case 'ApiKeyIssued':
        state.keys.set(event.keyId, keyFrom(event));
        return state;
      case 'ApiKeyRotated': {
        const key = workingKey(state, event.keyId);
        const { hash, prefix, previousUntil: until } = event;
        state.keys.set(key.id, { ...key, hash, prefix, previous: { hash: key.hash, until } });
        return state;
      }
      case 'ApiKeyRevoked':
        state.keys.delete(event.keyId);
        return state;
      case 'ApiKeyUsed':
        state.keys.set(event.keyId, { ...workingKey(state, event.keyId), usedOn: event.day });
        return state;
      default:
        return unreachable(event);
    }
  },
};

/**
 * Throws `unauthorized` where the key that asks was revoked, or its secret replaced, before it came to be decided: what
 * it was let in with then counts for nothing. `now` is RFC 3339.
 */
export function refuseGone({ keys }: AccessState, { id, secretHash }: Asker, now: string): void {
  if (secretHash === null) return;
  const key = keys.get(id);
  if (key?.hash === secretHash) return;
  if (key?.previous?.hash === secretHash && key.previous.until > now) return;
  throw new Refused('unauthorized', 'The key does not work any more.');
}

/** A key that an administrator issued has somebody to answer for it; that of the installation has nobody. */
export function isOfInstallation(key: ApiKey): boolean {
  return key.issuedBy === null;
}

export function keyNotFound(): Refused {
  return new Refused('key-not-found', 'There is no such key.');
}

function workspaceExists(slug: string): Refused {
  const detail = `There is a workspace ${slug} already.`;
  return new Refused('workspace-exists', detail, [{ pointer: '/slug', detail }]);
}

function keyIn(state: AccessState, keyId: string): ApiKey {
  const key = state.keys.get(keyId);
  if (key === undefined) throw keyNotFound();
  return key;
}

function workingKey(state: AccessState, keyId: string): ApiKey {
  const key = state.keys.get(keyId);
  assert(key !== undefined, `nothing befalls key ${keyId} once it was revoked`);
  return key;
}

function keyFrom({ keyId: id, name, hash, grants, prefix, expiresAt, issuedBy }: ApiKeyIssued): ApiKey {
  return {
    ...{ id, name, hash, grants, previous: null },
    prefix: prefix ?? null,
    expiresAt: expiresAt ?? null,
    issuedBy: issuedBy ?? null,
    usedOn: null,
  };
}

function setAdministratorKey(
  state: AccessState,
  { keyId, hash, prefix }: SetAdministratorKey,
): AccessEvent[] {
  const before = [...state.keys.values()].filter(isOfInstallation);
  if (before.some((key) => key.hash === hash)) return [];
  return [
    {
      ...{ type: 'ApiKeyIssued', keyId, name: 'administrator', hash, grants: [{ role: 'admin' }] },
      ...(prefix !== undefined && { prefix }),
    },
    ...before.map((key) => ({ type: 'ApiKeyRevoked' as const, keyId: key.id })),
  ];
}

function issueKey(state: AccessState, { by, type: _, expiresAt, ...issued }: IssueKey): AccessEvent {
  if (state.keys.size >= KEYS_MAX)
    throw new Refused('too-many-keys', `A workspace takes ${KEYS_MAX} keys: revoke those that nobody needs.`);
  refuseWider(by, { grants: issued.grants, expiresAt });
  return {
    ...{ type: 'ApiKeyIssued', ...issued, issuedBy: by.id },
    ...(expiresAt !== null && { expiresAt }),
  };
}

/** Whoever is handed the secret of a key gains nothing by it: neither a permission nor time. */
function refuseWider(by: Issuer, { grants, expiresAt }: Pick<ApiKey, 'grants' | 'expiresAt'>): void {
  const own = new Access(by.grants);
  const wider = grants.flatMap((grant, at) =>
    own.contains(grant) ? [] : [{ pointer: `/grants/${at}`, detail: 'allows more than the key that asks' }],
  );
  if (by.expiresAt !== null && (expiresAt === null || Date.parse(expiresAt) > Date.parse(by.expiresAt))) {
    const detail = `must not be after ${by.expiresAt}, when the key that asks expires`;
    wider.push({ pointer: '/expiresAt', detail });
  }
  if (wider.length > 0) throw new Refused('grant-too-wide', 'A key cannot hand out a wider one.', wider);
}

function revokeKey(state: AccessState, keyId: string): AccessEvent[] {
  keyIn(state, keyId);
  const remain = [...state.keys.values()].filter((key) => key.id !== keyId);
  if (!remain.some(administersForGood) && administersForGood(keyIn(state, keyId))) {
    const detail =
      'Issue another key with the role admin, without limits and without an end, before this one goes.';
    throw new Refused('last-administrator', detail);
  }
  return [{ type: 'ApiKeyRevoked', keyId }];
}

/** One that expires by itself would leave the workspace to nobody. */
function administersForGood({ grants, expiresAt }: ApiKey): boolean {
  const isUnlimited = ({ role, projects, environments }: Grant) =>
    role === 'admin' && !projects && !environments;
  return expiresAt === null && grants.some(isUnlimited);
}

/** Once a day is enough to tell which keys are still needed. */
function recordKeyUse(state: AccessState, { keyId, day }: RecordKeyUse): AccessEvent[] {
  const key = state.keys.get(keyId);
  if (key === undefined || (key.usedOn !== null && key.usedOn >= day)) return [];
  return [{ type: 'ApiKeyUsed', keyId, day }];
}
