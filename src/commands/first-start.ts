// What a fresh log needs before anybody can use it: the workspace and the project `default`, and one administrator
// key. A crash in between leaves less of it, and the next start adds what is missing. Servers that start on one log
// at the same moment agree on all of it, because each part is reserved or decided on one stream.
import { v7 as uuidv7 } from 'uuid';
import { access } from '../domain/access.js';
import { INSTALLATION, streamOf } from '../domain/events.js';
import type { WorkspaceSlugReserved } from '../domain/slug.events.js';
import type { LogFollower } from '../read/log-follower.js';
import { hashOfKey, newKey, prefixOf } from './api-key.js';
import type { Caller, CommandLog } from './command-log.js';
import { makeDefaultProject } from './default-project.js';
import { reserveSlug } from './reserve-slug.js';
import type { Streams } from './streams.js';

const DEFAULT = { slug: 'default', name: 'default' };

export class FirstStart {
  readonly log: CommandLog;
  readonly streams: Streams;
  private readonly follower: LogFollower;

  constructor(over: { commandLog: CommandLog; streams: Streams; follower: LogFollower }) {
    this.log = over.commandLog;
    this.streams = over.streams;
    this.follower = over.follower;
  }

  /** Answers the administrator key when it was made just now: it is shown once and kept as a hash alone. */
  async prepare(givenKey: string | undefined): Promise<string | undefined> {
    const { directory } = this.follower.live;
    const workspaceId = directory.workspaceBySlug(DEFAULT.slug)?.id ?? (await this.createWorkspace());
    for (const { id } of directory.allWorkspaces()) {
      if (directory.projectsOf(id).length === 0) await makeDefaultProject(this, system(id));
    }
    const key = givenKey ?? newKey().key;
    const isNew = await this.setKey(workspaceId, key, givenKey === undefined);
    return isNew && givenKey === undefined ? key : undefined;
  }

  private async createWorkspace(): Promise<string> {
    const offeredId = uuidv7();
    const type = 'WorkspaceSlugReserved';
    const offered: WorkspaceSlugReserved = { type, slug: DEFAULT.slug, workspaceId: offeredId };
    const { workspaceId } = await reserveSlug(this, INSTALLATION, offered, system(offeredId));
    await this.log.run({
      stream: streamOf('access', workspaceId),
      load: () => this.streams.access(workspaceId),
      decide: (state) => (state.exists ? [] : access.decide(state, { type: 'CreateWorkspace', ...DEFAULT })),
      caller: system(workspaceId),
    });
    return workspaceId;
  }

  /** Answers whether the key was set: one that is made up for a first start gives way to any that is there. */
  private async setKey(workspaceId: string, key: string, onlyFirst: boolean): Promise<boolean> {
    const kept = { hash: hashOfKey(key), prefix: prefixOf(key) };
    const command = { type: 'SetAdministratorKey', keyId: uuidv7(), ...kept } as const;
    const { events } = await this.log.run({
      stream: streamOf('access', workspaceId),
      load: () => this.streams.access(workspaceId),
      decide: (state) => (onlyFirst && state.keys.size > 0 ? [] : access.decide(state, command)),
      caller: system(workspaceId),
    });
    return events.length > 0;
  }
}

function system(workspaceId: string): Caller {
  const actor = { type: 'system', id: 'switchyard' } as const;
  return { actor, workspaceId, projectId: null, requestId: uuidv7() };
}
