// Which version of each flow runs in each environment, in memory: the view that resolving and every command on an
// environment read. It is the fold of the environment streams and nothing else; its rows let a restart begin
// where the last run stopped instead of at the first event.
import { environment } from '../src/domain/environment.js';
import type { EnvironmentState } from '../src/domain/environment-state.js';
import type { EnvironmentEvent, VersionRef } from '../src/domain/environment.events.js';
import { idInStream } from '../src/domain/events.js';
import type { Recorded } from '../src/domain/recorded.js';
import { Differences } from './differences.js';
import { FlowNumbers, PlacementColumn } from './placement-column.js';
import type { Projection, Rows, Tables } from './projection.js';

export interface Environment {
  readonly id: string;
  /** Of the newest event of its stream; -1 before the first. */
  revision: number;
  /** Where its newest release is complete; null before the first. */
  position: bigint | null;
  readonly state: EnvironmentState;
  /** The flows of `state`. */
  readonly column: PlacementColumn;
}

export class ActiveVersions {
  readonly differences = new Differences((id) => this.environment(id).state);
  private readonly environments = new Map<string, Environment>();
  private readonly columns: PlacementColumn[] = [];
  /** By flow number: the environments where it was ever active, in the order of its first activation there. */
  private readonly everActiveIn: string[][] = [];

  constructor(private readonly numbers = new FlowNumbers()) {}

  /** The environment's releases so far; an environment without any is not in the log of releases yet. */
  environment(id: string): Environment {
    const known = this.environments.get(id);
    if (known !== undefined) return known;
    const column = new PlacementColumn(this.numbers, this.columns);
    this.columns.push(column);
    const empty: Environment = {
      ...{ id, revision: -1, position: null, column },
      state: { ...environment.initial(), flows: column },
    };
    this.environments.set(id, empty);
    return empty;
  }

  /** The version of a flow that an environment resolves to. */
  active(environmentId: string, flowId: string): VersionRef | null {
    return this.environments.get(environmentId)?.column.get(flowId)?.version ?? null;
  }

  /** The id of that version, for a flow whose number is known already. */
  activeAt(environmentId: string, flowNumber: number): string | null {
    return this.environments.get(environmentId)?.column.versionIdAt(flowNumber) ?? null;
  }

  /** Ids of the environments where a flow is active, in the order of its first activation there. */
  environmentsOf(flowId: string): string[] {
    const flowNumber = this.numbers.find(flowId);
    return flowNumber === undefined ? [] : this.environmentsAt(flowNumber);
  }

  environmentsAt(flowNumber: number): string[] {
    const ever = this.everActiveIn[flowNumber] ?? [];
    return ever.filter((environmentId) => this.activeAt(environmentId, flowNumber) !== null);
  }

  take(event: EnvironmentEvent, recorded: Recorded): void {
    const known = this.environment(idInStream(recorded.stream));
    for (const { flowId } of event.changes) this.noteActivation(flowId, known.id);
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
    // In the order of their insertion, which is that of the first activations.
    for (const row of rows.iterate<PlacementRow>('SELECT * FROM placements ORDER BY rowid')) {
      const { state, id } = this.environment(row.environment_id);
      const version = fromRow(row);
      state.flows.set(row.flow_id, { version, since: row.since });
      if (version !== null) state.activeCount += 1;
      this.noteActivation(row.flow_id, id);
    }
  }

  private noteActivation(flowId: string, environmentId: string): void {
    const flowNumber = this.numbers.of(flowId);
    while (this.everActiveIn.length <= flowNumber) this.everActiveIn.push([]);
    const ever = this.everActiveIn[flowNumber];
    if (ever?.includes(environmentId) === false) ever.push(environmentId);
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
  version: 2,
  streams: ['environment'],
  schema: `CREATE TABLE environment_heads (environment_id TEXT PRIMARY KEY, revision INTEGER NOT NULL,
      position INTEGER NOT NULL, release INTEGER NOT NULL, in_effect INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE placements (environment_id TEXT NOT NULL, flow_id TEXT NOT NULL, version_id TEXT,
      number INTEGER, digest TEXT, since INTEGER NOT NULL, UNIQUE (environment_id, flow_id)) STRICT`,
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
  for (const { flowId, to, toSince } of event.changes) {
    tables.run(
      `INSERT INTO placements (environment_id, flow_id, version_id, number, digest, since)
       VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET version_id = excluded.version_id,
       number = excluded.number, digest = excluded.digest, since = excluded.since`,
      ...[environmentId, flowId, to?.versionId ?? null, to?.number ?? null, to?.digest ?? null, toSince],
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
