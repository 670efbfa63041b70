// Projects with their environments: what GET /projects and GET /environments show, counts and releases aside. Now and
// then a copy is kept, so that a project at any position is a copy and the few events after it.
import { assert, fold } from '../src/domain/decider.js';
import { idInStream } from '../src/domain/events.js';
import { project, type ProjectState } from '../src/domain/project.js';
import type { ProjectEvent } from '../src/domain/project.events.js';
import type { Recorded } from '../src/domain/recorded.js';
import type { Projection, Rows, Tables } from './projection.js';

export interface Project {
  readonly id: string;
  readonly workspaceId: string;
  readonly createdAt: string;
  revision: number;
  position: bigint;
  readonly state: ProjectState;
  /** When each environment came and, while it is archived, went. */
  readonly environmentTimes: Map<string, EnvironmentTimes>;
  /** While it is archived. */
  archivedAt: string | null;
}

export interface EnvironmentTimes {
  readonly createdAt: string;
  readonly archivedAt: string | null;
  /** Position of its creation, in digits. */
  readonly created: string;
}

/** The next copy is made after so many events, and one for each slug: copies cost no more than events. */
const EVENTS_BETWEEN_COPIES = 32;

interface Row {
  readonly id: string;
  readonly workspace_id: string;
  readonly created_at: string;
  readonly revision: number;
  readonly position: number;
  readonly state: string;
}

/** Takes one event into a project, which begins with its first one. */
export function evolveProject(known: Project | undefined, event: ProjectEvent, recorded: Recorded): Project {
  const evolved = known ?? begin(recorded);
  fold(project, [event], evolved.state);
  evolved.revision = recorded.revision;
  evolved.position = recorded.position;
  if (event.type === 'ProjectArchived') evolved.archivedAt = recorded.meta.time;
  if (event.type === 'ProjectRestored') evolved.archivedAt = null;
  const times = evolved.environmentTimes;
  const { time } = recorded.meta;
  if (event.type === 'EnvironmentCreated') {
    const created = String(recorded.position);
    times.set(event.environmentId, { createdAt: time, archivedAt: null, created });
  } else if (event.type === 'EnvironmentArchived' || event.type === 'EnvironmentRestored') {
    const known = times.get(event.environmentId);
    assert(known !== undefined, 'an environment was created before anything else befell it');
    const archivedAt = event.type === 'EnvironmentArchived' ? time : null;
    times.set(event.environmentId, { ...known, archivedAt });
  }
  return evolved;
}

export function allProjects(rows: Rows): Project[] {
  return rows.all<Row>('SELECT * FROM projects ORDER BY created_at, id').map(fromRow);
}

/** The newest copy that is not after a position; undefined before the project. Only its own events are missing. */
export function copyBefore(rows: Rows, projectId: string, position: bigint): Project | undefined {
  const row = rows.get<Row>(
    'SELECT * FROM project_copies WHERE id = ? AND position <= ? ORDER BY position DESC LIMIT 1',
    ...[projectId, position],
  );
  return row && fromRow(row);
}

export const projects: Projection = {
  name: 'projects',
  version: 3,
  streams: ['project'],
  schema: `CREATE TABLE projects (id TEXT PRIMARY KEY, workspace_id TEXT NOT NULL, created_at TEXT NOT NULL,
      revision INTEGER NOT NULL, position INTEGER NOT NULL, state TEXT NOT NULL) STRICT;
    CREATE TABLE project_copies (id TEXT NOT NULL, workspace_id TEXT NOT NULL, created_at TEXT NOT NULL,
      revision INTEGER NOT NULL, position INTEGER NOT NULL, state TEXT NOT NULL,
      PRIMARY KEY (id, position)) STRICT, WITHOUT ROWID`,
  on: {
    ProjectCreated: take,
    ProjectRenamed: take,
    ProjectArchived: take,
    ProjectRestored: take,
    ResolutionPolicySet: take,
    EnvironmentCreated: take,
    EnvironmentRenamed: take,
    EnvironmentDescribed: take,
    EnvironmentArchived: take,
    EnvironmentRestored: take,
    DefaultEnvironmentSet: take,
  },
};

function take(tables: Tables, event: ProjectEvent, recorded: Recorded): void {
  const row = tables.get<Row>('SELECT * FROM projects WHERE id = ?', idInStream(recorded.stream));
  const evolved = evolveProject(row && fromRow(row), event, recorded);
  const { id, workspaceId, createdAt, revision, position, state, environmentTimes, archivedAt } = evolved;
  const { environments, slugs, ...plain } = state;
  const json = JSON.stringify({
    ...plain,
    environments: [...environments],
    slugs: [...slugs],
    environmentTimes: [...environmentTimes],
    archivedAt,
  });
  tables.run(
    `INSERT OR REPLACE INTO projects (id, workspace_id, created_at, revision, position, state)
     VALUES (?, ?, ?, ?, ?, ?)`,
    ...[id, workspaceId, createdAt, revision, position, json],
  );
  if (revision > 0 && revision - newestCopy(tables, id) < EVENTS_BETWEEN_COPIES + state.slugs.size) return;
  tables.run('INSERT INTO project_copies SELECT * FROM projects WHERE id = ?', id);
}

function newestCopy(tables: Tables, id: string): number {
  const sql = 'SELECT revision FROM project_copies WHERE id = ? ORDER BY position DESC LIMIT 1';
  return tables.get<{ revision: number }>(sql, id)?.revision ?? -1;
}

function begin(recorded: Recorded): Project {
  return {
    id: idInStream(recorded.stream),
    workspaceId: recorded.meta.workspace,
    createdAt: recorded.meta.time,
    revision: -1,
    position: 0n,
    state: project.initial(),
    environmentTimes: new Map(),
    archivedAt: null,
  };
}

function fromRow(row: Row): Project {
  const { environments, slugs, environmentTimes, archivedAt, ...plain } = JSON.parse(row.state) as Omit<
    ProjectState,
    'environments' | 'slugs'
  > & {
    environments: [string, never][];
    slugs: [string, string][];
    environmentTimes: [string, never][];
    archivedAt: string | null;
  };
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    createdAt: row.created_at,
    revision: row.revision,
    position: BigInt(row.position),
    state: { ...plain, environments: new Map(environments), slugs: new Map(slugs) },
    environmentTimes: new Map(environmentTimes),
    archivedAt,
  };
}
