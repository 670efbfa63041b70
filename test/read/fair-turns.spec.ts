// In which order work is done that many ask for: nobody waits for all that somebody else wants.
import { FairTurns } from '../../src/read/fair-turns.js';

/** Every piece takes a moment, in which the ones behind it may ask. */
async function piece(name: string, done: string[]): Promise<string> {
  await new Promise((resolve) => setImmediate(resolve));
  done.push(name);
  return name;
}

/** One who asks for the next piece once it has the one before. */
async function asker(turns: FairTurns, name: string, pieces: number, done: string[]): Promise<void> {
  const [workspaceId = '', actorId = ''] = name.split('.');
  for (let left = pieces; left > 0; left -= 1) {
    expect(await turns.take({ workspaceId, actorId }, () => piece(name, done))).toBe(name);
  }
}

describe('Work in turn', () => {
  it('of one workspace comes between the pieces of another, however many those are', async () => {
    const [turns, done] = [new FairTurns(), new Array<string>()];
    const crowd = Array.from({ length: 50 }, () => asker(turns, 'crowd.k', 3, done));
    await Promise.all([...crowd, asker(turns, 'one.k', 4, done)]);
    const one = done.flatMap((name, at) => (name === 'one.k' ? at : []));
    expect(one).toEqual([1, 3, 5, 7]);
    expect(done).toHaveLength(154);
  });

  it('of one key comes between the pieces of another key of the workspace', async () => {
    const [turns, done] = [new FairTurns(), new Array<string>()];
    const names = ['a.loud', 'a.loud', 'a.loud', 'a.quiet', 'b.k'];
    await Promise.all(names.map((name) => asker(turns, name, 1, done)));
    expect(done).toEqual(['a.loud', 'b.k', 'a.quiet', 'a.loud', 'a.loud']);
  });

  it('is done one piece at a time, and goes on after one that fails', async () => {
    const turns = new FairTurns();
    const who = { workspaceId: 'w', actorId: 'k' };
    let [now, most] = [0, 0];
    const works = Array.from({ length: 10 }, (_, n) =>
      turns.take(who, async () => {
        most = Math.max(most, (now += 1));
        await new Promise((resolve) => setImmediate(resolve));
        now -= 1;
        if (n % 2 === 0) throw new Error(`no ${n}`);
        return n;
      }),
    );
    const outcomes = await Promise.allSettled(works);
    expect(outcomes.map(({ status }) => status)).toEqual(
      outcomes.map((_, n) => (n % 2 === 0 ? 'rejected' : 'fulfilled')),
    );
    expect(most).toBe(1);
    expect(await turns.take(who, async () => 'later')).toBe('later');
  });
});
