// Is the process alive, can it serve, and what its figures are.
import { Controller, Get, HttpCode, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Engine } from '../engine.js';
import { Metrics } from './metrics.js';

@ApiExcludeController()
@Controller()
export class HealthController {
  constructor(
    private readonly engine: Engine,
    private readonly metrics: Metrics,
  ) {}

  @Get('health/live')
  @HttpCode(200)
  live() {
    return { status: 'live' };
  }

  /** 503 while the views do not follow the log: what the server would answer then might be out of date. */
  @Get('health/ready')
  ready(@Res({ passthrough: true }) reply: FastifyReply) {
    const { live, views, failures } = this.engine.follower;
    if (failures.length > 0) void reply.code(503);
    return {
      status: failures.length === 0 ? 'ready' : 'failed',
      position: String(live.progress.position),
      viewsPosition: String(views.progress.position),
      failures,
    };
  }

  @Get('metrics')
  async figures(@Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    void reply.header('content-type', this.metrics.contentType);
    return this.metrics.text();
  }
}
