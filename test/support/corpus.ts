// A corpus of commands, the same for the same seed: flows, versions, activations, promotions and rollbacks over a few
// environments, refused ones among them. Everything is named by slug, so that it can be run on any empty log.
import type { Http, Answer } from './http.js';
import { Random } from './random.js';

export interface CorpusCommand {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
}

const ENVIRONMENTS = ['development', 'staging', 'production', 'eu-prod'];
const FLOWS_MAX = 60;

export function corpus(seed: number, count: number): CorpusCommand[] {
  const random = new Random(seed);
  const commands: CorpusCommand[] = ENVIRONMENTS.map((name) => post('/environments', { name }));
  let flows = 0;
  const flow = () => `flow-${1 + random.below(Math.max(flows, 1))}`;
  const environment = () => random.pick(ENVIRONMENTS);
  while (commands.length < count) {
    if (flows < FLOWS_MAX && random.next() < 0.05) flows += 1;
    commands.push(anyCommand(random, flow, environment, commands.length));
  }
  return commands;
}

function anyCommand(
  random: Random,
  flow: () => string,
  environment: () => string,
  turn: number,
): CorpusCommand {
  const version = 1 + random.below(6);
  switch (random.below(14)) {
    case 0:
      return post('/flows', { name: flow(), content: { turn, text: 'Grüße 🚀 \u2028 "quoted"' } });
    case 1:
    case 2:
      return post(`/flows/${flow()}/versions`, { content: { turn }, comment: random.pick(['', 'why', 'ß']) });
    case 3:
      return {
        method: 'PATCH',
        path: `/flows/${flow()}/versions/${version}`,
        body: { content: { edited: turn } },
      };
    case 4:
      return post(`/flows/${flow()}/versions/${version}/fork`, { comment: 'fork' });
    case 5:
      return { method: 'DELETE', path: `/flows/${flow()}/environments/${environment()}`, body: {} };
    case 6:
    case 7: {
      const pair = { sourceEnvironment: environment(), targetEnvironment: environment() };
      return post('/environments/promote', { ...pair, prune: random.next() < 0.2, comment: `at ${turn}` });
    }
    case 8:
      return post(
        `/environments/${environment()}/rollback`,
        random.next() < 0.5 ? {} : { toRelease: random.below(20) },
      );
    case 9:
      return post(`/environments/${environment()}/rollback`, { flowIds: [flow()] });
    case 10:
      return { method: 'PUT', path: '/environments/default', body: { environment: environment() } };
    default:
      return post(`/flows/${flow()}/versions/${version}/environments`, { environment: environment() });
  }
}

function post(path: string, body: unknown): CorpusCommand {
  return { method: 'POST', path, body };
}

/** One after another. Answers what was answered, with everything that chance and time gave put into their order. */
export async function run(http: Http, commands: readonly CorpusCommand[]): Promise<string[]> {
  const answers: string[] = [];
  const plain = new Plain();
  for (const [turn, { method, path, body }] of commands.entries()) {
    const headers = { 'x-request-id': `corpus-${turn}` };
    const answer: Answer = await http.send(method, `/api/v1${path}`, { body, headers });
    answers.push(`${answer.status} ${plain.text(answer.text)}`);
  }
  return answers;
}

const CHANCE = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g;
const POSITION = /("position":"|\?position=)(\d+)/g;
const PUBLIC_KEY = /switchyard\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}/g;

/** Ids and positions by the order in which they first appear, and no times: what two runs have in common. */
export class Plain {
  private readonly names = new Map<string, string>();

  text(text: string): string {
    return text
      .replace(TIME, 'TIME')
      .replace(CHANCE, (id) => this.name('id', id))
      .replace(PUBLIC_KEY, 'KEY')
      .replace(POSITION, (_, before: string, position: string) => before + this.name('position', position));
  }

  private name(kind: string, value: string): string {
    const known = this.names.get(value) ?? `${kind}-${this.names.size}`;
    this.names.set(value, known);
    return known;
  }
}
