// The engine over HTTP: Nest on Fastify, with what every request passes through.
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { guardAccess } from './api/access.js';
import { recordDenied } from './api/denied-attempts.js';
import { ChangeEvents } from './api/change-events.js';
import { EventsRoute } from './api/events.route.js';
import { createAdapter } from './api/fastify.js';
import { keepFirstAnswers } from './api/idempotency.js';
import { Metrics } from './api/metrics.js';
import { serveOpenApi } from './api/openapi.js';
import { waitForPosition } from './api/min-position.js';
import { ProblemFilter } from './api/problem.filter.js';
import { ResolveAt } from './api/resolve-at.js';
import { ResolveRoute } from './api/resolve.route.js';
import { RequestPipe } from './api/validation.js';
import { AppModule } from './app.module.js';
import { AttemptRecorder } from './commands/record-attempt.js';
import type { Config } from './config.js';
import type { Engine } from './engine.js';
import { ChangeStream } from './read/change-stream.js';

export interface Server {
  readonly url: string;
  /** Stops taking requests, and resolves once those under way have been answered. */
  close(): Promise<void>;
}

export async function serve(engine: Engine, { host, port }: Config, log: Logger): Promise<Server> {
  const adapter = createAdapter({ log });
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.over(engine), adapter, {
    logger: false,
    abortOnError: false,
    bodyParser: false,
  });
  app.useGlobalPipes(new RequestPipe());
  app.useGlobalFilters(new ProblemFilter(log));
  const instance = adapter.getInstance<FastifyInstance>();
  app.get(Metrics).observe(instance);
  const attempts = new AttemptRecorder(engine.store, engine.commandLog, log);
  recordDenied(instance, attempts, engine.follower);
  guardAccess(instance, engine.follower);
  waitForPosition(instance, engine.follower);
  keepFirstAnswers(instance, engine.answeredCommands, log);
  const resolveAt = new ResolveAt(engine.follower, engine.versions, engine.past);
  new ResolveRoute(engine.follower, engine.versions, resolveAt).register(instance);
  const { store, follower, releases } = engine;
  const changes = new ChangeStream(store, follower, releases, new ChangeEvents(follower));
  const events = new EventsRoute(changes, follower, log);
  events.register(instance);
  app.get(Metrics).countStreams(events);
  serveOpenApi(app);
  await app.listen(port, host);
  const address = instance.server.address();
  const listening = typeof address === 'object' && address !== null ? address.port : port;
  const name = host.includes(':') ? `[${host}]` : host;
  const close = async (): Promise<void> => {
    await app.close();
    await attempts.settled();
  };
  return { url: `http://${name}:${listening}`, close };
}
