// Traces for OpenTelemetry: a span for each request, and below it one for each decision and each append. Loaded only
// when a collector is configured. It is wound around the server from outside; nothing in there knows of it.
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  defaultTextMapGetter,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
} from '@opentelemetry/api';
import { ExportResultCode, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { CommandLog, Task } from './commands/command-log.js';
import type { DomainEvent } from './domain/events.js';
import type { EventStore } from './store/event-store.js';

interface TracingLog {
  warn(fields: object, message: string): void;
}

/** What a collector that does not answer may hold up a stop for. */
const CLOSE_MS_MAX = 2_000;

export function openTracing(log: TracingLog): Tracing {
  const own = resourceFromAttributes({ 'service.name': 'switchyard' });
  const provider = new BasicTracerProvider({
    resource: own.merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(new Exporter(log))],
  });
  return new Tracing(provider);
}

export class Tracing {
  private readonly tracer;
  private readonly propagator = new W3CTraceContextPropagator();
  /** What a span that begins now is below of. */
  private readonly current = new AsyncLocalStorage<Context>();

  constructor(private readonly provider: BasicTracerProvider) {
    this.tracer = provider.getTracer('switchyard');
  }

  /** Before all other hooks, so that a request that is refused by one of them has its span too. */
  traceRequests(instance: FastifyInstance): void {
    instance.addHook('onRequest', (request, reply, done) => {
      const { span, context } = this.begin(request);
      // Fastify tells of no end of a stream of events, and of none where the client has gone.
      reply.raw.once('close', () => end(span, reply));
      this.current.run(context, done);
    });
  }

  traceEngine({ store, commandLog }: { readonly store: EventStore; readonly commandLog: CommandLog }): void {
    const append = store.append.bind(store);
    store.append = (stream, events, expected) =>
      this.within('append', { 'switchyard.events': events.length }, () => append(stream, events, expected));
    const run = commandLog.run.bind(commandLog);
    commandLog.run = <State, Event extends DomainEvent>(task: Task<State, Event>) => {
      const decide = (state: State) => this.within('decide', {}, () => task.decide(state));
      return run({ ...task, decide });
    };
  }

  async close(): Promise<void> {
    const late = new Promise((resolve) => setTimeout(resolve, CLOSE_MS_MAX).unref());
    await Promise.race([this.provider.shutdown(), late]);
  }

  /** The pattern of the route and never the path: what callers sent stays out of traces. */
  private begin(request: FastifyRequest): { span: Span; context: Context } {
    const parent = this.propagator.extract(ROOT_CONTEXT, request.headers, defaultTextMapGetter);
    const { method, id, routeOptions } = request;
    const route = routeOptions.url ?? 'none';
    const attributes = { 'http.request.method': method, 'http.route': route, 'switchyard.request_id': id };
    const span = this.tracer.startSpan(`${method} ${route}`, { kind: SpanKind.SERVER, attributes }, parent);
    return { span, context: trace.setSpan(parent, span) };
  }

  private async within<Result>(
    name: string,
    attributes: Attributes,
    work: () => Result | Promise<Result>,
  ): Promise<Result> {
    const parent = this.current.getStore() ?? ROOT_CONTEXT;
    const span = this.tracer.startSpan(name, { attributes }, parent);
    try {
      return await this.current.run(trace.setSpan(parent, span), work);
    } catch (error) {
      // Its name alone: the message may quote what somebody sent.
      span.setAttribute('error.type', error instanceof Error ? error.name : typeof error);
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  }
}

function end(span: Span, { statusCode, request }: FastifyReply): void {
  span.setAttribute('http.response.status_code', statusCode);
  if (request.problemCode !== undefined) span.setAttribute('error.type', request.problemCode);
  if (statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

/** OTLP over HTTP, as JSON. Says once that the collector does not take the spans, and no more until it does. */
class Exporter implements SpanExporter {
  private readonly exporter = new OTLPTraceExporter();
  private isFailing = false;

  constructor(private readonly log: TracingLog) {}

  export: SpanExporter['export'] = (spans, done) => {
    this.exporter.export(spans, (result) => {
      const isFailing = result.code !== ExportResultCode.SUCCESS;
      if (isFailing && !this.isFailing) this.log.warn({}, 'traces could not be delivered');
      this.isFailing = isFailing;
      done(result);
    });
  };

  shutdown(): Promise<void> {
    return this.exporter.shutdown();
  }

  forceFlush(): Promise<void> {
    return this.exporter.forceFlush();
  }
}
