// CreateFlow: reserves the slug, then creates the flow under the id that the reservation names. A crash between the
// two leaves a reserved slug, and whoever creates that flow next takes the id over.
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { v7 as uuidv7 } from 'uuid';
import type { Content, FlowKind } from '../domain/flow.events.js';
import type { FlowSlugReserved } from '../domain/slug.events.js';
import type { Position } from '../store/event-store.js';
import { CommandLog } from './command-log.js';
import { digestOf } from './content.js';
import { FlowStream } from './flow-stream.js';
import type { InProject } from './project-stream.js';
import { reserveSlug } from './reserve-slug.js';
import { Streams } from './streams.js';

export class CreateFlow extends Command<{ flowId: string; position: Position }> {
  constructor(
    readonly caller: InProject,
    readonly request: {
      readonly slug: string;
      readonly name: string;
      readonly kind: FlowKind;
      /** Makes version 1, with the comment. */
      readonly content: Content | null;
      readonly comment: string | null;
    },
  ) {
    super();
  }
}

@CommandHandler(CreateFlow)
export class CreateFlowHandler implements ICommandHandler<CreateFlow> {
  constructor(
    readonly log: CommandLog,
    private readonly flows: FlowStream,
    readonly streams: Streams,
  ) {}

  async execute({ caller, request }: CreateFlow) {
    const { slug, name, kind, content, comment } = request;
    const first =
      content === null
        ? null
        : { versionId: uuidv7(), content, digest: digestOf(content), label: null, comment };
    const offered: FlowSlugReserved = { type: 'FlowSlugReserved', slug, flowId: uuidv7() };
    const { flowId } = await reserveSlug(this, caller.projectId, offered, caller);
    const { position } = await this.flows.run(caller, flowId, {
      type: 'CreateFlow',
      slug,
      name,
      kind,
      first,
    });
    return { flowId, position };
  }
}
