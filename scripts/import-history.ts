// Loads a history of versions over HTTP, one JSON line per version, so that running it again has no second effect.
// Lines of one flow keep their order; different flows are loaded side by side.
import { createHash } from 'node:crypto';
import { ContentTooLarge, digestOf } from '../src/commands/content.js';
import { FLOW_KINDS, type Content } from '../src/domain/flow.events.js';
import { isName, isSlug } from '../src/domain/naming.js';
import { ApiError, repeatWhile, type Client, type Flow, type Version } from './client.js';

export interface SkippedLine {
  readonly line: number;
  readonly reason: string;
}

export interface ImportReport {
  lines: number;
  flowsCreated: number;
  versionsAdded: number;
  alreadyThere: number;
  readonly skipped: SkippedLine[];
}

interface HistoryLine {
  readonly slug: string;
  readonly name: string;
  readonly kind: string;
  readonly content: Content;
  readonly comment: string;
}

/** What the server holds of a flow, as the lines of that flow are walked through. */
interface FlowProgress {
  readonly lane: Lane;
  /** False until the server has been asked, and again once somebody else has turned out to be quicker. */
  known: boolean;
  /** Null while there is no such flow. */
  kind: string | null;
  /** Digests of its versions, in the order of their numbers. */
  digests: string[];
  /** How many of them are behind the lines seen so far. */
  passed: number;
}

/** Everything in one lane happens in order, and at most `LANES` lanes are busy at once. */
interface Lane {
  last: Promise<void>;
  waiting: number;
}

const LANES = 8;
const WAITING_MAX = 8;
/** The answers that are about one line. Any other refusal would meet every line alike, so it ends the import. */
const LINE_REFUSED = new Set([400, 409, 413, 422]);

/** A line that is left out for a reason that will be the same next time. */
class Unusable extends Error {}

export async function importHistory(
  client: Client,
  lines: AsyncIterable<string>,
  onLine: (text: string) => void = () => {},
): Promise<ImportReport> {
  const report: ImportReport = { lines: 0, flowsCreated: 0, versionsAdded: 0, alreadyThere: 0, skipped: [] };
  const lanes = Array.from({ length: LANES }, (): Lane => ({ last: Promise.resolve(), waiting: 0 }));
  const flows = new Map<string, FlowProgress>();
  const failures: unknown[] = [];
  let number = 0;

  for await (const text of lines) {
    const line = ++number;
    const skip = (reason: string) => report.skipped.push({ line, reason });
    if (text.trim() === '') {
      onLine(text);
      continue;
    }
    report.lines++;
    const history = parseLine(text);
    if (history instanceof Unusable) {
      skip(history.message);
      onLine(text);
      continue;
    }
    const progress = flows.get(history.slug) ?? newProgress(lanes[flows.size % LANES] as Lane);
    flows.set(history.slug, progress);
    const { lane } = progress;
    if (lane.waiting >= WAITING_MAX) await lane.last;
    if (failures.length > 0) break;
    lane.waiting++;
    lane.last = lane.last.then(async () => {
      lane.waiting--;
      // After a failure nothing more is sent: a later version must never come before an earlier one.
      if (failures.length > 0) return;
      try {
        await repeatWhile(isOvertaken, () => importLine(client, history, progress, report));
      } catch (error) {
        if (isAboutOneLine(error)) skip(error.message);
        else failures.push(error);
      }
      onLine(text);
    });
  }
  await Promise.all(lanes.map((lane) => lane.last));
  if (failures.length > 0) throw failures[0];
  report.skipped.sort((a, b) => a.line - b.line);
  return report;
}

/**
 * The server's versions are walked beside the lines. A line whose content comes next among them, possibly after
 * versions that somebody else added, is there already; otherwise it becomes the newest version. So two equal
 * lines in a row make two versions, and an import that was killed goes on exactly where it stopped.
 */
