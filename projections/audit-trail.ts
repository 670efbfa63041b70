// The audit trail: every event of the log as an entry that can be read, filtered and searched from rows alone, worded
// as things were called when it happened. Entries are numbered without gaps, so that a place among them is found by
// halving, and indexed in windows (audit-windows.ts).
import { idInStream, kindOf, type EventMetadata } from '../src/domain/events.js';
import { Recorded, UnknownEvent, type StoredFact } from '../src/domain/recorded.js';
import {
  actorToken,
  alsoNamesToken,
  correlationToken,
  SYSTEM_TOKEN,
  thingToken,
  versionToken,
  wordsOf,
} from './audit-tokens.js';
import type { Draft, Knowledge, Known, Told } from './audit-told.js';
import { WINDOW_ENTRIES, WINDOWS_SCHEMA, WindowsOfBatch } from './audit-windows.js';
import { toldOf, toldOfUnknown } from './audit-words.js';
import type { LogProjection, Tables } from './projection.js';

// A correlation or causation that is not there is the request itself.
const SCHEMA = `CREATE TABLE audit_entries (nr INTEGER PRIMARY KEY, position INTEGER NOT NULL, time TEXT NOT NULL,
      type TEXT NOT NULL, actor_type TEXT NOT NULL, actor INTEGER NOT NULL,
      workspace INTEGER NOT NULL, project INTEGER, environment INTEGER, environment_slug TEXT, flow INTEGER,
      flow_slug TEXT, version_id TEXT, version_number INTEGER, release INTEGER, summary TEXT NOT NULL,
      comment TEXT, before TEXT, after TEXT, request_id TEXT NOT NULL, correlation_id TEXT, causation_id TEXT,
      ip TEXT, user_agent TEXT, also_names INTEGER, summary_alone TEXT) STRICT;
    CREATE TABLE audit_things (nr INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, known TEXT) STRICT;
    CREATE TABLE audit_drafts (version_id TEXT PRIMARY KEY, draft TEXT NOT NULL) STRICT, WITHOUT ROWID;
    ${WINDOWS_SCHEMA}`;

export const auditTrail = auditTrailIn(WINDOW_ENTRIES);

export function auditTrailIn(windowEntries: number): LogProjection {
  return {
    name: 'audit_trail',
    version: 3,
    schema: SCHEMA,
    take(tables, events) {
      const batch = new Batch(tables, windowEntries);
      for (const stored of events) batch.take(stored);
      batch.write();
    },
  };
}

/** The id under which a type of event is one of the things that entries are about. */
export function typeThing(type: string): string {
  return `type ${type}`;
}

interface Thing {
  readonly nr: number;
  known: Known | null;
  isNew: boolean;
  hasChanged: boolean;
}

interface ThingRow {
  readonly nr: number;
  readonly known: string | null;
}

