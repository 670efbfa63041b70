// Which answers are denials, by their status and code, on a server that gives just the answers that are asked for.
import fastify from 'fastify';
import { recordDenied } from '../../src/api/denied-attempts.js';
import type { ProblemCode } from '../../src/api/problem.js';
import type { Attempt } from '../../src/commands/record-attempt.js';

async function recordedFor(status: number, code: ProblemCode | undefined, who: object): Promise<Attempt[]> {
  const attempts: Attempt[] = [];
  const directory = {
    project: () => ({ id: 'p1' }),
    environment: (_: unknown, reference: string) => ({ id: `id of ${reference}` }),
  };
  const server = fastify();
  const record = (_: unknown, attempt: Attempt) => void attempts.push(attempt);
  recordDenied(server, { record }, { live: { directory } } as never);
  server.post('/flows/:flow', (request, reply) => {
    Object.assign(request, who, code === undefined ? {} : { problemCode: code });
    void reply.code(status).send();
  });
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  const headers = { 'content-type': 'application/json', connection: 'close' };
  const body = JSON.stringify({ environment: 'production' });
  await fetch(`${url}/flows/private`, { method: 'POST', headers, body });
  await server.close();
  return attempts;
}

const SCOPE = {
  scope: { projectIfAny: { id: 'p1' }, callerInWorkspace: { actor: { type: 'api-key', id: 'k' } } },
};
const REVOKED = { formerKey: { keyId: 'k', workspaceId: 'w1' } };

describe('An answer is a denial', () => {
  it.each([
    ['when a key may not do what it asked', 403, 'forbidden', SCOPE],
    ['when a pinned release had moved', 412, 'release-moved', SCOPE],
    ['when the key was revoked', 401, 'unauthorized', REVOKED],
  ] as const)('%s, and its route is told as a pattern', async (_, status, code, who) => {
    const environmentId = 'id of production';
    const route = '/flows/:flow';
    expect(await recordedFor(status, code, who)).toEqual([
      { code, status, method: 'POST', route, environmentId },
    ]);
  });

  it.each([
    ['when nobody knows whose the key is', 401, 'unauthorized', {}],
    ['when it is a refusal by another rule', 409, 'flow-exists', SCOPE],
    ['when it is no problem', 200, undefined, SCOPE],
  ] as const)('never %s', async (_, status, code, who) => {
    expect(await recordedFor(status, code, who)).toEqual([]);
  });
});