async function importLine(
  client: Client,
  line: HistoryLine,
  progress: FlowProgress,
  report: ImportReport,
): Promise<void> {
  const { slug, name, kind, content, comment } = line;
  if (!progress.known) await askServer(client, slug, progress);
  if (progress.kind !== null && progress.kind !== kind) {
    throw new Unusable(`flow ${slug} is of kind ${progress.kind}, not ${kind}`);
  }
  const digest = digestOf(content);
  const place = progress.digests.indexOf(digest, progress.passed);
  if (place >= 0) {
    progress.passed = place + 1;
    report.alreadyThere++;
    return;
  }
  const isNew = progress.kind === null;
  const body = isNew ? { slug, name, kind, content, comment } : { content, comment };
  const path = isNew ? '/flows' : `/flows/${slug}/versions`;
  const idempotencyKey = keyOf(slug, progress.digests.length + 1, body);
  // Should this be refused, the server has to be asked what is there.
  progress.known = false;
  await client.post<Flow | Version>(path, body, { idempotencyKey });
  progress.known = true;
  progress.kind = kind;
  progress.digests.push(digest);
  progress.passed = progress.digests.length;
  if (isNew) report.flowsCreated++;
  report.versionsAdded++;
}

async function askServer(client: Client, slug: string, progress: FlowProgress): Promise<void> {
  const flow = await client.find<Flow>(`/flows/${slug}`, 'flow-not-found');
  progress.known = true;
  if (flow === null) return;
  const versions: Version[] = [];
  for await (const version of client.list<Version>(`/flows/${slug}/versions`)) versions.push(version);
  progress.kind = flow.kind;
  progress.digests = versions.sort((a, b) => a.number - b.number).map(({ digest }) => digest);
}

function newProgress(lane: Lane): FlowProgress {
  return { lane, kind: null, known: false, digests: [], passed: 0 };
}

/**
 * All that can be said against a line without asking the server is said here, by the server's own rules: a line
 * must be left out on every run alike, also when another line has created its flow meanwhile.
 */
function parseLine(text: string): HistoryLine | Unusable {
  let value: unknown;
  try {
    value = JSON.parse(text.trim()); // A byte order mark counts as white space.
  } catch {
    return new Unusable('is not JSON');
  }
  if (!isObject(value)) return new Unusable('is not a JSON object');
  const { flow: slug, title, kind, committedAt, content } = value;
  if (typeof slug !== 'string' || !isSlug(slug)) return new Unusable(`flow ${shown(slug)} is not a slug`);
  const name = typeof title === 'string' ? title.trim() : '';
  if (!isName(name))
    return new Unusable(`title ${shown(title)} is not a name of 1 to 100 printable characters`);
  if (!FLOW_KINDS.some((known) => known === kind)) {
    return new Unusable(`kind ${shown(kind)} is none of ${FLOW_KINDS.join(', ')}`);
  }
  const object = typeof content === 'string' ? { prompt: content } : content;
  if (!isObject(object)) return new Unusable('content is neither text nor a JSON object');
  const isEmpty = typeof content === 'string' ? content.trim() === '' : Object.keys(object).length === 0;
  if (isEmpty) return new Unusable('content is empty');
  const comment = typeof committedAt === 'string' ? `Imported; committed at ${committedAt}` : 'Imported';
  return { slug, name, kind: kind as string, content: object, comment };
}

/** Names one effect: whoever sends the same content as the same version of a flow means the same thing. */
function keyOf(slug: string, number: number, body: object): string {
  const hash = createHash('sha256').update(JSON.stringify([slug, number, body]));
  return `import-${hash.digest('hex').slice(0, 40)}`;
}

/** Somebody else has created the flow in between, with another line. */
function isOvertaken(error: unknown): boolean {
  return error instanceof ApiError && error.code === 'flow-exists';
}

function isAboutOneLine(error: unknown): error is Error {
  if (error instanceof ApiError) return LINE_REFUSED.has(error.status);
  return error instanceof Unusable || error instanceof ContentTooLarge;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'that is missing';
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
