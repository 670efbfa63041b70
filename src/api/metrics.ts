// What Prometheus may ask: requests by route and status, where the log and the views stand, and the process itself.
import type { Server } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Engine } from '../engine.js';
import type { RateLimit } from './rate-limit.js';

type Observe = (seconds: number) => void;

export class Metrics {
  private readonly registry = new Registry();
  private readonly requests = new Histogram({
    name: 'switchyard_http_request_duration_seconds',
    help: 'How long requests took, by method, route and status.',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
    registers: [this.registry],
  });
  /** Looking labels up costs more than counting, and there are only so many. */
  private readonly observers = new Map<unknown, Map<number, Observe>>();

  constructor(engine: Engine) {
    collectDefaultMetrics({ register: this.registry });
    const { store, follower, viewsStatus } = engine;
    this.gauge('switchyard_log_position', 'Position that the views in memory have reached.', () =>
      Number(follower.live.progress.position),
    );
    this.gauge('switchyard_views_position', 'Position that the rows of the views have reached.', () =>
      Number(follower.views.progress.position),
    );
    this.gauge('switchyard_log_head_position', 'Newest position of the log that is known.', () =>
      Number(viewsStatus.head),
    );
    this.gauge(
      'switchyard_views_lag_seconds',
      'For how long the views have not held all of the log.',
      () => follower.watchdog.lagSeconds,
    );
    this.gauge(
      'switchyard_views_halted',
      'Views that have stopped at an event which they cannot take.',
      () => follower.halts.length,
    );
    this.gauge('switchyard_store_failing', '1 while the log cannot be written or reached.', () =>
      store.failing === undefined && follower.watchdog.blind === undefined ? 0 : 1,
    );
    this.gauge('switchyard_log_fenced', '1 while the log is not the one that was here before.', () =>
      engine.fence.reason === undefined ? 0 : 1,
    );
    this.counter('switchyard_appends_total', 'Appends to the log.', () => store.statistics().appends);
    this.counter(
      'switchyard_commits_total',
      'Commits of the log; appends that arrive together share one.',
      () => store.statistics().commits,
    );
  }

  countStreams(streams: { readonly open: number; readonly cut: number }): void {
    this.gauge('switchyard_event_streams', 'Clients that follow the changes.', () => streams.open);
    this.counter(
      'switchyard_event_streams_cut_total',
      'Clients that followed the changes and were cut off, because they were too slow or could not be served.',
      () => streams.cut,
    );
  }

  countRefused(server: Server, limits: { readonly all: readonly RateLimit[] }): void {
    new Counter({
      name: 'switchyard_rate_limited_total',
      help: 'Requests that were refused because too many came, by the limit that they met.',
      labelNames: ['limit'] as const,
      registers: [this.registry],
      collect() {
        this.reset();
        for (const { name, refused } of limits.all) this.inc({ limit: name }, refused);
      },
    });
    let dropped = 0;
    server.on('drop', () => (dropped += 1));
    this.counter(
      'switchyard_connections_dropped_total',
      'Connections that were closed at once because there were too many.',
      () => dropped,
    );
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  text(): Promise<string> {
    return this.registry.metrics();
  }

  observe(instance: FastifyInstance): void {
    instance.addHook('onResponse', (request, reply, done) => {
      const route = request.routeOptions.config;
      const ofRoute = this.observers.get(route) ?? this.startRoute(route);
      const status = reply.statusCode;
      let observer = ofRoute.get(status);
      if (observer === undefined) {
        const labels = { method: request.method, route: request.routeOptions.url ?? 'none', status };
        const child = this.requests.labels(labels);
        observer = (seconds) => child.observe(seconds);
        ofRoute.set(status, observer);
      }
      observer(reply.elapsedTime / 1000);
      done();
    });
  }

  private startRoute(route: unknown): Map<number, Observe> {
    const ofRoute = new Map<number, Observe>();
    this.observers.set(route, ofRoute);
    return ofRoute;
  }

  private gauge(name: string, help: string, read: () => number): void {
    const registers = [this.registry];
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  }

  private counter(name: string, help: string, read: () => number): void {
    const registers = [this.registry];
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }
}
