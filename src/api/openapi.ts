// The API document, OpenAPI 3.1: made from the controllers, completed with what they cannot say, and shown at /docs.
// It is made when first asked for, so that a start does not wait for it.
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, getSchemaPath, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { SIGN_IN_PATH } from './access.js';
import { ResolvedAnswer } from './answers.js';
import { CHANGE_DATA, ChangeEventAnswer } from './change.answers.js';
import { serveDocsPage } from './docs-page.js';
import { problemResponse, problemsByStatus, READ_PROBLEMS } from './documented.js';
import { EVENTS_PATHS } from './events.route.js';
import { problems } from './problem.js';
import { RESOLVE_PATHS } from './resolve.route.js';

type Json = Record<string, unknown>;

const ABOUT = `Decides which version of a prompt, function, flow, agent or app runs in which environment, promotes
whole environments after a diff, rolls one back in one call, and keeps every change as an event.

A key goes into \`Authorization: Bearer <key>\`, or people sign in and have a session cookie (over TLS it is called
\`__Host-switchyard\`). Routes without a project act on the project \`default\`; each of them
also exists below \`/api/v1/projects/{project}\`. Wherever a flow or an environment is named, slug and id both work.
Errors are problem details (RFC 9457) with a stable \`code\`.`;

export function serveOpenApi(app: NestFastifyApplication): void {
  let document: OpenAPIObject | undefined;
  SwaggerModule.setup('docs', app, () => (document ??= describe(app)), {
    jsonDocumentUrl: 'openapi.json',
    yamlDocumentUrl: 'docs/openapi.yaml',
    ui: false,
  });
  serveDocsPage(app.getHttpAdapter().getInstance());
}

export function describe(app: NestFastifyApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Switchyard')
    .setDescription(ABOUT)
    .setVersion('1')
    .addBearerAuth()
    .addCookieAuth('switchyard', { type: 'apiKey', in: 'cookie' }, 'session')
    .addSecurityRequirements('bearer')
    .addSecurityRequirements('session')
    .build();
  const document = SwaggerModule.createDocument(app, config, {
    operationIdFactory: (controller, method) => `${controller.replace('Controller', '')}.${method}`,
    extraModels: [ResolvedAnswer, ChangeEventAnswer, ...CHANGE_DATA],
  });
  const schemas = (document.components ??= {}).schemas ?? {};
  document.components.schemas = { ...schemas, Problem: PROBLEM };
  for (const path of RESOLVE_PATHS) document.paths[openPath(path)] = { get: resolveOperation() } as never;
  for (const path of EVENTS_PATHS) document.paths[openPath(path)] = { get: eventsOperation() } as never;
  for (const [path, item] of Object.entries(document.paths)) completeOperations(path, item as Json);
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    if (name.endsWith('Body')) sayLimits(schema as Json);
  }
  return as31(document) as OpenAPIObject;
}

const PROBLEM: Json = {
  type: 'object',
  description: 'Problem details (RFC 9457).',
  required: ['type', 'title', 'status', 'detail', 'code', 'requestId'],
  properties: {
    type: { type: 'string', format: 'uri-reference' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string', enum: Object.keys(problems).sort() },
    requestId: { type: 'string' },
    outcome: { type: 'string', enum: ['unknown'] },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['pointer', 'detail'],
        properties: { pointer: { type: 'string', format: 'json-pointer' }, detail: { type: 'string' } },
      },
    },
  },
};

const MIN_POSITION: Json = {
  name: 'minPosition',
  in: 'query',
  required: false,
  description: 'Answer only once everything up to this position has been taken in.',
  schema: { type: 'string', pattern: '^(0|[1-9][0-9]{0,18})$' },
};

const IDEMPOTENCY_KEY: Json = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'Sent again with the same key, the command has one effect and the first answer.',
  schema: { type: 'string', pattern: '^("[ !#-\\[\\]-~]{1,255}"|[!#-\\[\\]-~]{1,255})$' },
};

const IDEMPOTENCY_REPLAYED: Json = {
  description: '`true` on the answer of a command that was sent before with this key.',
  schema: { type: 'string', enum: ['true'] },
};

const IF_MATCH: Json = {
  name: 'If-Match',
  in: 'header',
  required: false,
  description: 'The release of the environment that the caller has seen, as `ETag` gave it.',
  schema: { type: 'string', pattern: '^("(0|[1-9][0-9]*)"|\\*)$' },
};

function named(name: string, description: string): Json {
  return { name, in: 'query', required: false, description, schema: { type: 'string' } };
}

