// What differs between any two states of any two environments, each now, after a release, or at a moment.
import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isId } from '../domain/naming.js';
import { Refused } from '../domain/refused.js';
import { Past, type Moment } from '../read/past.js';
import type { PastViews } from '../read/past-views.js';
import { differing } from '../../projections/differences.js';
import { InScopeWithQuery } from './access.js';
import { Scope } from './scope.js';
import { parseStateName, type StateName } from './at.js';
import { compare } from './diff.js';
import { Reads } from './documented.js';
import { answerOnce, momentTag } from './headers.js';
import { StatesDiffAnswer } from './time-travel.answers.js';
import { DiffStatesQuery } from './time-travel.dto.js';

@ApiTags('history')
@Controller(['api/v1/diff', 'api/v1/projects/:project/diff'])
export class DiffController {
  constructor(private readonly past: Past) {}

  /** From one state to another: `added` runs only in `to`, `removed` only in `from`. */
  @Get()
  @Reads('environment-not-found', 'release-not-found', 'at-not-reached')
  @ApiResponse({ status: 200, type: StatesDiffAnswer })
  @ApiResponse({ status: 304, description: 'The caller has this answer already.' })
  async get(
    @InScopeWithQuery() scope: Scope,
    @Query() query: DiffStatesQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StatesDiffAnswer | undefined> {
    const from = await this.state(scope, query.from, '/from');
    const to = await this.state(scope, query.to, '/to');
    const tag = momentTag(from.position, to.position);
    const answer = presentStatesDiff(from, to, query.includeUnchanged);
    return answerOnce(request, reply, tag, () => answer, from.isSettled && to.isSettled);
  }

  private async state(scope: Scope, text: string, pointer: string): Promise<State> {
    const name = parseStateName(text) ?? { environment: text, when: null };
    const { moment, reference } = await this.moment(scope, name, pointer);
    const then = await this.past.views(scope.project, moment.position);
    const { id, slug } = scope.environment(reference, 'read', then.project);
    return { ...moment, then, slug, running: then.activeVersions.environment(id).state };
  }

  /** Of a release, the environment is named as it is now: by its slug it may be another one some day. */
  private async moment(scope: Scope, { environment, when }: StateName, pointer: string) {
    if (when === null) {
      return { reference: environment, moment: { position: this.past.now, isSettled: false } };
    }
    if (!('release' in when)) {
      return { reference: environment, moment: await this.past.moment(when, pointer) };
    }
    const { id, slug } = scope.environment(environment);
    const position = await this.past.positionOfRelease(scope.project, id, when.release);
    if (position === undefined) {
      throw new Refused('release-not-found', `Environment ${slug} has no release ${when.release}.`);
    }
    return { reference: id, moment: { position, isSettled: isId(environment) } };
  }
}

interface State extends Moment {
  readonly then: PastViews;
  readonly slug: string;
  readonly running: ReturnType<PastViews['activeVersions']['environment']>['state'];
}

/** Each environment is called as it was then; the flows, which both may hold, as at the later moment. */
function presentStatesDiff(from: State, to: State, includeUnchanged: boolean): StatesDiffAnswer {
  const later = from.position > to.position ? from.then : to.then;
  const differ = differing(from.running, to.running);
  const { summary, items } = compare(later, to.running, from.running, differ, includeUnchanged);
  const side = ({ slug, running, position }: State) => {
    return { environment: slug, release: running.release, position: String(position) };
  };
  const moved = items.map(({ source, target, ...item }) => ({ ...item, from: target, to: source }));
  return { from: side(from), to: side(to), summary, items: moved };
}