const INSERT_ENTRY = `INSERT INTO audit_entries (nr, position, time, type, actor_type, actor, workspace,
  project, environment, environment_slug, flow, flow_slug, version_id, version_number, release, summary, comment,
  before, after, request_id, correlation_id, causation_id, ip, user_agent, also_names, summary_alone)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

/** What a batch of events adds. Names are looked up once for all of them. */
class Batch implements Knowledge {
  private readonly things = new Map<string, Thing>();
  private readonly drafts = new Map<string, Draft | null>();
  private readonly windows: WindowsOfBatch;
  private lastNr: number;
  private lastThing: number;

  constructor(
    private readonly tables: Tables,
    windowEntries: number,
  ) {
    this.windows = new WindowsOfBatch(tables, windowEntries);
    this.lastNr = tables.get<{ nr: number }>('SELECT max(nr) AS nr FROM audit_entries')?.nr ?? 0;
    this.lastThing = tables.get<{ nr: number }>('SELECT max(nr) AS nr FROM audit_things')?.nr ?? 0;
  }

  readonly known = (id: string): Known => this.thing(id).known ?? { slug: id, name: id };

  readonly draft = (versionId: string): Draft | null => {
    const draft = this.drafts.get(versionId);
    if (draft !== undefined) return draft;
    const sql = 'SELECT draft FROM audit_drafts WHERE version_id = ?';
    const row = this.tables.get<{ draft: string }>(sql, versionId);
    return row === undefined ? null : (JSON.parse(row.draft) as Draft);
  };

  take(stored: StoredFact): void {
    const { told, meta } = this.read(stored);
    if (told.learned !== undefined) this.learn(told.learned);
    if (told.draft !== undefined) this.drafts.set(told.draft.versionId, told.draft.draft);
    const nr = (this.lastNr += 1);
    const { actor, project, requestId, $correlationId, $causationId, time } = meta;
    const { environmentId = null, flowId = null, version, before, after } = told;
    const environment = environmentId === null ? null : this.thing(environmentId);
    const flow = flowId === null ? null : this.thing(flowId);
    const alsoNames = told.alsoNames === undefined ? null : this.thing(told.alsoNames.environmentId).nr;
    const of = {
      type: this.thing(typeThing(stored.type)).nr,
      actor: this.thing(actor.id).nr,
      workspace: this.thing(meta.workspace).nr,
      project: project === null ? null : this.thing(project).nr,
      environment: environment === null ? null : environment.nr,
      flow: flow === null ? null : flow.nr,
      alsoNames,
    };
    this.tables.run(
      INSERT_ENTRY,
      nr,
      stored.position,
      time,
      stored.type,
      actor.type,
      of.actor,
      of.workspace,
      of.project,
      of.environment,
      environment && (environment.known?.slug ?? environmentId),
      of.flow,
      flow && (flow.known?.slug ?? flowId),
      version?.id ?? null,
      version?.number ?? null,
      told.release ?? null,
      told.summary,
      told.comment ?? null,
      jsonOf(before),
      jsonOf(after),
      requestId,
      $correlationId === requestId ? null : $correlationId,
      $causationId === requestId ? null : $causationId,
      meta.ip ?? null,
      meta.userAgent ?? null,
      alsoNames,
      told.alsoNames?.summaryAlone ?? null,
    );
    this.windows.take(of.workspace, nr, this.tokensOf(told, meta, of));
  }

  write(): void {
    this.windows.write();
    for (const [id, { nr, known, isNew, hasChanged }] of this.things) {
      const text = known && JSON.stringify(known);
      if (isNew) this.tables.run('INSERT INTO audit_things (nr, id, known) VALUES (?, ?, ?)', nr, id, text);
      else if (hasChanged) this.tables.run('UPDATE audit_things SET known = ? WHERE nr = ?', text, nr);
    }
    for (const [versionId, draft] of this.drafts) {
      if (draft === null) this.tables.run('DELETE FROM audit_drafts WHERE version_id = ?', versionId);
      else {
        const sql = 'INSERT OR REPLACE INTO audit_drafts (version_id, draft) VALUES (?, ?)';
        this.tables.run(sql, versionId, JSON.stringify(draft));
      }
    }
  }

  private read(stored: StoredFact): { readonly told: Told; readonly meta: EventMetadata } {
    const id = idInStream(stored.stream);
    try {
      const { event, meta } = new Recorded(stored);
      return { told: toldOf(event, id, this), meta };
    } catch (error) {
      if (!(error instanceof UnknownEvent)) throw error;
      const kind = kindOf(stored.stream);
      const place = kind === 'environment' ? { environmentId: id } : kind === 'flow' ? { flowId: id } : {};
      return { told: { ...toldOfUnknown(stored.type), ...place }, meta: metaOfUnknown(stored) };
    }
  }

  private learn({ id, known }: { readonly id: string; readonly known: Known }): void {
    const thing = this.thing(id);
    thing.known = known;
    thing.hasChanged = true;
  }

  private thing(id: string): Thing {
    let thing = this.things.get(id);
    if (thing !== undefined) return thing;
    const row = this.tables.get<ThingRow>('SELECT nr, known FROM audit_things WHERE id = ?', id);
    if (row === undefined) thing = { nr: (this.lastThing += 1), known: null, isNew: true, hasChanged: false };
    else {
      const known = row.known === null ? null : (JSON.parse(row.known) as Known);
      thing = { nr: row.nr, known, isNew: false, hasChanged: false };
    }
    this.things.set(id, thing);
    return thing;
  }

  private tokensOf(told: Told, meta: EventMetadata, of: Places): string {
    const { environment, flow, project } = of;
    let tokens = `${thingToken(of.workspace)} ${actorToken(of.actor)} ${thingToken(of.type)}`;
    if (project !== null) tokens += ` ${thingToken(project)}`;
    if (environment !== null) tokens += ` ${thingToken(environment)}`;
    if (of.alsoNames !== null) tokens += ` ${alsoNamesToken(of.alsoNames)}`;
    if (meta.actor.type === 'system') tokens += ` ${SYSTEM_TOKEN}`;
    tokens += ` ${correlationToken(meta.$correlationId)} ${wordsOf(told.summary)}`;
    if (told.comment) tokens += ` ${wordsOf(told.comment)}`.trimEnd();
    if (told.changes === undefined) {
      if (flow !== null) tokens += ` ${thingToken(flow)}`;
      if (flow !== null && told.version) tokens += ` ${versionToken(flow, told.version.number)}`;
      return tokens;
    }
    for (const { flowId, from, to } of told.changes) {
      const { nr } = this.thing(flowId);
      tokens += ` ${thingToken(nr)}`;
      if (from !== null) tokens += ` ${versionToken(nr, from.number)}`;
      if (to !== null) tokens += ` ${versionToken(nr, to.number)}`;
    }
    return tokens;
  }
}

/** The numbers of the things that an entry is about. */
interface Places {
  readonly type: number;
  readonly actor: number;
  readonly workspace: number;
  readonly project: number | null;
  readonly environment: number | null;
  readonly flow: number | null;
  readonly alsoNames: number | null;
}

function jsonOf(state: object | null = null): string | null {
  return state === null ? null : JSON.stringify(state);
}

const NO_TIME = '1970-01-01T00:00:00.000Z';

/** A later version may have put something else where today's has a text. Only the workspace cannot be done without. */
function metaOfUnknown({ id, meta, position }: StoredFact): EventMetadata {
  const found = JSON.parse(meta) as Record<string, unknown>;
  const text = (value: unknown, otherwise: string): string => (typeof value === 'string' ? value : otherwise);
  const workspace = text(found['workspace'], '');
  if (workspace === '') throw new Error(`The event at position ${position} names no workspace`);
  const actor = (found['actor'] ?? {}) as Record<string, unknown>;
  const requestId = text(found['requestId'], id);
  return {
    actor: { type: text(actor['type'], 'system') as 'system', id: text(actor['id'], 'unknown') },
    workspace,
    project: typeof found['project'] === 'string' ? found['project'] : null,
    time: text(found['time'], NO_TIME),
    schema: Number(found['schema']),
    requestId,
    $correlationId: text(found['$correlationId'], requestId),
    $causationId: text(found['$causationId'], requestId),
    ...(typeof found['ip'] === 'string' && { ip: found['ip'] }),
    ...(typeof found['userAgent'] === 'string' && { userAgent: found['userAgent'] }),
  };
}
