// Releases as nobody writes them: JSON that is hardly any, numbers spelt in every way, parts that do not follow each
// other, names that languages trip over. Which of them an environment takes, two verifiers have to agree on.
import type { Leaf } from '../../src/audit/leaf.js';
import type { Random } from './random.js';

export type OddEvent = Pick<Leaf, 'stream' | 'type' | 'data'>;

const NUMBERS = [
  '1',
  '1.0',
  '10e-1',
  '0.1e1',
  '1.5',
  '0',
  '-0',
  '-1',
  '2',
  '"1"',
  'true',
  'null',
  '[1]',
  '{}',
];
const LARGE = [
  '1e400',
  '9007199254740991',
  '9007199254740992',
  '9007199254740993',
  '01',
  '1.',
  '+1',
  '.1',
  '1e',
];
const NAMES = [
  'a',
  'b',
  '',
  ' ',
  '__proto__',
  'constructor',
  'toJSON',
  'é',
  'e\u0301',
  '\ue000',
  '\u{1f600}',
];
const ODD_NAMES = ['"', '\\', '/', '\u0000', '\u007f', '\u2028', '\ufeff', '0', '10', '9', 'A', '\uffff'];
const TYPES = ['VersionActivated', 'VersionDeactivated', 'VersionsPromoted', 'EnvironmentRolledBack'];

/** Some releases of some environments that nothing was heard of before. */
export function oddReleases(random: Random): readonly OddEvent[] {
  const streams = Array.from({ length: 1 + random.below(3) }, () => `environment-${nameOf(random)}`);
  const releases = new Map<string, number>();
  return Array.from({ length: 1 + random.below(4) }, () => {
    const stream = random.pick(streams);
    const release = (releases.get(stream) ?? 0) + 1;
    releases.set(stream, release);
    const seldom = random.next() < 0.05;
    const type = seldom
      ? random.pick(['', 'versionactivated', 'LogRestored', 'VersionActivated '])
      : random.pick(TYPES);
    return { stream, type, data: dataOf(release, random) };
  });
}

function dataOf(release: number, random: Random): string {
  const members = [`"release":${usually(random, String(release), () => numberOf(random))}`];
  members.push(
    `"changes":${usually(random, changesOf(random), () => random.pick(['null', '{}', '""', '[null]', '[{}]']))}`,
  );
  if (random.next() < 0.3) members.push(`"part":${partOf(random)}`);
  if (random.next() < 0.2) members.push(otherOf(random));
  if (random.next() < 0.05) members.push(nested(random.pick([63, 64, 200_000])));
  if (random.next() < 0.05) members.splice(random.below(members.length), 1);
  if (random.next() < 0.1) members.reverse();
  const text = `{${members.join(',')}}`;
  return random.next() < 0.9 ? text : respelt(text, random);
}

function changesOf(random: Random): string {
  const changes = Array.from({ length: random.below(4) }, () => {
    const flow = usually(random, stringOf(random), () => random.pick(['1', 'null', '["a"]', '{}']));
    const version = `{"versionId":${usually(random, stringOf(random), () => random.pick(['1', 'null', '[]']))}}`;
    const to = random.pick([version, version, version, 'null']);
    return `{"flowId":${flow},"to":${usually(random, to, () => random.pick(['[]', '{}', '""', 'false', '0']))}}`;
  });
  if (random.next() < 0.03) changes.push('{"flowId":"a"}');
  return `[${changes.join(',')}]`;
}

function partOf(random: Random): string {
  const [number, of] = [random.below(3), 1 + random.below(3)];
  const part = random.pick([`{"number":1,"of":2}`, `{"number":2,"of":2}`, `{"number":${number},"of":${of}}`]);
  return usually(random, part, () =>
    random.pick(['null', '[1,2]', '{}', '"1"', `{"number":${numberOf(random)},"of":${numberOf(random)}}`]),
  );
}

/** What is neither asked for nor forbidden. */
function otherOf(random: Random): string {
  return random.pick([
    '"release":1',
    '"changes":[]',
    '"":null',
    `"more":${numberOf(random)}`,
    `"more":${'9'.repeat(5_000)}`,
    `"more":${stringOf(random)}`,
    '"more":"\\ud800"',
    '"\\u0072elease":1',
    '"__proto__":{"release":1}',
  ]);
}

/** Deep in a member that another one hides, which looks deep to whoever takes what is within a string for more. */
function nested(depth: number): string {
  const [opened, closed] = ['['.repeat(depth), ']'.repeat(depth)];
  return `"more":${opened}${closed},"more":"\\"${opened}\\\\"`;
}

function respelt(text: string, random: Random): string {
  return random.pick([
    ` ${text}\t\r`,
    `\ufeff${text}`,
    `\u00a0${text}`,
    `\u000b${text}`,
    `[${text}]`,
    `${text}${text}`,
    text.slice(0, -1),
    text.replaceAll('"', "'"),
    text.replace(',', ',,'),
    text.replace('}', ',}'),
    text.replace(/:/g, ' : '),
    text.replace('release', 'rel\tease'),
    `${text}//`,
    'null',
    '',
  ]);
}

function numberOf(random: Random): string {
  return random.pick([...NUMBERS, ...LARGE, 'NaN', 'Infinity', '-Infinity', '0x1', '1_0', '１']);
}

function stringOf(random: Random): string {
  const text = JSON.stringify(nameOf(random));
  const odd = random.pick(['"\\ud83d\\ude00"', '"\\u0061"', '"\\/"', '"\\x41"', '"\\u00"', '"\\ud83d"']);
  return random.next() < 0.04 ? odd : text;
}

function nameOf(random: Random): string {
  return random.pick(random.next() < 0.7 ? NAMES : ODD_NAMES);
}

function usually(random: Random, usual: string, odd: () => string): string {
  return random.next() < 0.95 ? usual : odd();
}
