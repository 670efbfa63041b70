// docs/security.md is held to what it says: the tests that it names are there, and it has every item of levels 1 and 2
// of OWASP ASVS 5.0.0 once, with the test that holds it, where that is told, or the reason it does not apply.
import { existsSync, readFileSync } from 'node:fs';

/**
 * The level of every requirement, by section and in order: 1.2.10 is of level 3. From github.com/OWASP/ASVS,
 * 5.0/docs_en/OWASP_Application_Security_Verification_Standard_5.0.0_en.csv.
 */
const LEVELS: Readonly<Record<string, string>> = {
  ...{ '1.1': '22', '1.2': '1111122223', '1.3': '112222222223', '1.4': '222', '1.5': '123' },
  ...{ '2.1': '122', '2.2': '112', '2.3': '12223', '2.4': '23' },
  ...{ '3.1': '3', '3.2': '113', '3.3': '12223', '3.4': '11222233', '3.5': '11122333', '3.6': '3' },
  ...{ '3.7': '22333' },
  ...{ '4.1': '12233', '4.2': '23333', '4.3': '22', '4.4': '1222' },
  ...{ '5.1': '2', '5.2': '112333', '5.3': '113', '5.4': '222' },
  ...{ '6.1': '122', '6.2': '111111112222', '6.3': '11223333', '6.4': '112233', '6.5': '22222333' },
  ...{ '6.6': '2223', '6.7': '33', '6.8': '2222' },
  ...{ '7.1': '222', '7.2': '1111', '7.3': '22', '7.4': '11222', '7.5': '223', '7.6': '22' },
  ...{ '8.1': '1233', '8.2': '1123', '8.3': '133', '8.4': '23' },
  ...{ '9.1': '111', '9.2': '1222' },
  ...{ '10.1': '22', '10.2': '223', '10.3': '22223', '10.4': '1111122222233333', '10.5': '22222' },
  ...{ '10.6': '22', '10.7': '222' },
  ...{ '11.1': '2233', '11.2': '22233', '11.3': '11233', '11.4': '1222', '11.5': '23', '11.6': '23' },
  ...{ '11.7': '33' },
  ...{ '12.1': '12233', '12.2': '11', '12.3': '22223' },
  ...{ '13.1': '2333', '13.2': '222223', '13.3': '2233', '13.4': '1222233' },
  ...{ '14.1': '22', '14.2': '12223333', '14.3': '122' },
  ...{ '15.1': '12233', '15.2': '12233', '15.3': '1222222', '15.4': '3333' },
  ...{ '16.1': '2', '16.2': '22222', '16.3': '2222', '16.4': '222', '16.5': '2223' },
  ...{ '17.1': '23', '17.2': '22223333', '17.3': '22' },
};

const items = Object.entries(LEVELS).flatMap(([section, levels]) =>
  [...levels].map((level, index) => ({ id: `${section}.${index + 1}`, level })),
);
const asked = items.filter(({ level }) => level !== '3');

const page = readFileSync('docs/security.md', 'utf8');
const rows = [...page.matchAll(/^\| ([\d.]+)(?:–([\d.]+))? \| ([123, ]+) \| (.+?) \| (.+) \|$/gm)].map(
  ([, first = '', last = first, levels = '', , here = '']) => ({ first, last, levels, here }),
);

/** A range names whatever is asked from its first item to its last one. */
function itemsIn({ first, last }: { readonly first: string; readonly last: string }) {
  const [from, to] = [first, last].map((id) => asked.findIndex((item) => item.id === id));
  if (from === undefined || to === undefined || from < 0 || to < from) return [];
  return asked.slice(from, to + 1);
}

const NAMED_TEST = /`(test\/[\w/.-]+\.spec\.ts)`((?:[:,]? "[^"\n]+")*)/g;

describe('docs/security.md', () => {
  it('goes by a list as long as the standard', () => {
    const count = (level: string) => items.filter((item) => item.level === level).length;
    expect([items.length, ...['1', '2', '3'].map(count)]).toEqual([345, 70, 183, 92]);
  });

  it('has every item of levels 1 and 2 once, in order and at its level', () => {
    expect(rows.flatMap(itemsIn).map(({ id }) => id)).toEqual(asked.map(({ id }) => id));
    for (const row of rows) {
      const levels = [...new Set(itemsIn(row).map(({ level }) => level))].sort();
      expect({ item: row.first, levels: row.levels }).toEqual({ item: row.first, levels: levels.join(', ') });
    }
  });

  it('says of each what holds it, where that is told, or why it does not apply', () => {
    const isAnswered = /^(Does not apply: .{10}|Told in .*\]\(.+\))|`test\/.+\.spec\.ts`: "/;
    expect(rows.filter(({ here }) => !isAnswered.test(here)).map(({ first }) => first)).toEqual([]);
  });

  it('names tests that there are, by sentences that are in them', () => {
    const named = [...page.matchAll(NAMED_TEST)].map(([, file = '', sentences = '']) => ({
      file,
      sentences,
    }));
    expect(named.length).toBeGreaterThan(100);
    const faults = named.flatMap(({ file, sentences }) => {
      if (!existsSync(file)) return [`${file} is not there`];
      const text = readFileSync(file, 'utf8');
      const quoted = [...sentences.matchAll(/"([^"]+)"/g)].map(([, sentence = '']) => sentence);
      return quoted.filter((sentence) => !text.includes(sentence)).map((one) => `${file}: ${one}`);
    });
    expect(faults).toEqual([]);
  });

  it('leads nowhere that there is not', () => {
    const anchorsIn = (text: string) =>
      [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
        title
          .toLowerCase()
          .replace(/[^\w\s-]/g, '')
          .replaceAll(' ', '-'),
      );
    const links = [...page.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)];
    expect(links.length).toBeGreaterThan(20);
    const lost = links.filter(([, path = '', anchor]) => {
      const file = path === '' ? 'docs/security.md' : `docs/${path}`;
      return (
        !existsSync(file) || (anchor !== undefined && !anchorsIn(readFileSync(file, 'utf8')).includes(anchor))
      );
    });
    expect(lost.map(([link]) => link)).toEqual([]);
  });
});
