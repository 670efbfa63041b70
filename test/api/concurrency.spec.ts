// Many commands at the same moment on the same environments: what was answered has to be explained by one order of
// releases, which the releases themselves tell, and by nothing that was over before a request began.
import { startOwnServer, type OwnServer } from '../../scripts/own-server.js';
import type { Changed, Environment, Flow, Version } from '../../scripts/client.js';
import { sendOperation } from '../support/environment-histories.js';
import { Judge, type Call, type Done } from '../support/judge.js';
import { good, Http, problemOf, type Answer } from '../support/http.js';
import { Random, seed } from '../support/random.js';

const FLOWS = 6;
const VERSIONS = 3;
const AT_ONCE = 50;

let server: OwnServer;
let http: Http;
let random: Random;
const flows: { readonly id: string; readonly versions: readonly string[] }[] = [];
let environments: readonly [string, string];
let places = 0;

beforeAll(async () => {
  server = await startOwnServer();
  http = new Http(server.url, server.key);
  random = new Random(seed);
  for (let number = 1; number <= FLOWS; number += 1) {
    const { id, latestVersionId } = await good(
      http.post<Flow>('/flows', { name: `flow-${number}`, content: { number } }),
    );
    const versions = [latestVersionId ?? ''];
    for (let more = 2; more <= VERSIONS; more += 1) {
      versions.push((await good(http.post<Version>(`/flows/${id}/versions`, { content: { more } }))).id);
    }
    flows.push({ id, versions });
  }
});
afterAll(() => server.stop());

beforeEach(async () => {
  const names = [(places += 1), (places += 1)].map((number) => `place-${number}`);
  for (const name of names) await good(http.post('/environments', { name }));
  environments = [names[0] ?? '', names[1] ?? ''];
});

function anyOperation(environment: string): Call['operation'] {
  const { id, versions } = random.pick(flows);
  const source = environment === environments[0] ? environments[1] : environments[0];
  switch (random.below(7)) {
    case 0:
    case 1:
      return { kind: 'activate', flowId: id, version: random.pick(versions) };
    case 2:
      return { kind: 'activate', flowId: id, version: null };
    case 3:
    case 4:
      return { kind: 'promote-from', source };
    case 5:
      return { kind: 'rollback', ...(random.next() < 0.3 && { toRelease: random.below(10) }) };
    default:
      return { kind: 'rollback', flowId: id };
  }
}

function send({ environment, operation, pinned }: Call): Promise<Answer<Changed>> {
  return sendOperation(http, environment, operation, pinned === null ? {} : { 'if-match': `"${pinned}"` });
}

async function all(calls: readonly Call[]): Promise<Done[]> {
  return Promise.all(
    calls.map(async (call) => {
      const started = performance.now();
      const answer = await send(call);
      return { ...call, started, ended: performance.now(), answer };
    }),
  );
}

describe(`Commands at the same moment (seed ${seed})`, () => {
  it('on one environment are one after another', async () => {
    const done: Done[] = [];
    for (let round = 0; round < 6; round += 1) {
      const [environment] = environments;
      const calls = Array.from({ length: AT_ONCE }, () => ({
        environment,
        operation: anyOperation(environment),
        pinned: null,
      }));
      done.push(...(await all(calls)));
    }
    expect(done.filter(({ answer }) => answer.body.changed).length).toBeGreaterThan(50);
    expect(await Judge.over(server, environments, done)).toEqual([]);
  });

  it('on two environments that promote to each other are one after another in each', async () => {
    const done: Done[] = [];
    for (let round = 0; round < 6; round += 1) {
      const calls = Array.from({ length: AT_ONCE }, () => {
        const environment = random.pick(environments);
        return { environment, operation: anyOperation(environment), pinned: null };
      });
      done.push(...(await all(calls)));
    }
    expect(await Judge.over(server, environments, done)).toEqual([]);
  });

  it('that pin the same release are won by one, and the others are told that it moved', async () => {
    const done: Done[] = [];
    const [environment] = environments;
    for (let round = 0; round < 10; round += 1) {
      const { release } = await good(http.get<Environment>(`/environments/${environment}`));
      const calls = Array.from({ length: AT_ONCE }, () => ({
        environment,
        operation: anyOperation(environment),
        pinned: release,
      }));
      const answers = await all(calls);
      expect(answers.filter(({ answer }) => answer.body.changed).length).toBe(1);
      done.push(...answers);
    }
    expect(done.filter(({ answer }) => answer.status === 412).length).toBeGreaterThan(200);
    expect(await Judge.over(server, environments, done)).toEqual([]);
  });

  it('that create the same flow make one, and the others are told that it exists', async () => {
    const made = await Promise.all(
      Array.from({ length: AT_ONCE }, (_, index) =>
        http.post<Flow>('/flows', { name: 'Raced', content: { index } }),
      ),
    );
    expect(made.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(made.filter((answer) => answer.status !== 201).map((answer) => problemOf(answer).code)).toEqual(
      Array.from({ length: AT_ONCE - 1 }, () => 'flow-exists'),
    );
    expect(await good(http.get('/flows/raced'))).toMatchObject({ latest: 1 });
  });

  it('that draft versions of one flow number them without a gap', async () => {
    const drafts = await Promise.all(
      Array.from({ length: AT_ONCE }, (_, index) =>
        http.post<Version>('/flows/flow-1/versions', { content: { index } }),
      ),
    );
    const numbers = drafts.map(({ body }) => body.number).sort((a, b) => a - b);
    expect(numbers).toEqual(Array.from({ length: AT_ONCE }, (_, index) => VERSIONS + 1 + index));
    for (const { body } of drafts.slice(0, 5)) {
      expect(await good(http.get(`/flows/flow-1/versions/${body.number}`))).toMatchObject({
        content: body.content,
      });
    }
  });
});
