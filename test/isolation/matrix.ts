// The matrix of isolation on one server: every key of a world asked to do everything, and what comes of it.
import { good, Http, problemOf, type Answer } from '../support/http.js';
import { ADMIN_KEY } from '../support/server-process.js';
import { until } from '../support/spec.js';
import { callsAt, idsIn, NEVER_ID, withId, type Call, type Route } from './calls.js';
import { expected, NOWHERE, rowOf, type Holder } from './grants.js';
import { issue, worldOf, type HolderWithKey, type World } from './world.js';

/** At the same time. */
const CROWD = 8;
/** Who asks for things by ids that belong to others. */
const STRANGERS: ReadonlySet<string> = new Set([
  'admin of its own project',
  'admin of its own environments',
  'admin of another workspace',
]);
const NO_JSON = '{"nonsense": tru';

interface Met {
  readonly call: Call;
  readonly holder: HolderWithKey;
  readonly status: 200 | 401 | 403 | 404;
}

/** One server, and all that its keys are to be asked. */
export class Matrix {
  readonly faults: string[] = [];
  asked = 0;

  private constructor(
    readonly admin: Http,
    readonly world: World,
    private readonly cells: readonly Met[],
  ) {}

  static async on(url: string, routes: readonly Route[]): Promise<Matrix> {
    const admin = new Http(url, ADMIN_KEY);
    const world = await worldOf(admin, (key) => new Http(url, key));
    const cells = world.holders.flatMap((holder) =>
      routes.flatMap((route) =>
        callsAt(route, rowOf(route.method, route.path), world, holder).map((call) => {
          return { call, holder, status: expected(call.row, holder, call.about) };
        }),
      ),
    );
    const expired = world.holders.find(({ name }) => name === 'an expired key');
    const late = new Http(url, expired?.key);
    await until(async () => (await late.get('/me')).status === 401);
    return new Matrix(admin, world, cells);
  }

  /** In no order, several at once. What looks the same has to be answered the same, whatever there is. */
  async denied(): Promise<void> {
    const told = new Map<string, string>();
    await this.inCrowd(
      this.cells.filter(({ status }) => status !== 200),
      async (met) => {
        const { call, holder, status } = met;
        const answer = await this.send(met, call.body);
        this.judge(met, answer, answer.status === status && isSaidRightly(answer, status));
        const kind = `${holder.name}: ${status} ${withoutNames(askedIn(call), holder)}`;
        const seen = seenOf(answer, holder);
        const before = told.get(kind) ?? seen;
        told.set(kind, before);
        if (before !== seen) this.faults.push(`${kind}: ${seen}, but elsewhere ${before}`);
        const isOnce = !call.about.isNamed || call.row.includes('/:project');
        if (call.method === 'GET' || !isOnce || !isDeniedUnread(met)) return;
        const unread = await this.send(met, NO_JSON);
        this.judge(met, unread, withoutIds(unread) === withoutIds(answer));
      },
    );
  }

  /** Ids of what lies elsewhere lead to as little as ids that were never given. */
  async elsewhere(): Promise<number> {
    const { home, other, foreign } = this.world;
    let asked = 0;
    for (const met of this.cells) {
      const { call, holder, status } = met;
      if (status !== 200 || call.about.isNamed || !STRANGERS.has(holder.name)) continue;
      for (const [reference, id] of (holder.isFirst ? [other, foreign] : [home]).flatMap(idsIn)) {
        const [there, never] = [id, NEVER_ID].map((one) => withId(call, reference, one));
        if (there === undefined || never === undefined) continue;
        const answer = await this.send({ ...met, call: there }, there.body);
        const twin = await this.send({ ...met, call: never }, never.body);
        const isNever = seenOf(answer, holder) === seenOf(twin, holder);
        this.judge(
          { ...met, call: there, status: 404 },
          answer,
          isNever && [403, 404, 422].includes(answer.status),
        );
        asked += 1;
      }
    }
    return asked;
  }

  /** One after another, since they change what there is. */
  async allowed(): Promise<void> {
    for (const met of this.cells.filter(({ status }) => status === 200)) {
      const call = await this.prepared(met);
      const answer = await this.send({ ...met, call }, call.body);
      this.judge(met, answer, answer.status >= 200 && answer.status < 300);
      if (call.row === 'POST /projects/:project/archive') {
        await good(this.admin.send('POST', call.path.replace(/archive$/, 'restore'), { body: {} }));
      }
    }
  }

