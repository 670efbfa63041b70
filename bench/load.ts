// Load, made by a process of its own that can have a core to itself, and what was seen of it.
import type { Ask } from './http-connection.js';
import { runBeside, type Placing } from './processes.js';

export interface Load {
  readonly port: number;
  readonly key: string;
  readonly connections: number;
  readonly seconds: number;
  /** What connection n asks: the list n, the lists taken in turn where there are fewer. */
  readonly asks: readonly (readonly Ask[])[];
  readonly order: 'random' | 'in turn';
  /** What one more connection asks beside all others, in random order; its latencies are reported apart. */
  readonly probe?: readonly Ask[];
}

export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Of the probe; not a number without one. */
  readonly probeP99Ms: number;
  /** Of one core, by the client itself: near 1 means that the client was the limit. */
  readonly clientCpu: number;
}

export function load(task: Load, placing: Placing = {}): Promise<LoadResult> {
  return runBeside<Load, LoadResult>('./load-process.js', task, placing);
}
