// Entries of the audit trail in the forms in which others take them: a line of JSON each, rows for a spreadsheet, and
// API Activity (class 6003) of the Open Cybersecurity Schema Framework 1.4 for whoever collects events from everywhere.
import { stringify } from 'csv-stringify/sync';
import type { AuditEntryAnswer } from '../api/audit.answers.js';

export const EXPORT_FORMATS = ['ndjson', 'csv', 'ocsf'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

interface Form {
  readonly contentType: string;
  readonly fileName: string;
  /** What comes before the first entry. */
  readonly head: string;
  /** With its line end. */
  line(entry: AuditEntryAnswer): string;
}

function inJson(value: object): string {
  return `${JSON.stringify(value)}\n`;
}

type Cell = (entry: AuditEntryAnswer) => unknown;

const COLUMNS: Readonly<Record<string, Cell>> = {
  position: (entry) => entry.position,
  time: (entry) => entry.time,
  type: (entry) => entry.type,
  outcome: (entry) => entry.outcome,
  actorType: ({ actor }) => actor.type,
  actorId: ({ actor }) => actor.id,
  actorName: ({ actor }) => actor.name,
  workspace: (entry) => entry.workspace,
  project: (entry) => entry.project,
  environmentId: ({ environment }) => environment?.id,
  environment: ({ environment }) => environment?.slug,
  flowId: ({ flow }) => flow?.id,
  flow: ({ flow }) => flow?.slug,
  versionId: ({ version }) => version?.id,
  version: ({ version }) => version?.number,
  release: (entry) => entry.release,
  summary: (entry) => entry.summary,
  comment: (entry) => entry.comment,
  before: ({ before }) => before && JSON.stringify(before),
  after: ({ after }) => after && JSON.stringify(after),
  requestId: (entry) => entry.requestId,
  correlationId: (entry) => entry.correlationId,
  causationId: (entry) => entry.causationId,
  ip: (entry) => entry.ip,
  userAgent: (entry) => entry.userAgent,
};

// A cell that begins like a formula is one to a spreadsheet (OWASP, CSV injection): it gets an apostrophe in front.
const CSV = { escape_formulas: true, record_delimiter: 'windows' } as const;

function asRow(entry: AuditEntryAnswer): string {
  return stringify([Object.values(COLUMNS).map((cell) => cell(entry) ?? '')], CSV);
}

const NDJSON = 'application/x-ndjson; charset=utf-8';

export const exportForms: Readonly<Record<ExportFormat, Form>> = {
  ndjson: { contentType: NDJSON, fileName: 'audit.ndjson', head: '', line: inJson },
  csv: {
    contentType: 'text/csv; charset=utf-8; header=present',
    fileName: 'audit.csv',
    head: stringify([Object.keys(COLUMNS)], CSV),
    line: asRow,
  },
  ocsf: {
    contentType: NDJSON,
    fileName: 'audit-ocsf.ndjson',
    head: '',
    line: (entry) => inJson(asActivity(entry)),
  },
};

const CLASS = { uid: 6003, name: 'API Activity' };
const ACTIVITIES = { create: 1, update: 3, delete: 4, other: 99 } as const;
const ACTIVITY_NAMES = { create: 'Create', update: 'Update', delete: 'Delete', other: 'Other' } as const;

/** Which of the activities of OCSF an event is. What is none of them is named by its own type. */
function activityOf(type: string): keyof typeof ACTIVITIES {
  if (/(Created|Drafted|Issued|Announced)$/.test(type)) return 'create';
  if (/(Archived|Revoked|Deactivated)$/.test(type)) return 'delete';
  if (/(Edited|Renamed|Described|Set|Locked|Activated|Promoted|RolledBack|Restored)$/.test(type))
    return 'update';
  return 'other';
}

/** What OCSF calls a user, a system, and anything else. */
const USER_TYPES = { person: 1, system: 3, 'api-key': 99 } as const;

/** https://schema.ocsf.io/1.4.0/classes/api_activity */
function asActivity(entry: AuditEntryAnswer): object {
  const { actor, position, time, type, outcome, summary, comment, ip, userAgent, requestId } = entry;
  const activity = activityOf(type);
  const denied = outcome === 'denied';
  const { workspace, correlationId, project, release, before, after, causationId } = entry;
  return {
    activity_id: ACTIVITIES[activity],
    activity_name: activity === 'other' ? type : ACTIVITY_NAMES[activity],
    category_uid: 6,
    category_name: 'Application Activity',
    class_uid: CLASS.uid,
    class_name: CLASS.name,
    type_uid: CLASS.uid * 100 + ACTIVITIES[activity],
    time: Date.parse(time),
    severity_id: denied ? 2 : 1,
    severity: denied ? 'Low' : 'Informational',
    status_id: denied ? 2 : 1,
    status: denied ? 'Failure' : 'Success',
    message: summary,
    metadata: {
      version: '1.4.0',
      product: { name: 'Switchyard', vendor_name: 'Switchyard' },
      uid: position,
      event_code: type,
      correlation_uid: correlationId,
      tenant_uid: workspace,
      profiles: [],
    },
    actor: {
      user: {
        uid: actor.id,
        name: actor.name ?? actor.id,
        type: actor.type,
        type_id: USER_TYPES[actor.type],
      },
    },
    api: { operation: type, request: { uid: requestId } },
    src_endpoint: ip === null ? { name: 'switchyard' } : { ip },
    ...(userAgent !== null && { http_request: { user_agent: userAgent } }),
    resources: resourcesOf(entry),
    unmapped: { project, release: release ?? null, comment, before, after, causationId },
  };
}

function resourcesOf({ environment, flow, version }: AuditEntryAnswer): object[] {
  return [
    ...(environment === undefined
      ? []
      : [{ type: 'environment', uid: environment.id, name: environment.slug }]),
    ...(flow === undefined ? [] : [{ type: 'flow', uid: flow.id, name: flow.slug }]),
    ...(version === undefined ? [] : [{ type: 'version', uid: version.id, name: String(version.number) }]),
  ];
}
