// The engine over HTTP: Nest on Fastify, with what every request passes through.
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { guardAccess, identifyCallers } from './api/access.js';
import { recordDenied } from './api/denied-attempts.js';
import { ChangeEvents } from './api/change-events.js';
import { BrowserOrigin } from './api/cross-site.js';
import { EventsRoute } from './api/events.route.js';
import { createAdapter } from './api/fastify.js';
import { endIdleSessions } from './api/idle-sessions.js';
import { keepFirstAnswers } from './api/idempotency.js';
import { Metrics } from './api/metrics.js';
import { OidcClient } from './api/oidc-client.js';
import { OidcRoute } from './api/oidc.route.js';
import { serveOpenApi } from './api/openapi.js';
import { waitForPosition } from './api/min-position.js';
import { ProblemFilter } from './api/problem.filter.js';
import { RateLimits } from './api/rate-limits.js';
import { logRequests } from './api/request-log.js';
import { ResolveAt } from './api/resolve-at.js';
import { ResolveRoute } from './api/resolve.route.js';
import { guardRoutes } from './api/route-permissions.js';
import { SignIn } from './api/sign-in.js';
import { tellSourceAddress } from './api/source-address.js';
import { RequestPipe } from './api/validation.js';
import { AppModule } from './app.module.js';
import { AccessStream } from './commands/access-stream.js';
import { AttemptRecorder } from './commands/record-attempt.js';
import { KeyUseRecorder } from './commands/record-key-use.js';
import type { Config } from './config.js';
import type { Engine } from './engine.js';
import { ChangeStream } from './read/change-stream.js';
import type { Tracing } from './tracing.js';

export interface Server {
  readonly url: string;
  /** Stops taking requests, and resolves once those under way have been answered. */
  close(): Promise<void>;
}

export async function serve(
  engine: Engine,
  { host, port, http, signIn }: Config,
  log: Logger,
  tracing?: Tracing,
): Promise<Server> {
  const adapter = createAdapter({ log, ...http });
  const origin = new BrowserOrigin(signIn.publicOrigin);
  const module = AppModule.over(engine, origin, signIn);
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, {
    logger: false,
    abortOnError: false,
    bodyParser: false,
  });
  app.useGlobalPipes(new RequestPipe());
  app.useGlobalFilters(new ProblemFilter(log));
  const instance = adapter.getInstance<FastifyInstance>();
  const limits = new RateLimits(http.rateLimits);
  instance.server.maxConnections = http.connectionsMax;
  app.get(Metrics).observe(instance);
  app.get(Metrics).countRefused(instance.server, limits);
  tellSourceAddress(instance, http.sourceAddress);
  logRequests(instance, http.loggedRequests, log);
  tracing?.traceRequests(instance);
  limits.limitAddresses(instance);
  const attempts = new AttemptRecorder(engine.store, engine.commandLog, log);
  const keyUse = new KeyUseRecorder(app.get(AccessStream), () => engine.follower.live.directory, log);
  recordDenied(instance, attempts, engine.follower);
  identifyCallers(instance, engine.follower, origin);
  endIdleSessions(instance, signIn.sessionIdleMs);
  // Before anything is denied or not found: whoever is refused is counted too.
  limits.limitCallers(instance);
  guardAccess(instance, engine.follower, origin);
  guardRoutes(instance, () => engine.follower.live.directory);
  waitForPosition(instance, engine.follower);
  keepFirstAnswers(instance, engine.answeredCommands, engine.people, log);
  const resolveAt = new ResolveAt(engine.follower, engine.versions, engine.past);
  new ResolveRoute(engine.follower, engine.versions, resolveAt).register(instance);
  const { store, follower, releases } = engine;
  const changes = new ChangeStream(store, follower, releases, new ChangeEvents(follower));
  const events = new EventsRoute(changes, follower, log);
  events.register(instance);
  app.get(Metrics).countStreams(events);
  if (signIn.oidc !== undefined) {
    const client = new OidcClient(signIn.oidc, log);
    new OidcRoute(signIn.oidc, client, app.get(SignIn), follower, engine.people, log).register(instance);
  }
  serveOpenApi(app);
  await app.listen(port, host);
  const address = instance.server.address();
  const listening = typeof address === 'object' && address !== null ? address.port : port;
  const name = host.includes(':') ? `[${host}]` : host;
  const close = async (): Promise<void> => {
    await app.close();
    await attempts.settled();
    await keyUse.close();
  };
  return { url: `http://${name}:${listening}`, close };
}
