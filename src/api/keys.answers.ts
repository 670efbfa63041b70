// What the API answers about keys, workspaces and the caller.
import { ApiProperty } from '@nestjs/swagger';
import { ROLES, type Role } from '../domain/access.events.js';
import { PERMISSIONS, type Permission } from '../domain/permissions.js';

export class GrantAnswer {
  @ApiProperty({ enum: ROLES })
  role: Role;
  /** Slugs; absent for all projects of the workspace. */
  projects?: string[];
  /** Slugs; absent for all environments. */
  environments?: string[];
}

export class KeyAnswer {
  id: string;
  name: string;
  /** How the key begins; null for one that was brought along. */
  prefix: string | null;
  grants: GrantAnswer[];
  createdAt: string;
  /** Id of the key or the person that issued it; null for the administrator key of the installation. */
  createdBy: string | null;
  expiresAt: string | null;
  /** The day in UTC, as `2026-03-02`; null where it never was. */
  lastUsedOn: string | null;
  /** Until when the secret before the last rotation works, or worked; null where there was none. */
  previousUntil: string | null;
}

/** Only here the key is shown, and only once. */
export class NewKeyAnswer extends KeyAnswer {
  /** Null when the command was sent again: nobody has the key any more but whoever got the first answer. */
  @ApiProperty({ type: 'string', nullable: true })
  key: string | null;
}

export class WorkspaceAnswer {
  id: string;
  slug: string;
  name: string;
  createdAt: string;
  archived: boolean;
}

export class NewWorkspaceAnswer extends WorkspaceAnswer {
  /** Its administrator key, shown once; null when the command was sent again. */
  @ApiProperty({ type: 'string', nullable: true })
  key: string | null;
  keyId: string;
}

class PlaceAnswer {
  id: string;
  slug: string;
  name: string;
}

export class MeAnswer {
  id: string;
  @ApiProperty({ enum: ['api-key', 'person'] })
  type: 'api-key' | 'person';
  /** Null for a person of whom nobody told a name. */
  name: string | null;
  workspace: PlaceAnswer;
  /** On which routes without a project act; null where the path has to name one. */
  @ApiProperty({ type: () => PlaceAnswer, nullable: true })
  project: PlaceAnswer | null;
  grants: GrantAnswer[];
  /** All that the grants allow somewhere. */
  @ApiProperty({ enum: PERMISSIONS, isArray: true })
  permissions: Permission[];
  expiresAt: string | null;
  /** Whether it may look after workspaces. */
  administersInstallation: boolean;
}
