// Every command on a flow and its versions is decided on the flow's stream.
import { Injectable } from '@nestjs/common';
import { streamOf } from '../domain/events.js';
import { flow, type FlowCommand, type FlowState } from '../domain/flow.js';
import type { FlowEvent } from '../domain/flow.events.js';
import { CommandLog, type Caller, type Outcome } from './command-log.js';
import { Streams } from './streams.js';

@Injectable()
export class FlowStream {
  constructor(
    private readonly log: CommandLog,
    private readonly streams: Streams,
  ) {}

  /** `command` may be worked out from the state that it will be decided on. */
  run(
    caller: Caller,
    flowId: string,
    command: FlowCommand | ((state: FlowState) => FlowCommand | Promise<FlowCommand>),
  ): Promise<Outcome<FlowEvent>> {
    return this.log.run({
      stream: streamOf('flow', flowId),
      load: () => this.streams.flow(flowId),
      decide: async (state) =>
        flow.decide(state, typeof command === 'function' ? await command(state) : command),
      caller,
    });
  }
}
