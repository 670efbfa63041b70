// The views over HTTP: where each one stands, and making the rows anew beside the ones that are read from. Nothing of
// it is an event: views are no facts, and every server has its own.
import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import { LogFollower } from '../read/log-follower.js';
import { ViewsStatus } from '../read/views-status.js';
import { InScope } from './access.js';
import { Scope } from './scope.js';
import { ViewsAnswer } from './answers.js';
import { Commands, Reads } from './documented.js';
import { AnswerNotKept } from './idempotency.js';
import { Problem } from './problem.js';
import { NoBody } from './validation.js';

@ApiTags('views')
@Controller('api/v1/views')
export class ViewsController {
  constructor(
    private readonly follower: LogFollower,
    private readonly status: ViewsStatus,
  ) {}

  /** Where every view of this server stands. */
  @Get()
  @Reads()
  list(@InScope() _: Scope): ViewsAnswer {
    return this.shown();
  }

  /** Makes the rows of this server anew from the log. The old ones are read from until the new ones are ready. */
  @Post('rebuild')
  @HttpCode(202)
  @Commands('rebuild-under-way')
  @AnswerNotKept()
  @ApiResponse({ status: 202, type: ViewsAnswer })
  rebuild(@InScope() _scope: Scope, @Body() _: NoBody): ViewsAnswer {
    if (this.follower.isRebuilding) {
      throw new Problem('rebuild-under-way', 'Wait until the rebuild that is under way has ended.');
    }
    // How it ends is asked for by reading the views again.
    this.follower.rebuild().catch(() => undefined);
    return this.shown();
  }

  private shown(): ViewsAnswer {
    const { head, views, failures } = this.status;
    const { lastRebuild, rebuildFailure = null, isRebuilding, watchdog } = this.follower;
    return {
      head: String(head),
      lagSeconds: watchdog.lagSeconds,
      views: views.map((view) => ({ ...view, position: String(view.position) })),
      failures,
      isRebuilding,
      rebuildFailure,
      lastRebuild:
        lastRebuild === undefined ? null : { ...lastRebuild, position: String(lastRebuild.position) },
    };
  }
}
