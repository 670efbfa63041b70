// The limit of resolving over HTTP: Fastify with one route, no key and no rules, that hands out of a Map the very
// bytes that the product answered. It asks the product for all of them once, before it is measured.
import { fastify } from 'fastify';
import { HttpConnection, type Ask } from './http-connection.js';
import { answerOneTask } from './one-task.js';

export interface BareTask {
  /** Where the product listens. */
  readonly port: number;
  readonly key: string;
  readonly asks: readonly Ask[];
}

export interface BareReady {
  readonly port: number;
  readonly bodyBytes: number;
}

interface Kept {
  readonly etag: string;
  readonly body: string;
}

const CONNECTIONS = 50;
const ETAG = /\r\netag: ([^\r]+)/i;

answerOneTask(start);

async function start({ port, key, asks }: BareTask): Promise<BareReady> {
  const answers = new Map<string, Map<string, Kept>>();
  let bytes = 0;
  let next = 0;
  const askInTurn = async (): Promise<void> => {
    const connection = await HttpConnection.open(port, key);
    for (let asked = asks[next++]; asked !== undefined; asked = asks[next++]) {
      const answer = await connection.ask(asked);
      const body = answer.body();
      bytes += body.length;
      const [flow = '', environment = ''] = named(asked.path);
      const ofFlow = answers.get(flow) ?? new Map<string, Kept>();
      answers.set(flow, ofFlow.set(environment, { etag: ETAG.exec(answer.head)?.[1] ?? '', body }));
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, askInTurn));

  const bare = fastify({ logger: false });
  bare.get('/api/v1/flows/:flow/resolve', (request, reply) => {
    const { flow } = request.params as { flow: string };
    const { environment } = request.query as { environment: string };
    const kept = answers.get(flow)?.get(environment);
    if (kept === undefined) return reply.code(404).send();
    return reply
      .header('content-type', 'application/json; charset=utf-8')
      .header('etag', kept.etag)
      .send(kept.body);
  });
  const url = await bare.listen({ port: 0, host: '127.0.0.1' });
  return { port: Number(new URL(url).port), bodyBytes: Math.round(bytes / asks.length) };
}

function named(path: string): string[] {
  const { pathname, searchParams } = new URL(path, 'http://127.0.0.1');
  return [pathname.split('/')[4] ?? '', searchParams.get('environment') ?? ''];
}
