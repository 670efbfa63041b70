// DraftVersion, EditVersion and ForkVersion: the life of a version before its first activation.
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { v7 as uuidv7 } from 'uuid';
import { Refused } from '../domain/refused.js';
import type { VersionText } from '../domain/flow.js';
import type { Content } from '../domain/flow.events.js';
import { VersionLog } from '../read/version-log.js';
import type { Position } from '../store/event-store.js';
import { digestOf } from './content.js';
import { FlowStream } from './flow-stream.js';
import type { InProject } from './project-stream.js';

/** What is left out of an edit or a fork stays as it was. */
export interface VersionRequest {
  readonly content?: Content;
  readonly label?: string | null;
  readonly comment?: string | null;
}

type Written = { versionId: string; position: Position };

export class DraftVersion extends Command<Written> {
  constructor(
    readonly caller: InProject,
    readonly flowId: string,
    readonly request: VersionRequest & { readonly content: Content },
  ) {
    super();
  }
}

export class EditVersion extends Command<Written> {
  constructor(
    readonly caller: InProject,
    readonly flowId: string,
    readonly versionId: string,
    readonly request: VersionRequest,
  ) {
    super();
  }
}

/** A new draft that begins with the content of another version and remembers it. */
export class ForkVersion extends Command<Written> {
  constructor(
    readonly caller: InProject,
    readonly flowId: string,
    readonly forkedFrom: string,
    readonly request: VersionRequest,
  ) {
    super();
  }
}

@CommandHandler(DraftVersion)
export class DraftVersionHandler implements ICommandHandler<DraftVersion> {
  constructor(private readonly flows: FlowStream) {}

  async execute({ caller, flowId, request }: DraftVersion) {
    const versionId = uuidv7();
    const { content, label = null, comment = null } = request;
    const text = { content, digest: digestOf(content), label, comment };
    const { position } = await this.flows.run(caller, flowId, { type: 'DraftVersion', versionId, ...text });
    return { versionId, position };
  }
}

@CommandHandler(EditVersion)
export class EditVersionHandler implements ICommandHandler<EditVersion> {
  constructor(
    private readonly flows: FlowStream,
    private readonly versions: VersionLog,
  ) {}

  async execute({ caller, flowId, versionId, request }: EditVersion) {
    const digest = request.content === undefined ? undefined : digestOf(request.content);
    const { position } = await this.flows.run(caller, flowId, async () => {
      const before = await textOf(this.versions, flowId, versionId);
      return { type: 'EditVersion', versionId, ...changed(before, request, digest), before };
    });
    return { versionId, position };
  }
}

@CommandHandler(ForkVersion)
export class ForkVersionHandler implements ICommandHandler<ForkVersion> {
  constructor(
    private readonly flows: FlowStream,
    private readonly versions: VersionLog,
  ) {}

  async execute({ caller, flowId, forkedFrom, request }: ForkVersion) {
    const versionId = uuidv7();
    const digest = request.content === undefined ? undefined : digestOf(request.content);
    const { position } = await this.flows.run(caller, flowId, async () => {
      const { content, digest: original } = await textOf(this.versions, flowId, forkedFrom);
      const blank = { content, digest: original, label: null, comment: null };
      return { type: 'ForkVersion', versionId, forkedFrom, ...changed(blank, request, digest) };
    });
    return { versionId, position };
  }
}

function changed(before: VersionText, request: VersionRequest, digest: string | undefined): VersionText {
  return {
    content: request.content ?? before.content,
    digest: digest ?? before.digest,
    label: request.label === undefined ? before.label : request.label,
    comment: request.comment === undefined ? before.comment : request.comment,
  };
}

async function textOf(versions: VersionLog, flowId: string, versionId: string): Promise<VersionText> {
  const version = await versions.find(flowId, versionId);
  if (version === undefined) throw new Refused('version-not-found', `There is no version ${versionId}.`);
  const { digest, label, comment } = version;
  return { content: JSON.parse(version.content) as Content, digest, label, comment };
}
