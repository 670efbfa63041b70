// What there is, as simply as it can be told: the world after each command, in copies of which none ever changes. It
// knows nothing of how the engine keeps things; every release of an environment holds the whole state after it.
import { createHash } from 'node:crypto';
import type { Content, Fact } from './operations.js';

export interface Version {
  readonly id: string;
  readonly number: number;
  readonly locked: boolean;
  readonly content: Content;
  readonly digest: string;
  readonly label: string | null;
  readonly comment: string | null;
  readonly forkedFrom: string | null;
}

export interface Flow {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly archived: boolean;
  readonly versions: readonly Version[];
}

/** What runs of one flow, and what ran before it by the flow's own history. */
export interface Entry {
  readonly version: Ref | null;
  readonly prior: Entry | null;
}

export interface Ref {
  readonly versionId: string;
  readonly number: number;
  readonly digest: string;
}

export interface Release {
  readonly flows: ReadonlyMap<string, Entry>;
  readonly inEffect: number;
  readonly fact: Fact | null;
  /** Where it stands in the log. */
  readonly position: string;
}

export interface Place {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly description: string | null;
  readonly color: string | null;
  readonly archived: boolean;
  /** By number; release 0 is empty. */
  readonly releases: readonly Release[];
}

export interface World {
  readonly name: string;
  readonly withoutEnvironment: string;
  readonly defaultId: string | null;
  readonly places: ReadonlyMap<string, Place>;
  /** Also those that a place had before. */
  readonly slugs: ReadonlyMap<string, string>;
  readonly flows: ReadonlyMap<string, Flow>;
  /** Slug to id of the flow, there or not yet. */
  readonly reserved: ReadonlyMap<string, string>;
  /** `environment flow`, in the order of first activations. */
  readonly firsts: readonly string[];
}

export const NOTHING: World = {
  name: 'default',
  withoutEnvironment: 'first-active',
  defaultId: null,
  places: new Map(),
  slugs: new Map(),
  flows: new Map(),
  reserved: new Map(),
  firsts: [],
};

const BEFORE_ANY: Release = { flows: new Map(), inEffect: 0, fact: null, position: '0' };

/** Never active. */
export const NEVER: Entry = { version: null, prior: null };

export function newest({ releases }: Place): Release {
  return releases.at(-1) ?? BEFORE_ANY;
}

export function refOf({ id, number, digest }: Version): Ref {
  return { versionId: id, number, digest };
}

/** What is active: flow to version. */
export function activeIn(place: Place): Map<string, Ref> {
  const active = new Map<string, Ref>();
  for (const [flowId, { version }] of newest(place).flows) if (version !== null) active.set(flowId, version);
  return active;
}

/** Where a flow is active, archived places aside, in the order of its first activations. */
export function placesOf(world: World, flowId: string): Place[] {
  return world.firsts.flatMap((first) => {
    const [placeId = '', flow] = first.split(' ');
    const place = world.places.get(placeId);
    return flow === flowId && place?.archived === false && activeIn(place).has(flowId) ? [place] : [];
  });
}

const digests = new Map<string, string>();

/** The contents of a simulation have one key, so that their plain JSON is canonical. */
export function digestOf(content: Content): string {
  const text = JSON.stringify(content);
  let digest = digests.get(text);
  if (digest === undefined) digests.set(text, (digest = createHash('sha256').update(text).digest('hex')));
  return digest;
}

