// How many requests one key, one workspace or one address may send: a token bucket for each, in the memory of this
// server alone. Asking one costs a look into a map, and an answer tells what is left in header lines made before.
import { LRUCache } from 'lru-cache';
import { linesOf } from './security-headers.js';

/** Those not heard of for longest make room. If they come back, they begin with a full bucket. */
const SUBJECTS_MAX = 50_000;
/** What is left is told in steps of a hundredth, rounded down. */
const STEPS = 100;
/** Fractions are added up: a bucket with exactly one left may seem to hold a trifle less. */
const TRIFLE_MS = 1e-6;

/** When it will be full again says everything about a bucket. */
export interface Bucket {
  fullAtMs: number;
}

export class RateLimit {
  /** Requests that were refused. */
  refused = 0;
  private readonly buckets = new LRUCache<string, Bucket>({ max: SUBJECTS_MAX });
  /** How many may come at once, after a rest. */
  private readonly quota: number;
  private readonly windowMs: number;
  private readonly msEach: number;
  private readonly lines: readonly string[];

  constructor(
    readonly name: string,
    perSecond: number,
    private readonly windowSeconds: number,
  ) {
    this.quota = perSecond * windowSeconds;
    this.windowMs = windowSeconds * 1000;
    this.msEach = 1000 / perSecond;
    this.lines = Array.from({ length: STEPS + 1 }, (_, step) => linesOf(this.headersAt(step)));
  }

  bucketOf(subject: string, nowMs: number): Bucket {
    let bucket = this.buckets.get(subject);
    if (bucket === undefined) {
      bucket = { fullAtMs: nowMs };
      this.buckets.set(subject, bucket);
    }
    return bucket;
  }

  /** Takes one. Answers 0, or, where none was left, in how many milliseconds there will be. */
  take(bucket: Bucket, nowMs: number): number {
    const fullAtMs = Math.max(bucket.fullAtMs, nowMs) + this.msEach;
    const waitMs = fullAtMs - nowMs - this.windowMs;
    if (waitMs > TRIFLE_MS) {
      this.refused += 1;
      return waitMs;
    }
    bucket.fullAtMs = fullAtMs;
    return 0;
  }

  /** Header lines on what is left. */
  linesFor({ fullAtMs }: Bucket, nowMs: number): string {
    const left = 1 - (fullAtMs - nowMs) / this.windowMs;
    return this.lines[Math.min(STEPS, Math.max(0, Math.floor(left * STEPS)))] ?? '';
  }

  /** The headers of an answer to the one that there was none left for. */
  headersAfter(waitMs: number): Record<string, string> {
    return { ...this.headersAt(0), 'retry-after': String(Math.ceil(waitMs / 1000)) };
  }

  /** As in draft-ietf-httpapi-ratelimit-headers-10: `q` in `w` seconds, of which `r` are left, and all again in `t`. */
  private headersAt(step: number): Record<string, string> {
    const { name, quota, windowSeconds } = this;
    const remaining = Math.floor((quota * step) / STEPS);
    const seconds = Math.ceil((windowSeconds * (STEPS - step)) / STEPS);
    return {
      'ratelimit-policy': `"${name}";q=${quota};w=${windowSeconds}`,
      ratelimit: `"${name}";r=${remaining};t=${seconds}`,
    };
  }
}
