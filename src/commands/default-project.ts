// Every workspace begins with a project. Whoever makes one at the same moment, even on another server, agrees on it.
import { v7 as uuidv7 } from 'uuid';
import { streamOf } from '../domain/events.js';
import { project } from '../domain/project.js';
import type { ProjectSlugReserved } from '../domain/slug.events.js';
import { withoutKey, type Caller, type CommandLog } from './command-log.js';
import { reserveSlug } from './reserve-slug.js';
import type { Streams } from './streams.js';

const DEFAULT = { slug: 'default', name: 'default' };

interface Over {
  readonly log: CommandLog;
  readonly streams: Streams;
}

/** In the workspace of the caller; one that is there is left as it is. */
export async function makeDefaultProject(over: Over, caller: Caller): Promise<void> {
  const { log, streams } = over;
  const { workspaceId } = caller;
  const type = 'ProjectSlugReserved';
  const offered: ProjectSlugReserved = { type, slug: DEFAULT.slug, projectId: uuidv7() };
  const inOffered = { ...caller, projectId: offered.projectId };
  const { projectId } = await reserveSlug(over, workspaceId, offered, inOffered);
  await log.run({
    stream: streamOf('project', projectId),
    load: () => streams.project(workspaceId, projectId),
    decide: (state) => (state.exists ? [] : project.decide(state, { type: 'CreateProject', ...DEFAULT })),
    caller: withoutKey({ ...caller, projectId }),
  });
}
