// Everything that can be asked by reading: each route of the API document with each query that it takes, with values
// that lead to what a key may know, and with values that lead to what it may not beside as many that lead nowhere.
import type { DescribedOperation } from '../support/api-document.js';
import {
  BESIDE,
  CANARY,
  FOREIGN,
  NEVER_BESIDE,
  NEVER_FOREIGN,
  NEVER,
  NEVER_ID,
  type CanaryWorld,
} from './canary-world.js';

export interface Question {
  readonly path: string;
  /** The same about something that never was. */
  readonly twin?: string;
}

/** What the one who asks is at home in: the project, the one beside it, or the other workspace. */
export type Home = 'project' | 'beside' | 'aside';

interface Values {
  readonly plain: readonly string[];
  /** Each beside one of the same length that leads nowhere. */
  readonly hidden?: readonly (readonly [hidden: string, never: string])[];
}

const EVENT_TYPES = [
  ...['EnvironmentCreated', 'EnvironmentRenamed', 'EnvironmentDescribed', 'EnvironmentArchived'],
  ...['DefaultEnvironmentSet', 'VersionActivated', 'VersionsPromoted', 'EnvironmentRolledBack'],
  ...['ApiKeyIssued', 'ProjectCreated', 'FlowCreated', 'AttemptDenied', 'CommandAnswered'],
];
const CHANGES = ['io.switchyard.environment', 'io.switchyard.release', 'io.switchyard.default-environment'];
const SEARCHED = ['', '-prod', '-gone', ' reasons', '-prod promoted'];

export function questionsTo(
  operations: readonly DescribedOperation[],
  world: CanaryWorld,
  home: Home,
): Question[] {
  const values = valuesIn(world, home);
  return operations
    .filter(({ method }) => method === 'GET')
    .flatMap(({ path, operation }) => {
      const named = operation.parameters.filter((one) => one.in === 'query');
      const paths = pathsOf(path, values);
      const [first] = paths;
      if (first === undefined) throw new Error(`Nobody knows what to ask at ${path}`);
      const needed = named.filter(({ required }) => required === true).map(({ name }) => name);
      const queries = queriesOf(
        path,
        needed,
        named.map(({ name }) => name),
        values,
      );
      const asked = queries.map((query) => ({ ...joined(first.path, query) }));
      return [...paths.map((one) => withNeeded(one, path, needed, values)), ...asked];
    });
}

