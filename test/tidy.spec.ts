// The house rules, read off the source files as text. Each rule is one sentence that lists its offenders, and
// comes with a file that breaks it: a rule that could not fail would keep nothing tidy.
import { readdirSync, readFileSync } from 'node:fs';

interface File {
  readonly path: string;
  readonly text: string;
}

interface Rule {
  readonly says: string;
  /** Which files it is about. */
  readonly about: RegExp;
  /** The offences in one file, in words that lead to them. */
  readonly offences: (file: File) => readonly string[];
  /** A file that breaks the rule. */
  readonly broken: File;
}

const CODE = /^(src|projections|cli)\//;
const CODE_AND_TESTS = /^(src|projections|cli|test)\//;
const PURE = /^(src\/domain|projections)\//;
const NEST_LIVES_IN = /^src\/(api\/|commands\/|app\.module\.ts$|server\.ts$)/;
const ITSELF = 'test/tidy.spec.ts';

const rules: readonly Rule[] = [
  {
    says: 'the domain imports nothing but itself',
    about: /^src\/domain\//,
    offences: (file) => importsOf(file).filter((name) => !/^\.\/[^/]+$/.test(name)),
    broken: { path: 'src/domain/flow.ts', text: "import { join } from 'node:path';" },
  },
  {
    says: 'projections import from the domain, the port to the log, the pure hashes of the audit and each other',
    about: /^projections\//,
    offences: (file) =>
      importsOf(file).filter(
        (name) =>
          !/^(\.\/[^/]+|\.\.\/src\/(domain\/[^/]+|store\/event-store\.js|audit\/(leaf|merkle)\.js))$/.test(
            name,
          ),
      ),
    broken: { path: 'projections/flows.ts', text: "import { Views } from '../src/read/views.js';" },
  },
  {
    says: 'the domain and the projections know no clock, no chance, no ids of their own, no settings and no Nest',
    about: PURE,
    offences: matches(/Date\.now|new Date\b|Math\.random|randomUUID|\buuid\b|process\.env|@nestjs/g),
    broken: { path: 'projections/flows.ts', text: 'const now = Date.now();' },
  },
  {
    says: 'the environment variables are read in src/config.ts alone; main.ts may hand all of them to it',
    about: /^(src|projections)\/(?!config\.ts$)/,
    offences: (file) =>
      matches(file.path === 'src/main.ts' ? /process\.env\s*[.?[]/g : /process\.env\b/g)(file),
    broken: { path: 'src/main.ts', text: 'const port = process.env.PORT;' },
  },
  {
    says: 'Nest is imported at the edge alone: src/api, src/commands, app.module.ts and server.ts',
    about: CODE,
    offences: (file) =>
      NEST_LIVES_IN.test(file.path) ? [] : importsOf(file).filter((name) => name.startsWith('@nestjs/')),
    broken: { path: 'src/store/sqlite.ts', text: "import { Injectable } from '@nestjs/common';" },
  },
  {
    says: 'nothing goes over an in-memory event bus',
    about: CODE_AND_TESTS,
    offences: matches(/\bEventBus\b/g),
    broken: { path: 'src/commands/promote.ts', text: "import { EventBus } from '@nestjs/cqrs';" },
  },
  {
    says: 'every export has a name of its own: no barrels, no default exports',
    about: CODE_AND_TESTS,
    offences: matches(/export \*|export default\b|export \{[^}]*\bas default\b/g),
    broken: { path: 'src/read/all.ts', text: "export * from './views.js';" },
  },
  {
    says: 'a source file has 10 to 300 lines, a test at most 500; contract suites are as long as their promise',
    about: CODE_AND_TESTS,
    offences: ({ path, text }) => {
      const lines = text.trimEnd().split('\n').length;
      if (path.endsWith('.contract.ts')) return [];
      const isTest = path.startsWith('test/');
      return lines > (isTest ? 500 : 300) || (!isTest && lines < 10) ? [`${lines} lines`] : [];
    },
    broken: { path: 'src/read/tiny.ts', text: 'export const ONE = 1;\n' },
  },
  {
    says: 'a line has at most 120 columns',
    about: /\.ts$/,
    offences: ({ text }) =>
      text.split('\n').flatMap((line, index) => ([...line].length > 120 ? [`line ${index + 1}`] : [])),
    broken: { path: 'scripts/long.ts', text: `// ${'x'.repeat(118)}` },
  },
  {
    says: 'nothing is left for later and nothing is printed by accident',
    about: CODE_AND_TESTS,
    // Comments count here, so the text is searched as it stands.
    offences: ({ text }) => text.match(/\b(FIXME|TODO|XXX)\b|\bconsole\.log\b/g) ?? [],
    broken: { path: 'src/read/late.ts', text: '// TODO: later' },
  },
  {
    says: 'no test keeps the others from running',
    about: /^test\//,
    offences: matches(/\.only\s*\(|\.only\.each\b|\b(fit|fdescribe)\s*\(/g),
    broken: { path: 'test/a.spec.ts', text: "it.only('runs alone', () => {});" },
  },
  {
    says: 'a skipped test gives its reason in parentheses in its title',
    about: /^test\//,
    offences: (file) => {
      const skips = codeOf(file).match(/\.(skip|todo)\b.{0,200}|\b(xit|xtest|xdescribe)\s*\(/gs) ?? [];
      return skips.filter((skip) => !/^\.skip\s*\(\s*(['"`])(?:(?!\1).)*\([^)]+\)(?:(?!\1).)*\1/s.test(skip));
    },
    broken: { path: 'test/a.spec.ts', text: "it.skip('holds under load', () => {});" },
  },
];

const files = ['src', 'projections', 'cli', 'test', 'scripts', 'bench'].flatMap(filesUnder);

describe('In this house', () => {
  for (const { says, about, offences } of rules) {
    it(says, () => {
      const concerned = files.filter(({ path }) => about.test(path) && path !== ITSELF);
      expect(concerned).not.toHaveLength(0);
      expect(concerned.flatMap((file) => offences(file).map((what) => `${file.path}: ${what}`))).toEqual([]);
    });
  }

  it('every stored event has a golden file, so that what was written once can be read for ever', () => {
    const types = eventTypesIn(files);
    expect(types).not.toHaveLength(0);
    const golden = new Set(readdirSync('test/golden'));
    expect(types.filter((type) => !golden.has(`${type}.v1.json`))).toEqual([]);
  });

  it('every event store is held to the contract', () => {
    const enrolment = files.find(({ path }) => path === 'test/store/event-store.spec.ts')?.text ?? '';
    expect(adaptersMissingFrom(enrolment, files)).toEqual([]);
  });

  it('every setting is explained in README.md or docs', () => {
    const settings = settingsIn(files.find(({ path }) => path === 'src/config.ts')?.text ?? '');
    expect(settings).not.toHaveLength(0);
    const pages = readdirSync('docs', { recursive: true, encoding: 'utf8' }).filter((page) =>
      page.endsWith('.md'),
    );
    const prose = ['README.md', ...pages.map((page) => `docs/${page}`)].map(textOf).join('\n');
    expect(settings.filter((name) => !new RegExp(`\\b${name}\\b`).test(prose))).toEqual([]);
  });
});

describe('A house rule can be broken', () => {
  for (const { says, about, offences, broken } of rules) {
    it(says, () => {
      expect(about.test(broken.path)).toBe(true);
      expect(offences(broken)).not.toHaveLength(0);
    });
  }

  it('by a new event without a golden file', () => {
    const text = "export interface FlowMoved {\n  readonly type: 'FlowMoved';\n}";
    expect(eventTypesIn([{ path: 'src/domain/flow.events.ts', text }])).toEqual(['FlowMoved']);
  });

  it('by an event store that is not enrolled', () => {
    const paths = ['src/store/paper.event-store.ts', 'src/store/event-store.ts'];
    const stores = paths.map((path) => ({ path, text: '' }));
    expect(adaptersMissingFrom('', stores)).toEqual(['src/store/paper.event-store.ts']);
  });

  it('by a setting that is read and nowhere explained', () => {
    const text =
      "reader.text('SWITCHYARD_COLOUR'); // not SWITCHYARD_COMMENTED\nconst port = environment.PORT;";
    expect(settingsIn(text)).toEqual(['SWITCHYARD_COLOUR', 'PORT']);
  });
});

describe('A house rule leaves alone', () => {
  it('what a comment says', () => {
    const text = '// Never over an EventBus.\n/* new Date */ const url = "http://host/#EventBus";';
    expect(codeOf({ path: 'src/a.ts', text }).match(/EventBus|new Date/g)).toEqual(['EventBus']);
  });

  it('a skipped test that says why', () => {
    const rule = rules.find(({ says }) => says.startsWith('a skipped test'));
    const text = 'it.skip(`${title} (${reason})`, check);';
    expect(rule?.offences({ path: 'test/a.spec.ts', text })).toEqual([]);
  });

  it('main.ts handing its environment to the configuration', () => {
    const rule = rules.find(({ says }) => says.startsWith('the environment variables'));
    expect(rule?.offences({ path: 'src/main.ts', text: 'readConfig(process.env);' })).toEqual([]);
  });
});

function filesUnder(folder: string): File[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`)
    .map((path) => ({ path, text: textOf(path) }));
}

function textOf(path: string): string {
  return readFileSync(path, 'utf8');
}

/** The text without its comments. A // inside an address follows a colon, a comment follows white space. */
function codeOf({ text }: File): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}

function matches(pattern: RegExp): Rule['offences'] {
  return (file) => codeOf(file).match(pattern) ?? [];
}

/** Every module that a file names, whether for values, for types, for effects or on demand. */
function importsOf(file: File): string[] {
  const names = codeOf(file).matchAll(/\b(?:from|import|require)\s*\(?\s*(['"])(.+?)\1/g);
  return [...names].map((match) => match[2] ?? '');
}

function eventTypesIn(all: readonly File[]): string[] {
  return all
    .filter(({ path }) => /^src\/domain\/.*\.events\.ts$/.test(path))
    .flatMap((file) => [...codeOf(file).matchAll(/readonly type: '(\w+)'/g)])
    .map((match) => match[1] ?? '');
}

function adaptersMissingFrom(enrolment: string, all: readonly File[]): string[] {
  return all
    .map(({ path }) => path)
    .filter((path) => /^src\/store\/.+\.event-store\.ts$/.test(path))
    .filter((path) => !enrolment.includes(`${path.replace(/^.*\//, '').replace(/\.ts$/, '.js')}'`));
}

function settingsIn(config: string): string[] {
  const names = codeOf({ path: 'src/config.ts', text: config }).match(
    /\b(SWITCHYARD_[A-Z0-9_]+|PORT|HOST)\b/g,
  );
  return [...new Set(names ?? [])];
}
