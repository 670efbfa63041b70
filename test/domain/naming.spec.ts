// What things may be called, and the names of the streams that keep them.
import fc from 'fast-check';
import { idInStream, slugStream, streamOf } from '../../src/domain/events.js';
import { isEnvironmentSlug, isId, isName, isSlug, slugFrom } from '../../src/domain/naming.js';

const ID = '0198c5a2-7b1e-7c3d-9f00-3a5b6c7d8e9f';

describe('A slug', () => {
  it.each(['a', '7', 'eu-prod', 'variant-a', 'v1.2_beta', 'a'.repeat(63)])('may be %s', (slug) =>
    expect(isSlug(slug)).toBe(true),
  );

  it.each([
    ['empty', ''],
    ['longer than 63 characters', 'a'.repeat(64)],
    ['in capitals', 'Staging'],
    ['begun with a dash', '-a'],
    ['begun with a dot', '.a'],
    ['begun with an underscore', '_a'],
    ['with a space in it', 'eu prod'],
    ['with a slash in it', 'eu/prod'],
    ['with a letter beyond ASCII', 'größe'],
    ['followed by a line break', 'staging\n'],
    ['that looks like an id', ID],
  ])('is none when it is %s', (_, slug) => expect(isSlug(slug)).toBe(false));

  it.each(['default', 'diff', 'promote'])(
    'of an environment is none when it is %s, a route of its own',
    (slug) => {
      expect(isEnvironmentSlug(slug)).toBe(false);
      expect(isSlug(slug)).toBe(true);
      expect(isEnvironmentSlug(`${slug}-2`)).toBe(true);
    },
  );

  it('of an environment is a slug like any other', () => {
    expect(isEnvironmentSlug('staging')).toBe(true);
    expect(isEnvironmentSlug('Staging')).toBe(false);
    expect(isEnvironmentSlug(ID)).toBe(false);
  });
});

describe('An id', () => {
  it('is a UUID in lower case', () => {
    expect(isId(ID)).toBe(true);
    for (const other of [
      ID.toUpperCase(),
      ID.slice(1),
      `${ID}0`,
      `${ID}\n`,
      ID.replaceAll('-', ''),
      'staging',
    ]) {
      expect(isId(other)).toBe(false);
    }
  });
});

describe('A name', () => {
  it.each(['A', 'Über-Prompt №5', '生産環境', 'Prod (EU) – v2', '🚀', 'x'.repeat(100), '🚀'.repeat(100)])(
    'may be %s',
    (name) => expect(isName(name)).toBe(true),
  );

  it.each([
    ['empty', ''],
    ['blank', ' '],
    ['longer than 100 characters', 'x'.repeat(101)],
    ['begun with a space', ' a'],
    ['ended by a space', 'a '],
    ['on two lines', 'a\nb'],
    ['with a tab in it', 'a\tb'],
    ['with a NUL in it', 'a\0b'],
    ['with a character of no width in it', 'pro\u200Bd'],
    ['turned round by a bidirectional mark', 'a\u202Eb'],
    ['on two paragraphs', 'a\u2029b'],
    ['half a character', 'a\uD83D'],
  ])('is none when it is %s', (_, name) => expect(isName(name)).toBe(false));

  it('is counted in characters after they are composed', () => {
    expect(isName('e\u0301'.repeat(100))).toBe(true);
    expect(isName('e\u0301'.repeat(101))).toBe(false);
  });
});

describe('The slug of a name', () => {
  it.each([
    ['Production', 'production'],
    ['EU Prod', 'eu-prod'],
    ['  Variant  A!  ', 'variant-a'],
    ['Crème brûlée', 'creme-brulee'],
    ['v1.2_beta', 'v1.2_beta'],
    ['--a--', 'a'],
    ['№ 5', 'no-5'],
    ['生産環境', ''],
    ['🚀', ''],
    [`${'a'.repeat(62)} b`, 'a'.repeat(62)],
  ])('of %s is %s', (name, slug) => expect(slugFrom(name)).toBe(slug));

  it('is empty or a slug, whatever the name, and is its own slug', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 120 }), (name) => {
        const slug = slugFrom(name);
        expect(slug === '' || isSlug(slug) || isId(slug)).toBe(true);
        expect(slugFrom(slug)).toBe(slug);
      }),
    ));
});

describe('A stream', () => {
  it('is named after its kind, which has no dash, and the id of what it keeps', () => {
    expect(streamOf('environment', ID)).toBe(`environment-${ID}`);
    expect(idInStream(streamOf('environment', ID))).toBe(ID);
  });

  it('of a slug is that of no other slug and of no other project', () => {
    const names = [
      slugStream('p1', 'a.b'),
      slugStream('p1', 'a'),
      slugStream('p1', 'a-b'),
      slugStream('p2', 'a'),
    ];
    expect(new Set(names).size).toBe(names.length);
    expect(slugStream('p1', 'a-b')).toBe('slug-p1.a-b');
  });
});
