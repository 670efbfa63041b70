// GET /events: the changes of a project as they happen, as Server-Sent Events of CloudEvents. A client that comes back
// says up to where it has them, and misses nothing.
import type { ServerResponse } from 'node:http';
import { IsString, Matches } from 'class-validator';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Beginning, ChangeStream } from '../read/change-stream.js';
import type { TurnHolder } from '../read/fair-turns.js';
import type { LogFollower } from '../read/log-follower.js';
import type { Outlet } from '../read/change-reader.js';
import type { Wanted } from '../read/recent-messages.js';
import type { Position } from '../store/event-store.js';
import { scopeIn } from './access.js';
import { Scope } from './scope.js';
import { CHANGE_TYPES } from './change-events.js';
import { POSITION } from './min-position.js';
import { Problem } from './problem.js';
import type { ProblemLog } from './problem.filter.js';
import { IfGiven, IsReference, RequestPipe } from './validation.js';

export const EVENTS_PATHS = ['/api/v1/events', '/api/v1/projects/:project/events'];

/** At once: no key and no workspace takes what the others need. */
const STREAMS_MAX = { server: 5_000, workspace: 2_500, key: 1_250 };
/** What a client that does not listen may hold up a stop for. */
const END_MS_MAX = 1_000;

class EventsQuery {
  @IfGiven()
  @IsReference()
  environment?: string;

  @IfGiven()
  @IsReference()
  flow?: string;

  @IfGiven()
  @IsString()
  type?: string;

  @IfGiven()
  @Matches(POSITION, { message: 'lastEventId must be the id of an event' })
  lastEventId?: string;
}

export class EventsRoute {
  /** Clients that were too slow. */
  cut = 0;

  constructor(
    private readonly changes: ChangeStream,
    private readonly follower: LogFollower,
    private readonly log: ProblemLog,
    private readonly streamsMax = STREAMS_MAX,
  ) {}

  get open(): number {
    return this.changes.open;
  }

  register(instance: FastifyInstance): void {
    for (const path of EVENTS_PATHS) {
      // What never ends has no head to be asked for alone.
      instance.get(path, { exposeHeadRoute: false }, (request, reply) => this.answer(request, reply));
    }
    instance.addHook('preClose', (done) => {
      this.changes.close();
      done();
    });
  }

