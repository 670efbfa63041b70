// `npm run demo`: the whole story on one screen, from three empty environments to a rollback that touches nothing
// else. It plays on a server of its own, or on yours when SWITCHYARD_URL and SWITCHYARD_KEY are set.
import { refusedAsPlain } from '../src/plain-addresses.js';
import {
  Client,
  type Changed,
  type Diff,
  type Environment,
  type Flow,
  type Page,
  type Project,
  type Release,
  type Resolved,
  type Version,
} from './client.js';
import { startOwnServer } from './own-server.js';

const FLOWS = [
  { slug: 'summarizer', kind: 'prompt', content: { prompt: 'Summarize the text in three sentences.' } },
  { slug: 'order-lookup', kind: 'function', content: { handler: 'orders.byNumber', timeoutMs: 2000 } },
  { slug: 'support-agent', kind: 'agent', content: { uses: ['summarizer', 'order-lookup'], turnsMax: 8 } },
  { slug: 'billing-app', kind: 'app', content: { image: 'billing', tag: '1.4.0' } },
] as const;

interface Cast {
  readonly development: string;
  readonly staging: string;
  readonly production: string;
  readonly flows: readonly { readonly slug: string; readonly kind: string; readonly content: object }[];
  readonly summarizer: string;
}

const COLUMNS = 100;
let chapters = 0;

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { SWITCHYARD_URL: url, SWITCHYARD_KEY: key } = process.env;
  if (url !== undefined && key !== undefined) {
    const refusal = refusedAsPlain('SWITCHYARD_URL', url, process.env);
    if (refusal !== undefined) throw new Error(refusal);
    console.log(`Switchyard on one screen, played on ${url}`);
    const client = new Client(url, key);
    let before: string | null = null;
    for await (const { slug, isDefault } of client.list<Environment>('/environments')) {
      if (isDefault) before = slug;
    }
    try {
      await play(client);
    } finally {
      // A shared server keeps what the demo made, but its default environment is not the demo's to change.
      await client.put('/environments/default', { environment: before });
      console.log(`The default environment is again ${before ?? 'none'}, as before.`);
    }
    return;
  }
  const server = await startOwnServer();
  const stop = () => void server.stop().finally(() => process.exit(130));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    console.log('Switchyard on one screen, played on a server that is gone afterwards');
    await play(new Client(server.url, server.key));
  } finally {
    await server.stop();
  }
}

async function play(client: Client): Promise<void> {
  const cast = await castFor(client);
  const { development, staging, production, summarizer } = cast;
  await createAll(client, cast);

  tell('What would staging get? Review it, promote exactly that, and production likewise');
  await reviewAndPromote(client, development, staging, 'First release');
  await reviewAndPromote(client, staging, production, 'First release');

  tell('A second version of the summarizer goes live in development, which locks it for ever');
  const content = { prompt: 'Summarize the text in one word.' };
  const draft = await client.post<Version>(`/flows/${summarizer}/versions`, { content, comment: 'Shorter' });
  show(`POST /flows/${summarizer}/versions`, `version ${draft.number}, a ${draft.state}`);
  const path = `/flows/${summarizer}/versions/${draft.number}`;
  const { release } = await client.post<Changed>(`${path}/environments`, { environment: development });
  const { state } = await client.get<Version>(path);
  show(`POST ${path}/environments`, `${summaryOf(release, development)}; the version is ${state}`);

  tell('It passes every review on its way to production');
  await reviewAndPromote(client, development, staging, 'Shorter summaries');
  await reviewAndPromote(client, staging, production, 'Shorter summaries');
  await resolve(client, summarizer, production);

  tell('It is bad. One call takes production back; staging keeps what it has');
  const back = await client.post<Changed>(`/environments/${production}/rollback`, {
    comment: 'One word is too few',
  });
  show(`POST /environments/${production}/rollback`, summaryOf(back.release, production));
  await resolve(client, summarizer, production);
  await resolve(client, summarizer, staging);

  tell('Callers who name no environment get the default one');
  const project = await client.put<Project>('/environments/default', { environment: production });
  show(
    'PUT /environments/default',
    `project ${project.slug}, default environment ${project.defaultEnvironment}`,
  );
  await resolve(client, summarizer);

  tell('Production remembers every release, newest first');
  const releases = await client.get<Page<Release>>(`/environments/${production}/releases`);
  show(`GET /environments/${production}/releases`, `${releases.items.length} releases`);
  for (const made of releases.items) console.log(`       ${historyOf(made)}`);
}

