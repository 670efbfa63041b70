// Is the process alive, can it serve, and what its figures are.
import { Controller, Get, HttpCode, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { LogFollower } from '../read/log-follower.js';
import { ViewsStatus } from '../read/views-status.js';
import { Metrics } from './metrics.js';

@ApiExcludeController()
@Controller()
export class HealthController {
  constructor(
    private readonly follower: LogFollower,
    private readonly status: ViewsStatus,
    private readonly metrics: Metrics,
  ) {}

  @Get('health/live')
  @HttpCode(200)
  live() {
    return { status: 'live' };
  }

  /** 503 while what the server answers might be out of date, or while it cannot take commands. */
  @Get('health/ready')
  ready(@Res({ passthrough: true }) reply: FastifyReply) {
    const { head, views, failures } = this.status;
    const { live, watchdog } = this.follower;
    if (failures.length > 0) void reply.code(503);
    return {
      status: failures.length === 0 ? 'ready' : 'failed',
      position: String(live.progress.position),
      head: String(head),
      lagSeconds: watchdog.lagSeconds,
      views: views.map((view) => ({ ...view, position: String(view.position) })),
      failures,
    };
  }

  @Get('metrics')
  async figures(@Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    void reply.header('content-type', this.metrics.contentType);
    return this.metrics.text();
  }
}