/** The world after a fact about something: an environment, a flow, or the project. */
export function after(world: World, about: string, fact: Fact, position: string): World {
  if ('changes' in fact) return released(world, about, fact as ReleaseFact, position);
  const id = fact['environmentId'] as string;
  switch (fact.type) {
    case 'ProjectRenamed':
      return { ...world, name: fact['name'] as string };
    case 'ResolutionPolicySet':
      return { ...world, withoutEnvironment: fact['withoutEnvironment'] as string };
    case 'DefaultEnvironmentSet':
      return { ...world, defaultId: id };
    case 'EnvironmentCreated': {
      const begun = { id, archived: false, releases: [BEFORE_ANY] };
      return placed(world, { ...(fact as unknown as Place), ...begun });
    }
    case 'EnvironmentRenamed':
      return placed(world, { ...place(world, id), ...named(fact) });
    case 'EnvironmentDescribed': {
      const { description, color } = fact as unknown as Place;
      return placed(world, { ...place(world, id), description, color });
    }
    case 'EnvironmentArchived':
    case 'EnvironmentRestored':
      return placed(world, { ...place(world, id), archived: fact.type === 'EnvironmentArchived' });
    case 'FlowSlugReserved': {
      const reserved = new Map(world.reserved).set(fact['slug'] as string, fact['flowId'] as string);
      return { ...world, reserved };
    }
    default:
      return flowAfter(world, about, fact);
  }
}

function flowAfter(world: World, flowId: string, fact: Fact): World {
  if (fact.type === 'FlowCreated') {
    return kept(world, { ...named(fact), id: flowId, archived: false, versions: [] });
  }
  const flow = flowIn(world, flowId);
  const id = fact['versionId'] as string;
  const changed = (change: Partial<Version>): World => {
    const versions = flow.versions.map((one) => (one.id === id ? { ...one, ...change } : one));
    return kept(world, { ...flow, versions });
  };
  switch (fact.type) {
    case 'FlowRenamed':
      return kept(world, { ...flow, name: fact['name'] as string });
    case 'FlowArchived':
      return kept(world, { ...flow, archived: true });
    case 'VersionLocked':
      return changed({ locked: true });
    case 'VersionDrafted': {
      const {
        type: _,
        versionId,
        ...text
      } = fact as unknown as Version & { type: string; versionId: string };
      return kept(world, {
        ...flow,
        versions: [...flow.versions, { ...text, id: versionId, locked: false }],
      });
    }
    case 'VersionEdited': {
      const { content, digest, label, comment } = fact as unknown as Version;
      return changed({ content, digest, label, comment });
    }
    default:
      throw new Error(`The model knows no ${fact.type}`);
  }
}

type ReleaseFact = Fact & {
  readonly release: number;
  readonly changes: readonly { readonly flowId: string; readonly to: Ref | null }[];
  readonly restores?: number | null;
  readonly inEffect?: number;
};

function released(world: World, placeId: string, fact: ReleaseFact, position: string): World {
  const before = place(world, placeId);
  const now = newest(before).flows;
  const flows = new Map(now);
  const firsts = [...world.firsts];
  for (const { flowId, to } of fact.changes) {
    const entry = now.get(flowId) ?? NEVER;
    if (fact.restores === undefined) flows.set(flowId, { version: to, prior: entry });
    else if (fact.restores === null) flows.set(flowId, entry.prior ?? NEVER);
    else flows.set(flowId, before.releases[fact.restores]?.flows.get(flowId) ?? NEVER);
    if (!firsts.includes(`${placeId} ${flowId}`)) firsts.push(`${placeId} ${flowId}`);
  }
  const release = { flows, inEffect: fact.inEffect ?? fact.release, fact, position };
  return placed({ ...world, firsts }, { ...before, releases: [...before.releases, release] });
}

function placed(world: World, { id, slug, name, description, color, archived, releases }: Place): World {
  const place = { id, slug, name, description, color, archived, releases };
  return {
    ...world,
    places: new Map(world.places).set(id, place),
    slugs: new Map(world.slugs).set(slug, id),
  };
}

function kept(world: World, flow: Flow): World {
  return { ...world, flows: new Map(world.flows).set(flow.id, flow) };
}

function named(fact: Fact): { slug: string; name: string } {
  return { slug: fact['slug'] as string, name: fact['name'] as string };
}

function place(world: World, id: string): Place {
  const found = world.places.get(id);
  if (found === undefined) throw new Error(`The model has no environment ${id}`);
  return found;
}

function flowIn(world: World, id: string): Flow {
  const found = world.flows.get(id);
  if (found === undefined) throw new Error(`The model has no flow ${id}`);
  return found;
}