function resolveOperation(): Json {
  const codes = [
    ...READ_PROBLEMS,
    'flow-not-found',
    'version-not-found',
    'not-active',
    'at-not-reached',
    'project-archived',
  ] as const;
  const refusals = problemsByStatus([...codes, 'environment-not-found', 'environment-archived']);
  return {
    operationId: 'Resolve.resolve',
    summary: 'Which version of the flow runs.',
    tags: ['flows'],
    parameters: [
      named('environment', 'Slug or id. Left out: the default environment, else what the project says.'),
      named('version', 'Id or number. It wins over an environment.'),
      named('at', 'Answers as of then: a time (RFC 3339, with any offset) or a position.'),
    ],
    responses: {
      200: {
        description: 'The version, with its content, and why it is this one. `ETag` names the answer.',
        content: { 'application/json': { schema: { $ref: getSchemaPath(ResolvedAnswer) } } },
      },
      304: { description: 'The caller has this answer already.' },
      ...Object.fromEntries([...refusals].map(([status, ofStatus]) => [status, problemResponse(ofStatus)])),
    },
    security: [{ bearer: [] }, { session: [] }],
  };
}

const LAST_EVENT_ID = 'The stream goes on strictly after this position.';

const EVENT_STREAM = `Server-Sent Events. The data of each message is a \`ChangeEventAnswer\`, its \`event\` the type
and its \`id\` the position. The first message is \`hello\`, which says after what position the stream begins, or
\`reset\`, when it cannot go on where the client was: too much was missed, or the position is not of this log.`;

function eventsOperation(): Json {
  const codes = [...READ_PROBLEMS, 'environment-not-found', 'flow-not-found', 'invalid-header'] as const;
  const refusals = problemsByStatus([...codes, 'store-unavailable', 'too-many-streams']);
  return {
    operationId: 'Events.follow',
    summary: 'The changes of the project as they happen.',
    tags: ['events'],
    parameters: [
      named('environment', 'Slug or id: its releases and changes alone.'),
      named('flow', 'Slug or id: its changes, and the releases that touch it, alone.'),
      named('type', 'Types, or what types begin with, such as `io.switchyard.release`; comma separated.'),
      named('lastEventId', `${LAST_EVENT_ID} For clients that cannot set the header, which wins.`),
      { ...named('Last-Event-ID', `${LAST_EVENT_ID} Left out: from now on.`), in: 'header' },
    ],
    responses: {
      200: {
        description: 'The changes, until either side ends the connection.',
        content: { 'text/event-stream': { schema: { type: 'string', description: EVENT_STREAM } } },
      },
      ...Object.fromEntries([...refusals].map(([status, ofStatus]) => [status, problemResponse(ofStatus)])),
    },
    security: [{ bearer: [] }, { session: [] }],
  };
}

function completeOperations(path: string, item: Json): void {
  for (const [method, operation] of Object.entries(item) as [string, Json][]) {
    const parameters = (operation['parameters'] ??= []) as Json[];
    for (const [, name] of path.matchAll(/\{(\w+)\}/g)) {
      if (!parameters.some((known) => known['name'] === name)) parameters.unshift(pathParameter(name));
    }
    const responses = operation['responses'] as Record<string, Json>;
    if (path === SIGN_IN_PATH && method === 'post') {
      operation['security'] = [];
      continue;
    }
    parameters.push(method === 'get' ? MIN_POSITION : IDEMPOTENCY_KEY);
    if (method !== 'get') sayReplayed(responses);
    if ('412' in responses) parameters.push(IF_MATCH);
    // A controller with two paths numbers its operations; say instead which of them has the project in its path.
    const id = String(operation['operationId']).replace(/\[\d\]$/, '');
    operation['operationId'] = path.includes('/projects/{project}/') ? `${id}.inProject` : id;
  }
}

function sayReplayed(responses: Record<string, Json>): void {
  for (const [status, response] of Object.entries(responses)) {
    if (status.startsWith('2')) response['headers'] = { 'Idempotency-Replayed': IDEMPOTENCY_REPLAYED };
  }
}

function pathParameter(name: string | undefined): Json {
  return { name, in: 'path', required: true, schema: { type: 'string' } };
}

function openPath(path: string): string {
  return path.replace(/:(\w+)/g, '{$1}');
}

/** What the decorators of the bodies check, in the words of JSON Schema. */
const LIMITS: Readonly<Record<string, Json>> = {
  name: { minLength: 1, maxLength: 100 },
  label: { minLength: 1, maxLength: 100 },
  slug: { pattern: '^[a-z0-9][a-z0-9._-]{0,62}$' },
  color: { pattern: '^#[0-9a-fA-F]{6}$' },
  comment: { maxLength: 5_000 },
  description: { maxLength: 5_000 },
  flowIds: { minItems: 1, maxItems: 20_000 },
};

function sayLimits(schema: Json): void {
  schema['additionalProperties'] = false;
  for (const [name, property] of Object.entries(schema['properties'] ?? {})) {
    Object.assign(property as Json, LIMITS[name]);
  }
}

/** OpenAPI 3.1 has no `nullable`: a value that may be null says so by its type. Every number here is a whole one. */
function as31(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(as31);
  if (typeof node !== 'object' || node === null) return node;
  const entries = Object.entries(node).map(([key, value]): [string, unknown] => [key, as31(value)]);
  const { nullable, ...schema } = Object.fromEntries(entries);
  if (schema['type'] === 'number') schema['type'] = 'integer';
  if (nullable !== true) return schema;
  if (typeof schema['type'] === 'string') return { ...schema, type: [schema['type'], 'null'] };
  return { anyOf: [schema, { type: 'null' }] };
}