/** Each variant of the path, with the first known value for every other part. */
function pathsOf(template: string, values: (name: string, path: string) => Values): Question[] {
  const names = [...template.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  const fill = (one: string, value: string) =>
    names.reduce(
      (path, name) =>
        path.replace(`{${name}}`, name === one ? value : (values(name, template).plain[0] ?? '')),
      template,
    );
  if (names.length === 0) return [{ path: template }];
  return names.flatMap((name) => {
    const { plain, hidden = [] } = values(name, template);
    return [
      ...plain.map((value) => ({ path: fill(name, value) })),
      ...hidden.map(([value, never]) => ({ path: fill(name, value), twin: fill(name, never) })),
    ];
  });
}

interface Query {
  readonly text: string;
  readonly twin?: string;
}

/** One parameter at a time, beside those without which nothing is answered. */
function queriesOf(
  path: string,
  needed: readonly string[],
  names: readonly string[],
  values: (name: string, path: string) => Values,
): Query[] {
  return names.flatMap((name) => {
    const { plain, hidden = [] } = values(name, path);
    const others = needed.filter((one) => one !== name);
    const text = (value: string) => {
      const known = others.map((one) => [one, values(one, path).plain[0] ?? '']);
      return new URLSearchParams([...known, [name, value]] as [string, string][]).toString();
    };
    return [
      ...plain.map((value) => ({ text: text(value) })),
      ...hidden.map(([value, never]) => ({ text: text(value), twin: text(never) })),
    ];
  });
}

function joined(path: string, { text, twin }: Query): Question {
  return { path: `${path}?${text}`, ...(twin !== undefined && { twin: `${path}?${twin}` }) };
}

function withNeeded(
  { path, twin }: Question,
  template: string,
  needed: readonly string[],
  values: (name: string, path: string) => Values,
): Question {
  if (needed.length === 0) return twin === undefined ? { path } : { path, twin };
  const known = needed.map((name) => [name, values(name, template).plain[0] ?? ''] as [string, string]);
  const query = new URLSearchParams(known).toString();
  return { path: `${path}?${query}`, ...(twin !== undefined && { twin: `${twin}?${query}` }) };
}

/** What to put where, by the name of the parameter. Throws for a name that nobody has thought about. */
function valuesIn(world: CanaryWorld, home: Home): (name: string, path: string) => Values {
  const isInProject = home === 'project';
  const { productionId, deployerId, flowId, versionId, positions, promotedPosition } = world;
  const words = (end: string): readonly [string, string] => [CANARY + end, NEVER + end];
  const environments: readonly (readonly [string, string])[] = [
    ...['-prod', '-old', '-gone'].map(words),
    [productionId, NEVER_ID],
  ];
  const environment = { plain: ['development', 'staging'], hidden: environments };
  const places = { plain: [promotedPosition, '1', positions.at(-1) ?? ''] };
  const states = ['', '@r0', '@r1', '@r2', `@${promotedPosition}`, '@2026-01-01T00:00:00Z'];
  const state = {
    plain: states.map((end) => `development${end}`),
    hidden: states.flatMap((end) => environments.map(([one, never]) => [one + end, never + end] as const)),
  };
  const known: Readonly<Record<string, Values>> = {
    ...{ environment, sourceEnvironment: environment, targetEnvironment: environment },
    flow: { plain: ['chat', 'elsewhere', 'retired'] },
    version: { plain: ['1', '2'] },
    ...{ a: { plain: ['1'] }, b: { plain: ['2'] } },
    number: { plain: ['1', '2', '3', '4', '5'] },
    project:
      home === 'beside' ? { plain: [BESIDE] } : { plain: ['default'], hidden: [[BESIDE, NEVER_BESIDE]] },
    workspace: { plain: ['default'], hidden: [[FOREIGN, NEVER_FOREIGN]] },
    key: { plain: [NEVER_ID], hidden: [[deployerId, NEVER_ID]] },
    position: { plain: positions },
    at: { plain: [...positions.filter((_, at) => at % 5 === 0), new Date().toISOString()] },
    ...{ limit: { plain: ['1', '500'] }, cursor: { plain: [] }, minPosition: { plain: ['1'] } },
    ...{ archived: { plain: ['true', 'false'] }, includeUnchanged: { plain: ['true'] } },
    kind: { plain: ['flow'] },
    actor: { plain: ['system'], hidden: [[deployerId, NEVER_ID]] },
    correlationId: { plain: [], hidden: ['-1', '-2', '-7'].map(words) },
    q: { plain: ['promoted', 'development'], hidden: SEARCHED.map(words) },
    direction: { plain: ['forwards', 'backwards'] },
    format: { plain: ['ndjson', 'csv', 'ocsf'] },
    ...{ after: { plain: ['1'] }, size: { plain: ['5'] }, lastEventId: { plain: ['0'] } },
  };
  const alien: Values = { plain: [], hidden: [flowId, versionId].map((id) => [id, NEVER_ID] as const) };
  return (name, path) => {
    if (name === 'from' || name === 'to') return path.endsWith('/diff') ? state : places;
    if (name === 'type') return { plain: path.endsWith('/events') ? CHANGES : EVENT_TYPES };
    if (name === 'position' && !path.includes('{position}')) return places;
    if (name === 'version' && path.includes('/audit')) return isInProject ? { plain: [versionId] } : alien;
    if (name === 'flow' && !isInProject) return { ...alien, plain: ['chat'] };
    const found = known[name];
    if (found === undefined) throw new Error(`Nobody knows what to ask for as ${name} at ${path}`);
    return found;
  };
}
