// The world that the matrix of isolation is asked about: two workspaces, two projects in the first of them, the same
// things in each, and a key for every role and every shape of a grant.
import { good, type Http } from '../support/http.js';
import { HOME, OTHER_PROJECT, ROLES, type Grant, type Holder, type Role } from './grants.js';

/** One project and what lies in it. */
export interface Place {
  readonly slug: string;
  readonly id: string;
  /** Before the names of its environments. */
  readonly prefix: string;
  readonly environmentIds: Readonly<Record<string, string>>;
  readonly flowId: string;
  readonly versionId: string;
  /** Positions of the newest release of an environment, and of what happened to no environment. */
  readonly releases: Readonly<Record<string, string>>;
  readonly position: string;
  /** Keys that may resolve here, in all environments or in one; for looking at. */
  readonly keyId: string;
  readonly narrowKeyId: string;
}

export interface World {
  readonly home: Place;
  readonly other: Place;
  readonly foreign: Place;
  readonly foreignKey: string;
  readonly foreignWorkspaceId: string;
  /** A project and a workspace that may be archived. */
  readonly spareProject: string;
  readonly spareWorkspace: string;
  readonly wideKeyId: string;
  readonly holders: readonly HolderWithKey[];
}

export type HolderWithKey = Holder & { readonly key: string | undefined };

/** Settings of a server that is asked more than anybody would ask. */
export const NO_LIMITS = {
  SWITCHYARD_RATE_LIMIT_KEY: '0',
  SWITCHYARD_RATE_LIMIT_WORKSPACE: '0',
  SWITCHYARD_RATE_LIMIT_ADDRESS: '0',
  SWITCHYARD_RATE_LIMIT_UNAUTHORIZED: '0',
};

export const ENVIRONMENTS = ['development', 'staging', 'production', 'spare'] as const;
const OWN = ['development', 'staging'];

interface Made {
  readonly id: string;
  readonly position: string;
}
type MadeKey = Made & { readonly key: string };

export async function worldOf(admin: Http, as: (key: string) => Http): Promise<World> {
  await good(admin.post('/projects', { name: 'Other', slug: OTHER_PROJECT }));
  await good(admin.post('/projects', { name: 'Spare', slug: 'spare-project' }));
  await good(admin.post('/workspaces', { name: 'Spare', slug: 'spare-workspace' }));
  const workspace = await good(admin.post<MadeKey>('/workspaces', { name: 'Foreign', slug: 'foreign' }));
  const foreigner = as(workspace.key);
  return {
    home: await furnish(admin, HOME, ''),
    other: await furnish(admin, OTHER_PROJECT, 'b-'),
    foreign: await furnish(foreigner, HOME, 'f-'),
    foreignKey: workspace.key,
    foreignWorkspaceId: workspace.id,
    spareProject: 'spare-project',
    spareWorkspace: 'spare-workspace',
    wideKeyId: (await issue(admin, 'wide', [{ role: 'resolver' }])).id,
    holders: [...(await holdersIn(admin)), ...(await foreignHolders(foreigner)), ...(await unworthy(admin))],
  };
}

export function issue(http: Http, name: string, grants: readonly Grant[], expiresAt?: string) {
  return good(http.post<MadeKey>('/keys', { name, grants, ...(expiresAt && { expiresAt }) }));
}

async function furnish(http: Http, slug: string, prefix: string): Promise<Place> {
  const inProject = `/projects/${slug}`;
  const post = (path: string, body: unknown) => good(http.post<Made>(inProject + path, body));
  const { id } = await good(http.get<Made>(inProject));
  const flow = await post('/flows', { name: 'Greeting', content: { text: 'Hello' } });
  const version = await post('/flows/greeting/versions', { content: { text: 'Hi' } });
  for (const name of ['Idle', 'Retired']) await post('/flows', { name, content: { text: 'Nowhere' } });
  const environmentIds: Record<string, string> = {};
  const releases: Record<string, string> = {};
  for (const name of ENVIRONMENTS.map((one) => prefix + one)) {
    environmentIds[name] = (await post('/environments', { name })).id;
    const activate = (number: number) =>
      post(`/flows/greeting/versions/${number}/environments`, { environment: name });
    await activate(1);
    releases[name] = (await activate(2)).position;
  }
  const narrow = [`${prefix}development`];
  return {
    ...{ slug, id, prefix, environmentIds, releases, flowId: flow.id, versionId: version.id },
    position: flow.position,
    keyId: (await issue(http, `resolves in ${slug}`, [{ role: 'resolver', projects: [slug] }])).id,
    narrowKeyId: (await issue(http, 'narrow', [{ role: 'resolver', projects: [slug], environments: narrow }]))
      .id,
  };
}

type Shapes = (role: Role) => Readonly<Record<string, Grant[]>>;

const PLAIN: Shapes = (role) => ({
  'the whole workspace': [{ role }],
  'its own project': [{ role, projects: [HOME] }],
  'its own environments': [{ role, projects: [HOME], environments: OWN }],
});

const OTHERS: Shapes = (role) => ({
  'another environment': [{ role, projects: [HOME], environments: ['production'] }],
  'another project': [{ role, projects: [OTHER_PROJECT] }],
});

/** Of several places, or of more than one role. */
const MIXED: Shapes = (role) => ({
  'environments alone': [{ role, environments: OWN }],
  'two projects': [
    { role, projects: [HOME], environments: OWN },
    { role, projects: [OTHER_PROJECT] },
  ],
  'less than it looks at': [
    { role: 'viewer', projects: [HOME] },
    { role, projects: [HOME], environments: OWN },
  ],
});
const MIXED_ROLES: readonly Role[] = ['editor', 'promoter', 'admin'];

async function holdersIn(admin: Http): Promise<HolderWithKey[]> {
  const holders: HolderWithKey[] = [];
  for (const role of ROLES) {
    const mixed = MIXED_ROLES.includes(role) ? MIXED(role) : {};
    for (const [shape, grants] of Object.entries({ ...PLAIN(role), ...OTHERS(role), ...mixed })) {
      const name = `${role} of ${shape}`;
      const { key } = await issue(admin, name, grants);
      holders.push({ name, works: true, isFirst: true, isPlain: shape in PLAIN(role), grants, key });
    }
  }
  return holders;
}

async function foreignHolders(foreigner: Http): Promise<HolderWithKey[]> {
  const holders: HolderWithKey[] = [];
  for (const role of ROLES) {
    const name = `${role} of another workspace`;
    const { key } = await issue(foreigner, name, [{ role }]);
    holders.push({ name, works: true, isFirst: false, isPlain: true, grants: [{ role }], key });
  }
  return holders;
}

const EXPIRES_AFTER_MS = 1_500;

/** Administrators, but for what is wrong with their keys. */
async function unworthy(admin: Http): Promise<HolderWithKey[]> {
  const grants: Grant[] = [{ role: 'admin' }];
  const revoked = await issue(admin, 'revoked', grants);
  await good(admin.delete(`/keys/${revoked.id}`));
  const expiresAt = new Date(Date.now() + EXPIRES_AFTER_MS).toISOString();
  const expired = await issue(admin, 'expired', grants, expiresAt);
  const keys = { 'no key': undefined, 'a revoked key': revoked.key, 'an expired key': expired.key };
  const wrong = { works: false, isFirst: true, isPlain: false, grants };
  return Object.entries(keys).map(([name, key]) => ({ name, key, ...wrong }));
}
