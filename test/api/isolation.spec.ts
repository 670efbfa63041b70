// Who may do what, for every route that the server has: each role, with each shape of a grant, at each place, against a
// table of grants that is not that of the product. What is denied says nothing and changes nothing.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { fastify } from 'fastify';
import { guardRoutes } from '../../src/api/route-permissions.js';
import type { Route } from '../isolation/calls.js';
import { rowOf, TAKES } from '../isolation/grants.js';
import { Matrix } from '../isolation/matrix.js';
import { NO_LIMITS } from '../isolation/world.js';
import { missing, PostgresServer } from '../support/postgres-server.js';
import { ServerProcess, serversOfSuite, temporaryFolder } from '../support/server-process.js';
import { unless } from '../support/spec.js';

const PRINT_ROUTES = fileURLToPath(new URL('../support/print-routes.js', import.meta.url));
const OPEN = /^GET \/(health|docs|openapi\.json|auth\/oidc)(\/|$)|^POST \/api\/v1\/session$/;
/** Nobody has signed in, and nobody is forgotten. */
const NEVER_ALLOWED = [
  'DELETE /people/:person',
  'DELETE /session',
  'DELETE /sessions/:session',
  'GET /session',
];
const suite = serversOfSuite();
let routes: Route[];
let postgres: PostgresServer | undefined;

afterAll(() => postgres?.remove());

beforeAll(async () => {
  const folder = temporaryFolder();
  const env = { ...process.env, PORT: '0', HOST: '127.0.0.1', SWITCHYARD_DATA: folder.path };
  const { stdout } = await promisify(execFile)(process.execPath, [PRINT_ROUTES], { env });
  folder.remove();
  const printed = (JSON.parse(stdout) as Route[]).filter(({ method }) => method !== 'HEAD');
  const known = new Map(printed.map((route) => [`${route.method} ${route.path}`, route]));
  routes = [...known].flatMap(([name, route]) => (OPEN.test(name) ? [] : [route]));
});

describe('The table of what routes take', () => {
  it('has a row for every route of the server that needs a key, and no others', () => {
    expect(routes.length).toBeGreaterThan(90);
    const rows = new Set(routes.map(({ method, path }) => rowOf(method, path)));
    expect([...rows].sort()).toEqual(Object.keys(TAKES).sort());
  });

  it('is asked of the product too: a server does not start with a route that nobody has thought about', () => {
    const instance = fastify();
    guardRoutes(instance, () => {
      throw new Error('Nobody is asked');
    });
    const answer = () => 'secret';
    expect(() => instance.get('/api/v1/flows/:flow', answer)).not.toThrow();
    expect(() => instance.get('/health/new', answer)).not.toThrow();
    expect(() => instance.get('/api/v1/secrets', answer)).toThrow('nobody said who may GET /api/v1/secrets');
    expect(() => instance.delete('/api/v1/flows/:flow', answer)).toThrow('nobody said who may DELETE');
  });
});

async function holds(matrix: Matrix): Promise<void> {
  const { counts, allowedRows } = matrix;
  expect(Math.min(...[200, 401, 403, 404].map((status) => counts[status] ?? 0))).toBeGreaterThan(300);
  expect(
    Object.keys(TAKES)
      .filter((row) => !allowedRows.has(row))
      .sort(),
  ).toEqual(NEVER_ALLOWED);
  const before = await matrix.head();
  await matrix.denied();
  expect(await matrix.elsewhere()).toBeGreaterThan(150);
  expect(matrix.faults.slice(0, 40)).toEqual([]);
  expect([...(await matrix.doneAfter(before))]).toEqual(['AttemptDenied']);
  await matrix.allowed();
  expect(matrix.faults.slice(0, 40)).toEqual([]);
}

describe('A key does what its grants say, and nothing else', () => {
  it('on SQLite', async () => {
    const server = suite.kept(await ServerProcess.start(suite.newFolder(), NO_LIMITS));
    await holds(await Matrix.on(server.url, routes));
  }, 300_000);

  unless(missing)(
    'on PostgreSQL',
    async () => {
      postgres = await PostgresServer.start();
      const settings = { ...NO_LIMITS, SWITCHYARD_EVENT_STORE: await postgres.newDatabase() };
      const server = suite.kept(await ServerProcess.start(suite.newFolder(), settings));
      await holds(await Matrix.on(server.url, routes));
    },
    300_000,
  );
});
