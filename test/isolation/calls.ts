// Valid input for every route, at every place that a key may ask about: its own and others, those of another project or
// workspace, and those that never were.
import { NOWHERE, OTHER_PROJECT, TAKES, type About, type Holder } from './grants.js';
import type { Place, World } from './world.js';

export interface Call {
  readonly row: string;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly about: About;
  /** Whether the body says in which environment: then it is read before that one can be denied. */
  readonly bodyNames: boolean;
}

export interface Route {
  readonly method: string;
  readonly path: string;
}

interface Input {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly environments?: About['environments'];
  readonly lies?: About['lies'];
  readonly bodyNames?: boolean;
}

interface Asked {
  readonly world: World;
  readonly holder: Holder;
  readonly at: Place;
  /** The name of an environment. */
  readonly environment: string;
  readonly ability: string;
}

/** A project as a path may name it. */
interface Named {
  readonly reference: string;
  readonly slug: string | undefined;
  readonly at: Place;
}

export const NEVER_ID = '01890000-0000-7000-8000-000000000000';
/** As long as that of the other project. */
const NEVER_SLUG = 'never-project';
let names = 0;
const fresh = (): string => `Fresh ${(names += 1)}`;

/** Where more or something else is needed than the parameters of the path below. */
const INPUTS: Readonly<Record<string, (asked: Asked) => Input | Input[]>> = {
  'DELETE /sessions/:session': () => ({ params: { session: NEVER_ID }, lies: { isForeign: true }, body: {} }),
  'DELETE /people/:person': () => ({ params: { person: NEVER_ID }, lies: { isForeign: true }, body: {} }),
  'POST /keys': ({ holder }) => ({ body: { name: fresh(), grants: holder.grants } }),
  'GET /keys/:key': keysOf,
  'DELETE /keys/:key': keysOf,
  'POST /keys/:key/rotate': keysOf,
  'POST /workspaces': () => ({ body: { name: fresh() } }),
  'PATCH /workspaces/:workspace': () => ({ body: { name: fresh() } }),
  'POST /projects': () => ({ body: { name: fresh() } }),
  'PATCH /projects/:project': () => ({ body: { name: fresh() } }),
  'POST /environments': () => ({ body: { name: fresh() } }),
  'PUT /environments/default': () => ({ body: { environment: null } }),
  'PATCH /environments/:environment': (asked) => ({ ...spare(asked), body: { description: fresh() } }),
  'POST /environments/:environment/archive': spare,
  'POST /environments/:environment/restore': spare,
  'GET /environments/diff': ({ at, environment }) => {
    const source = `${at.prefix}staging`;
    const query = { sourceEnvironment: source, targetEnvironment: environment };
    return { query, environments: [source, environment].map((name) => [name, 'look'] as const) };
  },
  'GET /diff': ({ at, environment }) => {
    const to = `${at.prefix}staging`;
    const environments = [environment, to].map((name) => [name, 'look'] as const);
    return { query: { from: environment, to: `${to}@r1` }, environments };
  },
  'POST /environments/promote': (asked) => {
    const [development, staging] = [`${asked.at.prefix}development`, `${asked.at.prefix}staging`];
    const back = asked.environment === development ? staging : development;
    return [promotion(staging, asked.environment), promotion(asked.environment, back)];
  },
  'POST /environments/:environment/rollback': (asked) => ({ ...inPath(asked), body: { toRelease: 1 } }),
  'POST /flows': () => ({ body: { name: fresh(), content: { text: 'New' } } }),
  'PATCH /flows/:flow': () => ({ body: { name: fresh() } }),
  'POST /flows/:flow/archive': () => ({ params: { flow: 'retired' }, body: {} }),
  'GET /flows/:flow/history': (asked) => [{}, inQuery(asked)],
  'GET /flows/:flow/resolve': (asked) => inQuery(asked),
  'POST /flows/:flow/versions': () => ({ body: { content: { text: fresh() } } }),
  'PATCH /flows/:flow/versions/:version': () => ({
    params: { flow: 'idle' },
    body: { content: { text: fresh() } },
  }),
  'POST /flows/:flow/versions/:version/environments': ({ environment, ability }) => ({
    ...{ body: { environment }, environments: [[environment, ability]], bodyNames: true },
  }),
  'DELETE /flows/:flow/environments/:environment': (asked) => {
    return { ...inPath(asked), params: { environment: asked.environment, flow: 'idle' }, body: {} };
  },
  'GET /events': (asked) => [{}, inQuery(asked)],
  'GET /audit': (asked) => [{}, inQuery(asked)],
  'GET /audit/export': (asked) => [{}, inQuery(asked)],
  'GET /audit/:position': ({ at, environment }) => [
    { params: { position: at.position }, lies: { project: at.slug } },
    ...(environment in at.releases
      ? [{ params: { position: at.releases[environment] ?? '' }, lies: { project: at.slug, environment } }]
      : []),
  ],
  'GET /audit/evidence': () => ({ query: { size: '1' } }),
  'GET /audit/proof/inclusion': ({ at }) => ({ query: { position: at.position } }),
  'GET /audit/proof/consistency': () => ({ query: { from: '1' } }),
};

/** Those that are the same for every place. */
const PARAMS: Readonly<Record<string, string>> = {
  ...{ flow: 'greeting', version: '1', a: '1', b: '2', number: '1', workspace: 'spare-workspace' },
};

