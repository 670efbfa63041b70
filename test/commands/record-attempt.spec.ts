// Denied attempts on their way to the log: how many there may be, and that nobody ever waits for them.
import type { Caller, Task } from '../../src/commands/command-log.js';
import { AttemptRecorder, type Attempt } from '../../src/commands/record-attempt.js';
import type { AttemptDenied } from '../../src/domain/audit.events.js';

const ATTEMPT: Attempt = {
  ...{ code: 'release-moved', status: 412, method: 'POST', route: '/a/:b', environmentId: null },
};

function recorder() {
  const appended: { readonly actor: string; readonly leftOut: number; readonly key: unknown }[] = [];
  const warnings: string[] = [];
  const clock = { nowMs: 0 };
  const trouble: { reason?: string } = {};
  const run = async (task: Task<null, AttemptDenied>) => {
    expect(await task.load()).toEqual({ state: null, revision: -1 });
    if (trouble.reason !== undefined) throw new Error(trouble.reason);
    for (const { leftOut } of await task.decide(null)) {
      appended.push({ actor: task.caller.actor.id, leftOut, key: task.caller.idempotency });
    }
  };
  const store = { readStream: () => Promise.resolve([]) };
  const warn = (_: object, message: string) => void warnings.push(message);
  const made = new AttemptRecorder(store, { run } as never, { warn }, () => clock.nowMs);
  const attempt = (actor: string, times = 1, workspaceId = 'w1') => {
    const caller: Caller = {
      ...{ actor: { type: 'api-key', id: actor }, workspaceId, projectId: null, requestId: 'r' },
      idempotency: { key: 'k', requestHash: 'h', hasEffect: false },
    };
    for (let time = 0; time < times; time += 1) made.record(caller, ATTEMPT);
    return made.settled();
  };
  return { appended, warnings, clock, trouble, attempt };
}

describe('Denied attempts', () => {
  it('are recorded ten times a minute for one actor, and the next one tells how many were left out', async () => {
    const { appended, clock, attempt } = recorder();
    await attempt('ada', 13);
    expect(appended.map(({ leftOut }) => leftOut)).toEqual(Array(10).fill(0));
    clock.nowMs = 59_999;
    await attempt('ada');
    expect(appended).toHaveLength(10);
    clock.nowMs = 60_000;
    await attempt('ada', 2);
    expect(appended.slice(10).map(({ leftOut }) => leftOut)).toEqual([4, 0]);
  });

  it('are recorded sixty times a minute in one workspace, whoever tries', async () => {
    const { appended, clock, attempt } = recorder();
    for (let actor = 0; actor < 8; actor += 1) await attempt(`key-${actor}`, 10);
    expect(appended).toHaveLength(60);
    await attempt('key-of-another', 10, 'w2');
    expect(appended).toHaveLength(70);
    clock.nowMs = 60_000;
    await attempt('key-7');
    expect(appended.at(-1)).toMatchObject({ actor: 'key-7', leftOut: 10 });
  });

  it('that could not be recorded are warned of, and counted in the next one', async () => {
    const { appended, warnings, trouble, attempt } = recorder();
    trouble.reason = 'The disk is full';
    await attempt('ada', 3);
    expect(warnings).toEqual(Array(3).fill('a denied attempt could not be recorded'));
    delete trouble.reason;
    await attempt('ada');
    expect(appended).toMatchObject([{ leftOut: 3 }]);
  });

  it('are no effect of the command that was denied', async () => {
    const { appended, attempt } = recorder();
    await attempt('ada');
    expect(appended).toEqual([{ actor: 'ada', leftOut: 0, key: undefined }]);
  });
});
