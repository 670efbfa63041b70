// Who was denied, and what: a key that no longer works, something that a key may not do, a release that had moved. Only
// ids and the pattern of the route go into the record: nothing that the caller sent.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Caller } from '../commands/command-log.js';
import type { AttemptRecorder } from '../commands/record-attempt.js';
import type { LogFollower } from '../read/log-follower.js';
import type { Directory } from '../../projections/directory.js';
import type { Project } from '../../projections/projects.js';
import { projectReference } from './access.js';
import { sentFrom } from './scope.js';

const DENIED: ReadonlySet<number> = new Set([401, 403]);

export function recordDenied(
  instance: FastifyInstance,
  recorder: Pick<AttemptRecorder, 'record'>,
  follower: LogFollower,
): void {
  instance.addHook('onResponse', (request, { statusCode: status }, done) => {
    const { problemCode: code, method } = request;
    if (code !== undefined && (DENIED.has(status) || code === 'release-moved')) {
      const { directory } = follower.live;
      const project = request.scope?.projectIfAny ?? projectOfFormer(request, directory);
      const caller = request.scope?.callerInWorkspace ?? formerCaller(request, project);
      const route = request.routeOptions.url ?? 'none';
      const environmentId = environmentIn(request, directory, project);
      if (caller !== undefined) recorder.record(caller, { code, status, method, route, environmentId });
    }
    done();
  });
}

/** Undefined for a key that nobody ever knew: there is no one to name. */
function formerCaller(request: FastifyRequest, project: Project | undefined): Caller | undefined {
  const { formerKey, refusedPerson } = request;
  if (refusedPerson !== undefined) {
    const { personId: id, workspaceId } = refusedPerson;
    return { actor: { type: 'person', id }, workspaceId, projectId: null, ...sentFrom(request) };
  }
  if (formerKey === undefined) return undefined;
  const { keyId: id, workspaceId } = formerKey;
  return {
    ...{ actor: { type: 'api-key', id }, workspaceId, projectId: project?.id ?? null },
    ...sentFrom(request),
  };
}

function projectOfFormer(request: FastifyRequest, directory: Directory): Project | undefined {
  const { formerKey } = request;
  if (formerKey === undefined) return undefined;
  return ifThereIs(() => directory.project(formerKey.workspaceId, projectReference(request) ?? 'default'));
}

/** In the path, or the one that the body would have changed. */
function environmentIn(
  { params, body }: FastifyRequest,
  directory: Directory,
  project: Project | undefined,
): string | null {
  const fields = (body ?? {}) as Readonly<Record<string, unknown>>;
  const named = [
    (params as Readonly<Record<string, unknown>> | undefined)?.['environment'],
    fields['targetEnvironment'],
    fields['environment'],
  ];
  const reference = named.find((value) => typeof value === 'string');
  if (project === undefined || reference === undefined) return null;
  return ifThereIs(() => directory.environment(project, reference).id) ?? null;
}

function ifThereIs<Found>(find: () => Found): Found | undefined {
  try {
    return find();
  } catch {
    return undefined;
  }
}
