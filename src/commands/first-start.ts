// What a fresh log needs before anybody can use it: the workspace and the project `default`, and one administrator
// key. A crash in between leaves less of it, and the next start adds what is missing.
import { v7 as uuidv7 } from 'uuid';
import { access } from '../domain/access.js';
import { streamOf } from '../domain/events.js';
import { project } from '../domain/project.js';
import type { LogFollower } from '../read/log-follower.js';
import { hashOfKey, newKey } from './api-key.js';
import type { Caller, CommandLog } from './command-log.js';
import type { Streams } from './streams.js';

const DEFAULT = { slug: 'default', name: 'default' };

export class FirstStart {
  private readonly log: CommandLog;
  private readonly streams: Streams;
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
    if (directory.projectsOf(workspaceId).length === 0) await this.createProject(workspaceId);
    const hasKey = (directory.workspace(workspaceId)?.state.keys.size ?? 0) > 0;
    if (givenKey === undefined && hasKey) return undefined;
    const key = givenKey ?? newKey();
    await this.setKey(workspaceId, key);
    return givenKey === undefined ? key : undefined;
  }

  private async createWorkspace(): Promise<string> {
    const workspaceId = uuidv7();
    await this.log.run({
      stream: streamOf('access', workspaceId),
      load: () => this.streams.access(workspaceId),
      decide: (state) => access.decide(state, { type: 'CreateWorkspace', ...DEFAULT }),
      caller: system(workspaceId, null),
    });
    return workspaceId;
  }

  private async createProject(workspaceId: string): Promise<void> {
    const projectId = uuidv7();
    await this.log.run({
      stream: streamOf('project', projectId),
      load: () => ({ state: project.initial(), revision: -1 }),
      decide: (state) => project.decide(state, { type: 'CreateProject', ...DEFAULT }),
      caller: system(workspaceId, projectId),
    });
  }

  private async setKey(workspaceId: string, key: string): Promise<void> {
    const command = { type: 'SetAdministratorKey', keyId: uuidv7(), hash: hashOfKey(key) } as const;
    await this.log.run({
      stream: streamOf('access', workspaceId),
      load: () => this.streams.access(workspaceId),
      decide: (state) => access.decide(state, command),
      caller: system(workspaceId, null),
    });
  }
}

function system(workspaceId: string, projectId: string | null): Caller {
  return { actor: { type: 'system', id: 'switchyard' }, workspaceId, projectId, requestId: uuidv7() };
}
