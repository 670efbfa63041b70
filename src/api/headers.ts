// The conditional headers: a release pinned by If-Match, and answers that the caller has already.
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EnvironmentEntry } from '../domain/project.js';
import { Problem } from './problem.js';

const RELEASE_TAG = /^"(0|[1-9][0-9]{0,14})"$/;

/** The release that `If-Match: "<release>"` pins; null when the header is missing or `*`. */
export const PinnedRelease = createParamDecorator((_: unknown, context: ExecutionContext): number | null => {
  const header = context.switchToHttp().getRequest<FastifyRequest>().headers['if-match'];
  if (header === undefined || header.trim() === '*') return null;
  const release = RELEASE_TAG.exec(header.trim())?.[1];
  if (release !== undefined) return Number(release);
  throw new Problem('invalid-header', 'If-Match takes one release number in double quotes, as ETag gave it.');
});

export function releaseTag(release: number): string {
  return `"${release}"`;
}

/**
 * Names an answer that shows a release of an environment by names, which change while the release stays, or come to
 * stand for another environment. It says no more than the answer: of others the caller may not know.
 */
export function stateTag(release: number, { id, slug }: EnvironmentEntry, source = ''): string {
  return `"${[release, id, slug, ...(source === '' ? [] : [source])].join('.')}"`;
}

/** Weak comparison, as RFC 9110 has it for If-None-Match. */
export function hasAlready(request: FastifyRequest, tag: string): boolean {
  const header = request.headers['if-none-match'];
  if (header === undefined) return false;
  if (header === tag || header === '*') return true;
  return header.split(',').some((candidate) => candidate.trim().replace(/^W\//, '') === tag);
}

/** Names an answer about a moment of the past, which with its address decides every byte of it. */
export function momentTag(...positions: readonly bigint[]): string {
  return `"@${positions.join('-')}"`;
}

const ASK_AGAIN = 'private, no-cache';
const FOR_EVER = 'private, max-age=31536000, immutable';
const NEVER = 'no-store';

/** Whoever signs in does so in a browser, which somebody else may use later. */
export function cachingOf({ scope }: FastifyRequest, isForEver = false): string {
  if (scope?.principal.sessionId !== undefined) return NEVER;
  return isForEver ? FOR_EVER : ASK_AGAIN;
}

/** Sets the tag, and answers 304 without a body where the caller has this very answer. */
export function answerOnce<Body>(
  request: FastifyRequest,
  reply: FastifyReply,
  tag: string,
  body: () => Body,
  isForEver = false,
): Body | undefined {
  void reply.header('etag', tag).header('cache-control', cachingOf(request, isForEver));
  // Whoever comes to the same browser with another key may not know as much.
  if (isForEver) void reply.header('vary', 'authorization, cookie');
  if (!hasAlready(request, tag)) return body();
  void reply.code(304);
  return undefined;
}