/** The names of the story, with a number behind them where a shared server knows them already. */
async function castFor(client: Client): Promise<Cast> {
  for (let round = 1; ; round++) {
    const suffix = round === 1 ? '' : `-${round}`;
    const [development, staging, production] = [
      `development${suffix}`,
      `staging${suffix}`,
      `production${suffix}`,
    ];
    const flows = FLOWS.map((flow) => ({ ...flow, slug: flow.slug + suffix }));
    const taken = await Promise.all([
      ...[development, staging, production].map((slug) =>
        client.find(`/environments/${slug}`, 'environment-not-found'),
      ),
      ...flows.map(({ slug }) => client.find(`/flows/${slug}`, 'flow-not-found')),
    ]);
    if (taken.some((found) => found !== null)) continue;
    return { development, staging, production, flows, summarizer: `summarizer${suffix}` };
  }
}

async function createAll(client: Client, { development, staging, production, flows }: Cast): Promise<void> {
  tell('Three environments');
  const made: string[] = [];
  for (const name of [development, staging, production]) {
    const { slug, release } = await client.post<Environment>('/environments', { name });
    made.push(`${slug} at release ${release}`);
  }
  show('POST /environments, 3 times', made.join(', '));

  tell('Four flows of different kinds, each with a first version');
  const created: string[] = [];
  for (const flow of flows) {
    const { slug, kind } = await client.post<Flow>('/flows', { name: flow.slug, ...flow });
    created.push(`${slug} (${kind})`);
  }
  show('POST /flows, 4 times', created.join(', '));

  tell('All of them go live in development');
  for (const { slug } of flows) {
    await client.post<Changed>(`/flows/${slug}/versions/1/environments`, { environment: development });
  }
  const { release, activeCount } = await client.get<Environment>(`/environments/${development}`);
  const request = 'POST /flows/{flow}/versions/1/environments, 4 times';
  show(request, `${development} is at release ${release} with ${activeCount} active flows`);
}

/** Promotes the very releases that the diff was made of: had either moved meanwhile, the server would refuse. */
async function reviewAndPromote(
  client: Client,
  source: string,
  target: string,
  comment: string,
): Promise<void> {
  const environments = { sourceEnvironment: source, targetEnvironment: target };
  const query = new URLSearchParams(environments).toString();
  const diff = await client.get<Diff>(`/environments/diff?${query}`);
  const { added, changed, removed } = diff.summary;
  const rows = diff.items.map(
    (row) => `${row.slug} ${row.target?.number ?? '–'} → ${row.source?.number ?? '–'}`,
  );
  const outcome = `${added} added, ${changed} changed, ${removed} removed`;
  show(`GET /environments/diff?${query}`, rows.length === 1 ? `${outcome}: ${rows.join()}` : outcome);
  const { release } = await client.post<Changed>('/environments/promote', {
    ...environments,
    expectedSourceRelease: diff.sourceRelease,
    expectedTargetRelease: diff.targetRelease,
    comment,
  });
  show('POST /environments/promote', summaryOf(release, target));
}

async function resolve(client: Client, flow: string, environment?: string): Promise<void> {
  const path = `/flows/${flow}/resolve${environment === undefined ? '' : `?environment=${environment}`}`;
  const { number, content, resolution } = await client.get<Resolved>(path);
  const { reason, environment: decidedBy, release } = resolution;
  const why = `${reason} ${decidedBy ?? ''}, release ${release ?? 0}`;
  show(`GET ${path}`, `version ${number} “${String(content.prompt)}” (${why})`);
}

function summaryOf(release: Release | null, environment: string): string {
  if (release === null) return 'nothing to change';
  const restored = typeof release.restores === 'number' ? `, which restores release ${release.restores}` : '';
  return `release ${release.number} of ${environment}${restored}: ${changesOf(release)}`;
}

function changesOf({ changes }: Release): string {
  if (changes.length > 1) return `${changes.length} flows`;
  return changes
    .map(({ slug, fromNumber, toNumber }) => `${slug} ${fromNumber ?? '–'} → ${toNumber ?? '–'}`)
    .join();
}

function historyOf(release: Release): string {
  const { number, kind, comment } = release;
  return `${number}  ${kind.padEnd(9)}  ${changesOf(release).padEnd(16)}  ${comment ?? ''}`;
}

function tell(chapter: string): void {
  chapters++;
  console.log(`${String(chapters).padStart(2)}. ${chapter}`);
}

/** What was called and what came back, on one line where both fit. */
function show(request: string, answer: string): void {
  const call = `    ${request.replace(' ', ' /api/v1')}`;
  const line = `${call} → ${answer}`;
  console.log(line.length <= COLUMNS ? line : `${call}\n     → ${answer}`);
}
