// What each role allows, where a grant allows it, and that nobody can give away what is not theirs.
import fc from 'fast-check';
import { ROLES, type Grant } from '../../src/domain/access.events.js';
import { Access, PERMISSIONS, ROLE_PERMISSIONS, type Permission } from '../../src/domain/permissions.js';
import { seed } from '../support/random.js';

const RUNS = 3_000;

describe('A role', () => {
  it.each([
    ['viewer', 'read resolve'],
    ['resolver', 'resolve'],
    ['editor', 'read resolve edit activate'],
    ['promoter', 'read resolve activate promote roll-back'],
    ['auditor', 'read resolve audit'],
    ['admin', 'read resolve edit activate promote roll-back audit manage administer'],
  ] as const)('%s allows to %s', (role, allowed) =>
    expect([...ROLE_PERMISSIONS[role]]).toEqual(allowed.split(' ')),
  );
});

describe('A grant', () => {
  it('without limits holds in the workspace and everywhere in it', () => {
    const access = new Access([{ role: 'viewer' }]);
    expect([access.has('read'), access.has('edit')]).toEqual([true, false]);
    expect(access.projects).toBeUndefined();
    expect(placesOf(access, 'read')).toEqual(EVERYWHERE);
    expect(placesOf(access, 'edit')).toEqual([]);
  });

  it('for projects holds in them and in all of their environments, and nowhere else', () => {
    const access = new Access([{ role: 'viewer', projects: ['shop'] }]);
    expect(access.projects).toEqual(new Set(['shop']));
    expect(placesOf(access, 'read')).toEqual([
      ...['somewhere', 'in shop', 'in all of shop'],
      ...['on shop/staging', 'on shop/production', 'on shop/one to come'],
    ]);
  });

  it('for environments holds on them, and on what their project has beside environments', () => {
    const access = new Access([{ role: 'viewer', projects: ['shop'], environments: ['production'] }]);
    expect(placesOf(access, 'read')).toEqual(['somewhere', 'in shop', 'on shop/production']);
  });

  it('for environments of no named project is for every project', () => {
    const access = new Access([{ role: 'viewer', environments: ['production'] }]);
    expect(access.projects).toBeUndefined();
    expect(placesOf(access, 'read')).toEqual([
      'somewhere',
      ...PROJECTS.flatMap((project) => [`in ${project}`, `on ${project}/production`]),
    ]);
  });

  it('adds to the others: what a key may do is all that any of its grants allows', () => {
    const grants: Grant[] = [
      { role: 'viewer', projects: ['shop'], environments: ['staging'] },
      { role: 'promoter', projects: ['shop'], environments: ['production'] },
    ];
    const access = new Access(grants);
    expect(access.hasOn('read', 'shop', 'staging')).toBe(true);
    expect(access.hasOn('promote', 'shop', 'staging')).toBe(false);
    expect(access.hasOn('promote', 'shop', 'production')).toBe(true);
    expect(access.hasInAllOf('read', 'shop')).toBe(false);
  });
});

describe('A key can pass on', () => {
  it('in one grant what it has by several', () => {
    const own = new Access([
      { role: 'admin', projects: ['shop'] },
      { role: 'admin', projects: ['blog'], environments: ['staging'] },
    ]);
    expect(own.contains({ role: 'editor', projects: ['shop', 'blog'], environments: ['staging'] })).toBe(
      true,
    );
    expect(own.contains({ role: 'editor', projects: ['shop', 'blog'] })).toBe(false);
  });

  it(`exactly what allows nothing new anywhere, whatever the grants are (seed ${seed})`, () => {
    const told = { yes: 0, no: 0 };
    fc.assert(
      fc.property(fc.array(anyGrant, { maxLength: 4 }), anyGrant, (own, grant) => {
        const before = new Access(own);
        const after = new Access([...own, grant]);
        const gained = PERMISSIONS.flatMap((permission) => {
          const had = new Set(placesOf(before, permission));
          return placesOf(after, permission).filter((place) => !had.has(place));
        });
        expect({ contains: before.contains(grant), gained }).toEqual({
          contains: gained.length === 0,
          gained,
        });
        told[gained.length === 0 ? 'yes' : 'no'] += 1;
      }),
      { seed, numRuns: RUNS },
    );
    // Both answers were seen often enough to mean something.
    expect(Math.min(told.yes, told.no)).toBeGreaterThan(RUNS / 20);
  });
});

describe('Whoever has many grants', () => {
  it('is compared with as many of another key in no more than the time that it takes to read both', () => {
    const ids = Array.from({ length: 100 }, (_, n) => `id${n}`);
    const narrow: Grant = { role: 'admin', projects: ['id0'], environments: ['id0'] };
    const wide: Grant = { role: 'admin', projects: ids, environments: ids };
    const own = new Access([...Array<Grant>(49).fill(narrow), wide]);
    const asked = Array<Grant>(50).fill({ ...wide, role: 'viewer' });
    const began = performance.now();
    for (let key = 0; key < 200; key += 1) {
      expect(asked.every((grant) => own.hasWherever('administer', grant))).toBe(true);
      expect(asked.every((grant) => own.contains(grant))).toBe(true);
    }
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

/** The last of each is one that nobody has named yet. */
const PROJECTS = ['shop', 'blog', 'one to come'];
const ENVIRONMENTS = ['staging', 'production', 'one to come'];
const EVERYWHERE = [
  ...['in the workspace', 'somewhere'],
  ...PROJECTS.flatMap((project) => [
    ...[`in ${project}`, `in all of ${project}`],
    ...ENVIRONMENTS.map((environment) => `on ${project}/${environment}`),
  ]),
];

const named = (all: readonly string[]) =>
  fc.option(fc.subarray(all.slice(0, -1), { minLength: 1 }), { nil: undefined });
const anyGrant: fc.Arbitrary<Grant> = fc
  .record({ role: fc.constantFrom(...ROLES), projects: named(PROJECTS), environments: named(ENVIRONMENTS) })
  .map(({ role, projects, environments }) => ({
    role,
    ...(projects && { projects }),
    ...(environments && { environments }),
  }));

/** Every question that can be asked about a permission, and that is answered with yes. */
function placesOf(access: Access, permission: Permission): string[] {
  const asked: [string, boolean][] = [
    ['in the workspace', access.has(permission)],
    ['somewhere', access.hasSomewhere(permission)],
  ];
  for (const project of PROJECTS) {
    asked.push([`in ${project}`, access.hasIn(permission, project)]);
    asked.push([`in all of ${project}`, access.hasInAllOf(permission, project)]);
    for (const environment of ENVIRONMENTS) {
      asked.push([`on ${project}/${environment}`, access.hasOn(permission, project, environment)]);
    }
  }
  return asked.filter(([, isHeld]) => isHeld).map(([place]) => place);
}
