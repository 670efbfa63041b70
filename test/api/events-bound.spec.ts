// A server has room for so many streams of changes and no more; whoever comes too late is told so, and may come back.
import Fastify from 'fastify';
import { connect } from 'node:net';
import { once } from 'node:events';
import type { Scope } from '../../src/api/scope.js';
import { EventsRoute } from '../../src/api/events.route.js';
import { sendProblem } from '../../src/api/problem.filter.js';
import type { ChangeStream } from '../../src/read/change-stream.js';
import type { LogFollower } from '../../src/read/log-follower.js';
import { Http, refused } from '../support/http.js';

const STREAMS_MAX = 3;

it(`The stream after ${STREAMS_MAX} is refused until one of them has ended`, async () => {
  const open = new Set<object>();
  const changes = {
    get open() {
      return open.size;
    },
    beginning: async () => ({ position: 7n }),
    follow: () => {
      const reader = {};
      open.add(reader);
      return reader;
    },
    leave: (reader: object) => open.delete(reader),
    close: () => undefined,
  } as unknown as ChangeStream;
  const follower = { refuseOnceHalted: () => undefined, live: { directory: {} } } as unknown as LogFollower;
  const log = { warn: () => undefined, error: () => undefined };
  const instance = Fastify();
  instance.addHook('onRequest', (request, _reply, done) => {
    request.scope = {
      project: { id: 'p', workspaceId: 'w' },
      principal: { actor: { id: 'k' }, worksUntil: Infinity },
    } as unknown as Scope;
    done();
  });
  instance.setErrorHandler((error, request, reply) => sendProblem(reply, error, request.id, log));
  new EventsRoute(changes, follower, log, STREAMS_MAX).register(instance);
  const url = await instance.listen({ port: 0, host: '127.0.0.1' });
  const sockets = await Promise.all(
    Array.from({ length: STREAMS_MAX }, async () => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      socket.write('GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n');
      const [head] = (await once(socket, 'data')) as [Buffer];
      expect(head.toString()).toContain('200 OK');
      return socket;
    }),
  );
  const http = new Http(url, 'key');
  await refused(http.get('/events'), 503, 'too-many-streams');
  sockets[0]?.destroy();
  while (open.size === STREAMS_MAX) await new Promise((resolve) => setImmediate(resolve));
  expect((await http.get('/events')).status).toBe(200);
  for (const socket of sockets) socket.destroy();
  await instance.close();
});
