// The rule that a server keeps its word through crashes of a kind, for a suite: the rig run once, for so many.
import { crash, FLOWS, type Crashes } from './crash-rig.js';
import { seed } from './random.js';

/** Defines the test. */
export function losesNothing(what: string, crashes: Omit<Crashes, 'seed'>): void {
  const { count } = crashes;
  it(`Nothing acknowledged is lost in ${count} ${what}, and nothing is half there (seed ${seed})`, async () => {
    const crashed = await crash({ ...crashes, seed });
    expect(crashed.faults).toEqual([]);
    expect(crashed.kills).toBe(count);
    expect(crashed.releases).toBeGreaterThan(FLOWS + count);
    expect(crashed.promotions).toBeGreaterThan(0);
    expect(crashed.unanswered).toBeGreaterThan(0);
  }, 600_000);
}
