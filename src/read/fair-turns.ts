// Work that is done one piece at a time, in turn: by workspace, and within one by key. Whoever asks for very much
// delays everybody else by one piece at a time.

export interface TurnHolder {
  readonly workspaceId: string;
  readonly actorId: string;
}

type Work = () => Promise<void>;

export class FairTurns {
  /** By workspace and key. Whoever comes first in a map is next in it. */
  private readonly waiting = new Map<string, Map<string, Work[]>>();
  private isWorking = false;

  take<Result>({ workspaceId, actorId }: TurnHolder, work: () => Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const ofWorkspace = this.waiting.get(workspaceId) ?? new Map<string, Work[]>();
      const ofKey = ofWorkspace.get(actorId) ?? [];
      ofKey.push(() => work().then(resolve, reject));
      ofWorkspace.set(actorId, ofKey);
      this.waiting.set(workspaceId, ofWorkspace);
      if (!this.isWorking) void this.work();
    });
  }

  private async work(): Promise<void> {
    this.isWorking = true;
    // What is put back into a map while one walks it comes up again, after all others.
    for (const [workspaceId, ofWorkspace] of this.waiting) {
      const [[actorId, ofKey] = ['', []]] = ofWorkspace;
      await ofKey.shift()?.();
      this.waiting.delete(workspaceId);
      ofWorkspace.delete(actorId);
      if (ofKey.length > 0) ofWorkspace.set(actorId, ofKey);
      if (ofWorkspace.size > 0) this.waiting.set(workspaceId, ofWorkspace);
    }
    this.isWorking = false;
  }
}
