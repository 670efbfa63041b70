// What a bundle claims about the environments, told from the events alone: which version of which flow is active in
// which environment. The exporter makes the manifest by this, and the verifier compares it with what it finds.
import canonicalize from 'canonicalize';
import type { Checkpoint } from './checkpoint.js';

export interface EnvironmentState {
  readonly id: string;
  readonly release: number;
  /** Which version is active, by the flow. */
  readonly active: ReadonlyMap<string, string>;
}

export interface Claims {
  /** The newest one. */
  readonly checkpoint: Checkpoint;
  /** SHA-256, in hex. */
  readonly files: {
    readonly 'checkpoints.txt': string;
    readonly 'events.ndjson': string;
    readonly 'pubkeys.txt': string;
  };
  readonly environments: readonly EnvironmentState[];
}

/** An event of an environment that is not in its form, or does not follow the ones before. */
export class Unfoldable extends Error {
  override readonly name = 'Unfoldable';
}

interface Change {
  readonly flowId: string;
  readonly versionId: string | null;
}

interface Release {
  readonly release: number;
  readonly part: { readonly number: number; readonly of: number };
  readonly changes: readonly Change[];
}

interface Environment {
  release: number;
  readonly active: Map<string, string>;
  /** The parts of a release of which some are not there yet. */
  held: Release[];
}

const FORMAT = 'switchyard-evidence/1';
const STREAM = 'environment-';
const TYPES: ReadonlySet<string> = new Set([
  'VersionActivated',
  'VersionDeactivated',
  'VersionsPromoted',
  'EnvironmentRolledBack',
]);
const ALL_THERE_IS = { number: 1, of: 1 };
/** Arrays and objects in each other: readers of JSON differ in how deep they follow. */
const DEEPEST = 64;

/** The bytes of manifest.json. */
export function manifestOf({ checkpoint, files, environments }: Claims): string {
  const manifest = {
    environments: environments.map(({ id, release, active }) => {
      return { active: Object.fromEntries(active), id, release };
    }),
    files,
    format: FORMAT,
    origin: checkpoint.origin,
    root: checkpoint.root.toString('base64'),
    size: checkpoint.size,
    workspace: checkpoint.workspace,
  };
  return `${canonicalize(manifest) ?? ''}\n`;
}

/** Takes the events of a workspace in their order. */
export class EnvironmentFold {
  private readonly environments = new Map<string, Environment>();

  static concerns(stream: string): boolean {
    return stream.startsWith(STREAM);
  }

  /** Throws `Unfoldable`, and has taken nothing then. Events of other streams change nothing. */
  take(stream: string, type: string, data: string): void {
    if (!EnvironmentFold.concerns(stream)) return;
    if (!TYPES.has(type)) throw new Unfoldable(`${JSON.stringify(type)} is no event of an environment`);
    const release = releaseIn(data);
    const id = stream.slice(STREAM.length);
    const begun: Environment = { release: 0, active: new Map(), held: [] };
    const environment = this.environments.get(id) ?? begun;
    refuseOutOfOrder(release, environment);
    this.environments.set(id, environment);
    environment.held.push(release);
    if (release.part.number === release.part.of) complete(environment);
  }

  /** Every environment with a release, in the order of their ids as RFC 8785 sorts names. */
  states(): EnvironmentState[] {
    return [...this.environments]
      .filter(([, { release }]) => release > 0)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([id, { release, active }]) => ({ id, release, active }));
  }
}

function refuseOutOfOrder({ release, part }: Release, environment: Environment): void {
  if (release !== environment.release + 1) {
    throw new Unfoldable(`release ${release} cannot follow ${environment.release}`);
  }
  const before = environment.held.at(-1)?.part ?? { number: 0, of: part.of };
  if (part.number !== before.number + 1 || part.of !== before.of) {
    throw new Unfoldable(`part ${part.number} of ${part.of} cannot follow ${before.number} of ${before.of}`);
  }
}

function complete(environment: Environment): void {
  for (const { changes } of environment.held) {
    for (const { flowId, versionId } of changes) {
      if (versionId === null) environment.active.delete(flowId);
      else environment.active.set(flowId, versionId);
    }
  }
  environment.release += 1;
  environment.held = [];
}

function releaseIn(data: string): Release {
  const { release, changes, part } = objectIn(data) ?? {};
  if (!isWhole(release)) throw new Unfoldable('the release is no whole number');
  if (!Array.isArray(changes)) throw new Unfoldable('the changes are no array');
  return { release, part: partOf(part), changes: changes.map(changeOf) };
}

function partOf(part: unknown): Release['part'] {
  if (part === undefined) return ALL_THERE_IS;
  const { number, of } = isObject(part) ? part : {};
  if (!isWhole(number) || !isWhole(of) || of < 2) throw new Unfoldable('the part is none of several');
  return { number, of };
}

function changeOf(change: unknown): Change {
  const { flowId, to } = isObject(change) ? change : {};
  if (!isText(flowId)) throw new Unfoldable('the flow of a change is no string');
  if (to === null) return { flowId, versionId: null };
  const { versionId } = isObject(to) ? to : {};
  if (!isText(versionId)) throw new Unfoldable('the version of a change is no string');
  return { flowId, versionId };
}

/** Undefined where the text is no JSON that the format knows, or something else than an object. */
export function objectIn(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return isObject(value) && !isTooDeep(json) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Of a text that is JSON. It is read as text because a member may hide another of its name. */
function isTooDeep(json: string): boolean {
  let [depth, inString] = [0, false];
  for (let at = 0; at < json.length && depth <= DEEPEST; at += 1) {
    const letter = json[at];
    if (letter === '"') inString = !inString;
    else if (inString) at += letter === '\\' ? 1 : 0;
    else if (letter === '[' || letter === '{') depth += 1;
    else if (letter === ']' || letter === '}') depth -= 1;
  }
  return depth > DEEPEST;
}

export function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** RFC 8785 has no form for half of a surrogate pair. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && value.isWellFormed();
}
