// A project whose production, a neighbour project and a neighbour workspace, with one word in every name, slug, comment
// and request that belongs to production alone: whoever may not know of production must never be shown that word.
import { good, Http } from '../support/http.js';
import { issue } from './world.js';

export const CANARY = 'canary7f3a';
/** As long, and nothing bears it. */
export const NEVER = 'nobody7f3a';
export const NEVER_ID = '01890000-0000-7000-8000-000000000000';
/** The words of the neighbours: a project and a workspace. */
export const NEIGHBOUR = 'beside7c2d';
export const FOREIGN = 'aside9b1e';
export const BESIDE = `${NEIGHBOUR}-project`;
export const NEVER_BESIDE = 'nobody7c2d-project';
export const NEVER_FOREIGN = 'never9b1e';

interface Made {
  readonly id: string;
  readonly position: string;
}

export interface CanaryWorld {
  readonly admin: Http;
  /** Acts in production alone. */
  readonly deployer: Http;
  readonly foreigner: Http;
  /** Ids of what is hidden: production and another environment, and what is theirs. */
  readonly hiddenIds: readonly string[];
  readonly productionId: string;
  readonly deployerId: string;
  /** Every id of the project, its environments, flows and versions. */
  readonly projectIds: readonly string[];
  readonly flowId: string;
  readonly versionId: string;
  readonly positions: readonly string[];
  readonly promotedPosition: string;
  readonly entityTags: readonly string[];
}

export const PRODUCTION = `${CANARY}-prod`;
const GONE = `${CANARY}-gone`;
let requests = 0;

/** Whatever is done in production is done by requests that bear the word too. */
export function secretly(): Record<string, string> {
  return { 'x-request-id': `${CANARY}-${(requests += 1)}`, 'user-agent': `${CANARY} client` };
}

export const comment = `${CANARY} has its reasons`;

export async function canaryWorldOn(url: string, adminKey: string): Promise<CanaryWorld> {
  const admin = new Http(url, adminKey);
  const { id: projectId } = await good(admin.get<Made>('/projects/default'));
  const chat = await furnish(admin, '');
  const production = await good(
    admin.post<Made>('/environments', { name: `${CANARY} Old`, description: comment }, secretly()),
  );
  const renamed = { name: `${CANARY} Prod`, description: `${comment} still`, color: '#ca7a57' };
  await good(
    admin.send('PATCH', `/api/v1/environments/${production.id}`, { body: renamed, headers: secretly() }),
  );
  const gone = await good(admin.post<Made>('/environments', { name: GONE }, secretly()));
  await good(admin.post(`/environments/${GONE}/archive`, {}, secretly()));
  const deployerKey = await issue(admin, `${CANARY} deployer`, [
    { role: 'promoter', environments: [PRODUCTION] },
    { role: 'editor', environments: [PRODUCTION] },
  ]);
  const deployer = new Http(url, deployerKey.key);
  await releases(admin, deployer);
  const promoted = await promoteBack(admin);
  await setDefaults(admin);
  await good(admin.post('/projects', { name: BESIDE }));
  await furnish(admin, `/projects/${BESIDE}`);
  const renaming = {
    method: 'PATCH',
    path: `/api/v1/projects/${BESIDE}`,
    body: { name: `${NEIGHBOUR} New` },
  };
  await good(admin.send(renaming.method, renaming.path, renaming));
  const neighbour = await issue(admin, `${NEIGHBOUR} deployer`, [{ role: 'promoter', projects: [BESIDE] }]);
  await good(admin.post(`/keys/${neighbour.id}/rotate`, {}));
  await good(admin.delete(`/keys/${neighbour.id}`));
  const aside = await good(admin.post<{ key: string }>('/workspaces', { name: FOREIGN }));
  const foreigner = new Http(url, aside.key);
  await furnish(foreigner, '');
  const entries = (await admin.get<string>('/audit/export')).text.trimEnd().split('\n');
  const known = entries.map((line) => JSON.parse(line) as { position: string });
  const tagged = ['', '/active', '/releases/1'].map((path) =>
    admin.get(`/environments/${PRODUCTION}${path}`),
  );
  const environments = await good(admin.get<{ items: Made[] }>('/environments'));
  return {
    ...{ admin, deployer, foreigner, productionId: production.id, deployerId: deployerKey.id },
    hiddenIds: [production.id, gone.id, deployerKey.id],
    projectIds: [projectId, ...Object.values(chat), ...environments.items.map(({ id }) => id)],
    ...chat,
    positions: known.map(({ position }) => position),
    promotedPosition: promoted,
    entityTags: (await Promise.all(tagged)).map(({ headers }) => headers.get('etag') ?? ''),
  };
}

/** What everybody has. */
async function furnish(http: Http, inProject: string) {
  const post = (path: string, body: unknown) => good(http.post<Made>(inProject + path, body));
  for (const name of ['development', 'staging']) await post('/environments', { name });
  const flow = await post('/flows', { name: 'Chat', content: { text: 'Hello' }, comment: 'First' });
  const version = await post('/flows/chat/versions', { content: { text: 'Hi' }, label: 'second' });
  await post('/flows', { name: 'Elsewhere', content: { text: 'Nothing here' } });
  await post('/flows', { name: 'Retired', content: { text: 'Gone' } });
  await post('/flows/retired/archive', {});
  for (const environment of ['development', 'staging']) {
    for (const number of [1, 2]) await post(`/flows/chat/versions/${number}/environments`, { environment });
  }
  return { flowId: flow.id, versionId: version.id };
}

async function releases(admin: Http, deployer: Http): Promise<void> {
  const promotion = { sourceEnvironment: 'development', targetEnvironment: PRODUCTION, comment };
  const headers = { ...secretly(), 'idempotency-key': 'of-the-administrator' };
  await good(admin.post('/environments/promote', promotion, headers));
  const activation = { environment: PRODUCTION, comment };
  // Locked by its activation, which is no secret of production.
  await good(admin.post('/flows/elsewhere/versions/1/environments', activation, secretly()));
  await good(deployer.post('/flows/chat/versions/1/environments', activation, secretly()));
  await good(deployer.post(`/environments/${PRODUCTION}/rollback`, { comment }, secretly()));
  await good(deployer.post('/flows/chat/versions/1/environments', activation, secretly()));
}

/** From production to development: that is of development, but where it came from is not. Answers where it is. */
export async function promoteBack(admin: Http): Promise<string> {
  const activate = (number: number, environment: string, headers = {}) =>
    good(admin.post(`/flows/chat/versions/${number}/environments`, { environment }, headers));
  await activate(1, 'development');
  await activate(2, PRODUCTION, secretly());
  const body = { sourceEnvironment: PRODUCTION, targetEnvironment: 'development', flowIds: ['chat'] };
  const promotion = admin.post<Made & { changed: boolean }>('/environments/promote', {
    ...body,
    comment: 'Back',
  });
  const { changed, position } = await good(promotion);
  if (!changed) throw new Error('There was nothing to promote');
  return position;
}

async function setDefaults(admin: Http): Promise<void> {
  for (const environment of [PRODUCTION, 'development', PRODUCTION]) {
    const isSecret = environment === PRODUCTION;
    const headers = isSecret ? secretly() : {};
    await good(admin.send('PUT', '/api/v1/environments/default', { body: { environment }, headers }));
  }
}
