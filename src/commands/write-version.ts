// DraftVersion, EditVersion and ForkVersion: the life of a version before its first activation.
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { v7 as uuidv7 } from 'uuid';
import { Refused } from '../domain/refused.js';
import type { VersionText } from '../domain/flow.js';
import type { Content, FlowEvent, VersionDrafted, VersionEdited } from '../domain/flow.events.js';
import { assert } from '../domain/decider.js';
import type { EventMetadata } from '../domain/events.js';
import type { Outcome } from './command-log.js';
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

/** The fact itself, so that an answer need not wait for the rows; null for an edit that changed nothing. */
interface Written<Event> {
  readonly event: Event;
  readonly meta: EventMetadata;
  readonly position: Position;
}

export class DraftVersion extends Command<Written<VersionDrafted>> {
  constructor(
    readonly caller: InProject,
    readonly flowId: string,
    readonly request: VersionRequest & { readonly content: Content },
  ) {
    super();
  }
}

export class EditVersion extends Command<Written<VersionEdited | null>> {
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
export class ForkVersion extends Command<Written<VersionDrafted>> {
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
    return drafted(await this.flows.run(caller, flowId, { type: 'DraftVersion', versionId, ...text }));
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
    const { events, ...written } = await this.flows.run(caller, flowId, async () => {
      const before = await textOf(this.versions, flowId, versionId);
      return { type: 'EditVersion', versionId, ...changed(before, request, digest), before };
    });
    return { ...written, event: events.find((event) => event.type === 'VersionEdited') ?? null };
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
    const outcome = await this.flows.run(caller, flowId, async () => {
      const { content, digest: original } = await textOf(this.versions, flowId, forkedFrom);
      const blank = { content, digest: original, label: null, comment: null };
      return { type: 'ForkVersion', versionId, forkedFrom, ...changed(blank, request, digest) };
    });
    return drafted(outcome);
  }
}

function drafted({ events, ...written }: Outcome<FlowEvent>): Written<VersionDrafted> {
  const event = events.find(({ type }) => type === 'VersionDrafted');
  assert(event?.type === 'VersionDrafted', 'a new version is drafted or refused');
  return { ...written, event };
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
