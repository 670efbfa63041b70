// What one page of keys costs: whoever may see next to none of very many is not shown them all at once in vain.
import type { CommandBus } from '@nestjs/cqrs';
import { KeysController } from '../../src/api/keys.controller.js';
import type { Scope } from '../../src/api/scope.js';
import type { LogFollower } from '../../src/read/log-follower.js';

const KEYS = 2_500;
const LOOKED_AT_MAX = 1_000;
const idOf = (n: number) => `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`;

it(`A page looks at one key more than it shows, at most at ${LOOKED_AT_MAX}, and none is left out`, () => {
  const keys = new Map(
    Array.from({ length: KEYS }, (_, n) => {
      const id = idOf(n);
      return [id, { id, grants: [{ role: 'viewer' }], previous: null, usedOn: null }];
    }),
  );
  const directory = {
    workspace: () => ({ state: { keys }, issued: new Map() }),
    keyByHash: () => undefined,
  };
  const controller = new KeysController({} as CommandBus, { live: { directory } } as unknown as LogFollower);
  let looks = 0;
  const seeing = (isSeen: (look: number) => boolean) => {
    const access = { hasWherever: () => isSeen((looks += 1)) };
    return { workspaceId: 'w', access } as unknown as Scope;
  };
  const everything = controller.list(
    seeing(() => true),
    { limit: 50 },
  );
  expect({ shown: everything.items.length, looks }).toEqual({ shown: 50, looks: 51 });
  looks = 0;
  const shown: string[] = [];
  const pages: number[] = [];
  for (let cursor: string | null | undefined; cursor !== null;) {
    const before = looks;
    const query = { limit: 50, ...(cursor !== undefined && { cursor }) };
    const page = controller.list(
      seeing((look) => look > KEYS - 20),
      query,
    );
    pages.push(looks - before);
    shown.push(...page.items.map(({ id }) => id));
    cursor = page.nextCursor;
  }
  expect(pages).toEqual([LOOKED_AT_MAX, LOOKED_AT_MAX, KEYS - 2 * LOOKED_AT_MAX]);
  expect(shown).toEqual(Array.from({ length: 20 }, (_, n) => idOf(KEYS - 20 + n)));
});
