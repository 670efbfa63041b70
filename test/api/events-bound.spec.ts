// A server has room for so many streams of changes and no more, a workspace for a part of them and a key for a part of
// that; whoever comes too late is told so, and may come back.
import Fastify, { type FastifyInstance } from 'fastify';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import type { Scope } from '../../src/api/scope.js';
import { EventsRoute } from '../../src/api/events.route.js';
import { sendProblem } from '../../src/api/problem.filter.js';
import { ChangeStream } from '../../src/read/change-stream.js';
import type { TurnHolder } from '../../src/read/fair-turns.js';
import type { LogFollower } from '../../src/read/log-follower.js';
import { Http, refused } from '../support/http.js';
import { until } from '../support/spec.js';

const STREAMS_MAX = { server: 5, workspace: 3, key: 2 };

let instance: FastifyInstance;
let port: number;
let changes: ChangeStream;
const sockets = new Set<Socket>();

beforeEach(async () => {
  const progress = { position: 7n };
  const live = { directory: {}, progress };
  const follower = { refuseOnceHalted: () => undefined, onEvent: () => undefined, live };
  const log = { warn: () => undefined, error: () => undefined };
  const [store, releases, wording] = [{}, {}, {}] as never[];
  changes = new ChangeStream(
    store as never,
    follower as unknown as LogFollower,
    releases as never,
    wording as never,
  );
  instance = Fastify();
  // Who asks is in place of the key: `workspace.key`.
  instance.addHook('onRequest', (request, _reply, done) => {
    const [, workspaceId = '', id = ''] =
      /^Bearer (.+)[.](.+)$/.exec(request.headers.authorization ?? '') ?? [];
    request.scope = {
      project: { id: 'p', workspaceId },
      access: { hasInAllOf: () => true },
      principal: { actor: { id }, workspaceId, worksUntil: Infinity },
    } as unknown as Scope;
    done();
  });
  instance.setErrorHandler((error, request, reply) => sendProblem(reply, error, request.id, log));
  new EventsRoute(changes, follower as unknown as LogFollower, log, STREAMS_MAX).register(instance);
  port = Number(new URL(await instance.listen({ port: 0, host: '127.0.0.1' })).port);
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await instance.close();
});

async function opened(...keys: string[]): Promise<Socket[]> {
  const all: Socket[] = [];
  for (const key of keys) {
    const socket = connect(port, '127.0.0.1');
    sockets.add(socket);
    socket.write(`GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\n\r\n`);
    const [head] = (await once(socket, 'data')) as [Buffer];
    expect(head.toString()).toContain('200 OK');
    all.push(socket);
  }
  return all;
}

/** In which words the next stream of a key is refused. */
async function refusalOf(key: string): Promise<string> {
  const asked = new Http(`http://127.0.0.1:${port}`, key).get('/events');
  return (await refused(asked, 503, 'too-many-streams')).detail;
}

const who = (workspaceId: string, actorId: string): TurnHolder => ({ workspaceId, actorId });

it('The stream after the last one is refused until one of them has ended', async () => {
  const [first] = await opened('a.1', 'a.1', 'a.2', 'b.1', 'b.2');
  expect(await refusalOf('c.1')).toBe('There are 5 streams open on this server, which is all it takes.');
  first?.destroy();
  await until(() => changes.open < STREAMS_MAX.server);
  await opened('c.1');
});

it('A workspace takes no more than its part, whatever its keys, and leaves the rest to others', async () => {
  const [first] = await opened('a.1', 'a.2', 'a.3');
  expect(await refusalOf('a.4')).toContain('The keys of this workspace have 3 streams');
  expect(changes.openOf(who('a', '4'))).toEqual({ ofWorkspace: 3, ofKey: 0 });
  await opened('b.4');
  first?.destroy();
  await until(() => changes.open === 3);
  await opened('a.4');
});

it('A key takes no more than its part, and leaves the rest to the other keys of its workspace', async () => {
  const [first] = await opened('a.1', 'a.1');
  expect(await refusalOf('a.1')).toContain('This key has 2 streams');
  expect(changes.openOf(who('a', '1'))).toEqual({ ofWorkspace: 2, ofKey: 2 });
  await opened('a.2');
  first?.destroy();
  await until(() => changes.open === 2);
  await opened('a.1');
});
