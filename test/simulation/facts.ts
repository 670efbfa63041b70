// Events as the log has them and as the model has them, in one form, so that they can be compared: without what only
// serves to compute faster, and with the changes of a release in one order.
import type { Fact } from './operations.js';

interface Change {
  readonly flowId: string;
  readonly from: unknown;
  readonly to: unknown;
}

export function factIn({ type, data }: { readonly type: string; readonly data: string }): Fact {
  return factOf({ type, ...(JSON.parse(data) as object) });
}

export function factOf(event: { readonly type: string }): Fact {
  return 'changes' in event ? releaseFact(event as Fact & { readonly changes: readonly Change[] }) : event;
}

function releaseFact({ changes, ...release }: Fact & { readonly changes: readonly Change[] }): Fact {
  const told = changes.map(({ flowId, from, to }) => ({ flowId, from, to }));
  return { ...release, changes: told.sort((a, b) => (a.flowId < b.flowId ? -1 : 1)) };
}

/** Whether two values are one as JSON, whoever made them and in whichever order. */
export function isSame(one: unknown, other: unknown): boolean {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) {
    return one === other;
  }
  const entries = Object.entries(one);
  if (Array.isArray(one) !== Array.isArray(other) || entries.length !== Object.keys(other).length)
    return false;
  return entries.every(([name, value]) => {
    return Object.hasOwn(other, name) && isSame(value, (other as Record<string, unknown>)[name]);
  });
}