function inPath({ environment, ability }: Asked): Input {
  return { params: { environment }, environments: [[environment, ability]] };
}

function inQuery({ environment, ability }: Asked): Input {
  return { query: { environment }, environments: [[environment, ability]] };
}

function spare({ at }: Asked): Input {
  return { params: { environment: `${at.prefix}spare` }, body: {} };
}

function promotion(sourceEnvironment: string, targetEnvironment: string): Input {
  const environments = [
    [sourceEnvironment, 'look'],
    [targetEnvironment, 'promote'],
  ] as const;
  return { body: { sourceEnvironment, targetEnvironment }, environments, bodyNames: true };
}

/** Keys of each reach; those of the other workspace lie nowhere here. */
function keysOf({ world, holder, at }: Asked): Input[] {
  const { foreign, home } = world;
  const alien = holder.isFirst ? foreign.keyId : home.keyId;
  const keys: [string, NonNullable<About['lies']>][] = [
    [at.keyId, { project: at.slug }],
    [at.narrowKeyId, { project: at.slug, environment: `${at.prefix}development` }],
    [alien, { isForeign: true }],
    [NEVER_ID, { isForeign: true }],
  ];
  if (holder.isFirst) keys.push([world.wideKeyId, {}], [world.other.keyId, { project: OTHER_PROJECT }]);
  return keys.map(([key, lies]) => ({ params: { key }, lies, body: {} }));
}

/** Every call that a key is asked to make at one route. */
export function callsAt(route: Route, row: string, world: World, holder: Holder): Call[] {
  const [ability, where] = TAKES[row] ?? ['', 'any key'];
  const isNamed = route.path.includes('/:project');
  return projectsFor(isNamed, world, holder).flatMap((named) => {
    const isHere = named.slug === named.at.slug;
    const names = where === 'environment' || where === 'somewhere' || where === 'entry';
    const environments =
      names && isHere ? environmentsOf(named.at, isNamed) : [`${named.at.prefix}development`];
    return environments.flatMap((environment) => {
      const asked = { world, holder, at: named.at, environment, ability };
      const inputs = [(INPUTS[row] ?? ((one: Asked) => (where === 'environment' ? inPath(one) : {})))(asked)];
      return inputs.flat().map((input) => callOf(route, row, named, input, isNamed));
    });
  });
}

function callOf(
  { method, path }: Route,
  row: string,
  { reference, slug }: Named,
  { params, query = {}, body, environments = [], lies, bodyNames = false }: Input,
  isNamed: boolean,
): Call {
  const values: Readonly<Record<string, string>> = { ...PARAMS, ...params, project: reference };
  const filled = path.replace(/:(\w+)/g, (_, name: string) => values[name] ?? '');
  const question = new URLSearchParams(query).toString();
  return {
    ...{ row, method, path: question === '' ? filled : `${filled}?${question}`, bodyNames },
    ...(method !== 'GET' && { body: body ?? {} }),
    about: { project: slug, isNamed, environments, ...(lies && { lies }) },
  };
}

/** A route that names no project is about that of the key; one that does, about each that may make a difference. */
function projectsFor(isNamed: boolean, world: World, holder: Holder): Named[] {
  const { home, other, foreign } = world;
  const { isFirst, works, grants, isPlain } = holder;
  const isOfOther = grants.every(({ projects }) => projects?.includes(OTHER_PROJECT) ?? false);
  const own = !isFirst ? foreign : isOfOther ? other : home;
  const here = { reference: own.slug, slug: own.slug, at: own };
  if (!isNamed || !works) return [here];
  const beside = own === home ? other : home;
  const isSeen = isFirst && grants.some(({ projects }) => projects?.includes(beside.slug) ?? true);
  const near = isFirst
    ? { reference: beside.slug, slug: beside.slug, at: beside }
    : { reference: OTHER_PROJECT, slug: undefined, at: own };
  const hidden = [NEVER_SLUG, isFirst ? foreign.id : home.id, NEVER_ID];
  return [
    ...[here, near],
    ...(isPlain ? hidden : isSeen ? [] : [NEVER_SLUG]).map((reference) => {
      return { reference, slug: undefined, at: own };
    }),
  ];
}

/** Those that never were are asked for where no project is named. */
function environmentsOf({ prefix, slug }: Place, isNamed: boolean): string[] {
  if (slug === OTHER_PROJECT) return [`${prefix}development`];
  return [`${prefix}development`, `${prefix}production`, ...(isNamed ? [] : [NOWHERE])];
}

/** Ids of what lies at a place, each with how a call refers to such a thing. */
export function idsIn({ flowId, versionId, environmentIds, prefix }: Place): [RegExp, string][] {
  return [
    [/(?<=\/flows\/)(greeting|idle|retired)/, flowId],
    [/(?<=\/versions\/)1(?=[/"])/, versionId],
    [/(f-)?(development|spare)/, environmentIds[`${prefix}development`] ?? ''],
  ];
}

/** The same call with an id in the place of what it refers to; undefined where it refers to no such thing. */
export function withId(call: Call, reference: RegExp, id: string): Call | undefined {
  const { path, body } = call;
  const text = JSON.stringify({ path, body });
  return reference.test(text)
    ? { ...call, ...(JSON.parse(text.replace(reference, id)) as Pick<Call, 'path' | 'body'>) }
    : undefined;
}
