// Where signed checkpoints go beside heads.log: to a file on another disk, or to a web address, so that whoever can
// write the log cannot also take back what was said of it. Only the newest one matters, since it covers all before it.
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import type { CheckpointSinkAddress } from '../config.js';

export interface SinkLog {
  warn(fields: object, message: string): void;
}

const TIMEOUT_MS = 10_000;
const RETRY_MS = 5_000;
const RETRY_MS_MAX = 300_000;

export class CheckpointSink {
  /** By workspace: what has not arrived yet. */
  private readonly waiting = new Map<string, string>();
  private retryMs = RETRY_MS;
  private retry: NodeJS.Timeout | undefined;
  private sending: Promise<void> | undefined;

  constructor(
    private readonly address: CheckpointSinkAddress,
    private readonly log: SinkLog,
  ) {}

  send(workspace: string, note: string): void {
    this.waiting.set(workspace, note);
    if (this.retry === undefined) void this.sendWaiting();
  }

  /** Tries once more what is waiting. */
  async close(): Promise<void> {
    await this.sendWaiting();
    clearTimeout(this.retry);
  }

  private sendWaiting(): Promise<void> {
    clearTimeout(this.retry);
    this.retry = undefined;
    this.sending ??= this.sendAll().finally(() => (this.sending = undefined));
    return this.sending;
  }

  private async sendAll(): Promise<void> {
    for (;;) {
      const [next] = this.waiting;
      if (next === undefined) return;
      const [workspace, note] = next;
      try {
        await this.deliver(note);
      } catch (error) {
        // The address itself may hold a secret, and so may the words of an error about it.
        const fields = { sink: this.address.kind, reason: reasonOf(error) };
        this.log.warn(fields, 'a checkpoint could not be delivered');
        this.retry = setTimeout(() => void this.sendWaiting(), this.retryMs).unref();
        this.retryMs = Math.min(this.retryMs * 2, RETRY_MS_MAX);
        return;
      }
      this.retryMs = RETRY_MS;
      if (this.waiting.get(workspace) === note) this.waiting.delete(workspace);
    }
  }

  private async deliver(note: string): Promise<void> {
    if (this.address.kind === 'file') return appendDurably(this.address.path, `${note}\n`);
    const answer = await fetch(this.address.url, {
      method: 'POST',
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: note,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`status ${answer.status}`);
  }
}

function appendDurably(path: string, text: string): void {
  const fd = openSync(path, 'a', 0o600);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const code = (error.cause as { code?: unknown } | undefined)?.code ?? (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : /^status \d+$/.test(error.message) ? error.message : error.name;
}