  private async answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const scope = scopeIn(request);
    const query = await queryOf(request.query as Record<string, unknown>);
    const wanted = this.filterOf(query, scope);
    this.follower.refuseOnceHalted();
    const { actor, workspaceId } = scope.principal;
    const who = { actorId: actor.id, workspaceId };
    const beginning = await this.changes.beginning(lastEventIdIn(request) ?? positionIn(query), who);
    // A key that was revoked just now has no stream yet that could be ended.
    request.admitAgain?.();
    if (this.changes.isClosed) throw new Problem('shutting-down', 'Follow the changes on another server.');
    this.refuseTooMany(who);
    reply.hijack();
    this.begin(request, reply, beginning, wanted);
    return reply;
  }

  private refuseTooMany(who: TurnHolder): void {
    const { ofWorkspace, ofKey } = this.changes.openOf(who);
    const { server, workspace, key } = this.streamsMax;
    const bounds = [
      { open: this.open, max: server, whose: 'There are' },
      { open: ofWorkspace, max: workspace, whose: 'The keys of this workspace have' },
      { open: ofKey, max: key, whose: 'This key has' },
    ];
    const reached = bounds.find(({ open, max }) => open >= max);
    if (reached === undefined) return;
    const detail = `${reached.whose} ${reached.max} streams open on this server, which is all it takes.`;
    throw new Problem('too-many-streams', detail);
  }

  private begin(request: FastifyRequest, reply: FastifyReply, beginning: Beginning, wanted: Wanted): void {
    const { raw } = reply;
    raw.writeHead(200, {
      'x-request-id': request.id,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    raw.write(firstMessage(beginning));
    const { actor, workspaceId, worksUntil, sessionId } = scopeIn(request).principal;
    const outlet = this.outletTo(raw, request.id);
    // Whoever follows on comes back, which is a use of the session.
    const until = Math.min(worksUntil, request.idleAt ?? Infinity);
    const client = { actorId: actor.id, sessionId, workspaceId, worksUntil: until, wanted, outlet };
    const reader = this.changes.follow(beginning.position, client);
    raw.on('drain', () => reader.resume());
    raw.on('close', () => this.changes.leave(reader));
    // The connection is lost, and `close` follows.
    raw.on('error', () => undefined);
  }

  private outletTo(raw: ServerResponse, requestId: string): Outlet {
    return {
      write: (bytes) => raw.write(bytes),
      beat: (position) => raw.write(`: heartbeat\nid: ${position}\n\n`),
      end: () => {
        raw.end();
        setTimeout(() => raw.destroy(), END_MS_MAX).unref();
      },
      cut: (reason) => {
        this.cut += 1;
        this.log.warn({ requestId, reason }, 'a client that follows the changes was cut off');
        raw.destroy();
      },
    };
  }

  private filterOf({ environment, flow, type }: EventsQuery, scope: Scope): Wanted {
    const { project, sees } = scope;
    const environmentId = environment && scope.environment(environment).id;
    const flowId = flow && this.follower.live.directory.flow(project, flow).id;
    const types = type === undefined ? undefined : typesIn(type);
    const seesAll = scope.access.hasInAllOf('read', project.id);
    return (topic) => {
      const isAsked =
        topic.projectId === project.id &&
        topic.workspaceId === project.workspaceId &&
        (environmentId === undefined || topic.environmentId === environmentId) &&
        (flowId === undefined || topic.flowIds.has(flowId)) &&
        (types === undefined || types.has(topic.type));
      if (
        !isAsked ||
        (topic.isOfAll && !seesAll) ||
        (topic.environmentId !== null && !sees(topic.environmentId))
      )
        return false;
      return topic.sourceId === null || sees(topic.sourceId) ? true : 'without source';
    };
  }
}

/** `type` may be repeated; everything else is read as any query is. */
async function queryOf(query: Record<string, unknown>): Promise<EventsQuery> {
  const { type } = query;
  const single = Array.isArray(type) ? { ...query, type: type.join(',') } : query;
  return (await new RequestPipe().transform(single, { type: 'query', metatype: EventsQuery })) as EventsQuery;
}

/** Each one is a type, or what some types begin with, up to a dot. */
function typesIn(text: string): ReadonlySet<string> {
  const asked = text.split(',').map((one) => one.trim());
  const found = asked.map((one) => CHANGE_TYPES.filter((type) => `${type}.`.startsWith(`${one}.`)));
  if (found.some((types) => types.length === 0)) {
    const detail = `must be types of changes, or what some begin with: ${CHANGE_TYPES.join(', ')}`;
    throw new Problem('invalid-query', 'The query is not what is expected; see errors.', [
      { pointer: '/type', detail },
    ]);
  }
  return new Set(found.flat());
}

/** What a browser sends by itself when it comes back, whatever its address had said at first. */
function lastEventIdIn({ headers }: FastifyRequest): Position | undefined {
  const id = headers['last-event-id'];
  if (id === undefined) return undefined;
  if (typeof id === 'string' && POSITION.test(id)) return BigInt(id);
  throw new Problem('invalid-header', 'Last-Event-ID takes the id of an event, as the stream gave it.');
}

function positionIn({ lastEventId }: EventsQuery): Position | undefined {
  return lastEventId === undefined ? undefined : BigInt(lastEventId);
}

/** Its id lets a client that has received nothing else come back without a gap. */
function firstMessage({ position, reset }: Beginning): string {
  const data = { ...(reset !== undefined && { reason: reset }), position: String(position) };
  const event = reset === undefined ? 'hello' : 'reset';
  return `id: ${position}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
