// A log that is not the one that was there before takes no commands, until an operator has said that it may.

/** The log lost events, or holds others than it held. Nothing was changed. */
export class LogFenced extends Error {
  override readonly name = 'LogFenced';
}

export class Fence {
  /** One line for the operator; undefined while all is well. */
  reason: string | undefined;

  close(reason: string): void {
    this.reason ??= reason;
  }

  open(): void {
    this.reason = undefined;
  }

  /** Throws `LogFenced`. */
  refuse(): void {
    if (this.reason !== undefined) throw new LogFenced(this.reason);
  }
}
