// Which version of each flow runs in each environment, in memory: the view that resolving and every command on an
// environment read. It is the fold of the environment streams and nothing else; its rows let a restart begin
// where the last run stopped instead of at the first event.
import { environment } from '../src/domain/environment.js';
import type { EnvironmentState } from '../src/domain/environment-state.js';
import type { EnvironmentEvent, VersionRef } from '../src/domain/environment.events.js';
import { idInStream } from '../src/domain/events.js';
import type { Recorded } from '../src/domain/recorded.js';
import { Differences } from './differences.js';
import type { Projection, Rows, Tables } from './projection.js';

export interface Environment {
  readonly id: string;
  /** Of the newest event of its stream; -1 before the first. */
  revision: number;
  /** Where its newest release is complete; null before the first. */
  position: bigint | null;
  readonly state: EnvironmentState;
}

export class ActiveVersions {
  readonly differences = new Differences((id) => this.environment(id).state);
  private readonly environments = new Map<string, Environment>();
  /** Flow id to the environments where it was ever active, in the order of its first activation there. */
  private readonly everActiveIn = new Map<string, string[]>();

  /** The environment's releases so far; an environment without any is not in the log of releases yet. */
  environment(id: string): Environment {
    const known = this.environments.get(id);
    if (known !== undefined) return known;
    const empty = { id, revision: -1, position: null, state: environment.initial() };
    this.environments.set(id, empty);
    return empty;
  }

  /** The version of a flow that an environment resolves to. */
  active(environmentId: string, flowId: string): VersionRef | null {
    return this.environments.get(environmentId)?.state.flows.get(flowId)?.version ?? null;
  }

  /** Ids of the environments where a flow is active, in the order of its first activation there. */
  environmentsOf(flowId: string): string[] {
    const ever = this.everActiveIn.get(flowId) ?? [];
    return ever.filter((environmentId) => this.active(environmentId, flowId) !== null);
  }

  take(event: EnvironmentEvent, recorded: Recorded): void {
    const known = this.environment(idInStream(recorded.stream));
    for (const { flowId } of event.changes) {
      if (!known.state.flows.has(flowId)) this.noteFirstActivation(flowId, known.id);
    }
    const held = known.state.held;
    environment.evolve(known.state, event);
    known.revision = recorded.revision;
    if (known.state.release !== event.release) return;
    known.position = recorded.position;
    for (const { flowId } of held) this.differences.changed(known.id, flowId);
    for (const { flowId } of event.changes) this.differences.changed(known.id, flowId);
  }

  /** Begins again from the rows that an earlier run left. */
  load(rows: Rows): void {
    for (const row of rows.iterate<HeadRow>('SELECT * FROM environment_heads')) {
      const known = this.environment(row.environment_id);
      known.revision = row.revision;
      known.position = BigInt(row.position);
      known.state.release = row.release;
      known.state.inEffect = row.in_effect;
    }
    const placed = rows.iterate<PlacementRow>('SELECT * FROM placements ORDER BY first_activated, rank');
    for (const row of placed) {
      const { state, id } = this.environment(row.environment_id);
      const version = fromRow(row);
      state.flows.set(row.flow_id, { version, since: row.since });
      if (version !== null) state.activeCount += 1;
      this.noteFirstActivation(row.flow_id, id);
    }
  }

  private noteFirstActivation(flowId: string, environmentId: string): void {
    const ever = this.everActiveIn.get(flowId);
    if (ever === undefined) this.everActiveIn.set(flowId, [environmentId]);
    else if (!ever.includes(environmentId)) ever.push(environmentId);
  }
}

interface HeadRow {
  readonly environment_id: string;
  readonly revision: number;
  readonly position: number;
  readonly release: number;
  readonly in_effect: number;
}

interface PlacementRow {
  readonly environment_id: string;
  readonly flow_id: string;
  readonly version_id: string | null;
  readonly number: number | null;
  readonly digest: string | null;
  readonly since: number;
}

export const activeVersions: Projection = {
  name: 'active_versions',
  version: 1,
  schema: `CREATE TABLE environment_heads (environment_id TEXT PRIMARY KEY, revision INTEGER NOT NULL,
      position INTEGER NOT NULL, release INTEGER NOT NULL, in_effect INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE placements (environment_id TEXT NOT NULL, flow_id TEXT NOT NULL, version_id TEXT,
      number INTEGER, digest TEXT, since INTEGER NOT NULL, first_activated INTEGER NOT NULL,
      rank INTEGER NOT NULL, PRIMARY KEY (environment_id, flow_id)) STRICT, WITHOUT ROWID`,
  on: {
    VersionActivated: take,
    VersionDeactivated: take,
    VersionsPromoted: take,
    EnvironmentRolledBack: take,
  },
};

/** Parts of a release become rows one by one: nobody reads them before the log has been followed to its end. */
function take(tables: Tables, event: EnvironmentEvent, { stream, revision, position }: Recorded): void {
  const environmentId = idInStream(stream);
  for (const [rank, { flowId, to, toSince }] of event.changes.entries()) {
    tables.run(
      `INSERT INTO placements (environment_id, flow_id, version_id, number, digest, since, first_activated, rank)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET version_id = excluded.version_id,
       number = excluded.number, digest = excluded.digest, since = excluded.since`,
      ...[environmentId, flowId, to?.versionId ?? null, to?.number ?? null, to?.digest ?? null, toSince],
      ...[position, rank],
    );
  }
  if (event.part !== undefined && event.part.number < event.part.of) return;
  const inEffect = event.type === 'EnvironmentRolledBack' ? event.inEffect : event.release;
  tables.run(
    `INSERT OR REPLACE INTO environment_heads (environment_id, revision, position, release, in_effect)
     VALUES (?, ?, ?, ?, ?)`,
    ...[environmentId, revision, position, event.release, inEffect],
  );
}

function fromRow({ version_id, number, digest }: PlacementRow): VersionRef | null {
  if (version_id === null || number === null || digest === null) return null;
  return { versionId: version_id, number, digest };
}