  /** Types of all that callers did after a position, in either workspace. */
  async doneAfter(position: string): Promise<Set<string>> {
    const from = String(BigInt(position) + 1n);
    const types = new Set<string>();
    for (const key of [ADMIN_KEY, this.world.foreignKey]) {
      const http = new Http(this.admin.url, key);
      const { text } = await http.get(`/audit/export?from=${from}`);
      for (const line of text.split('\n').filter((one) => one !== '')) {
        const { type, actor } = JSON.parse(line) as { type: string; actor: { type: string } };
        if (actor.type !== 'system') types.add(type);
      }
    }
    return types;
  }

  async head(): Promise<string> {
    return (await good(this.admin.send<{ position: string }>('GET', '/health/ready'))).position;
  }

  get counts(): Record<number, number> {
    const counts: Record<number, number> = {};
    for (const { status } of this.cells) counts[status] = (counts[status] ?? 0) + 1;
    return counts;
  }

  get allowedRows(): Set<string> {
    return new Set(this.cells.filter(({ status }) => status === 200).map(({ call }) => call.row));
  }

  /** Whoever may revoke a key needs one that is left. */
  private async prepared({ call, holder }: Met): Promise<Call> {
    if (call.row !== 'DELETE /keys/:key') return call;
    const { project, environment } = call.about.lies ?? {};
    const grant = {
      role: 'resolver' as const,
      ...(project !== undefined && { projects: [project] }),
      ...(environment !== undefined && { environments: [environment] }),
    };
    const by = holder.isFirst ? this.admin : new Http(this.admin.url, this.world.foreignKey);
    return { ...call, path: `/api/v1/keys/${(await issue(by, 'victim', [grant])).id}` };
  }

  private send({ call: { method, path }, holder }: Met, body: unknown): Promise<Answer> {
    this.asked += 1;
    return new Http(this.admin.url, holder.key).send(method, path, { body });
  }

  private judge({ call, holder, status }: Met, answer: Answer, isRight: boolean): void {
    if (isRight) return;
    this.faults.push(
      `${holder.name}: ${askedIn(call)} is ${status}, and not ${answer.status} ${answer.text}`,
    );
  }

  private async inCrowd(cells: readonly Met[], work: (met: Met) => Promise<void>): Promise<void> {
    const rest = cells.values();
    const next = async (): Promise<void> => {
      for (const met of rest) await work(met);
    };
    await Promise.all(Array.from({ length: CROWD }, next));
  }
}

function isSaidRightly(answer: Answer, status: number): boolean {
  const { code } = problemOf(answer);
  if (status === 404) return code.endsWith('-not-found');
  return code === (status === 401 ? 'unauthorized' : 'forbidden');
}

/** Whether it is clear from method, path and key alone. */
function isDeniedUnread({ call: { row, about, bodyNames }, holder, status }: Met): boolean {
  const isNowhere = status === 404 && about.environments.some(([name]) => name === NOWHERE);
  const { lies: _, ...known } = about;
  const unread = bodyNames ? { ...known, environments: [] } : known;
  return !isNowhere && expected(row, holder, unread) === status;
}

function askedIn({ method, path, body }: Call): string {
  return `${method} ${path} ${JSON.stringify(body) ?? ''}`;
}

/** Everything that the caller can tell, but for what is another in each answer and what was sent. */
function seenOf(answer: Answer, holder: Holder): string {
  const headers = [...answer.headers].filter(([name]) => name !== 'date' && name !== 'x-request-id');
  return withoutNames(JSON.stringify([answer.status, headers, withoutIds(answer)]), holder);
}

function withoutIds({ text }: Answer): string {
  return text.replace(/"requestId":"[^"]*"/, '');
}

/** Without whatever the key may not know, so that it reads as what was never there. All of it is as long as that. */
function withoutNames(text: string, { grants }: Holder): string {
  const knows = (name: string) => grants.some(({ environments }) => environments?.includes(name) ?? false);
  return text
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<id>')
    .replace(/Fresh \d+/g, '<name>')
    .replaceAll(knows('production') ? NOWHERE : 'production', NOWHERE)
    .replace(/(other|never)-project/g, '<project>');
}
